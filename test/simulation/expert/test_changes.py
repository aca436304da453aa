"""Lane changes of the route wait for a gap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from simulation.streets_by_hand import VEHICLE, actor

from emma_planner.simulation.expert.changes import LaneChanges
from emma_planner.simulation.expert.frame import Ego, RouteFrame
from emma_planner.simulation.observation import Actor, Route, RouteSpan
from emma_planner.simulation.roads.polyline import quintic_step

LANE_M = 3.5


def _route(junction_m: float = 300.0) -> Route:
    """One change to the left from 50 m to 90 m, on a road of two lanes up to a junction."""
    s = np.linspace(0.0, 400.0, 401)
    y = LANE_M * quintic_step((s - 50.0) / 40.0)
    return Route(
        points=np.column_stack([s, y]),
        s_m=s,
        left_m=1.5 * LANE_M - y,
        right_m=0.5 * LANE_M + y,
        speed_limits_mps=np.full(len(s), 12.0),
        lane_width_m=LANE_M,
        spans=(
            RouteSpan(0.0, 50.0, 'straight', 'follow lane'),
            RouteSpan(50.0, 90.0, 'straight', 'change lane left'),
            RouteSpan(90.0, junction_m, 'straight', 'follow lane'),
            RouteSpan(junction_m, 400.0, 'junction', 'go straight'),
        ),
    )


def _lay(changes: LaneChanges, s_m: float, *actors: Actor, scale: float = 1.0):
    frame = RouteFrame(_route(), s_m)
    aside = 0.0 - frame.at(s_m, frame.points[:, 1])
    return frame, changes.lay(frame, actors, Ego(s_m, aside, 10.0, VEHICLE, scale))


def test_with_a_gap_the_change_is_made_where_the_route_has_it():
    _, laid = _lay(LaneChanges(), 45.0)
    assert np.abs(laid.base_m).max() == pytest.approx(0.0)
    assert laid.stops == ()
    assert laid.side == 1


@pytest.mark.parametrize('x_m', [33.0, 45.0, 52.0])
def test_without_a_gap_the_ego_stays_in_its_lane_and_could_stop_where_that_ends(x_m):
    frame, laid = _lay(LaneChanges(), 45.0, actor('beside', x_m, LANE_M, speed_mps=11.0))
    kept = frame.points[:, 1] + laid.base_m
    assert np.abs(kept).max() < 0.02
    assert laid.stops[0].cause.who == 'beside'
    assert laid.stops[0].front_s_m < 300.0
    assert laid.caps[0].speed_mps < 10.0
    assert laid.side == 0


def test_a_change_put_off_is_made_as_soon_as_there_is_a_gap():
    changes = LaneChanges()
    _lay(changes, 45.0, actor('beside', 46.0, LANE_M, speed_mps=11.0))
    frame, laid = _lay(changes, 120.0)
    y = frame.points[:, 1] + laid.base_m
    assert np.abs(y[frame.s_m < 120.0]).max() < 0.02
    assert y[frame.s_m > 165.0] == pytest.approx(LANE_M)
    assert laid.side == 1


def test_cars_in_other_lanes_and_far_away_do_not_matter():
    others = (
        actor('behind me', 20.0, 0.0, speed_mps=12.0),
        actor('far behind', -40.0, LANE_M, speed_mps=10.0),
        actor('far ahead', 90.0, LANE_M, speed_mps=10.0),
        actor('oncoming', 60.0, 2 * LANE_M, yaw=math.pi, speed_mps=10.0),
        actor('parked', 45.0, 2 * LANE_M, parked=True),
    )
    _, laid = _lay(LaneChanges(), 45.0, *others)
    assert laid.side == 1


def test_who_has_waited_long_takes_a_smaller_gap():
    behind = actor('behind', 28.0, LANE_M, speed_mps=13.5)
    assert _lay(LaneChanges(), 45.0, behind)[1].side == 0
    assert _lay(LaneChanges(), 45.0, behind, scale=0.5)[1].side == 1
