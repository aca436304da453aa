"""Messages of rclpy and of rosbags carry the same, proved through CDR in both directions."""

from __future__ import annotations

import array
import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from emma_planner.planning.fallback import DrivenPath, Source
from emma_planner.ros import conversions
from emma_planner.ros.conversions import Status
from emma_planner.ros.messages import BagMessages, RclpyMessages

T0_NS = 1_700_000_000_123_456_789
STORE = get_typestore(Stores.ROS2_KILTED)
BAG = BagMessages(STORE)
ROS = RclpyMessages()
Build = Callable[[Any], Any]


def _driven(count: int = 3, source: Source = Source.PLAN) -> DrivenPath:
    k = np.arange(1, count + 1, dtype=float)
    return DrivenPath(
        source,
        'map',
        tuple(T0_NS + 500_000_000 * (n + 1) for n in range(count)),
        np.column_stack([4.0 * k, -0.5 * k, 0.1 * k]),
        np.full(count, np.float64(8.0)),
    )


_RGB = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
_STATUSES = [
    Status('planner: plan', level, 'né\x00\ud800\n', (('key', 'v\x1b'), ('empty', '')))
    for level in range(4)
]
BUILDERS: dict[str, Build] = {
    'time': lambda make: conversions.time_message(make, T0_NS),
    'header': lambda make: conversions.header_message(make, T0_NS, 'base_link'),
    'path': lambda make: conversions.path_message(make, _driven(), T0_NS),
    'empty path': lambda make: conversions.path_message(make, _driven(0), T0_NS),
    'speed': lambda make: conversions.speed_message(make, np.float32(3.0), 'kmh'),
    'whole speed': lambda make: conversions.speed_message(make, 3, 'mps'),
    'string': lambda make: conversions.string_message(make, 'turn left'),
    'diagnostics': lambda make: conversions.diagnostics_message(make, _STATUSES, T0_NS, 'planner'),
    'image': lambda make: conversions.image_message(make, _RGB, T0_NS, 'camera'),
    'sliced image': lambda make: conversions.image_message(make, _RGB[:, ::2], T0_NS, 'camera'),
    'jpeg': lambda make: conversions.jpeg_message(make, b'\xff\xd8\xff\xd9', T0_NS, 'camera'),
    'markers': lambda make: conversions.markers_message(make, _driven(), T0_NS, 'turn\x00left'),
    'no markers': lambda make: conversions.markers_message(
        make, _driven(0, Source.NONE), T0_NS, ''
    ),
}
EXPECTED_TYPES = {
    'path': 'nav_msgs/msg/Path',
    'speed': 'std_msgs/msg/Float64',
    'diagnostics': 'diagnostic_msgs/msg/DiagnosticArray',
    'image': 'sensor_msgs/msg/Image',
    'jpeg': 'sensor_msgs/msg/CompressedImage',
    'markers': 'visualization_msgs/msg/MarkerArray',
}
each = pytest.mark.parametrize('build', BUILDERS.values(), ids=BUILDERS)


def _plain(value: Any) -> Any:
    """A message of rosbags as dictionaries, lists and numbers: its arrays do not compare."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return [_plain(item) for item in value] if isinstance(value, (list, np.ndarray)) else value


def _type_name(message: Any) -> str:
    if is_dataclass(message):
        return str(message.__msgtype__)
    return '/'.join([type(message).__module__.split('.')[0], 'msg', type(message).__name__])


@pytest.fixture(scope='module')
def cdr():
    """rclpy's way to CDR and back."""
    return pytest.importorskip('rclpy.serialization')


@pytest.mark.ros
@each
def test_what_rclpy_writes_rosbags_reads_as_if_it_had_written_it_itself(cdr, build):
    ours, theirs = build(ROS), build(BAG)
    kind = _type_name(theirs)
    assert _type_name(ours) == kind
    read = STORE.deserialize_cdr(cdr.serialize_message(ours), kind)
    again = STORE.deserialize_cdr(STORE.serialize_cdr(theirs, kind), kind)
    assert _plain(read) == _plain(again)


@pytest.mark.ros
@each
def test_what_rosbags_writes_rclpy_reads_as_if_it_had_written_it_itself(cdr, build):
    ours, theirs = build(ROS), build(BAG)
    kind = _type_name(theirs)
    read = cdr.deserialize_message(bytes(STORE.serialize_cdr(theirs, kind)), type(ours))
    again = cdr.deserialize_message(cdr.serialize_message(ours), type(ours))
    assert read == again


@pytest.mark.ros
@pytest.mark.parametrize('name', [name for name in BUILDERS if 'markers' not in name])
def test_what_is_written_comes_back(cdr, name):
    ours = BUILDERS[name](ROS)  # markers hold float32 colours, which come back rounded
    assert cdr.deserialize_message(cdr.serialize_message(ours), type(ours)) == ours


@pytest.mark.ros
@pytest.mark.parametrize('name', EXPECTED_TYPES)
def test_each_message_has_the_type_of_the_interface(name):
    pytest.importorskip('rclpy')
    assert _type_name(BUILDERS[name](ROS)) == EXPECTED_TYPES[name]


@pytest.mark.ros
def test_field_types_are_checked_in_these_tests():
    string = pytest.importorskip('std_msgs.msg')
    with pytest.raises(AssertionError):
        string.Float64(data=3)


# time, yaw, units


@pytest.mark.parametrize('stamp_ns', [0, 1, 999_999_999, T0_NS, 2**31 * 10**9 - 1, -1])
def test_stamps_come_back_to_the_nanosecond(stamp_ns):
    header = conversions.header_message(BAG, stamp_ns, '')
    assert conversions.stamp_of(header) == stamp_ns
    assert 0 <= header.stamp.nanosec < 10**9


@pytest.mark.parametrize('yaw', [0.0, 0.3, -0.3, 1.5, -3.0, math.pi / 2, 3.1])
def test_yaw_survives_the_quaternion(yaw):
    driven = DrivenPath(Source.PLAN, 'map', (1,), np.array([[1.0, 2.0, yaw]]), np.ones(1))
    pose = conversions.path_message(BAG, driven, 0).poses[0].pose
    assert conversions.yaw_of(pose.orientation) == pytest.approx(yaw)
    norm = sum(getattr(pose.orientation, axis) ** 2 for axis in 'xyzw')
    assert norm == pytest.approx(1.0)


@pytest.mark.parametrize('sign', [1.0, -1.0])
def test_yaw_is_the_heading_of_a_banked_and_climbing_car(sign):
    roll, pitch, yaw = 0.1, -0.2, 2.5
    cr, sr, cp, sp, cy, sy = (
        f(angle / 2) for angle in (roll, pitch, yaw) for f in (math.cos, math.sin)
    )
    quaternion = STORE.types['geometry_msgs/msg/Quaternion'](
        x=sign * (sr * cp * cy - cr * sp * sy),
        y=sign * (cr * sp * cy + sr * cp * sy),
        z=sign * (cr * cp * sy - sr * sp * cy),
        w=sign * (cr * cp * cy + sr * sp * sy),
    )
    assert conversions.yaw_of(quaternion) == pytest.approx(yaw)


@pytest.mark.parametrize(('unit', 'expected'), [('mps', 10.0), ('kmh', 36.0)])
def test_target_speed_in_each_unit(unit, expected):
    message = conversions.speed_message(BAG, 10.0, unit)
    assert message.data == pytest.approx(expected)
    assert type(message.data) is float


def test_readers_take_pose_and_twist_from_where_they_are():
    twist_with = BAG('geometry_msgs/msg/TwistWithCovariance')
    twist_with.twist.linear.x, twist_with.twist.angular.z = 7.0, 0.2
    pose_with = BAG('geometry_msgs/msg/PoseWithCovariance')
    pose_with.pose.position.x, pose_with.pose.position.y = 1.0, 2.0
    pose_with.pose.orientation.w = 1.0
    header = conversions.header_message(BAG, T0_NS, 'map')
    odometry = conversions.from_odometry(
        BAG('nav_msgs/msg/Odometry', header=header, pose=pose_with, twist=twist_with)
    )
    assert (odometry.stamp_ns, odometry.frame_id) == (T0_NS, 'map')
    assert (odometry.pose, odometry.twist) == ((1.0, 2.0, 0.0), (7.0, 0.2))
    twist = conversions.from_twist(
        BAG('geometry_msgs/msg/TwistStamped', header=header, twist=twist_with.twist)
    )
    assert (twist.pose, twist.twist) == (None, (7.0, 0.2))
    pose = conversions.from_pose(
        BAG('geometry_msgs/msg/PoseStamped', header=header, pose=pose_with.pose)
    )
    assert (pose.pose, pose.twist) == ((1.0, 2.0, 0.0), None)


# text


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('plain, größer, 左', 'plain, größer, 左'),
        ('nul\x00', 'nul\ufffd'),
        ('\x1b[31mred', '\ufffd[31mred'),
        ('lone \ud800 surrogate', 'lone \ufffd surrogate'),
        ('two\nlines\tand\u3000blanks', 'two lines and blanks'),
        ('\u202eright to left', '\ufffdright to left'),
        ('', ''),
    ],
)
def test_text_is_made_printable(text, expected):
    assert conversions.printable(text) == expected
    expected.encode('utf-8')


def test_diagnostics_texts_and_markers_are_made_printable():
    (status, *_) = conversions.diagnostics_message(BAG, _STATUSES, 0, 'planner').status
    assert status.message == 'né\ufffd\ufffd '
    assert status.values[0].value == 'v\ufffd'
    markers = conversions.markers_message(BAG, _driven(), 0, 'a\x00').markers
    assert markers[1].text == 'a\ufffd'


# levels, markers, images


@pytest.mark.ros
@pytest.mark.parametrize('level', range(4))
def test_levels_are_bytes_for_rclpy_and_numbers_for_rosbags(level):
    pytest.importorskip('rclpy')
    ours, theirs = (
        conversions.diagnostics_message(make, [_STATUSES[level]], 0, '') for make in (ROS, BAG)
    )
    assert ours.status[0].level == bytes([level])
    assert theirs.status[0].level == level


def test_markers_are_the_path_and_the_intent_at_its_end():
    line, text = conversions.markers_message(BAG, _driven(), T0_NS, 'turn left').markers
    assert (line.type, text.type) == (line.LINE_STRIP, text.TEXT_VIEW_FACING)
    assert [(point.x, point.y) for point in line.points] == [
        (4.0, -0.5),
        (8.0, -1.0),
        (12.0, -1.5),
    ]
    assert (text.pose.position.x, text.pose.position.y) == (12.0, -1.5)
    assert (line.action, line.id, text.id) == (line.ADD, 0, 1)
    assert line.pose.orientation.w == 1.0
    assert line.scale.x == pytest.approx(conversions.PATH_WIDTH_M)


def test_each_source_has_its_own_colour():
    colours = {
        (m.color.r, m.color.g, m.color.b)
        for source in Source
        for m in conversions.markers_message(BAG, _driven(3, source), 0, '').markers
    }
    assert len(colours) == len(Source)


def test_an_empty_path_removes_the_markers_of_the_one_before():
    (marker,) = conversions.markers_message(BAG, _driven(0, Source.NONE), T0_NS, 'text').markers
    assert (marker.action, marker.ns) == (marker.DELETEALL, 'plan')
    assert marker.header.frame_id == 'map'


@pytest.mark.ros
def test_a_large_image_is_given_to_rclpy_as_an_array_of_bytes():
    pytest.importorskip('rclpy')
    rgb = np.zeros((900, 1600, 3), dtype=np.uint8)
    message = conversions.image_message(ROS, rgb, 0, '')
    # a list or an ndarray would be converted element by element, 0.3 to 0.7 s a picture
    assert type(message.data) is array.array
    assert message.data.typecode == 'B'
    assert type(ROS.data(rgb)) is array.array


def test_image_fields_follow_the_shape():
    message = conversions.image_message(BAG, _RGB[:3], T0_NS, 'camera')
    assert (message.height, message.width, message.step, message.encoding) == (3, 5, 15, 'rgb8')
    assert message.data.tobytes() == _RGB[:3].tobytes()


def test_fields_not_given_are_zero_of_their_type_in_a_bag():
    info = BAG('sensor_msgs/msg/CameraInfo')
    assert (info.k.shape, info.k.dtype, info.d.shape) == ((9,), np.float64, (0,))
    assert (info.distortion_model, info.roi.do_rectify, info.header.frame_id) == ('', False, '')
