"""Controls to ROS messages, and the messages that a follower takes to its types; no rclpy.

Which messages leave is a choice of ``control_type``; the packages of two of them are needed only
where they are chosen.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from emma_planner.control.carla_pedals import carla_pedals
from emma_planner.control.config import FollowerConfig
from emma_planner.control.control import Control
from emma_planner.control.timed_path import FollowState, PathError, TimedPath
from emma_planner.planning.types import NS_PER_S, Pose
from emma_planner.ros.conversions import from_odometry, header_message, stamp_of, yaw_of
from emma_planner.ros.messages import MessageFactory

BASE_FRAME = 'base_link'
ARRAY_LABEL = 'steering_angle,speed,acceleration'
"""What the numbers of the array are: rad, m/s, m/s^2."""
CONTROL_TYPES = {
    'array': 'std_msgs/msg/Float64MultiArray',
    'ackermann': 'ackermann_msgs/msg/AckermannDriveStamped',
    'carla': 'carla_msgs/msg/CarlaEgoVehicleControl',
}
"""``control_type`` to the message's type."""
_SOURCES = {
    'ackermann': 'sudo apt install ros-$ROS_DISTRO-ackermann-msgs',
    'carla': "build carla_msgs of CARLA's ros-bridge (github.com/carla-simulator/ros-bridge) in "
    'your workspace and source it',
}


class ControlTypeError(Exception):
    """The message of a ``control_type`` is not there; the message names its package."""


def control_class(control_type: str, find: Any) -> Any:
    """Return the message class of a ``control_type``.

    :param find: type name to class
    :raises ControlTypeError: its package is not installed
    """
    try:
        return find(CONTROL_TYPES[control_type])
    except ImportError as err:
        package = CONTROL_TYPES[control_type].split('/')[0]
        raise ControlTypeError(
            f'control_type {control_type}: need package {package}, got: {err}; '
            f'{_SOURCES[control_type]}'
        ) from err


class ControlMessages:
    """Makes the messages of one ``control_type``; an Ackermann message tells changes, too.

    :param make: makes messages of rclpy or of rosbags
    """

    def __init__(self, make: MessageFactory, config: FollowerConfig) -> None:
        self._make = make
        self._config = config
        self._last: tuple[int, Control] | None = None

    def message(self, control: Control, stamp_ns: int, ego_speed_mps: float) -> Any:
        """Make the message of a control.

        :param stamp_ns: the control's time [ns]
        :param ego_speed_mps: speed now
        """
        if self._config.control_type == 'ackermann':
            return self._ackermann(control, stamp_ns)
        if self._config.control_type == 'carla':
            return self._carla(control, stamp_ns, ego_speed_mps)
        return self._array(control)

    def _array(self, control: Control) -> Any:
        values = [
            float(control.steering_angle_rad),
            float(control.speed_mps),
            float(control.acceleration_mps2),
        ]
        make = self._make
        dimension = make('std_msgs/msg/MultiArrayDimension', label=ARRAY_LABEL, size=3, stride=3)
        layout = make('std_msgs/msg/MultiArrayLayout', dim=[dimension], data_offset=0)
        return make(CONTROL_TYPES['array'], layout=layout, data=make.floats(values))

    def _ackermann(self, control: Control, stamp_ns: int) -> Any:
        turning_radps = jerk_mps3 = 0.0
        if self._last is not None and stamp_ns > self._last[0]:
            before, step_s = self._last[1], (stamp_ns - self._last[0]) / NS_PER_S
            turning_radps = (control.steering_angle_rad - before.steering_angle_rad) / step_s
            jerk_mps3 = (control.acceleration_mps2 - before.acceleration_mps2) / step_s
        self._last = stamp_ns, control
        drive = self._make(
            'ackermann_msgs/msg/AckermannDrive',
            steering_angle=float(control.steering_angle_rad),
            steering_angle_velocity=float(abs(turning_radps)),
            speed=float(control.speed_mps),
            acceleration=float(control.acceleration_mps2),
            jerk=float(abs(jerk_mps3)),
        )
        header = header_message(self._make, stamp_ns, BASE_FRAME)
        return self._make(CONTROL_TYPES['ackermann'], header=header, drive=drive)

    def _carla(self, control: Control, stamp_ns: int, ego_speed_mps: float) -> Any:
        pedals = carla_pedals(control, ego_speed_mps, self._config)
        return self._make(
            CONTROL_TYPES['carla'],
            header=header_message(self._make, stamp_ns, BASE_FRAME),
            throttle=float(pedals.throttle),
            steer=float(pedals.steer),
            brake=float(pedals.brake),
            hand_brake=pedals.hand_brake,
            reverse=pedals.reverse,
            gear=0,
            manual_gear_shift=False,
        )


def control_of(message: Any) -> Control:
    """std_msgs/Float64MultiArray or AckermannDriveStamped to a control: what a simulator reads.

    :raises ValueError: not three finite numbers
    """
    if hasattr(message, 'drive'):
        drive = message.drive
        return Control(float(drive.steering_angle), float(drive.speed), float(drive.acceleration))
    values = [float(value) for value in message.data]
    if len(values) != 3:
        raise ValueError(f'need 3 numbers, {ARRAY_LABEL}, got {len(values)}')
    return Control(*values)


def path_of(message: Any, frame_id: str) -> TimedPath | None:
    """nav_msgs/Path to a path, None for an empty one.

    :param frame_id: of the odometry, '' while that is not known
    :raises PathError: not finite, not in order of time, in another frame, in reverse
    """
    if not message.poses:
        return None
    frames = {pose.header.frame_id for pose in message.poses} | {message.header.frame_id}
    frames.discard('')
    if len(frames) != 1 or (frame_id and frames != {frame_id}):
        raise PathError(
            f"need a path in the odometry's frame {frame_id!r}, got {sorted(frames)}"
            if frame_id
            else f'need a path in one frame, got {sorted(frames)}'
        )
    poses = [(p.pose.position.x, p.pose.position.y, _yaw_of(p)) for p in message.poses]
    stamps_ns = tuple(stamp_of(pose.header) for pose in message.poses)
    return TimedPath(stamp_of(message.header), frames.pop(), np.array(poses), stamps_ns)


def _yaw_of(pose: Any) -> float:
    q = pose.pose.orientation
    norm = math.sqrt(q.x * q.x + q.y * q.y + q.z * q.z + q.w * q.w)
    if norm == 0.0:
        return math.nan  # no rotation at all: refused as not finite
    return yaw_of(q)


def state_of(message: Any, base_offset_m: float) -> FollowState:
    """nav_msgs/Odometry to the state of the rear axle.

    :param base_offset_m: the message's child frame ahead of the rear axle
    :raises ValueError: not finite
    """
    measured = from_odometry(message)
    assert measured.pose is not None
    assert measured.twist is not None
    x_m, y_m, yaw_rad = measured.pose
    pose = Pose(
        x_m - base_offset_m * math.cos(yaw_rad), y_m - base_offset_m * math.sin(yaw_rad), yaw_rad
    )
    return FollowState(measured.stamp_ns, pose, measured.twist[0])
