"""Bags of a drive that is known in closed form, with a small camera; in every format we read.

``drive()`` gives the messages, a test changes some, ``write_bag()`` writes them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_typestore

from emma_planner.ros.conversions import header_message, jpeg_message
from emma_planner.ros.messages import BagMessages

START_NS = 1_700_000_000_250_000_000
"""Between two ticks at 2 Hz; a stamp of this century."""
FORMATS = ('mcap', 'sqlite3', 'rosbag1')
IMAGE = '/camera/front/image_raw/compressed'
CAMERA_INFO = '/camera/front/camera_info'
ODOMETRY, TWIST, POSE, COMMAND = '/odom', '/twist', '/pose', '/command'
TYPES = {
    ODOMETRY: 'nav_msgs/msg/Odometry',
    TWIST: 'geometry_msgs/msg/TwistStamped',
    POSE: 'geometry_msgs/msg/PoseStamped',
}
WIDTH, HEIGHT = 64, 48

Motion = Callable[[float], tuple[float, float, float, float, float]]
"""Time [s] to x [m], y [m], yaw [rad], speed [m/s], yaw rate [rad/s]."""


def circle(speed_mps: float = 8.0, curvature_1pm: float = 0.02) -> Motion:
    """Constant speed on a circle that starts at the origin along x."""
    rate = speed_mps * curvature_1pm

    def at(time_s: float) -> tuple[float, float, float, float, float]:
        yaw = rate * time_s
        return (
            math.sin(yaw) / curvature_1pm,
            (1.0 - math.cos(yaw)) / curvature_1pm,
            math.atan2(math.sin(yaw), math.cos(yaw)),
            speed_mps,
            rate,
        )

    return at


def straight(speed_mps: float = 8.0) -> Motion:
    """Constant speed along x."""
    return lambda time_s: (speed_mps * time_s, 0.0, 0.0, speed_mps, 0.0)


def braking(speed_mps: float = 8.0, deceleration_mps2: float = 1.0) -> Motion:
    """Brake along x to standstill, then stand."""

    def at(time_s: float) -> tuple[float, float, float, float, float]:
        braked_s = min(time_s, speed_mps / deceleration_mps2)
        x = speed_mps * braked_s - deceleration_mps2 * braked_s**2 / 2
        return x, 0.0, 0.0, speed_mps - deceleration_mps2 * braked_s, 0.0

    return at


@dataclass(frozen=True)
class Sample:
    """One message to be recorded.

    :param build: makes it with the messages of the bag's format; bytes are written as they are
    """

    topic: str
    type_name: str
    log_ns: int
    build: Callable[[BagMessages], Any]


def drive(
    motion: Motion | None = None,
    *,
    duration_s: float = 12.0,
    ego: Sequence[str] = (ODOMETRY,),
    image_hz: float = 10.0,
    ego_hz: float = 20.0,
    start_ns: int = START_NS,
    delay_ns: int = 3_000_000,
    image: str = IMAGE,
    camera_info: bool = True,
) -> list[Sample]:
    """Return the messages of a drive in order of recording.

    :param ego: topics of ego motion
    :param delay_ns: from the stamp to the time of recording [ns]
    :param image: topic of the camera; '' for none
    """
    motion = motion or circle()
    samples = []
    for k in range(round(duration_s * ego_hz)):
        stamp_ns = start_ns + round(k * 1e9 / ego_hz)
        state = motion(k / ego_hz)
        samples += [ego_sample(topic, stamp_ns, state, stamp_ns + delay_ns) for topic in ego]
    for k in range(round(duration_s * image_hz) if image else 0):
        stamp_ns = start_ns + round(k * 1e9 / image_hz) + 1_000_000
        log_ns = stamp_ns + delay_ns
        samples.append(image_sample(stamp_ns, log_ns, jpeg(k), image))
        if camera_info:
            samples.append(camera_info_sample(stamp_ns, log_ns))
    return sorted(samples, key=lambda sample: sample.log_ns)


def jpeg(seed: int) -> bytes:
    """A small picture, another one for every seed."""
    rgb = np.full((HEIGHT, WIDTH, 3), (40 + 3 * seed) % 256, dtype=np.uint8)
    cv2.circle(rgb, (seed % WIDTH, HEIGHT // 2), 8, (255, 200, 0), -1)
    return bytes(cv2.imencode('.jpg', rgb)[1].tobytes())


def image_sample(stamp_ns: int, log_ns: int, data: bytes, topic: str = IMAGE) -> Sample:
    """A sensor_msgs/CompressedImage."""
    return Sample(
        topic,
        'sensor_msgs/msg/CompressedImage',
        log_ns,
        lambda make: jpeg_message(make, data, stamp_ns, 'camera_front_optical'),
    )


def camera_info_sample(stamp_ns: int, log_ns: int) -> Sample:
    """A sensor_msgs/CameraInfo with a field of view of 90 degrees."""
    matrix = np.array([WIDTH / 2, 0, WIDTH / 2, 0, WIDTH / 2, HEIGHT / 2, 0, 0, 1.0])

    def build(make: BagMessages) -> Any:
        fields = {name for name, _ in make._typestore.fielddefs['sensor_msgs/msg/CameraInfo'][1]}
        header = header_message(make, stamp_ns, 'camera_front_optical')
        return make(
            'sensor_msgs/msg/CameraInfo',
            header=header,
            width=WIDTH,
            height=HEIGHT,
            **{'k' if 'k' in fields else 'K': matrix},
        )

    return Sample(CAMERA_INFO, 'sensor_msgs/msg/CameraInfo', log_ns, build)


def ego_sample(
    topic: str, stamp_ns: int, state: tuple[float, float, float, float, float], log_ns: int
) -> Sample:
    """Odometry, TwistStamped or PoseStamped, by topic.

    :param state: as :data:`Motion` gives it
    """
    x, y, yaw, speed, yaw_rate = state

    def build(make: BagMessages) -> Any:
        pose = make(
            'geometry_msgs/msg/Pose',
            position=make('geometry_msgs/msg/Point', x=x, y=y, z=0.0),
            orientation=make(
                'geometry_msgs/msg/Quaternion',
                x=0.0,
                y=0.0,
                z=math.sin(yaw / 2),
                w=math.cos(yaw / 2),
            ),
        )
        twist = make(
            'geometry_msgs/msg/Twist',
            linear=make('geometry_msgs/msg/Vector3', x=speed, y=0.0, z=0.0),
            angular=make('geometry_msgs/msg/Vector3', x=0.0, y=0.0, z=yaw_rate),
        )
        header = header_message(make, stamp_ns, 'base_link' if topic == TWIST else 'odom')
        if topic == TWIST:
            return make(TYPES[TWIST], header=header, twist=twist)
        if topic == POSE:
            return make(TYPES[POSE], header=header, pose=pose)
        return make(
            TYPES[ODOMETRY],
            header=header,
            child_frame_id='base_link',
            pose=make('geometry_msgs/msg/PoseWithCovariance', pose=pose),
            twist=make('geometry_msgs/msg/TwistWithCovariance', twist=twist),
        )

    return Sample(topic, TYPES[topic], log_ns, build)


def string_sample(topic: str, text: str, log_ns: int) -> Sample:
    """A std_msgs/String."""
    kind = 'std_msgs/msg/String'
    return Sample(topic, kind, log_ns, lambda make: make(kind, data=text))


def bytes_sample(topic: str, type_name: str, log_ns: int, data: bytes) -> Sample:
    """Bytes that are not of the type they are said to be."""
    return Sample(topic, type_name, log_ns, lambda make: data)


def write_bag(path: Path, samples: Iterable[Sample], storage: str = 'mcap') -> Path:
    """Write a bag.

    :param path: a folder is made for rosbag2, the suffix .bag is added for rosbag1
    :returns: what to open
    """
    if storage == 'rosbag1':
        return _write_rosbag1(path.with_suffix('.bag'), samples)
    store = get_typestore(Stores.ROS2_HUMBLE)
    make = BagMessages(store)
    plugin = StoragePlugin.MCAP if storage == 'mcap' else StoragePlugin.SQLITE3
    with Writer2(path, version=8, storage_plugin=plugin) as writer:
        connections: dict[str, Any] = {}
        for sample in samples:
            if sample.topic not in connections:
                connections[sample.topic] = writer.add_connection(
                    sample.topic, sample.type_name, typestore=store
                )
            message = sample.build(make)
            if not isinstance(message, bytes):
                message = store.serialize_cdr(message, sample.type_name)
            writer.write(connections[sample.topic], sample.log_ns, message)
    return path


def _write_rosbag1(path: Path, samples: Iterable[Sample]) -> Path:
    store = get_typestore(Stores.ROS1_NOETIC)
    make = BagMessages(store)
    with Writer1(path) as writer:
        connections: dict[str, Any] = {}
        for sample in samples:
            if sample.topic not in connections:
                connections[sample.topic] = writer.add_connection(
                    sample.topic, sample.type_name, typestore=store
                )
            message = sample.build(make)
            if not isinstance(message, bytes):
                message = store.serialize_ros1(message, sample.type_name)
            writer.write(connections[sample.topic], sample.log_ns, message)
    return path


def file_of(bag: Path) -> Path:
    """The one file that holds the messages of a bag."""
    if bag.is_file():
        return bag
    (file,) = [*bag.glob('*.mcap'), *bag.glob('*.db3')]
    return file
