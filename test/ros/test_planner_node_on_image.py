"""With ``on_image`` each picture is planned, from what is stamped up to it and nothing else."""

from __future__ import annotations

import pytest

pytest.importorskip('rclpy')
from rclpy.qos import ReliabilityPolicy
from road import nanoseconds

pytestmark = pytest.mark.ros


def test_a_picture_is_planned_when_it_comes_and_no_tick_of_the_clock_is(make_road):
    road = make_road(on_image=True).start()
    road.drive(5.0)
    road.image(5.0)
    answer = road.next_answer(0)
    assert answer.record['stamp_ns'] == answer.record['tick_ns'] == nanoseconds(5.0)
    assert answer.source == 'plan'
    for time_s in (5.5, 6.0, 6.5):
        road.clock(time_s)
    road.drive(6.7)
    road.image(6.7)  # at no multiple of the period
    assert road.next_answer(1).record['stamp_ns'] == nanoseconds(6.7)
    assert road.answers() == 2


def test_a_picture_waits_for_the_ego_motion_of_its_stamp(make_road):
    road = make_road(on_image=True).start()
    road.drive(4.8)
    road.image(5.0)
    road.drive(4.9)
    assert road.answers() == 0
    road.drive(5.0)
    answer = road.next_answer(0)
    assert answer.record['ego_pose'][0] == 8.0 * 5.0
    assert answer.record['stamp_ns'] == nanoseconds(5.0)


def test_a_picture_that_the_next_one_overtakes_is_answered_with_what_was_missing(make_road):
    road = make_road(on_image=True).start()
    road.drive(4.9)
    road.image(6.0)
    road.image(6.5)
    answer = road.next_answer(0)
    assert (answer.record['stamp_ns'], answer.reason) == (nanoseconds(6.0), 'stale_odometry')


def test_an_early_picture_is_answered_with_what_was_missing(make_road):
    road = make_road(on_image=True).start()
    road.drive(1.0)
    road.image(1.0)
    assert road.next_answer(0).reason == 'short_history'


def test_a_clock_that_is_late_leaves_no_pose_in_the_past(make_road):
    road = make_road(on_image=True).start()  # the clock stays at 0 s
    road.drive(5.0)
    road.image(5.0)
    path = road.next_answer(0).path
    assert len(path.poses) == 10
    road.drive(5.5)
    road.image(5.5, encoding='no such')
    answer = road.next_answer(1)
    assert answer.source == 'last_plan'
    first = answer.path.poses[0].header.stamp
    assert first.sec * 10**9 + first.nanosec > nanoseconds(5.5)


def test_time_set_back_forgets_a_picture_that_waits(make_road):
    road = make_road(on_image=True).start(at_s=10.0)
    road.image(12.0)
    road.clock(1.0)
    road.wait(lambda: road.node._counters.time_jumps, 'the jump')
    road.drive(6.0)
    road.image(6.0)
    assert road.next_answer(0).record['stamp_ns'] == nanoseconds(6.0)


@pytest.mark.parametrize('on_image', [True, False])
def test_sensors_are_reliable_where_each_message_counts(make_road, on_image):
    road = make_road(on_image=on_image).start()
    wanted = ReliabilityPolicy.RELIABLE if on_image else ReliabilityPolicy.BEST_EFFORT
    for inlet in road.node._inlets:
        if inlet.topic_name in ('/image', '/image/compressed', '/odometry', '/twist', '/pose'):
            assert inlet.qos_profile.reliability == wanted
