"""What an active planner node publishes, on the wire: contents, time, frames and QoS."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('rclpy')
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from road import (
    BEST_EFFORT,
    LATCHED,
    MAKE,
    OUTPUTS,
    T0_NS,
    WAIT_S,
    image_message,
    nanoseconds,
    odometry_message,
    seconds,
)

from emma_planner.ros import conversions
from emma_planner.ros.messages import message_class

pytestmark = pytest.mark.ros
RECORD_KEYS = {
    'model',
    'stamp_ns',
    'tick_ns',
    'frame_id',
    'command',
    'history',
    'ego_pose',
    'reasoning',
    'speeds_mps',
    'curvatures_1pm',
    'poses',
    'reason',
    'detail',
    'fallback',
    'source',
    'driven',
    'latency_ms',
    'tokens',
    'prompts',
    'replies',
}


def test_path_is_anchored_at_the_image_and_each_pose_has_its_own_time(make_road):
    road = make_road().start()
    road.drive(5.0)
    road.image(4.9)
    path = road.tick(5.0).path
    assert path.header.frame_id == 'map'
    assert conversions.stamp_of(path.header) == nanoseconds(4.9)
    stamps_s = [seconds(conversions.stamp_of(pose.header)) for pose in path.poses]
    assert stamps_s == pytest.approx(4.9 + 0.5 * np.arange(1, 11), abs=1e-6)
    x = [pose.pose.position.x for pose in path.poses]
    assert x == pytest.approx(8.0 * np.array(stamps_s), abs=1e-6)
    assert {pose.header.frame_id for pose in path.poses} == {'map'}
    assert all(pose.pose.orientation.w == pytest.approx(1.0) for pose in path.poses)


def test_poses_already_passed_are_dropped(make_road):
    road = make_road(image_max_age_s=2.0).start()
    road.drive(6.0)
    road.image(4.9)
    answer = road.tick(6.0)
    assert answer.source == 'plan'
    assert answer.pose_stamps_s()[0] == pytest.approx(6.4)
    assert len(answer.path.poses) == 8


@pytest.mark.parametrize(('unit', 'factor'), [('mps', 1.0), ('kmh', 3.6)])
def test_target_speed_comes_in_the_unit_asked_for(make_road, unit, factor):
    road = make_road(target_speed_unit=unit).start()
    assert road.plan(5.0).target_speed == pytest.approx(8.0 * factor)


def test_reasoning_is_a_line_of_the_plan_log(make_road):
    road = make_road().start()
    record = road.plan(5.0).record
    assert set(record) == RECORD_KEYS
    assert record['stamp_ns'] == record['tick_ns'] == nanoseconds(5.0)
    assert record['model'] == 'constant-action'
    assert record['frame_id'] == 'map'
    assert record['ego_pose'] == pytest.approx([40.0, 0.0, 0.0])
    assert record['history']['speeds_mps'] == pytest.approx([8.0] * 10)
    assert np.shape(record['poses']) == (10, 3)
    assert (record['reason'], record['fallback'], record['source']) == (None, False, 'plan')
    assert '\n' not in road.received['reasoning'][-1].data


def test_diagnostics_have_four_statuses_that_count(make_road):
    road = make_road().start()
    road.plan(5.0)
    answer = road.plan(5.5)
    names = [status.name for status in answer.diagnostics.status]
    assert names == [f'planner: {s}' for s in ('inputs', 'inference', 'reasoning', 'plan')]
    assert {status.hardware_id for status in answer.diagnostics.status} == {'planner'}
    assert {status.level for status in answer.diagnostics.status} == {b'\x00'}
    assert conversions.stamp_of(answer.diagnostics.header) == nanoseconds(5.5)
    assert answer.value('inputs', 'images') == '2'
    assert answer.value('inputs', 'ego messages') == '55'
    assert answer.value('inference', 'plans valid') == '2'
    assert answer.value('inference', 'rate [Hz]') == '2.00'
    assert answer.value('plan', 'target speed [m/s]') == '8.00'


def test_markers_and_overlay_come_only_to_who_subscribes(make_road):
    road = make_road().start()
    sent = {name: [] for name in ('markers', 'overlay')}
    for name, messages in sent.items():
        publisher = road.node._outputs[name]
        publish = publisher.publish
        publisher.publish = lambda m, keep=messages, go=publish: (keep.append(m), go(m))
    road.plan(5.0)
    assert sent == {'markers': [], 'overlay': []}
    road.listen('markers', 'visualization_msgs/msg/MarkerArray', QoSProfile(depth=10))
    road.listen('overlay', 'sensor_msgs/msg/Image', QoSProfile(depth=10))
    for name in sent:
        road.wait(road.node._outputs[name].get_subscription_count)
    road.plan(5.5)
    road.wait(lambda: road.received['markers'] and road.received['overlay'])
    (markers,), (overlay,) = road.received['markers'], road.received['overlay']
    assert len(markers.markers[0].points) == 10
    assert markers.markers[0].header.frame_id == 'map'
    assert overlay.header.frame_id == 'camera'
    assert conversions.stamp_of(overlay.header) == nanoseconds(5.5)
    assert len(overlay.data) == overlay.height * overlay.step


def test_overlay_uses_the_calibration_that_came(make_road):
    road = make_road().start()
    info = message_class('sensor_msgs/msg/CameraInfo')(width=32, height=24)
    road.publish('camera_info', info)
    road.wait(lambda: road.node._publisher.camera_info is not None, 'camera_info')
    road.listen('overlay', 'sensor_msgs/msg/Image', QoSProfile(depth=10))
    road.wait(road.node._outputs['overlay'].get_subscription_count)
    road.plan(5.0)
    road.wait(lambda: road.received['overlay'])


def test_compressed_images_plan_too(make_road):
    road = make_road().start()
    road.drive(5.0)
    road.jpeg(5.0)
    assert road.tick(5.0).reason is None


@pytest.mark.parametrize('topic', ['twist', 'pose'])
def test_twist_alone_and_pose_alone_plan(make_road, topic):
    road = make_road().start()
    for step in range(51):
        odometry = odometry_message(step / 10, 8.0)
        name = 'TwistStamped' if topic == 'twist' else 'PoseStamped'
        message = message_class(f'geometry_msgs/msg/{name}')(header=odometry.header)
        setattr(message, topic, getattr(getattr(odometry, topic), topic))
        road.publish(topic, message)
        road.wait_ego()
    road.image(5.0)
    answer = road.tick(5.0)
    assert answer.reason is None
    assert answer.target_speed == pytest.approx(8.0)
    assert answer.path.header.frame_id == ('odom' if topic == 'twist' else 'map')
    assert answer.path.poses[0].pose.position.x == pytest.approx(44.0, abs=1e-3)


def test_route_command_arrives_in_the_record(make_road):
    road = make_road(default_command='keep right').start()
    assert road.plan(5.0).record['command'] == 'keep right'
    publisher = road.tester.create_publisher(
        message_class('std_msgs/msg/String'), 'command', LATCHED
    )
    publisher.publish(conversions.string_message(MAKE, 'turn left'))
    road.wait(lambda: road.node._inputs.command == 'turn left', 'the command')
    assert road.plan(5.5).record['command'] == 'turn left'


def test_a_command_published_before_activation_is_received(make_road):
    road = make_road()
    publisher = road.tester.create_publisher(
        message_class('std_msgs/msg/String'), 'command', LATCHED
    )
    publisher.publish(conversions.string_message(MAKE, 'turn right'))
    road.start()
    road.wait(lambda: road.node._inputs.command == 'turn right', 'the command')


# QoS


def test_a_late_subscriber_sees_the_last_path_and_speed(make_road):
    road = make_road().start()
    expected = road.plan(5.0)
    for name in ('path', 'target_speed'):
        kind, _ = OUTPUTS[name]
        road.received.pop(name)
        road.listen(name, kind, LATCHED)
        road.wait(lambda name=name: road.received[name], f'the last {name}')
    assert road.received['path'][-1] == expected.path
    assert road.received['target_speed'][-1].data == expected.target_speed


def test_outputs_offer_the_qos_of_the_interface(make_road):
    road = make_road().start()
    for name in ('path', 'target_speed'):
        (info,) = road.tester.get_publishers_info_by_topic(name)
        assert info.qos_profile.durability is DurabilityPolicy.TRANSIENT_LOCAL
        assert info.qos_profile.reliability is ReliabilityPolicy.RELIABLE
    for name in ('reasoning', '/diagnostics', 'markers', 'overlay'):
        (info,) = road.tester.get_publishers_info_by_topic(name)
        assert info.qos_profile.durability is DurabilityPolicy.VOLATILE
        assert info.qos_profile.reliability is ReliabilityPolicy.RELIABLE
    for name in ('image', 'image/compressed', 'camera_info', 'odometry', 'twist', 'pose'):
        (info,) = road.tester.get_subscriptions_info_by_topic(name)
        assert info.qos_profile.reliability is ReliabilityPolicy.BEST_EFFORT
    (info,) = road.tester.get_subscriptions_info_by_topic('command')
    assert info.qos_profile.durability is DurabilityPolicy.TRANSIENT_LOCAL


@pytest.mark.parametrize('reliability', list(ReliabilityPolicy)[1:3], ids=lambda r: r.name)
def test_reliable_and_best_effort_cameras_both_match(make_road, reliability):
    road = make_road().start()
    qos = QoSProfile(depth=1, reliability=reliability)
    camera = road.tester.create_publisher(message_class('sensor_msgs/msg/Image'), 'image', qos)
    road.wait(camera.get_subscription_count, 'a match')
    road.wait_publishers('image', 2)
    before = road.node._counters.images
    camera.publish(image_message(5.0))
    road.wait(lambda: road.node._counters.images > before, 'the image')


def test_a_large_best_effort_image_arrives(make_road):
    road = make_road().start()
    camera = road.tester.create_publisher(
        message_class('sensor_msgs/msg/Image'), 'image', BEST_EFFORT
    )
    road.wait(camera.get_subscription_count, 'a match')
    road.wait_publishers('image', 2)
    rgb = np.zeros((900, 1600, 3), dtype=np.uint8)
    camera.publish(conversions.image_message(MAKE, rgb, nanoseconds(5.0), 'camera'))
    road.wait(lambda: road.node._counters.images == 1, 'the image')


# time


def test_ticks_come_at_multiples_of_the_period(make_road):
    road = make_road(rate_hz=4.0).start(at_s=0.1)
    ticks_s = []
    for step in range(1, 31):
        road.clock(0.1 + 0.05 * step)
    road.wait(lambda: road.answers() >= 6, 'six ticks')
    for number in range(road.answers()):
        ticks_s.append(seconds(road.answer(number).record['tick_ns']))
    assert ticks_s == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.25, 1.5])


def test_the_rate_is_one_over_the_period_in_ros_time(make_road):
    road = make_road(rate_hz=10.0).start()
    for number in range(8):
        answer = road.tick(0.1 * (number + 1))
    assert answer.value('inference', 'rate [Hz]') == '10.00'
    assert answer.value('inference', 'ticks') == '8'


def test_without_clock_nothing_is_planned_and_diagnostics_say_so(make_road):
    road = make_road()
    assert road.change('configure')
    assert road.change('activate')
    road.wait(lambda: road.received['/diagnostics'], 'a heartbeat')
    (status,) = road.received['/diagnostics'][0].status
    assert status.level == b'\x03'
    assert status.message == 'waiting for /clock (use_sim_time)'
    assert road.node._counters.ticks == 0
    assert not road.received['path']


def test_planning_begins_with_the_clock_and_ticks_fall_in_step(make_road):
    road = make_road().start(at_s=None)
    road.drive(5.1)
    road.image(5.1)
    road.clock(5.2)
    road.clock(5.3)
    assert road.plan(5.5).record['tick_ns'] == nanoseconds(5.5)
    assert road.plan(6.0).record['tick_ns'] == nanoseconds(6.0)
    assert road.answers() == 2


def test_a_clock_that_begins_on_a_multiple_ticks_at_once(make_road):
    road = make_road().start(at_s=None)
    road.drive(5.0)
    road.image(5.0)
    assert road.tick(5.0).reason is None


def test_a_standing_clock_leaves_a_heartbeat(make_road):
    road = make_road().start()
    road.plan(5.0)
    before = len(road.received['/diagnostics'])
    road.wait(lambda: len(road.received['/diagnostics']) > before, 'a heartbeat')
    (status,) = road.received['/diagnostics'][-1].status
    assert status.message == 'waiting for the next tick'
    assert status.level == b'\x00'


def test_wall_time_plans_at_the_rate_too(make_road):
    road = make_road(use_sim_time=False, rate_hz=10.0, image_max_age_s=5.0).start()
    now_s = (road.tester.get_clock().now().nanoseconds - T0_NS) / 1e9
    for step in range(50):
        road.odometry(now_s - 4.9 + 0.1 * step)
        road.wait_ego()
    road.image(now_s)
    road.wait(lambda: any(road.answer(k).reason is None for k in range(road.answers())), 'a plan')
    road.wait(lambda: road.answers() >= 3, 'three ticks', WAIT_S)
    ticks_ns = [road.answer(k).record['tick_ns'] for k in range(road.answers())]
    assert np.diff(ticks_ns) == pytest.approx(1e8, abs=6e7)
