"""What a simulated world says, as ROS messages; no rclpy, no simulator.

Frames: ``map`` -> ``base_link`` (rear axle on the ground) -> ``camera_optical`` (z forward).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from emma_planner.ros.conversions import header_message, pose_message, time_message
from emma_planner.ros.messages import MessageFactory
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.observation import Observation

MAP, BASE, CAMERA = 'map', 'base_link', 'camera_optical'


def odometry_message(make: MessageFactory, observation: Observation) -> Any:
    """nav_msgs/Odometry: base_link in map, twist in the body frame."""
    pose = observation.pose
    linear = make('geometry_msgs/msg/Vector3', x=float(observation.speed_mps), y=0.0, z=0.0)
    angular = make('geometry_msgs/msg/Vector3', x=0.0, y=0.0, z=float(observation.yaw_rate_radps))
    return make(
        'nav_msgs/msg/Odometry',
        header=header_message(make, observation.stamp_ns, MAP),
        child_frame_id=BASE,
        pose=make(
            'geometry_msgs/msg/PoseWithCovariance',
            pose=pose_message(make, pose.x_m, pose.y_m, pose.yaw_rad),
        ),
        twist=make(
            'geometry_msgs/msg/TwistWithCovariance',
            twist=make('geometry_msgs/msg/Twist', linear=linear, angular=angular),
        ),
    )


def camera_info_message(make: MessageFactory, camera: CameraSettings, stamp_ns: int) -> Any:
    """sensor_msgs/CameraInfo of a pinhole camera without distortion."""
    fx, fy, cx, cy = camera.fx, camera.fy, camera.cx, camera.cy
    return make(
        'sensor_msgs/msg/CameraInfo',
        header=header_message(make, stamp_ns, CAMERA),
        height=int(camera.height),
        width=int(camera.width),
        distortion_model='plumb_bob',
        d=np.zeros(5),
        k=np.array([fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]),
        r=np.eye(3).reshape(-1),
        p=np.array([fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]),
    )


def tf_message(make: MessageFactory, observation: Observation) -> Any:
    """tf2_msgs/TFMessage: base_link in map."""
    pose = observation.pose
    return make(
        'tf2_msgs/msg/TFMessage',
        transforms=[
            _transform(
                make,
                observation.stamp_ns,
                (MAP, BASE),
                (pose.x_m, pose.y_m, 0.0),
                (0.0, 0.0, math.sin(pose.yaw_rad / 2), math.cos(pose.yaw_rad / 2)),
            )
        ],
    )


def static_tf_message(make: MessageFactory, camera: CameraSettings, stamp_ns: int) -> Any:
    """tf2_msgs/TFMessage: the camera's optical frame in base_link."""
    return make(
        'tf2_msgs/msg/TFMessage',
        transforms=[
            _transform(
                make, stamp_ns, (BASE, CAMERA), camera.position_m, _optical(camera.pitch_deg)
            )
        ],
    )


def clock_message(make: MessageFactory, stamp_ns: int) -> Any:
    """rosgraph_msgs/Clock."""
    return make('rosgraph_msgs/msg/Clock', clock=time_message(make, stamp_ns))


def _optical(pitch_deg: float) -> tuple[float, float, float, float]:
    """Quaternion x, y, z, w of x right, y down, z forward, pitched down (REP-103)."""
    # body to optical is (-0.5, 0.5, -0.5, 0.5); the pitch turns about the body's y first
    half = math.radians(pitch_deg) / 2
    sin, cos = math.sin(half), math.cos(half)
    x, y, z, w = -0.5, 0.5, -0.5, 0.5
    return cos * x + sin * z, cos * y + sin * w, cos * z - sin * x, cos * w - sin * y


def _transform(
    make: MessageFactory,
    stamp_ns: int,
    frames: tuple[str, str],
    translation_m: tuple[float, float, float],
    rotation: tuple[float, float, float, float],
) -> Any:
    x, y, z = (float(value) for value in translation_m)
    qx, qy, qz, qw = rotation
    return make(
        'geometry_msgs/msg/TransformStamped',
        header=header_message(make, stamp_ns, frames[0]),
        child_frame_id=frames[1],
        transform=make(
            'geometry_msgs/msg/Transform',
            translation=make('geometry_msgs/msg/Vector3', x=x, y=y, z=z),
            rotation=make('geometry_msgs/msg/Quaternion', x=qx, y=qy, z=qz, w=qw),
        ),
    )
