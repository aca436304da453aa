"""ROS messages to core types and back; no rclpy, no topics, no clock.

Readers take messages by their fields, so messages of rclpy and of rosbags both do. Writers take a
:class:`~emma_planner.ros.messages.MessageFactory`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emma_planner.planning.ego_tracks import EgoMeasurement
from emma_planner.planning.fallback import DrivenPath, Source
from emma_planner.planning.types import NS_PER_S, ByteArray
from emma_planner.ros.messages import MessageFactory

KMH_PER_MPS = 3.6
PATH_WIDTH_M = 0.3
_COLOURS = {
    Source.PLAN: (0.1, 0.9, 0.4),
    Source.LAST_PLAN: (1.0, 0.6, 0.1),
    Source.STOP: (1.0, 0.2, 0.1),
    Source.NONE: (0.5, 0.5, 0.5),
}


@dataclass(frozen=True)
class Status:
    """One line of /diagnostics, before it is a message.

    :param level: 0 ok, 1 warning, 2 error, 3 stale
    """

    name: str
    level: int
    message: str
    values: tuple[tuple[str, str], ...] = ()


def stamp_of(header: Any) -> int:
    """Return a header's stamp [ns]."""
    return int(header.stamp.sec) * NS_PER_S + int(header.stamp.nanosec)


def yaw_of(orientation: Any) -> float:
    """Yaw [rad] of a quaternion x, y, z, w: rotation about z of the ZYX Euler angles."""
    x, y, z, w = orientation.x, orientation.y, orientation.z, orientation.w
    return math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def from_odometry(message: Any) -> EgoMeasurement:
    """nav_msgs/Odometry: pose in ``header.frame_id``, twist in the body frame."""
    return EgoMeasurement(
        stamp_of(message.header),
        message.header.frame_id,
        _pose(message.pose.pose),
        _twist(message.twist.twist),
    )


def from_twist(message: Any) -> EgoMeasurement:
    """geometry_msgs/TwistStamped in the body frame."""
    return EgoMeasurement(
        stamp_of(message.header), message.header.frame_id, None, _twist(message.twist)
    )


def from_pose(message: Any) -> EgoMeasurement:
    """geometry_msgs/PoseStamped of base_link in ``header.frame_id``."""
    return EgoMeasurement(
        stamp_of(message.header), message.header.frame_id, _pose(message.pose), None
    )


EGO_READERS = {
    'odometry': ('nav_msgs/msg/Odometry', from_odometry),
    'twist': ('geometry_msgs/msg/TwistStamped', from_twist),
    'pose': ('geometry_msgs/msg/PoseStamped', from_pose),
}
"""Kind of ego motion to message type and reader."""


def _pose(pose: Any) -> tuple[float, float, float]:
    return float(pose.position.x), float(pose.position.y), yaw_of(pose.orientation)


def _twist(twist: Any) -> tuple[float, float]:
    return float(twist.linear.x), float(twist.angular.z)


def printable(text: str) -> str:
    """Replace what a ROS string cannot carry or a terminal would act on: model text is data.

    White space of any kind becomes a blank, so that the text stays one line.
    """
    return ''.join(c if c.isprintable() else ' ' if c.isspace() else '\ufffd' for c in text)


def time_message(make: MessageFactory, stamp_ns: int) -> Any:
    """builtin_interfaces/Time."""
    sec, nanosec = divmod(int(stamp_ns), NS_PER_S)
    return make('builtin_interfaces/msg/Time', sec=sec, nanosec=nanosec)


def header_message(make: MessageFactory, stamp_ns: int, frame_id: str) -> Any:
    """std_msgs/Header."""
    return make('std_msgs/msg/Header', stamp=time_message(make, stamp_ns), frame_id=frame_id)


def path_message(make: MessageFactory, driven: DrivenPath, stamp_ns: int) -> Any:
    """nav_msgs/Path in the odometry's frame; pose k carries its own time.

    :param stamp_ns: t0 [ns], the input image's stamp
    """
    poses = [
        make(
            'geometry_msgs/msg/PoseStamped',
            header=header_message(make, pose_ns, driven.frame_id),
            pose=pose_message(make, x, y, yaw),
        )
        for pose_ns, (x, y, yaw) in zip(driven.stamps_ns, driven.poses.tolist(), strict=True)
    ]
    header = header_message(make, stamp_ns, driven.frame_id)
    return make('nav_msgs/msg/Path', header=header, poses=poses)


def pose_message(make: MessageFactory, x_m: float, y_m: float, yaw_rad: float) -> Any:
    """geometry_msgs/Pose on the ground."""
    return make(
        'geometry_msgs/msg/Pose',
        position=make('geometry_msgs/msg/Point', x=float(x_m), y=float(y_m), z=0.0),
        orientation=make(
            'geometry_msgs/msg/Quaternion',
            x=0.0,
            y=0.0,
            z=math.sin(yaw_rad / 2.0),
            w=math.cos(yaw_rad / 2.0),
        ),
    )


def speed_message(make: MessageFactory, speed_mps: float, unit: str) -> Any:
    """std_msgs/Float64.

    :param unit: ``mps`` or ``kmh`` (CARLA's ``speed_command``)
    """
    factor = KMH_PER_MPS if unit == 'kmh' else 1.0
    return make('std_msgs/msg/Float64', data=float(speed_mps) * factor)


def string_message(make: MessageFactory, text: str) -> Any:
    """std_msgs/String."""
    return make('std_msgs/msg/String', data=text)


def diagnostics_message(
    make: MessageFactory, statuses: Sequence[Status], stamp_ns: int, hardware_id: str
) -> Any:
    """diagnostic_msgs/DiagnosticArray."""
    return make(
        'diagnostic_msgs/msg/DiagnosticArray',
        header=header_message(make, stamp_ns, ''),
        status=[
            make(
                'diagnostic_msgs/msg/DiagnosticStatus',
                level=make.byte(status.level),
                name=status.name,
                message=printable(status.message),
                hardware_id=hardware_id,
                values=[
                    make('diagnostic_msgs/msg/KeyValue', key=key, value=printable(value))
                    for key, value in status.values
                ],
            )
            for status in statuses
        ],
    )


def image_message(make: MessageFactory, rgb: ByteArray, stamp_ns: int, frame_id: str) -> Any:
    """sensor_msgs/Image, rgb8."""
    height, width = rgb.shape[:2]
    return make(
        'sensor_msgs/msg/Image',
        header=header_message(make, stamp_ns, frame_id),
        height=int(height),
        width=int(width),
        encoding='rgb8',
        is_bigendian=0,
        step=int(3 * width),
        data=make.data(rgb),
    )


def jpeg_message(make: MessageFactory, jpeg: bytes, stamp_ns: int, frame_id: str) -> Any:
    """sensor_msgs/CompressedImage with JPEG data."""
    return make(
        'sensor_msgs/msg/CompressedImage',
        header=header_message(make, stamp_ns, frame_id),
        format='jpeg',
        data=make.data(np.frombuffer(jpeg, dtype=np.uint8)),
    )


def markers_message(make: MessageFactory, driven: DrivenPath, stamp_ns: int, text: str) -> Any:
    """visualization_msgs/MarkerArray: the path as a line, and the intent at its end."""
    if not driven.stamps_ns:
        delete_all = 3
        return make(
            'visualization_msgs/msg/MarkerArray',
            markers=[_marker(make, driven, stamp_ns, number=0, kind=4, action=delete_all)],
        )
    points = [(x, y) for x, y, _ in driven.poses.tolist()]
    line_strip, text_view_facing = 4, 9
    return make(
        'visualization_msgs/msg/MarkerArray',
        markers=[
            _marker(make, driven, stamp_ns, number=0, kind=line_strip, points=points),
            _marker(
                make,
                driven,
                stamp_ns,
                number=1,
                kind=text_view_facing,
                at=points[-1],
                text=text,
            ),
        ],
    )


def _marker(
    make: MessageFactory,
    driven: DrivenPath,
    stamp_ns: int,
    *,
    number: int,
    kind: int,
    action: int = 0,
    points: Sequence[tuple[float, float]] = (),
    at: tuple[float, float] = (0.0, 0.0),
    text: str = '',
) -> Any:
    red, green, blue = _COLOURS[driven.source]
    return make(
        'visualization_msgs/msg/Marker',
        header=header_message(make, stamp_ns, driven.frame_id),
        ns='plan',
        id=number,
        type=kind,
        action=action,
        pose=pose_message(make, *at, 0.0),
        scale=make('geometry_msgs/msg/Vector3', x=PATH_WIDTH_M, y=0.0, z=1.0),
        color=make('std_msgs/msg/ColorRGBA', r=red, g=green, b=blue, a=0.9),
        lifetime=make('builtin_interfaces/msg/Duration', sec=2, nanosec=0),
        frame_locked=False,
        points=[make('geometry_msgs/msg/Point', x=x, y=y, z=0.0) for x, y in points],
        text=printable(text),
    )
