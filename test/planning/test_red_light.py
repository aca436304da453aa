"""Standing before a red light: where, how hard, and along the same way."""

from __future__ import annotations

import numpy as np
import pytest
from planning.trajectories import trajectory_of

from emma_planner.planning.red_light import FIRM_MPS2, HARDEST_MPS2, STAND_M, stand_before
from emma_planner.planning.types import DT_S


def _way(trajectory):
    return float(np.sum(trajectory.speeds_mps) * DT_S)


@pytest.mark.parametrize('speed', [1.0, 4.0, 8.0, 14.0])
def test_a_trajectory_that_goes_on_comes_to_stand_before_the_line(speed):
    line = STAND_M + 0.5 + speed**2 / (2.0 * FIRM_MPS2)
    slowed = stand_before(trajectory_of(speed), speed, line)
    assert line - STAND_M - 0.5 < _way(slowed) <= line - STAND_M
    assert slowed.speeds_mps[-1] < 0.3
    braking = -np.diff(slowed.speeds_mps) / DT_S
    assert braking.max() < FIRM_MPS2 + 0.3
    assert (slowed.speeds_mps <= speed).all()


def test_a_trajectory_that_stops_in_time_is_left_as_it_is():
    stops = trajectory_of(np.maximum(7.5 - 1.0 * np.arange(10), 0.0))
    assert stand_before(stops, 8.0, _way(stops) + STAND_M + 0.2) is stops


def test_a_trajectory_that_does_not_come_near_the_line_is_left_as_it_is():
    goes = trajectory_of(8.0)
    assert stand_before(goes, 8.0, 8.0 * 5.0 + STAND_M + 8.0**2 / (2.0 * FIRM_MPS2) + 0.1) is goes


def test_it_brakes_only_as_hard_as_the_room_asks_for():
    speed, room = 8.0, 8.0
    slowed = stand_before(trajectory_of(speed), speed, room + STAND_M)
    assert _way(slowed) == pytest.approx(room, abs=0.3)
    braking = -np.diff(slowed.speeds_mps[:3]) / DT_S
    np.testing.assert_allclose(braking, speed**2 / (2.0 * room), atol=0.2)


def _harshest(slowed, speed):
    return (-np.diff(np.concatenate([[speed], slowed.speeds_mps])) / DT_S).max()


@pytest.mark.parametrize('line', [8.0, STAND_M + 8.0**2 / (2.0 * HARDEST_MPS2)])
def test_where_it_is_late_it_brakes_as_hard_as_it_can_and_no_harder(line):
    speed = 8.0
    slowed = stand_before(trajectory_of(speed), speed, line)
    assert _way(slowed) == pytest.approx(max(line - STAND_M, 8.0**2 / 12.0), abs=0.3)
    assert _harshest(slowed, speed) < HARDEST_MPS2 + 0.1


def test_it_brakes_no_harder_than_it_may():
    speed, line = 8.0, 8.0
    slowed = stand_before(trajectory_of(speed), speed, line, hardest_mps2=4.0)
    assert _way(slowed) == pytest.approx(speed**2 / 8.0, abs=0.3)
    assert _harshest(slowed, speed) < 4.1
    gentle = stand_before(trajectory_of(2.0), 2.0, line, hardest_mps2=1.0)
    assert _way(gentle) <= line - STAND_M
    assert _harshest(gentle, 2.0) < 1.1


@pytest.mark.parametrize(('speed', 'line'), [(12.0, 3.0), (10.0, 7.0), (30.0, 60.0)])
def test_who_cannot_stop_at_the_line_goes_on(speed, line):
    goes = trajectory_of(speed)
    assert stand_before(goes, speed, line) is goes
    assert stand_before(goes, speed, speed**2 / (2.0 * HARDEST_MPS2)) is not goes


def test_one_that_stands_but_too_near_stands_where_it_should():
    near = trajectory_of(np.maximum(7.0 - 2.0 * np.arange(10) * DT_S, 0.0))
    line = _way(near) + 1.0
    assert _way(stand_before(near, 7.5, line)) == pytest.approx(line - STAND_M, abs=0.3)


@pytest.mark.parametrize('line', [0.0, 1.0, STAND_M])
def test_who_stands_at_the_line_stays(line):
    slowed = stand_before(trajectory_of([0.3, 1.5, 2.1, 0.3, 0, 0, 0, 0, 0, 0]), 0.0, line)
    np.testing.assert_array_equal(slowed.speeds_mps, 0.0)
    np.testing.assert_array_equal(slowed.poses, 0.0)


@pytest.mark.parametrize('curvature', [0.1, -0.1])
def test_the_way_is_the_same(curvature):
    slowed = stand_before(trajectory_of(6.0, curvature), 6.0, 12.0)
    x, y, yaw = slowed.poses.T
    np.testing.assert_allclose(np.hypot(x, y - 1.0 / curvature), abs(1.0 / curvature), atol=1e-9)
    np.testing.assert_allclose(yaw, curvature * np.cumsum(slowed.speeds_mps) * DT_S, atol=1e-9)


def test_a_bend_is_met_where_it_is_though_later():
    bends = trajectory_of(6.0, np.where(np.arange(10) < 3, 0.0, 0.2))
    slowed = stand_before(bends, 6.0, STAND_M + 12.0)
    way = np.cumsum(slowed.speeds_mps) * DT_S
    np.testing.assert_allclose(slowed.poses[:, 2], 0.2 * np.maximum(way - 9.0, 0.0), atol=1e-9)


def test_a_trajectory_that_goes_backwards_is_left_as_it_is():
    back = trajectory_of(-1.0)
    assert stand_before(back, 0.0, 1.0) is back
