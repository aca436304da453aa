"""Acceleration that keeps a car where its path says it shall be by now.

acceleration = feedforward + k_v (v_wanted - v) + k_i sum (v_wanted - v) dt, with v_wanted = speed
of the path + k_p (where to be - where it is): a PI loop on speed inside a gentle loop on position.
The feedforward is the change of the path's speed over a short window, so that the steps in a
model's speeds do not reach the pedals. The integral stands still while the output is at a limit
(anti-windup). Knows no geometry.
"""

from __future__ import annotations

from emma_planner.control.config import FollowerConfig
from emma_planner.control.path_reference import PathReference

WINDOW_S = 0.4
"""The feedforward is measured over this time."""
MAX_CORRECTION_M = 3.0
"""A larger distance to where the car should be does not make it faster: no racing to catch up."""
MAX_INTEGRAL_MPS2 = 1.0
HARD_BRAKING_MPS2 = 3.0
"""What brakes harder than this is no normal driving: the jerk may then be higher."""
HARD_JERK_FACTOR = 6.0
STANDING_MPS = 0.15
"""Slower than this, a car is held where its path stands."""
STANDS_M = 0.1
STARTS_M = 0.2
"""A path stands when it goes less far than the first in the next second, and starts again with
more than the second."""
LOOK_S = 1.0


class SpeedControl:
    """Acceleration over time; keeps the integral, the last output and whether the car is held.

    :param config: gains and limits
    """

    def __init__(self, config: FollowerConfig) -> None:
        self._config = config
        self._integral_mps2 = 0.0
        self._stop_mps: float | None = None
        self.acceleration_mps2 = 0.0
        """The last output."""
        self.is_holding = False

    def along(
        self, path: PathReference, time_s: float, lag_m: float, speed_mps: float, dt_s: float
    ) -> tuple[float, float]:
        """Follow the path's time.

        :param time_s: now, after the first pose
        :param lag_m: how far the car is behind where it should be
        :param dt_s: since the last output
        :returns: wanted speed [m/s] and acceleration [m/s^2]
        """
        config = self._config
        self._stop_mps = None
        if self._holds(path, time_s, speed_mps):
            return self._hold(dt_s)
        then_s = time_s + config.actuation_delay_s
        correction = config.position_gain_1ps * min(
            max(lag_m, -MAX_CORRECTION_M), MAX_CORRECTION_M
        )
        wanted = max(path.speed_mps(then_s) + correction, 0.0)
        # before its first pose a path says nothing of how its speed changes
        first_s, last_s = max(then_s - WINDOW_S / 2.0, 0.0), then_s + WINDOW_S / 2.0
        change = path.speed_mps(last_s) - path.speed_mps(first_s)
        return self._drive(wanted, change / (last_s - first_s), speed_mps, dt_s)

    def stop(self, speed_mps: float | None, dt_s: float) -> tuple[float, float]:
        """Brake comfortably to a standstill, then hold.

        :param speed_mps: None where it is not known
        :returns: wanted speed [m/s] and acceleration [m/s^2]
        """
        deceleration = self._config.stop_deceleration_mps2
        if speed_mps is None:
            return 0.0, self._slew(-deceleration, dt_s)
        if abs(speed_mps) < STANDING_MPS:
            return self._hold(dt_s)
        if self._stop_mps is None:
            self._stop_mps, self._integral_mps2 = speed_mps, 0.0
        self._stop_mps = max(min(self._stop_mps, speed_mps) - deceleration * dt_s, 0.0)
        self.is_holding = False
        return self._stop_mps, self._slew(-deceleration, dt_s)

    def _hold(self, dt_s: float) -> tuple[float, float]:
        self._integral_mps2, self.is_holding = 0.0, True
        return 0.0, self._slew(-self._config.hold_deceleration_mps2, dt_s)

    def _holds(self, path: PathReference, time_s: float, speed_mps: float) -> bool:
        travel_m = path.distance_m(time_s + LOOK_S) - path.distance_m(time_s)
        if self.is_holding:
            return travel_m < STARTS_M
        return travel_m < STANDS_M and abs(speed_mps) < STANDING_MPS

    def _drive(
        self, wanted_mps: float, feedforward_mps2: float, speed_mps: float, dt_s: float
    ) -> tuple[float, float]:
        config = self._config
        if self.is_holding:  # the brake is let go at once
            self.is_holding, self.acceleration_mps2 = False, 0.0
        expected_mps = speed_mps + self.acceleration_mps2 * config.actuation_delay_s
        error = wanted_mps - expected_mps
        wanted = feedforward_mps2 + config.speed_gain_1ps * error + self._integral_mps2
        limited = min(max(wanted, -config.max_deceleration_mps2), config.max_acceleration_mps2)
        output = self._slew(limited, dt_s)
        if output == wanted:
            change = config.speed_integral_gain_1ps2 * error * dt_s
            summed = self._integral_mps2 + change
            self._integral_mps2 = min(max(summed, -MAX_INTEGRAL_MPS2), MAX_INTEGRAL_MPS2)
        return wanted_mps, output

    def _slew(self, wanted_mps2: float, dt_s: float) -> float:
        last = self.acceleration_mps2
        jerk = self._config.max_jerk_mps3
        if min(wanted_mps2, last) < -HARD_BRAKING_MPS2:
            jerk *= HARD_JERK_FACTOR
        step = jerk * dt_s
        self.acceleration_mps2 = last + min(max(wanted_mps2 - last, -step), step)
        if abs(self.acceleration_mps2 - wanted_mps2) < 1e-9:
            self.acceleration_mps2 = wanted_mps2
        return self.acceleration_mps2
