"""Every parameter of the path follower in one dataclass.

``config/follower.yaml`` lists each with unit and range; a test holds both equal.
"""

from __future__ import annotations

from dataclasses import dataclass

from emma_planner.config import Parameters, parameter


@dataclass(frozen=True)
class FollowerConfig(Parameters):
    """Parameters of the follower; metadata carries unit, range and meaning."""

    # vehicle
    wheelbase_m: float = parameter(2.8, 'rear to front axle', unit='m', low=0.1, high=20.0)
    max_steering_angle_rad: float = parameter(
        0.7, 'largest |angle| of the front wheels', unit='rad', low=0.05, high=1.4
    )
    max_steering_rate_radps: float = parameter(
        1.0, 'how fast the front wheels are turned', unit='rad/s', low=0.05, high=10.0
    )
    actuation_delay_s: float = parameter(
        0.1, 'from a command to half of its effect', unit='s', low=0.0, high=1.0
    )
    base_offset_m: float = parameter(
        0.0,
        "odometry's child frame ahead of the rear axle, negative behind",
        unit='m',
        low=-20.0,
        high=20.0,
    )
    # steering
    lookahead_time_s: float = parameter(
        0.5, 'pure pursuit looks this far ahead', unit='s', low=0.05, high=5.0
    )
    lookahead_min_m: float = parameter(2.5, 'and at least so far', unit='m', low=0.2, high=50.0)
    # speed
    max_acceleration_mps2: float = parameter(
        3.0, 'strongest acceleration', unit='m/s^2', low=0.1, high=10.0
    )
    max_deceleration_mps2: float = parameter(
        6.0, 'strongest braking', unit='m/s^2', low=0.5, high=12.0
    )
    max_jerk_mps3: float = parameter(
        4.0, 'change of acceleration in normal driving', unit='m/s^3', low=0.5, high=100.0
    )
    stop_deceleration_mps2: float = parameter(
        2.0, 'braking where there is no path to follow', unit='m/s^2', low=0.2, high=6.0
    )
    hold_deceleration_mps2: float = parameter(
        2.0, 'braking that holds the standing car', unit='m/s^2', low=0.0, high=6.0
    )
    speed_gain_1ps: float = parameter(
        1.5, 'acceleration per error in speed', unit='1/s', low=0.0, high=10.0
    )
    speed_integral_gain_1ps2: float = parameter(
        0.3, 'acceleration per summed error in speed', unit='1/s^2', low=0.0, high=10.0
    )
    position_gain_1ps: float = parameter(
        0.5, 'speed per distance behind the path', unit='1/s', low=0.0, high=5.0
    )
    # timing
    path_timeout_s: float = parameter(
        1.0, 'no path for this long is a comfortable stop', unit='s', low=0.1, high=10.0
    )
    odometry_timeout_s: float = parameter(
        0.5, 'no odometry for this long is a comfortable stop', unit='s', low=0.05, high=10.0
    )
    control_rate_hz: float = parameter(
        20.0, 'controls per second of ROS time', unit='Hz', low=1.0, high=200.0
    )
    on_odometry: bool = parameter(
        False, 'one control for each odometry message in place of a fixed rate, for lock-step'
    )
    # topics and messages
    control_type: str = parameter(
        'array',
        'std_msgs/Float64MultiArray, ackermann_msgs/AckermannDriveStamped or '
        'carla_msgs/CarlaEgoVehicleControl',
        choices=('array', 'ackermann', 'carla'),
    )
    path_topic: str = parameter('path', 'nav_msgs/Path')
    odometry_topic: str = parameter('odometry', 'nav_msgs/Odometry')
    control_topic: str = parameter('control', 'of control_type')
    # pedals, for carla
    full_throttle_mps2: float = parameter(
        3.5, 'acceleration of the full throttle at standstill', unit='m/s^2', low=0.5, high=20.0
    )
    full_brake_mps2: float = parameter(
        8.0, 'deceleration of the full brake', unit='m/s^2', low=0.5, high=20.0
    )
    coasting_mps2: float = parameter(
        0.3, 'deceleration of neither pedal', unit='m/s^2', low=0.0, high=3.0
    )
    drag_1ps: float = parameter(
        0.03, 'more throttle per speed, as deceleration', unit='1/s', low=0.0, high=1.0
    )
    # life cycle
    autostart: bool = parameter(True, 'configure and activate the node by itself')
