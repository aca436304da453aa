"""Controls on the wire, and paths and odometry off it; messages as rosbags registers them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from emma_planner.control.config import FollowerConfig
from emma_planner.control.control import Control
from emma_planner.control.timed_path import PathError
from emma_planner.ros.control_messages import (
    ARRAY_LABEL,
    CONTROL_TYPES,
    ControlMessages,
    ControlTypeError,
    control_class,
    control_of,
    path_of,
    state_of,
)
from emma_planner.ros.conversions import header_message
from emma_planner.ros.messages import BagMessages

ACKERMANN = """
float32 steering_angle
float32 steering_angle_velocity
float32 speed
float32 acceleration
float32 jerk
"""
CARLA = """
std_msgs/Header header
float32 throttle
float32 steer
float32 brake
bool hand_brake
bool reverse
int32 gear
bool manual_gear_shift
"""
T0_NS = 5_000_000_000
CONTROL = Control(0.1, 7.0, -1.5)


@pytest.fixture(scope='module')
def store():
    store = get_typestore(Stores.ROS2_HUMBLE)
    for text, name in (
        (ACKERMANN, 'ackermann_msgs/msg/AckermannDrive'),
        (
            'std_msgs/Header header\nackermann_msgs/AckermannDrive drive',
            'ackermann_msgs/msg/AckermannDriveStamped',
        ),
        (CARLA, 'carla_msgs/msg/CarlaEgoVehicleControl'),
    ):
        store.register(get_types_from_msg(text, name))
    return store


@pytest.fixture
def make(store):
    return BagMessages(store)


def messages(make, control_type: str) -> ControlMessages:
    return ControlMessages(make, replace(FollowerConfig(), control_type=control_type))


def over_the_wire(store, message, control_type: str):
    kind = CONTROL_TYPES[control_type]
    return store.deserialize_cdr(store.serialize_cdr(message, kind), kind)


def test_the_array_carries_the_very_numbers(make, store):
    control = Control(0.1 + 1e-16, 1.0 / 3.0, -np.pi)
    sent = messages(make, 'array').message(control, T0_NS, 0.0)
    got = over_the_wire(store, sent, 'array')
    assert got.layout.dim[0].label == ARRAY_LABEL == 'steering_angle,speed,acceleration'
    assert got.layout.dim[0].size == 3
    assert control_of(got) == control


def test_an_array_of_other_length_or_without_sense_is_refused(make):
    good = messages(make, 'array').message(CONTROL, T0_NS, 0.0)
    for data, said in (([1.0, 2.0], 'need 3 numbers'), ([1.0, np.nan, 0.0], 'need a finite')):
        with pytest.raises(ValueError, match=said):
            control_of(replace(good, data=np.array(data)))


def test_ackermann_tells_angle_speed_acceleration_and_their_changes(make, store):
    maker = messages(make, 'ackermann')
    first = over_the_wire(store, maker.message(CONTROL, T0_NS, 0.0), 'ackermann')
    assert first.drive.steering_angle == pytest.approx(0.1)
    assert (first.drive.speed, first.drive.acceleration) == (7.0, -1.5)
    assert (first.drive.steering_angle_velocity, first.drive.jerk) == (0.0, 0.0)
    assert (first.header.stamp.sec, first.header.frame_id) == (5, 'base_link')
    then = Control(0.05, 7.0, -1.0)
    second = over_the_wire(store, maker.message(then, T0_NS + 100_000_000, 0.0), 'ackermann')
    assert second.drive.steering_angle_velocity == pytest.approx(0.5)
    assert second.drive.jerk == pytest.approx(5.0)


def test_ackermann_is_read_as_it_was_written(make, store):
    message = messages(make, 'ackermann').message(CONTROL, T0_NS, 0.0)
    read = control_of(over_the_wire(store, message, 'ackermann'))
    assert read.steering_angle_rad == pytest.approx(CONTROL.steering_angle_rad)
    assert (read.speed_mps, read.acceleration_mps2) == (7.0, -1.5)
    bad = replace(message, drive=replace(message.drive, acceleration=np.nan))
    with pytest.raises(ValueError, match='need a finite control'):
        control_of(bad)


def test_carla_gets_pedals_and_its_sign_of_steering(make, store):
    maker = messages(make, 'carla')
    got = over_the_wire(store, maker.message(Control(0.35, 7.0, -4.3), T0_NS, 7.0), 'carla')
    assert (got.throttle, got.steer, got.brake) == pytest.approx((0.0, -0.5, 0.5))
    assert not (got.hand_brake)
    assert not (got.reverse)
    assert not (got.manual_gear_shift)
    assert over_the_wire(
        store, maker.message(Control(0.0, 0.0, -2.0), T0_NS, 0.0), 'carla'
    ).hand_brake


@pytest.mark.parametrize(
    ('control_type', 'said'),
    [
        ('ackermann', 'need package ackermann_msgs, .*apt install ros-.*-ackermann-msgs'),
        ('carla', 'need package carla_msgs, .*ros-bridge'),
    ],
)
def test_a_missing_package_is_named_with_where_it_comes_from(control_type, said):
    def find(kind: str):
        raise ModuleNotFoundError(f'No module named {kind.split("/", maxsplit=1)[0]!r}')

    with pytest.raises(ControlTypeError, match=said):
        control_class(control_type, find)
    assert control_class('array', lambda kind: kind) == 'std_msgs/msg/Float64MultiArray'


def path_message(make, poses, frame_id='map', stamps_s=None):
    stamps_s = stamps_s or [0.5 * (k + 1) for k in range(len(poses))]
    stamped = [
        make(
            'geometry_msgs/msg/PoseStamped',
            header=header_message(make, T0_NS + round(time * 1e9), frame_id),
            pose=make(
                'geometry_msgs/msg/Pose',
                position=make('geometry_msgs/msg/Point', x=x, y=y, z=0.0),
                orientation=make(
                    'geometry_msgs/msg/Quaternion',
                    x=0.0,
                    y=0.0,
                    z=np.sin(yaw / 2.0),
                    w=np.cos(yaw / 2.0),
                ),
            ),
        )
        for time, (x, y, yaw) in zip(stamps_s, poses, strict=True)
    ]
    header = header_message(make, T0_NS, frame_id)
    return make('nav_msgs/msg/Path', header=header, poses=stamped)


def test_a_path_message_is_read_pose_by_pose(make):
    path = path_of(path_message(make, [(1.0, 2.0, 0.3), (2.0, 2.5, 0.4)]), 'map')
    assert path.poses == pytest.approx(np.array([[1.0, 2.0, 0.3], [2.0, 2.5, 0.4]]))
    assert path.stamps_ns == (T0_NS + 500_000_000, T0_NS + 1_000_000_000)
    assert (path.stamp_ns, path.frame_id) == (T0_NS, 'map')


def test_an_empty_path_is_none(make):
    assert path_of(path_message(make, []), 'map') is None


def test_a_path_in_another_frame_is_refused_with_both(make):
    message = path_message(make, [(1.0, 0.0, 0.0)], frame_id='odom')
    with pytest.raises(PathError, match=r"odometry's frame 'map', got \['odom'\]"):
        path_of(message, 'map')
    assert path_of(message, '').frame_id == 'odom'
    message.header.frame_id = 'map'
    with pytest.raises(PathError, match=r"need a path in one frame, got \['map', 'odom'\]"):
        path_of(message, '')


def test_a_nan_and_no_rotation_are_refused_with_the_pose(make):
    with pytest.raises(PathError, match=r'^pose 1: need finite'):
        path_of(path_message(make, [(1.0, 0.0, 0.0), (np.nan, 0.0, 0.0)]), 'map')
    message = path_message(make, [(1.0, 0.0, 0.0)])
    message.poses[0].pose.orientation.w = 0.0
    with pytest.raises(PathError, match=r'^pose 0: need finite'):
        path_of(message, 'map')


def test_odometry_elsewhere_on_the_car_is_moved_to_the_rear_axle(make):
    message = make('nav_msgs/msg/Odometry', header=header_message(make, T0_NS, 'map'))
    message.pose.pose.position.x, message.pose.pose.position.y = 3.0, 4.0
    yaw = np.arctan2(0.8, 0.6)
    message.pose.pose.orientation.z = np.sin(yaw / 2.0)
    message.pose.pose.orientation.w = np.cos(yaw / 2.0)
    message.twist.twist.linear.x = 6.0
    state = state_of(message, 1.5)
    assert state.pose.as_array() == pytest.approx([2.1, 2.8, yaw])
    assert (state.speed_mps, state.stamp_ns) == (6.0, T0_NS)
    message.twist.twist.linear.x = np.nan
    with pytest.raises(ValueError, match='need a finite speed'):
        state_of(message, 0.0)
