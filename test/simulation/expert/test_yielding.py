"""Who goes first."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from simulation.streets_by_hand import VEHICLE, Street, actor, light

from emma_planner.planning.types import Pose
from emma_planner.simulation.expert.expert import Expert
from emma_planner.simulation.expert.speed import Limit
from emma_planner.simulation.observation import Actor, LightState, RouteSpan

SPANS = (
    RouteSpan(0.0, 60.0, 'straight', 'follow lane'),
    RouteSpan(60.0, 80.0, 'junction', 'go straight'),
    RouteSpan(80.0, 400.0, 'straight', 'follow lane'),
)
JUNCTION = Street(spans=SPANS)
FRONT = VEHICLE.front_overhang_m


def _across(y_m: float, speed_mps: float = 7.0) -> Actor:
    """A car from the right across the middle of the junction."""
    way = np.column_stack([np.full(61, 70.0), np.arange(y_m, y_m + 60.5)])
    return actor('across', 70.0, y_m, yaw=math.pi / 2, speed_mps=speed_mps, path=way)


def _plan(*actors: Actor, s_m: float = 35.0, lights: tuple = (), speed_mps: float = 8.0):
    seen = JUNCTION.observation(s_m, speed_mps, actors=actors, lights=lights)
    return Expert(VEHICLE).plan(seen)


def test_it_waits_before_a_junction_and_not_inside():
    plan = _plan(_across(-30.0))
    assert plan.facts.limit is Limit.YIELD
    assert plan.poses[:30, 0].max() + FRONT < 60.0


def test_a_car_at_a_red_light_is_not_waited_for_while_the_own_is_green():
    green = light(59.0, LightState.GREEN)
    plan = _plan(_across(-30.0), lights=(green,))
    assert plan.facts.limit is Limit.FREE
    inside = _plan(_across(-6.0, 5.0), lights=(green,), s_m=50.0)
    assert inside.facts.limit is Limit.YIELD


def test_it_goes_first_when_the_other_is_far():
    assert _plan(_across(-60.0, 4.0)).facts.limit is Limit.FREE


def test_it_does_not_enter_a_junction_behind_a_queue():
    queue = actor('last', 83.0, 0.0)
    plan = _plan(queue, s_m=40.0)
    assert plan.poses[-1, 0] + FRONT < 60.0
    away = replace(queue, pose=Pose(95.0, 0.0, 0.0))
    assert _plan(away, s_m=40.0).poses[-1, 0] + FRONT > 60.0


@pytest.mark.parametrize('side', [-1, 1])
def test_it_lets_a_car_join_that_is_ahead_of_it(side):
    s = np.arange(0.0, 41.0, 2.0)
    way = np.column_stack([45.0 + s, side * np.maximum(0.0, 5.0 - s / 3.0)])
    yaw = -side * math.atan(1 / 3)
    joining = actor('joining', 45.0, 5.0 * side, yaw=yaw, speed_mps=5.0, path=way)
    street = Street()
    plan = Expert(VEHICLE).plan(street.observation(20.0, 10.0, actors=(joining,)))
    assert plan.facts.actor == 'joining'
    assert plan.speeds_mps[20] < 9.0
