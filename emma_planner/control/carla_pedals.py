"""Steering and acceleration to what CARLA's vehicles take: throttle, brake, steer.

A map, not a loop: the follower's integral takes care of what the map has wrong. Between the pedals
the car coasts; the throttle adds the drag of the speed. ``steer`` is the wheels' angle over the
largest one, and CARLA turns right with positive values, so the sign changes (carla.VehicleControl
in CARLA's Python API; carla_msgs/CarlaEgoVehicleControl has the same fields).
"""

from __future__ import annotations

from dataclasses import dataclass

from emma_planner.control.config import FollowerConfig
from emma_planner.control.control import Control

STANDING_MPS = 0.01
"""A wanted speed below this is standing: the hand brake helps to hold."""


@dataclass(frozen=True)
class CarlaPedals:
    """One command for a CARLA vehicle.

    :param throttle: 0 to 1
    :param steer: -1 to 1, right positive
    :param brake: 0 to 1
    """

    throttle: float
    steer: float
    brake: float
    hand_brake: bool
    reverse: bool = False


def carla_pedals(control: Control, ego_speed_mps: float, config: FollowerConfig) -> CarlaPedals:
    """Press the pedals for a control.

    :param ego_speed_mps: speed now; the hand brake is for a car that stands already
    """
    steer = -control.steering_angle_rad / config.max_steering_angle_rad
    push = control.acceleration_mps2 + config.coasting_mps2
    throttle = (push + config.drag_1ps * max(ego_speed_mps, 0.0)) / config.full_throttle_mps2
    is_standing = control.speed_mps < STANDING_MPS and control.acceleration_mps2 <= 0.0
    return CarlaPedals(
        throttle=_limited(throttle, 0.0) if push > 0.0 and not is_standing else 0.0,
        steer=_limited(steer, -1.0),
        brake=_limited(-push / config.full_brake_mps2, 0.0),
        hand_brake=is_standing and abs(ego_speed_mps) < 10.0 * STANDING_MPS,
    )


def _limited(value: float, low: float) -> float:
    return min(max(value, low), 1.0)
