"""Pedals: one at a time, within 0 to 1, and CARLA's sign of steering."""

from __future__ import annotations

import pytest

from emma_planner.control.carla_pedals import carla_pedals
from emma_planner.control.config import FollowerConfig
from emma_planner.control.control import Control

CONFIG = FollowerConfig()


def test_left_is_negative_in_carla_and_full_lock_is_1():
    left = carla_pedals(Control(0.35, 5.0, 0.0), 5.0, CONFIG)
    assert left.steer == pytest.approx(-0.5)
    assert carla_pedals(Control(-9.0, 5.0, 0.0), 5.0, CONFIG).steer == 1.0


@pytest.mark.parametrize('acceleration', [-9.0, -2.0, -0.31, -0.3, -0.29, 0.0, 1.0, 9.0])
def test_never_both_pedals_and_never_too_far(acceleration):
    pedals = carla_pedals(Control(0.0, 5.0, acceleration), 5.0, CONFIG)
    assert 0.0 in (pedals.throttle, pedals.brake)
    assert 0.0 <= pedals.throttle <= 1.0
    assert 0.0 <= pedals.brake <= 1.0
    assert not pedals.reverse


def test_more_acceleration_is_more_throttle_and_more_braking_more_brake():
    pedals = [carla_pedals(Control(0.0, 5.0, a / 4.0), 5.0, CONFIG) for a in range(-24, 13)]
    throttles, brakes = [p.throttle for p in pedals], [p.brake for p in pedals]
    assert throttles == sorted(throttles)
    assert brakes == sorted(brakes, reverse=True)
    assert throttles[-1] > 0.9
    assert brakes[0] > 0.6


def test_keeping_a_higher_speed_takes_more_throttle():
    slow, fast = (carla_pedals(Control(0.0, v, 0.0), v, CONFIG).throttle for v in (5.0, 25.0))
    assert 0.0 < slow < fast


def test_the_hand_brake_is_for_a_car_that_stands():
    hold = Control(0.0, 0.0, -2.0)
    assert carla_pedals(hold, 0.0, CONFIG).hand_brake
    assert carla_pedals(hold, 0.0, CONFIG).throttle == 0.0
    assert not carla_pedals(hold, 5.0, CONFIG).hand_brake
    assert not carla_pedals(Control(0.0, 1.0, 1.0), 0.0, CONFIG).hand_brake
