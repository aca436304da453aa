"""Tracking error of pure pursuit and of Stanley's law on a kinematic bicycle.

    PYTHONPATH=.:test/control python benchmarks/steering_laws.py

Circles, slaloms and lane changes at 3 to 20 m/s, a control each 0.1 s, a path each 0.5 s that
arrives 0.3 s late, actuators without lag and with 0.15 s of it. The first 2 s are left out: cars
start with the wheels straight. Stanley: Hoffmann et al., Autonomous Automobile Trajectory Tracking
for Off-Road Driving, ACC 2007, equation 5: heading error + atan(gain * offset / speed), both at
the front axle.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from bicycle import Bicycle, Road, circle, drive, lane_change, offsets_m, slalom

from emma_planner.control import follower
from emma_planner.control.config import FollowerConfig
from emma_planner.control.path_reference import PathReference
from emma_planner.control.steering import Steering
from emma_planner.planning.kinematics import wrap_angle
from emma_planner.planning.types import Pose

SECONDS = 10.0
SETTLED = 20
SPEEDS_MPS = (3.0, 5.0, 8.0, 12.0, 20.0)
LATERAL_MPS2 = 3.0
SOFTENING_MPS = 1.0


def stanley(gain_1ps: float) -> type[Steering]:
    """Return a steering law like that of the follower."""

    class Stanley(Steering):
        def toward(
            self, path: PathReference, pose: Pose, distance_m: float, speed_mps: float, dt_s: float
        ) -> float:
            travel_m = max(speed_mps, 0.0) * self._config.actuation_delay_s
            then, base_m = self.ahead(pose, travel_m), self._config.wheelbase_m
            x_m = then.x_m + base_m * math.cos(then.yaw_rad)
            y_m = then.y_m + base_m * math.sin(then.yaw_rad)
            front = Pose(x_m, y_m, then.yaw_rad)
            at_m, offset_m = path.locate(front, distance_m + travel_m + base_m)
            before, after = path.point(at_m - 0.25), path.point(at_m + 0.25)
            yaw = math.atan2(after[1] - before[1], after[0] - before[0])
            turn = wrap_angle(yaw - then.yaw_rad)
            pull = math.atan2(-gain_1ps * offset_m, SOFTENING_MPS + speed_mps)
            return self._turn(turn + pull, dt_s)

    return Stanley


def roads() -> dict[tuple[str, float], Road]:
    """Roads by kind and speed, with about 3 m/s^2 across where the speed allows."""
    found: dict[tuple[str, float], Road] = {}
    for speed in SPEEDS_MPS:
        wave_m = max(20.0, 2.0 * math.pi * speed * math.sqrt(1.5 / LATERAL_MPS2))
        found['circle', speed] = circle(max(6.0, speed**2 / LATERAL_MPS2), speed)
        found['slalom', speed] = slalom(1.5, wave_m, speed)
        found['lane change', speed] = lane_change(3.5, 4.0, speed)
    return found


def measure(law: Callable[[FollowerConfig], Steering], lag_s: float) -> tuple[float, ...]:
    """Return root mean square and largest offset [m], and mean |steering rate| [rad/s]."""
    follower.Steering = law  # type: ignore[misc, assignment]
    squares, most, rates = [], [], []
    for road in roads().values():
        speed = math.dist(road(0.0)[:2], road(0.01)[:2]) / 0.01
        car = Bicycle(speed_mps=speed, lag_s=lag_s)
        done = drive(car, road, SECONDS, late_s=0.3)
        offsets = offsets_m(done, road)[SETTLED:]
        squares.append(float((offsets**2).mean()))
        most.append(float(offsets.max()))
        rates.append(float(np.abs(np.diff(done.controls[SETTLED:, 0])).mean()) / 0.1)
    return math.sqrt(float(np.mean(squares))), max(most), float(np.mean(rates))


def main() -> None:
    """Print a table."""
    laws = {'pure pursuit': Steering} | {
        f'Stanley, gain {gain:g}/s': stanley(gain) for gain in (0.5, 1.0, 2.5)
    }
    print('| law | lag [s] | rms offset [m] | largest [m] | mean steering rate [rad/s] |')
    print('|---|---|---|---|---|')
    for name, law in laws.items():
        for lag_s in (0.0, 0.15):
            rms, most, rate = measure(law, lag_s)
            print(f'| {name} | {lag_s:g} | {rms:.3f} | {most:.2f} | {rate:.3f} |')


if __name__ == '__main__':
    main()
