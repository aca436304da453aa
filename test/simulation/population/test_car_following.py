"""How fast a car wants to go."""

import math

import pytest

from emma_planner.simulation.population.car_following import (
    HARDEST_BRAKING_MPS2,
    MAX_ACCELERATION_MPS2,
    STANDING_GAP_M,
    follow,
    slow_to,
    stop_at,
)

DT_S = 0.1


def test_a_free_road_is_driven_at_the_wanted_speed():
    speed = 0.0
    for _ in range(600):
        speed += DT_S * follow(speed, 12.0, math.inf, 0.0)
    assert speed == pytest.approx(12.0, abs=0.2)


def test_who_is_too_fast_slows_down():
    assert follow(15.0, 10.0, math.inf, 0.0) < 0.0


@pytest.mark.parametrize('leader', [0.0, 3.0, 8.0])
def test_a_leader_is_never_hit_and_its_speed_taken_over(leader):
    speed, gap = 13.0, 60.0
    for _ in range(900):
        speed = max(0.0, speed + DT_S * follow(speed, 13.9, gap, leader))
        gap += DT_S * (leader - speed)
        assert gap > 0.5
    assert speed == pytest.approx(leader, abs=0.3)
    assert gap >= STANDING_GAP_M * 0.8


def test_touching_bumpers_brake_hardest():
    assert follow(5.0, 10.0, 0.05, 0.0) == -HARDEST_BRAKING_MPS2


@pytest.mark.parametrize('start', [4.0, 9.0, 13.9])
def test_a_stop_ends_before_its_line_and_comfortably(start):
    speed, distance, hardest = start, 60.0, 0.0
    for _ in range(400):
        acceleration = stop_at(speed, distance)
        hardest = min(hardest, acceleration)
        before = speed
        speed = max(0.0, speed + DT_S * acceleration)
        distance -= DT_S * (before + speed) / 2.0
    assert speed < 0.2
    assert -0.2 < distance < 4.0
    assert hardest > -4.0


def test_a_slower_stretch_far_ahead_asks_for_nothing_yet():
    assert slow_to(10.0, 5.0, 200.0) == math.inf
    assert slow_to(10.0, 5.0, 15.0) == pytest.approx(-2.5)
    assert slow_to(4.0, 5.0, 15.0) == math.inf


def test_nothing_accelerates_or_brakes_beyond_the_limits():
    for speed in (0.0, 5.0, 20.0):
        for gap in (0.01, 1.0, 10.0, math.inf):
            value = follow(speed, 10.0, gap, 0.0)
            assert -HARDEST_BRAKING_MPS2 <= value <= MAX_ACCELERATION_MPS2
