"""Whose fault a collision is, and when the next one would be."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from simulation.drives_by_hand import CAR, LANE, actor, observation

from emma_planner.simulation.observation import ActorKind
from emma_planner.simulation.scoring.encounters import is_at_fault, time_to_collision

FRONT = CAR.front_overhang_m
REAR = CAR.rear_overhang_m
AHEAD = FRONT + 2.25
"""Middle of a car that touches the front bumper."""
MIDDLE = 0.5 * (FRONT - REAR)
OUT_OF_LANE = replace(LANE, offset_m=1.2)


def test_ego_that_runs_into_a_slower_car_is_at_fault():
    assert is_at_fault(actor(AHEAD, speed_mps=3.0), observation(), 5.0, CAR)


@pytest.mark.parametrize(('overlap_m', 'at_fault'), [(0.3, True), (0.05, False)])
def test_part_of_the_bumper_is_enough_but_a_scrape_is_not(overlap_m, at_fault):
    for side in (1.0, -1.0):
        other = actor(AHEAD - 0.5, side * (1.8 - overlap_m), speed_mps=3.0)
        assert is_at_fault(other, observation(), 5.0, CAR) is at_fault


def test_ego_that_is_hit_from_behind_is_not_at_fault():
    assert not is_at_fault(actor(-REAR - 2.25, speed_mps=9.0), observation(), 5.0, CAR)


def test_ego_that_backs_into_a_car_is_at_fault_and_not_for_one_at_its_front():
    behind, ahead = actor(-REAR - 2.25, speed_mps=1.0), actor(AHEAD, speed_mps=-2.0)
    assert is_at_fault(behind, observation(), -2.0, CAR)
    assert not is_at_fault(ahead, observation(), -2.0, CAR)


@pytest.mark.parametrize('kind', list(ActorKind))
@pytest.mark.parametrize('x_m', [AHEAD, MIDDLE, -REAR - 2.25])
def test_ego_that_stands_is_never_at_fault(kind, x_m):
    assert not is_at_fault(actor(x_m, kind=kind, speed_mps=5.0), observation(), 0.05, CAR)


@pytest.mark.parametrize('kind', list(ActorKind))
def test_moving_ego_is_at_fault_with_whatever_stands(kind):
    assert is_at_fault(actor(MIDDLE, 1.8, kind=kind), observation(), 0.06, CAR)


def test_moving_ego_is_at_fault_with_the_ground():
    assert is_at_fault(None, observation(), 1.0, CAR)
    assert not is_at_fault(None, observation(), 0.0, CAR)


@pytest.mark.parametrize(
    ('lane', 'expected'),
    [
        (LANE, False),
        (replace(LANE, offset_m=0.84), False),
        (replace(LANE, offset_m=0.86), True),
        (replace(LANE, offset_m=-0.86), True),
        (replace(LANE, heading_error_rad=0.3), True),
        (replace(LANE, in_lane=False), True),
        (replace(LANE, on_road=False), True),
    ],
)
def test_side_collision_is_the_fault_of_an_ego_outside_its_lane(lane, expected):
    beside = actor(MIDDLE, 1.85, speed_mps=6.0)
    assert is_at_fault(beside, observation(lane=lane), 5.0, CAR) is expected


@pytest.mark.parametrize('kind', [ActorKind.PEDESTRIAN, ActorKind.CYCLIST])
def test_moving_ego_in_its_lane_is_at_fault_with_people_at_its_side_but_not_behind(kind):
    beside = actor(MIDDLE, 1.2, kind=kind, speed_mps=1.0, length_m=0.5, width_m=0.5)
    behind = actor(-REAR - 0.3, kind=kind, speed_mps=6.0, length_m=0.5, width_m=0.5)
    assert is_at_fault(beside, observation(), 5.0, CAR)
    assert not is_at_fault(behind, observation(), 5.0, CAR)


def test_fault_does_not_depend_on_where_the_ego_heads():
    for yaw in (0.0, 1.0, math.pi, -2.5):
        x, y = AHEAD * math.cos(yaw), AHEAD * math.sin(yaw)
        now = observation(yaw_rad=yaw)
        assert is_at_fault(actor(x, y, yaw_rad=yaw, speed_mps=3.0), now, 5.0, CAR)
        assert not is_at_fault(actor(-x, -y, yaw_rad=yaw, speed_mps=9.0), now, 5.0, CAR)


def test_time_to_a_slower_car_is_the_gap_over_the_closing_speed():
    now = observation(
        s_m=100.0, speed_mps=12.0, actors=[actor(100.0 + AHEAD + 20.0, speed_mps=4.0)]
    )
    assert time_to_collision(now, CAR) == pytest.approx(20.0 / 8.0)


def test_nearest_of_several_counts():
    others = [actor(AHEAD + gap, name=str(gap)) for gap in (20.0, 5.0, 12.0)]
    assert time_to_collision(observation(actors=others), CAR) == pytest.approx(1.0)


def test_nothing_in_the_way_within_three_seconds_is_never():
    far = actor(AHEAD + 15.1)
    faster = actor(AHEAD + 1.0, speed_mps=6.0)
    aside = actor(AHEAD + 1.0, 2.0)
    for others in ([], [far], [faster], [aside]):
        assert time_to_collision(observation(actors=others), CAR) == math.inf
    assert time_to_collision(observation(actors=[actor(AHEAD + 14.9)]), CAR) < 3.0


def test_standing_ego_runs_into_nothing():
    coming = actor(AHEAD + 5.0, yaw_rad=math.pi, speed_mps=10.0)
    assert time_to_collision(observation(speed_mps=0.004, actors=[coming]), CAR) == math.inf
    assert time_to_collision(observation(speed_mps=0.006, actors=[coming]), CAR) < 1.0


def test_who_comes_from_behind_is_left_out_unless_the_ego_backs():
    chaser = actor(-REAR - 2.25 - 5.0, speed_mps=15.0)
    waiting = actor(-REAR - 2.25 - 5.0)
    assert time_to_collision(observation(speed_mps=5.0, actors=[chaser]), CAR) == math.inf
    backing = observation(speed_mps=-5.0, actors=[waiting])
    assert time_to_collision(backing, CAR) == pytest.approx(1.0)


def test_who_comes_from_the_side_matters_in_junctions_and_outside_the_lane():
    crossing = actor(MIDDLE + 1.0, 6.0, yaw_rad=-math.pi / 2, speed_mps=5.0)
    alone = {'speed_mps': 1.0, 'actors': [crossing]}
    assert time_to_collision(observation(**alone), CAR) == math.inf
    for now in (observation(**alone, span='junction'), observation(**alone, lane=OUT_OF_LANE)):
        assert time_to_collision(now, CAR) == pytest.approx((6.0 - 2.25 - 0.9) / 5.0)


def test_pedestrian_who_walks_into_the_way_is_seen():
    walker = actor(
        20.0,
        3.0,
        kind=ActorKind.PEDESTRIAN,
        yaw_rad=-math.pi / 2,
        speed_mps=1.5,
        length_m=0.5,
        width_m=0.5,
    )
    still = replace(walker, speed_mps=0.0)
    assert time_to_collision(observation(speed_mps=10.0, actors=[walker]), CAR) == pytest.approx(
        (20.0 - FRONT - 0.25) / 10.0
    )
    assert time_to_collision(observation(speed_mps=10.0, actors=[still]), CAR) == math.inf


def test_time_does_not_depend_on_mirroring():
    times = [
        time_to_collision(
            observation(
                speed_mps=8.0, actors=[actor(15.0, 2.0 * side, yaw_rad=0.2 * side, speed_mps=-3.0)]
            ),
            CAR,
        )
        for side in (1.0, -1.0)
    ]
    assert 0.5 < times[0] < 1.5
    assert times[0] == pytest.approx(times[1])
