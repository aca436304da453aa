"""Following a path: laws of geometry, and drives on a bicycle whose actuators lag."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bicycle import (
    Bicycle,
    circle,
    drive,
    lags_m,
    lane_change,
    mirrored,
    offsets_m,
    planned,
    slalom,
    stamp,
    straight,
)

from emma_planner.control.config import FollowerConfig
from emma_planner.control.follower import PathFollower
from emma_planner.control.timed_path import FollowState, TimedPath
from emma_planner.planning.types import Pose

CONFIG = FollowerConfig()


def test_a_straight_line_at_constant_speed_needs_no_steering_and_no_pedal():
    done = drive(Bicycle(speed_mps=10.0), straight(10.0), 8.0)
    assert np.abs(done.controls[:, 0]).max() < 1e-9
    assert np.abs(done.controls[:, 2]).max() < 1e-6
    assert done.controls[:, 1] == pytest.approx(10.0, abs=1e-6)
    assert lags_m(done, straight(10.0)).max() < 1e-6


@pytest.mark.parametrize('lag_s', [0.0, 0.15])
@pytest.mark.parametrize('late_s', [0.0, 0.3, 0.5])
def test_a_circle_of_30_m_at_8_mps_is_tracked_within_15_cm(lag_s, late_s):
    road = circle(30.0, 8.0)
    done = drive(Bicycle(speed_mps=8.0, lag_s=lag_s), road, 12.0, late_s=late_s)
    assert offsets_m(done, road).max() < 0.15
    assert lags_m(done, road).max() < 0.5
    expected = np.arctan(CONFIG.wheelbase_m / 30.0)
    assert done.controls[50:, 0] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize('lag_s', [0.0, 0.15])
@pytest.mark.parametrize('speed_mps', [3.0, 8.0, 20.0])
def test_s_curves_and_lane_changes_are_tracked(speed_mps, lag_s):
    length_m = max(20.0, 4.5 * speed_mps)
    for road in (slalom(1.5, length_m, speed_mps), lane_change(3.5, 4.0, speed_mps)):
        start_mps = np.hypot(*np.subtract(road(0.01)[:2], road(0.0)[:2])) / 0.01
        done = drive(Bicycle(speed_mps=start_mps, lag_s=lag_s), road, 10.0, late_s=0.3)
        assert offsets_m(done, road)[20:].max() < 0.3


@pytest.mark.parametrize('road', [circle(25.0, 7.0), slalom(1.0, 40.0, 7.0)])
def test_a_mirrored_path_gives_mirrored_steering_and_the_same_pedals(road):
    one = drive(Bicycle(speed_mps=7.0), road, 6.0)
    other = drive(Bicycle(speed_mps=7.0), mirrored(road), 6.0)
    assert np.abs(one.controls[:, 0]).max() > 0.02
    assert one.controls[:, 0] == pytest.approx(-other.controls[:, 0], abs=1e-9)
    assert one.controls[:, 1:] == pytest.approx(other.controls[:, 1:], abs=1e-9)


def test_the_controls_do_not_depend_on_where_the_frame_has_its_origin():
    road = slalom(1.0, 40.0, 7.0)
    turn, dx, dy = 2.5, 300.0, -70.0

    def moved(time_s):
        x, y, yaw = road(time_s)
        c, s = np.cos(turn), np.sin(turn)
        return dx + c * x - s * y, dy + s * x + c * y, yaw + turn

    one = drive(Bicycle(speed_mps=7.0), road, 6.0)
    other = drive(Bicycle(pose=Pose(*moved(0.0)), speed_mps=7.0), moved, 6.0)
    assert one.controls == pytest.approx(other.controls, abs=1e-4)


def test_a_car_beside_the_path_is_led_back_without_swinging_over():
    done = drive(Bicycle(pose=Pose(0.0, 1.0, 0.0), speed_mps=8.0), straight(8.0), 8.0)
    assert abs(done.poses[-1, 1]) < 0.05
    assert done.poses[:, 1].min() > -0.1
    assert done.controls[0, 0] < 0.0


@pytest.mark.parametrize('behind_m', [2.0, -2.0])
def test_a_car_off_its_time_is_pulled_to_it_without_jerk(behind_m):
    car = Bicycle(pose=Pose(-behind_m, 0.0, 0.0), speed_mps=8.0)
    done = drive(car, straight(8.0), 14.0)
    assert lags_m(done, straight(8.0))[-1] < 0.15
    assert np.abs(done.jerks_mps3()).max() <= CONFIG.max_jerk_mps3 + 1e-9
    assert np.abs(done.controls[:, 2]).max() < 2.0


@pytest.mark.parametrize('lag_s', [0.0, 0.15])
def test_a_stop_ends_within_half_a_metre_of_the_path_and_holds(lag_s):
    road = straight(8.0, -2.0)
    done = drive(Bicycle(speed_mps=8.0, lag_s=lag_s), road, 10.0, late_s=0.3)
    assert done.poses[-1, 0] == pytest.approx(16.0, abs=0.5)
    assert done.poses[:, 0].max() < 16.5
    assert done.speeds_mps[-1] == 0.0
    standing = done.controls[-30:]
    assert (standing[:, 2] == -CONFIG.hold_deceleration_mps2).all()
    assert (standing[:, 1] == 0.0).all()
    assert np.ptp(standing[:, 0]) == 0.0


def test_a_standing_car_on_a_standing_path_does_not_creep():
    done = drive(Bicycle(), lambda time_s: (0.4, 0.0, 0.0), 5.0)
    assert done.speeds_mps.max() == 0.0
    assert (done.controls[5:, 2] == -CONFIG.hold_deceleration_mps2).all()


def test_the_wheels_are_kept_while_standing():
    follower, car = PathFollower(CONFIG), Bicycle(speed_mps=6.0)
    path = planned(_stop_on_a_bend).with_start(Pose(0.0, 0.0, 0.0))
    angles = []
    for k in range(60):
        control = follower.follow(path, car.state(stamp(0.1 * k)), stamp(0.1 * k))
        if follower.is_holding:
            angles.append(control.steering_angle_rad)
        car.step(control)
    assert len(angles) > 15
    assert angles[0] == pytest.approx(np.arctan(CONFIG.wheelbase_m / 20.0), rel=0.1)
    assert len(set(angles)) == 1


def _stop_on_a_bend(time_s: float) -> tuple[float, float, float]:
    time = min(time_s, 3.0)
    return circle(20.0, 1.0)(6.0 * time - time * time)


def test_a_standing_car_starts_with_its_path():
    road = straight(0.0, 1.5)
    done = drive(Bicycle(), road, 6.0, late_s=0.3)
    assert done.speeds_mps[-1] == pytest.approx(1.5 * 5.9, abs=0.4)
    assert lags_m(done, road).max() < 0.6


def test_it_stops_and_starts_again():
    def road(time_s):
        if time_s < 4.0:
            return 8.0 * time_s - time_s**2, 0.0, 0.0
        waited = max(time_s - 8.0, 0.0)
        return 16.0 + 0.75 * waited**2, 0.0, 0.0

    done = drive(Bicycle(speed_mps=8.0, lag_s=0.15), road, 13.0, late_s=0.3)
    assert done.speeds_mps[60:75].max() == 0.0
    assert lags_m(done, road)[-1] < 0.6


def test_a_slow_path_is_driven_slowly():
    done = drive(Bicycle(speed_mps=0.3), straight(0.3), 8.0)
    assert done.speeds_mps == pytest.approx(0.3, abs=0.02)


def test_what_the_car_loses_unasked_is_made_up_for():
    road = straight(8.0)
    done = drive(Bicycle(speed_mps=8.0, drag_mps2=0.5), road, 20.0)
    assert lags_m(done, road)[-1] < 0.2
    assert done.controls[-1, 2] == pytest.approx(0.5, abs=0.05)


def test_limits_hold_whatever_the_path_asks_for():
    def road(time_s):
        return (8.0 * min(time_s, 1.0) + 30.0 * max(time_s - 1.0, 0.0), 0.0, 0.0)

    done = drive(Bicycle(speed_mps=8.0), road, 5.0)
    assert done.controls[:, 2].max() == CONFIG.max_acceleration_mps2
    hard = drive(Bicycle(speed_mps=25.0), lambda time_s: (min(25.0 * time_s, 30.0), 0.0, 0.0), 5.0)
    assert hard.controls[:, 2].min() == -CONFIG.max_deceleration_mps2
    rising = (hard.controls[:, 2] < -3.0) & (hard.controls[:, 2] > -5.5)
    assert rising[: int(hard.controls[:, 2].argmin())].sum() <= 2  # braking hard is not delayed
    tight = drive(Bicycle(speed_mps=3.0), circle(1.5, 3.0), 3.0)
    assert tight.controls[:, 0].max() == pytest.approx(CONFIG.max_steering_angle_rad)
    rates = np.abs(np.diff(tight.controls[:, 0])) / 0.1
    assert rates.max() <= CONFIG.max_steering_rate_radps + 1e-9


def test_normal_driving_keeps_the_jerk():
    for road in (straight(0.0, 2.0), straight(10.0, -2.0)):
        speed = 0.0 if road(1.0)[0] < 2.0 else 10.0
        done = drive(Bicycle(speed_mps=speed), road, 4.5)
        moving = done.speeds_mps[1:] > 0.3
        assert np.abs(done.jerks_mps3()[moving]).max() <= CONFIG.max_jerk_mps3 + 1e-6


def test_beyond_its_end_the_path_is_a_comfortable_stop_along_its_bend():
    follower, car = PathFollower(CONFIG), Bicycle(speed_mps=8.0)
    road = circle(40.0, 8.0)
    path = planned(road).with_start(Pose(0.0, 0.0, 0.0))
    controls = []
    for k in range(120):
        control = follower.follow(path, car.state(stamp(0.1 * k)), stamp(0.1 * k))
        controls.append(control.acceleration_mps2)
        car.step(control)
    assert car.speed_mps == 0.0
    assert min(controls) == -CONFIG.stop_deceleration_mps2
    radius = np.hypot(car.pose.x_m, car.pose.y_m - 40.0)
    assert radius == pytest.approx(40.0, abs=0.2)


def test_without_ego_motion_it_brakes_with_the_wheels_as_they_are():
    follower = PathFollower(CONFIG)
    path = planned(circle(20.0, 6.0))
    before = follower.follow(path, FollowState(stamp(0.0), Pose(0, 0, 0), 6.0), stamp(0.0))
    for k in range(1, 20):
        control = follower.stop(path, None, stamp(0.1 * k))
    assert control.steering_angle_rad == before.steering_angle_rad != 0.0
    assert control.acceleration_mps2 == -CONFIG.stop_deceleration_mps2


def test_an_old_measurement_is_brought_forward():
    follower, later = PathFollower(CONFIG), PathFollower(CONFIG)
    path = planned(straight(8.0), 0.0).with_start(Pose(0.0, 0.0, 0.0))
    follower.follow(path, FollowState(stamp(1.0), Pose(8.0, 0.0, 0.0), 8.0), stamp(1.0))
    later.follow(path, FollowState(stamp(0.8), Pose(6.4, 0.0, 0.0), 8.0), stamp(1.0))
    assert follower.tracking.lag_m == pytest.approx(0.0, abs=1e-9)
    assert later.tracking.lag_m == pytest.approx(0.0, abs=1e-9)


def test_a_path_of_one_pose_is_a_place_to_stand():
    follower, car = PathFollower(CONFIG), Bicycle(speed_mps=5.0)
    path = TimedPath(stamp(0.0), 'map', np.array([[8.0, 0.0, 0.0]]), (stamp(5.0),))
    for k in range(70):
        control = follower.follow(path, car.state(stamp(0.1 * k)), stamp(0.1 * k))
        car.step(control)
    assert car.speed_mps == 0.0
    assert 6.0 < car.pose.x_m < 9.0


def test_other_periods_work_as_well():
    road = slalom(1.0, 50.0, 8.0)
    for period_s in (0.02, 0.05, 0.2):
        done = drive(Bicycle(speed_mps=8.0), road, 6.0, period_s=period_s)
        assert offsets_m(done, road).max() < 0.3


def test_steering_fits_the_wheelbase():
    config = replace(CONFIG, wheelbase_m=4.0)
    done = drive(Bicycle(speed_mps=8.0, wheelbase_m=4.0), circle(30.0, 8.0), 8.0, config)
    assert done.controls[-1, 0] == pytest.approx(np.arctan(4.0 / 30.0), rel=0.02)
