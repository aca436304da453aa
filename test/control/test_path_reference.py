"""A path as a curve over distance and time: exact where it can be, smooth elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from bicycle import circle, planned, slalom, straight

from emma_planner.control.path_reference import PathReference
from emma_planner.planning.types import Pose


def reference(road) -> PathReference:
    return PathReference(planned(road).with_start(Pose(*road(0.0))))


@pytest.mark.parametrize('radius_m', [6.0, 30.0, -30.0])
def test_poses_on_a_circle_give_the_circle_between_and_beyond_them(radius_m):
    curve = reference(circle(radius_m, 4.0))
    for distance in np.linspace(-3.0, curve.length_m + 5.0, 60):
        x, y = curve.point(distance)
        assert np.hypot(x, y - radius_m) == pytest.approx(abs(radius_m), abs=0.02)
    assert curve.length_m == pytest.approx(20.0, abs=0.01)


def test_constant_acceleration_is_told_exactly():
    curve = reference(straight(4.0, 1.0))
    for time in np.linspace(0.0, 5.0, 23):
        assert curve.distance_m(time) == pytest.approx(4.0 * time + time**2 / 2.0, abs=1e-6)
        assert curve.speed_mps(time) == pytest.approx(4.0 + time, abs=1e-6)


def test_speed_is_the_change_of_distance_and_never_negative():
    def jumpy(time_s):
        return (float(np.interp(time_s, [0, 1, 2, 3, 5], [0, 8, 8, 9, 25])), 0.0, 0.0)

    curve = reference(jumpy)
    times = np.linspace(0.0, 5.0, 2001)
    distance = np.array([curve.distance_m(time) for time in times])
    speed = np.array([curve.speed_mps(time) for time in times])
    assert (np.diff(distance) >= -1e-9).all()
    assert speed.min() >= 0.0
    assert np.diff(distance) / np.diff(times) == pytest.approx(
        (speed[1:] + speed[:-1]) / 2.0, abs=0.02
    )


def test_the_ego_is_found_where_it_is_and_on_the_side_it_is():
    curve = reference(slalom(1.0, 40.0, 8.0))
    for distance in np.linspace(-2.0, 35.0, 30):
        x, y = curve.point(distance)
        found, offset = curve.locate(Pose(x, y, 0.0), distance + 4.0)
        assert found == pytest.approx(distance, abs=1e-3)
        assert offset == pytest.approx(0.0, abs=1e-3)
    assert reference(straight(8.0)).locate(Pose(5.0, 0.7, 0.0), 0.0) == pytest.approx((5.0, 0.7))
    assert reference(straight(8.0)).locate(Pose(5.0, -0.7, 0.0), 0.0)[1] == pytest.approx(-0.7)


def test_a_path_that_crosses_itself_is_followed_in_order():
    curve = reference(circle(5.0, 8.0))  # 40 m on a circle of 31 m
    x, y = curve.point(2.0)
    assert curve.locate(Pose(x, y, 0.0), 1.0)[0] == pytest.approx(2.0, abs=0.1)
    assert curve.locate(Pose(x, y, 0.0), 34.0)[0] == pytest.approx(2.0 + 10.0 * np.pi, abs=0.1)


def test_a_standing_path_has_no_speed_and_goes_straight_on():
    curve = reference(lambda time_s: (1.0, 2.0, 0.5))
    assert curve.length_m == 0.0
    assert curve.speed_mps(2.0) == 0.0
    assert curve.point(3.0) == pytest.approx((1.0 + 3.0 * np.cos(0.5), 2.0 + 3.0 * np.sin(0.5)))
