"""A kinematic bicycle with actuators that lag, and roads to drive it along.

Integrated in steps of 10 ms; the actuators are first-order lags. Standing brakes hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from emma_planner.control.config import FollowerConfig
from emma_planner.control.control import Control
from emma_planner.control.follower import PathFollower
from emma_planner.control.timed_path import FollowState, TimedPath
from emma_planner.planning.types import NS_PER_S, FloatArray, Pose

T0_NS = 1_000_000_000
STEP_S = 0.01
PERIOD_S = 0.1
HORIZON = 10
POSE_STEP_S = 0.5
Road = Callable[[float], tuple[float, float, float]]
"""Time [s] to x [m], y [m], yaw [rad]."""


@dataclass
class Bicycle:
    """A car on flat ground, its state that of the rear axle.

    :param lag_s: time constant of steering and of acceleration
    :param drag_mps2: deceleration that nobody commanded
    """

    pose: Pose = field(default_factory=lambda: Pose(0.0, 0.0, 0.0))
    speed_mps: float = 0.0
    wheelbase_m: float = 2.8
    lag_s: float = 0.0
    drag_mps2: float = 0.0
    steering_rad: float = 0.0
    acceleration_mps2: float = 0.0

    def step(self, control: Control, duration_s: float = PERIOD_S) -> None:
        """Drive on under one control."""
        share = 1.0 if self.lag_s == 0.0 else 1.0 - math.exp(-STEP_S / self.lag_s)
        for _ in range(round(duration_s / STEP_S)):
            self.steering_rad += share * (control.steering_angle_rad - self.steering_rad)
            change = control.acceleration_mps2 - self.acceleration_mps2
            self.acceleration_mps2 += share * change
            acceleration = self.acceleration_mps2 - (self.drag_mps2 if self.speed_mps > 0 else 0)
            speed = max(self.speed_mps + acceleration * STEP_S, 0.0)
            way = (self.speed_mps + speed) / 2.0 * STEP_S
            turn = way * math.tan(self.steering_rad) / self.wheelbase_m
            heading = self.pose.yaw_rad + turn / 2.0
            self.pose = Pose(
                self.pose.x_m + way * math.cos(heading),
                self.pose.y_m + way * math.sin(heading),
                self.pose.yaw_rad + turn,
            )
            self.speed_mps = speed

    def state(self, stamp_ns: int) -> FollowState:
        return FollowState(stamp_ns, self.pose, self.speed_mps)


@dataclass(frozen=True, eq=False)
class Drive:
    """What was driven: one row per control."""

    times_s: FloatArray
    poses: FloatArray
    speeds_mps: FloatArray
    controls: FloatArray
    """``(T, 3)`` steering [rad], speed [m/s], acceleration [m/s^2]."""

    def jerks_mps3(self) -> FloatArray:
        jerks: FloatArray = np.diff(self.controls[:, 2]) / PERIOD_S
        return jerks


def stamp(time_s: float) -> int:
    return T0_NS + round(time_s * NS_PER_S)


def planned(road: Road, t0_s: float = 0.0, now_s: float | None = None) -> TimedPath:
    """The path that a planner gives at t0: 10 poses, those already passed dropped."""
    times = [t0_s + POSE_STEP_S * (k + 1) for k in range(HORIZON)]
    kept = [time for time in times if now_s is None or time > now_s]
    poses = np.array([road(time) for time in kept])
    return TimedPath(stamp(t0_s), 'map', poses, tuple(stamp(time) for time in kept))


def drive(
    car: Bicycle,
    road: Road,
    seconds: float,
    config: FollowerConfig | None = None,
    *,
    late_s: float = 0.0,
    period_s: float = PERIOD_S,
    follower: PathFollower | None = None,
) -> Drive:
    """Follow a road by a path each 0.5 s that arrives late."""
    follower = follower or PathFollower(config or FollowerConfig(wheelbase_m=car.wheelbase_m))
    path = planned(road).with_start(Pose(*road(0.0)))
    rows = []
    for k in range(round(seconds / period_s)):
        now_s = k * period_s
        t0_s = math.floor(round((now_s - late_s) / POSE_STEP_S, 6)) * POSE_STEP_S
        if t0_s > 0.0 and stamp(t0_s) != path.stamp_ns:
            path = planned(road, t0_s, now_s).with_start(Pose(*road(t0_s)))
        control = follower.follow(path, car.state(stamp(now_s)), stamp(now_s))
        command = (control.steering_angle_rad, control.speed_mps, control.acceleration_mps2)
        rows.append((now_s, *car.pose.as_array(), car.speed_mps, *command))
        car.step(control, period_s)
    table = np.array(rows)
    return Drive(table[:, 0], table[:, 1:4], table[:, 4], table[:, 5:])


def offsets_m(drive: Drive, road: Road) -> FloatArray:
    """Distance of the car to the road's line, at any time of it."""
    times = np.arange(-2.0, drive.times_s[-1] + 4.0, 0.005)
    line = np.array([road(time)[:2] for time in times])
    gaps = drive.poses[:, None, :2] - line[None]
    distances: FloatArray = np.sqrt((gaps**2).sum(axis=2)).min(axis=1)
    return distances


def lags_m(drive: Drive, road: Road) -> FloatArray:
    """Distance of the car to where it should be by then."""
    due = np.array([road(time)[:2] for time in drive.times_s])
    distances: FloatArray = np.hypot(*(drive.poses[:, :2] - due).T)
    return distances


def straight(speed_mps: float, acceleration_mps2: float = 0.0) -> Road:
    """Along x; comes to rest when braking."""

    def road(time_s: float) -> tuple[float, float, float]:
        end = math.inf if acceleration_mps2 >= 0.0 else speed_mps / -acceleration_mps2
        time = min(time_s, end)
        return speed_mps * time + acceleration_mps2 / 2.0 * time * time, 0.0, 0.0

    return road


def circle(radius_m: float, speed_mps: float) -> Road:
    """A circle that touches the x axis; a negative radius bends right."""

    def road(time_s: float) -> tuple[float, float, float]:
        angle = speed_mps * time_s / radius_m
        return radius_m * math.sin(angle), radius_m * (1.0 - math.cos(angle)), angle

    return road


def slalom(amplitude_m: float, length_m: float, speed_mps: float) -> Road:
    """A sine about the x axis."""

    def road(time_s: float) -> tuple[float, float, float]:
        x, wave = speed_mps * time_s, 2.0 * math.pi / length_m
        slope = amplitude_m * wave * math.sin(wave * x)
        return x, amplitude_m * (1.0 - math.cos(wave * x)), math.atan(slope)

    return road


def lane_change(width_m: float, seconds: float, speed_mps: float, start_s: float = 1.0) -> Road:
    """One lane to the left on a quintic, which starts and ends without curvature."""

    def road(time_s: float) -> tuple[float, float, float]:
        u = min(max((time_s - start_s) / seconds, 0.0), 1.0)
        y = width_m * (10.0 * u**3 - 15.0 * u**4 + 6.0 * u**5)
        rate = width_m * (30.0 * u**2 - 60.0 * u**3 + 30.0 * u**4) / seconds
        return speed_mps * time_s, y, math.atan2(rate, speed_mps)

    return road


def mirrored(road: Road) -> Road:
    """The road on the other side of the x axis."""

    def other(time_s: float) -> tuple[float, float, float]:
        x, y, yaw = road(time_s)
        return x, -y, -yaw

    return other
