"""Which path is followed and when the car stops; the same inputs give the same controls."""

from __future__ import annotations

import numpy as np
import pytest
from bicycle import Bicycle, circle, planned, slalom, stamp, straight

from emma_planner.control.config import FollowerConfig
from emma_planner.control.following import Following, Mode
from emma_planner.control.timed_path import FollowState, TimedPath
from emma_planner.planning.types import Pose

CONFIG = FollowerConfig()


class Trip:
    """A car with a follower, in steps of 0.1 s."""

    def __init__(self, road=None, speed_mps: float = 8.0) -> None:
        self.road = road or straight(speed_mps)
        self.car = Bicycle(pose=Pose(*self.road(0.0)), speed_mps=speed_mps)
        self.following = Following(CONFIG)
        self.time_s = 0.0
        self.controls: list[tuple[float, float, float]] = []

    def go(self, seconds: float, *, plan: bool = False) -> Trip:
        """Drive on, with a new path each 0.5 s where ``plan`` says so."""
        for _ in range(round(seconds / 0.1)):
            self.following.observe(self.car.state(stamp(self.time_s)))
            if plan and round(self.time_s / 0.1) % 5 == 0:
                self.following.take_path(planned(self.road, self.time_s))
            control = self.following.control()
            self.car.step(control)
            self.controls.append(
                (control.steering_angle_rad, control.speed_mps, control.acceleration_mps2)
            )
            self.time_s = round(self.time_s + 0.1, 6)
        return self

    @property
    def mode(self) -> Mode:
        return self.following.mode


def test_paths_at_2_hz_are_followed():
    trip = Trip(circle(30.0, 8.0)).go(6.0, plan=True)
    assert trip.mode is Mode.FOLLOWING
    assert abs(trip.following.tracking.offset_m) < 0.15
    assert abs(trip.following.tracking.lag_m) < 0.3


def test_without_a_path_the_car_stands_or_stops():
    trip = Trip().go(0.1)
    assert trip.mode is Mode.NO_PATH
    trip.go(8.0)
    assert trip.car.speed_mps == 0.0
    assert min(c[2] for c in trip.controls) == -CONFIG.stop_deceleration_mps2


def test_no_path_for_a_second_is_a_comfortable_stop_along_the_last():
    trip = Trip(circle(40.0, 8.0)).go(2.1, plan=True).go(0.9)
    assert trip.mode is Mode.FOLLOWING
    trip.go(0.3)
    assert trip.mode is Mode.PATH_TIMEOUT
    trip.go(8.0)
    assert trip.car.speed_mps == 0.0
    assert min(c[2] for c in trip.controls) == -CONFIG.stop_deceleration_mps2
    changes = np.abs(np.diff([c[2] for c in trip.controls])) / 0.1
    assert changes.max() <= CONFIG.max_jerk_mps3 + 1e-9
    radius = np.hypot(trip.car.pose.x_m, trip.car.pose.y_m - 40.0)
    assert radius == pytest.approx(40.0, abs=0.3)
    trip.go(2.0)
    assert trip.controls[-1][1:] == (0.0, -CONFIG.hold_deceleration_mps2)


def test_an_empty_path_stops_at_once_and_the_next_one_drives_on():
    trip = Trip().go(1.0, plan=True)
    trip.following.take_path(None)
    trip.go(0.1)
    assert trip.mode is Mode.EMPTY_PATH
    trip.go(1.0)
    assert trip.car.speed_mps < 7.5
    trip.go(1.0, plan=True)
    assert trip.mode is Mode.FOLLOWING


def test_a_path_in_the_past_is_a_stop():
    trip = Trip().go(1.0)
    trip.following.take_path(planned(trip.road, -20.0))
    trip.go(0.5)
    assert trip.mode is Mode.PATH_ENDED
    assert trip.controls[-1][2] < 0.0


def test_a_path_of_another_clock_is_a_stop():
    trip = Trip().go(1.0)
    trip.following.take_path(planned(trip.road, 1e6))
    trip.go(0.5)
    assert trip.mode is Mode.PATH_AHEAD
    assert trip.controls[-1][2] < 0.0


def test_a_standing_path_is_held():
    trip = Trip(lambda time_s: (0.0, 0.0, 0.0), speed_mps=0.0).go(2.0, plan=True)
    assert trip.mode is Mode.HOLDING
    assert trip.car.speed_mps == 0.0


def test_time_set_back_begins_anew():
    trip = Trip(circle(30.0, 8.0)).go(5.0, plan=True)
    trip.car, trip.time_s, trip.controls = Bicycle(speed_mps=8.0), 0.0, []
    trip.go(0.1)
    assert trip.mode is Mode.NO_PATH
    trip.go(0.9).go(3.0, plan=True)
    assert trip.mode is Mode.FOLLOWING
    fresh = Trip(circle(30.0, 8.0)).go(1.0).go(3.0, plan=True)
    assert trip.controls == fresh.controls


def test_odometry_that_stops_brakes_the_car():
    trip = Trip(circle(20.0, 6.0), 6.0).go(1.0, plan=True)
    angle = trip.controls[-1][0]
    for k in range(10):
        control = trip.following.control(stamp(1.0 + 0.1 * k))
    assert trip.mode is Mode.NO_ODOMETRY
    assert control.acceleration_mps2 == pytest.approx(-CONFIG.stop_deceleration_mps2, abs=0.5)
    assert control.steering_angle_rad == pytest.approx(angle, abs=0.05)
    assert Following(CONFIG).control(stamp(0.0)).speed_mps == 0.0


def test_a_path_planned_from_the_ego_begins_where_the_ego_was_at_t0():
    trip = Trip(straight(0.0, 1.0), 0.0)
    trip.following.observe(trip.car.state(stamp(0.0)))
    trip.following.take_path(planned(trip.road, 0.0))
    trip.following.control()
    assert trip.following.tracking.lag_m == pytest.approx(0.0, abs=1e-9)


def test_a_path_may_come_before_the_pose_that_it_begins_at():
    road = circle(20.0, 6.0)
    before, after = Trip(road, 6.0).go(1.0, plan=True), Trip(road, 6.0).go(1.0, plan=True)
    state, path = before.car.state(stamp(1.0)), planned(road, 1.0)
    before.following.take_path(path)
    before.following.observe(state)
    after.following.observe(state)
    after.following.take_path(path)
    assert before.following.control() == after.following.control()
    assert before.following._path.stamps_ns[0] == stamp(1.0)


def test_a_late_path_is_entered_where_it_should_be_by_then():
    trip = Trip().go(1.0)
    # the car has braked for want of a path, and the path was planned 0.7 s before
    trip.following.take_path(planned(straight(8.0), 0.0, 0.7))
    trip.go(0.1)
    due_m, at_m = 8.0, trip.car.pose.x_m - 0.1 * trip.car.speed_mps
    assert trip.following.tracking.lag_m == pytest.approx(due_m - at_m, abs=0.1)


def test_a_path_that_the_ego_has_fallen_behind_of_asks_for_no_leap():
    trip = Trip().go(1.0, plan=True)
    trip.car.pose = Pose(trip.car.pose.x_m - 6.0, 0.0, 0.0)
    trip.go(2.0, plan=True)
    assert max(c[1] for c in trip.controls) < 8.0 + CONFIG.position_gain_1ps * 3.0 + 0.1


def test_the_last_control_stops_and_keeps_the_wheels():
    trip = Trip(circle(20.0, 6.0), 6.0).go(2.0, plan=True)
    last = trip.following.last_stop()
    assert last.steering_angle_rad == trip.controls[-1][0] != 0.0
    assert (last.speed_mps, last.acceleration_mps2) == (0.0, -CONFIG.stop_deceleration_mps2)


def test_the_same_inputs_give_the_very_same_controls():
    trips = [Trip(slalom(1.0, 40.0, 8.0)).go(5.0, plan=True).go(3.0) for _ in range(2)]
    assert trips[0].controls == trips[1].controls


def test_every_control_is_finite_whatever_comes():
    rng = np.random.default_rng(0)
    following, now = Following(CONFIG), 0
    for _ in range(400):
        now += int(rng.integers(-(10**8), 3 * 10**8))
        pose = Pose(*rng.normal(0.0, 30.0, 3))
        following.observe(FollowState(now, pose, float(rng.normal(0.0, 20.0))))
        if rng.random() < 0.3:
            poses = np.zeros((5, 3))
            poses[:, 0] = np.cumsum(rng.exponential(2.0, 5))
            poses[:, 1] = rng.normal(0.0, 2.0)
            stamps = tuple(now + 500_000_000 * (k + 1) for k in range(5))
            following.take_path(TimedPath(now, 'map', poses, stamps))
        control = following.control()
        assert abs(control.steering_angle_rad) <= CONFIG.max_steering_angle_rad
        assert -6.0 <= control.acceleration_mps2 <= 3.0
