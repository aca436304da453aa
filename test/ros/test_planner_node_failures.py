"""Each way in which a plan can fail, on the wire: its code, its fallback, planning after it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip('rclpy')
from road import Answer, Road, jpeg_bytes, nanoseconds
from scripted_planner import Gate, ScriptedPlanner, failed, said, straight_plan

from emma_planner.planning.types import INPUT_REASONS, Reason

pytestmark = pytest.mark.ros
WARN, ERROR = b'\x01', b'\x02'
SETTLE_S = 6.5
"""Driving after which any fault has left the history."""


def check_failure(answer: Answer, reason: str, source: str, now_s: float) -> None:
    """The code is in the record and in its own status; what is driven lies ahead."""
    assert (answer.reason, answer.source, answer.record['fallback']) == (reason, source, True)
    assert answer.record['detail'].startswith(('need ', 'time was set back', 'RuntimeError'))
    in_inputs = Reason(reason) in INPUT_REASONS
    for status, has_code, level in (
        ('inputs', in_inputs, WARN),
        ('inference', not in_inputs, ERROR),
    ):
        assert answer.value(status, 'reason') == (reason if has_code else '')
        assert answer.status(status).level == (level if has_code else b'\x00')
        if has_code:
            assert answer.status(status).message.startswith(f'{reason}: ')
    assert answer.value('plan', 'source') == source
    assert answer.value('plan', 'fallback') == 'true'
    assert answer.status('plan').message == f'{reason}: driving {source}'
    assert answer.status('plan').level == (WARN if source == 'last_plan' else ERROR)
    assert all(stamp_s > now_s for stamp_s in answer.pose_stamps_s())
    assert answer.pose_stamps_s() or answer.target_speed == 0.0


def without_image(road: Road, time_s: float) -> Answer:
    road.drive(time_s)
    return road.tick(time_s)


def with_image(**changes) -> Callable[[Road, float], Answer]:
    def provoke(road: Road, time_s: float) -> Answer:
        road.drive(time_s)
        road.image(time_s, **changes)
        return road.tick(time_s)

    return provoke


def with_jpeg(data: bytes) -> Callable[[Road, float], Answer]:
    def provoke(road: Road, time_s: float) -> Answer:
        road.drive(time_s)
        road.jpeg(time_s, data)
        return road.tick(time_s)

    return provoke


def with_odometry_up_to(before_s: float) -> Callable[[Road, float], Answer]:
    def provoke(road: Road, time_s: float) -> Answer:
        road.drive(time_s - before_s)
        road.image(time_s)
        return road.tick(time_s)

    return provoke


def with_gap(road: Road, time_s: float) -> Answer:
    road.driven_s = time_s - 0.2
    road.drive(time_s)
    road.image(time_s)
    return road.tick(time_s)


def with_nan(road: Road, time_s: float) -> Answer:
    road.drive(time_s - 0.1)
    road.drive(time_s, speed_mps=float('nan'))
    road.image(time_s)
    return road.tick(time_s)


def with_another_frame(road: Road, time_s: float) -> Answer:
    road.drive(time_s, frame_id='odom')
    road.image(time_s)
    return road.tick(time_s)


_JPEG = jpeg_bytes()
_INPUT_FAULTS = {
    'stale_image': without_image,
    'stale_odometry': with_odometry_up_to(0.7),
    'short_history': with_another_frame,
    'gapped_history': with_gap,
    'nan_odometry': with_nan,
    'image_empty': with_image(height=0, width=0, step=0, data=b''),
    'image_truncated': with_image(data=b'\x00' * 100),
    'image_corrupt': with_jpeg(_JPEG[:2] + bytes(len(_JPEG) - 4) + _JPEG[-2:]),
    'image_encoding': with_image(encoding='nv12'),
}


@pytest.mark.parametrize('reason', _INPUT_FAULTS)
def test_bad_input_falls_back_to_the_last_plan_and_planning_goes_on(make_road, reason):
    road = make_road().start()
    assert road.plan(5.0).source == 'plan'
    answer = _INPUT_FAULTS[reason](road, 6.5)
    check_failure(answer, reason, 'last_plan', 6.5)
    assert answer.target_speed == pytest.approx(8.0)
    assert answer.pose_stamps_s()[0] == pytest.approx(7.0)
    assert answer.path.poses[0].pose.position.x == pytest.approx(8.0 * 7.0, abs=1e-3)
    good = road.plan(6.5 + SETTLE_S)
    assert (good.reason, good.source) == (None, 'plan')


def test_no_image_yet(make_road):
    road = make_road().start()
    answer = without_image(road, 5.0)
    check_failure(answer, 'no_image', 'stop', 5.0)
    assert answer.record['detail'].endswith('none yet on image or image/compressed')
    assert road.plan(5.5).reason is None


def test_images_from_the_future_are_not_planned_yet(make_road):
    road = make_road().start()
    road.drive(5.0)
    road.image(5.2)
    check_failure(road.tick(5.0), 'no_image', 'stop', 5.0)


def test_no_odometry_yet_leaves_nothing_to_drive(make_road):
    road = make_road().start()
    road.image(0.5)
    answer = road.tick(0.5)
    check_failure(answer, 'no_odometry', 'none', 0.5)
    assert (answer.path.poses, answer.target_speed) == ([], 0.0)
    assert road.plan(6.0).reason is None


def test_short_history_at_the_start(make_road):
    road = make_road().start()
    check_failure(road.plan(2.0), 'short_history', 'none', 2.0)
    assert road.plan(5.0).reason is None


def test_without_a_plan_to_go_on_with_the_car_brakes_on_its_own_arc(make_road):
    road = make_road().start()
    answer = without_image(road, 5.0)
    stamps_s = answer.pose_stamps_s()
    assert stamps_s == pytest.approx(5.0 + 0.5 * np.arange(1, 9))
    x = np.array([pose.pose.position.x for pose in answer.path.poses]) - 40.0
    assert x[-1] == pytest.approx(8.0**2 / (2 * 2.0), abs=1e-3)
    assert np.diff(x, prepend=0.0) == pytest.approx(np.arange(7.5, 0, -1) * 0.5, abs=1e-3)


def test_the_last_plan_is_driven_on_until_it_is_too_old_then_the_car_stops(make_road):
    road = make_road(fallback_max_age_s=1.0).start()
    road.plan(5.0)
    sources, speeds = [], []
    for time_s in np.arange(5.5, 12.1, 0.5):
        answer = without_image(road, float(time_s))
        assert all(stamp_s > time_s for stamp_s in answer.pose_stamps_s())
        sources.append(answer.source)
        speeds.append(answer.target_speed)
    assert sources == ['last_plan'] + ['stop'] * 13
    assert (np.diff(speeds) <= 1e-6).all()
    assert speeds[-1] == 0.0
    assert not answer.path.poses


def test_a_bag_that_starts_again_plans_after_five_seconds_of_data(make_road):
    road = make_road().start()
    road.plan(5.0)
    road.plan(5.5)
    road.clock(0.0)
    road.wait(lambda: road.node._counters.time_jumps == 1, 'the jump')
    road.driven_s = 0.0
    for time_s in (0.5, 2.0, 4.0):
        answer = road.plan(time_s)
        check_failure(answer, 'time_jump', 'none', time_s)
        assert answer.value('inputs', 'time jumps') == '1'
    good = road.plan(5.0)
    assert (good.reason, good.source) == (None, 'plan')
    assert good.record['tick_ns'] == nanoseconds(5.0)
    assert good.path.poses[0].pose.position.x == pytest.approx(44.0)


def test_ticks_keep_their_multiples_after_a_jump(make_road):
    road = make_road().start()
    road.plan(5.0)
    road.clock(0.1)
    road.wait(lambda: road.node._counters.time_jumps == 1, 'the jump')
    before = road.answers()
    road.clock(0.4)
    assert road.tick(0.5).record['tick_ns'] == nanoseconds(0.5)
    assert road.answers() == before + 1


# the model's failures


@pytest.mark.parametrize('reason', sorted(set(Reason) - INPUT_REASONS))
def test_a_failing_planner_falls_back_and_plans_again(make_road, scripted, reason):
    road = make_road().start()
    assert road.plan(5.0).source == 'plan'
    scripted.answer = failed(reason)
    check_failure(road.plan(5.5), reason.value, 'last_plan', 5.5)
    scripted.answer = straight_plan
    assert road.plan(6.0).source == 'plan'


def test_a_planner_that_raises_is_a_model_error(make_road, scripted, capfd):
    def crash(_):
        raise RuntimeError('CUDA out of memory\x1b[31m\x00\ud800')

    scripted.answer = crash
    road = make_road().start()
    answer = road.plan(5.0)
    check_failure(answer, 'model_error', 'stop', 5.0)
    assert answer.record['detail'] == 'RuntimeError: CUDA out of memory\x1b[31m\x00\ud800'
    shown = 'model_error: RuntimeError: CUDA out of memory\ufffd[31m\ufffd\ufffd'
    assert answer.status('inference').message == shown
    scripted.answer = straight_plan
    assert road.plan(5.5).source == 'plan'
    assert shown in capfd.readouterr().err


def test_reasoning_reaches_diagnostics_and_record(make_road, scripted):
    scripted.answer = said('a wet road', 'turn left', 'a cyclist, 12 m ahead')
    answer = make_road().start().plan(5.0)
    status = answer.status('reasoning')
    assert status.message == 'turn left'
    assert status.level == WARN  # the plan goes straight on
    assert answer.value('reasoning', 'intent agrees with plan') == 'no'
    assert answer.value('reasoning', 'scene') == 'a wet road'
    assert answer.value('reasoning', 'object 1') == 'a cyclist, 12 m ahead'
    assert answer.record['reasoning']['objects'] == ['a cyclist, 12 m ahead']


# a slow planner


def test_the_newest_snapshot_wins_while_the_planner_is_busy(make_road, scripted):
    gate = scripted.answer = Gate()
    road = make_road(deadline_s=60.0).start()
    road.drive(5.0)
    road.image(5.0)
    road.clock(5.0)
    road.wait(gate.entered.is_set, 'the first plan')
    for time_s in (5.5, 6.0, 6.5):
        road.drive(time_s)
        road.image(time_s)
        road.clock(time_s)
        ticks = round(time_s * 2 - 9)
        road.wait(lambda ticks=ticks: road.node._counters.ticks == ticks, 'a tick')
    assert road.answers() == 0
    gate.open()
    last = road.next_answer(1)
    stamps = [planner_input.stamp_ns for planner_input in scripted.inputs]
    assert stamps == [nanoseconds(5.0), nanoseconds(6.5)]
    assert scripted.most_at_once == 1
    assert last.value('inference', 'superseded') == '2'
    assert road.answer(0).pose_stamps_s()[0] == pytest.approx(7.0)


def test_a_plan_that_is_late_is_a_timeout_told_at_every_tick(make_road, scripted):
    road = make_road(deadline_s=0.05).start()
    road.plan(5.0)
    gate = scripted.answer = Gate()
    road.drive(5.5)
    road.image(5.5)
    road.clock(5.5)
    road.wait(gate.entered.is_set, 'the plan')
    road.wait(lambda: road.node._worker.busy_s() > 0.05, 'the deadline')
    for time_s in (6.0, 6.5):
        answer = road.plan(time_s)
        check_failure(answer, 'timeout', 'last_plan', time_s)
        assert answer.value('inference', 'deadline misses') == '1'
    before = road.answers()
    scripted.answer = straight_plan
    gate.open()
    late = road.next_answer(before)
    check_failure(late, 'timeout', 'last_plan', 6.5)
    assert late.record['stamp_ns'] == nanoseconds(5.5)
    assert late.value('inference', 'deadline misses') == '1'
    road.wait(lambda: road.answers() == before + 2, 'the plan that waited')
    assert road.plan(7.0).source == 'plan'


def test_the_planner_is_told_how_long_it_has(make_road, scripted):
    road = make_road(deadline_s=4.0).start()
    road.plan(5.0)
    assert 3.0 < scripted.time_limits_s[0] <= 4.0


def test_a_plan_begun_before_a_time_jump_is_never_published(make_road, scripted):
    gate = scripted.answer = Gate()
    road = make_road(deadline_s=60.0).start()
    road.drive(5.0)
    road.image(5.0)
    road.clock(5.0)
    road.wait(gate.entered.is_set, 'the plan')
    road.clock(0.0)
    road.wait(lambda: road.node._counters.time_jumps == 1, 'the jump')
    scripted.answer = straight_plan
    road.driven_s = 0.0
    for time_s in (4.5, 5.5):  # past the tick that the old plan was made for
        road.drive(time_s)
        road.clock(time_s)
    road.wait(lambda: road.answers() == 2, 'two ticks')
    gate.open()
    road.wait(lambda: road.node._worker.busy_s() == 0.0, 'the old plan to end')
    assert road.plan(6.0).record['stamp_ns'] == nanoseconds(6.0)
    assert road.answers() == 3


def test_a_stop_after_a_slow_failure_begins_where_the_car_is_now(make_road, scripted):
    gate = Gate()

    def fail_late(planner_input):
        gate(planner_input)
        return failed(Reason.FORMAT)(planner_input)

    scripted.answer = fail_late
    road = make_road(deadline_s=60.0).start()
    road.drive(5.0)
    road.image(5.0)
    road.clock(5.0)
    road.wait(gate.entered.is_set, 'the plan')
    road.drive(7.4)
    road.clock(7.4)
    road.wait(lambda: road.answers() == 1, 'a tick without image')
    gate.open()
    answer = road.next_answer(1)
    check_failure(answer, 'format', 'stop', 7.4)
    assert answer.target_speed == pytest.approx(7.5, abs=1e-3)
    assert answer.pose_stamps_s()[0] == pytest.approx(7.9)


def test_odometry_keeps_its_rate_while_a_slow_planner_runs(make_road, scripted):
    gate = scripted.answer = Gate()
    road = make_road(deadline_s=60.0).start()
    road.drive(5.0)
    road.image(5.0)
    road.clock(5.0)
    road.wait(gate.entered.is_set, 'the plan')
    before, begin_s = road.sent_ego(), time.monotonic()
    for number in range(200):
        road.odometry(5.0 + 0.01 * (number + 1))
        due_s = begin_s + 0.01 * (number + 1)
        while time.monotonic() < due_s:
            road._executor.spin_once(timeout_sec=0.002)
    road.wait_ego()
    assert road.sent_ego() - before == 200
    gate.open()
    assert road.next_answer(0).value('inputs', 'ego messages') == str(road.sent_ego())


def test_odometry_is_not_held_up_by_a_planner_that_keeps_python_busy(make_road, scripted):
    stop = threading.Event()

    def compute(planner_input):
        while not stop.is_set():
            sum(range(1000))
        return straight_plan(planner_input)

    scripted.answer = compute
    road = make_road(deadline_s=60.0).start()
    road.drive(5.0)
    road.image(5.0)
    road.clock(5.0)
    for number in range(50):
        road.odometry(5.0 + 0.01 * (number + 1))
        if number % 10 == 0:
            road.wait_ego()
    road.wait_ego()
    stop.set()
    road.next_answer(0)


def test_a_callback_that_fails_does_not_end_the_node(make_road, scripted: ScriptedPlanner):
    """An odometry of a frame that changes all the time, and images without end."""
    road = make_road().start()
    for step in range(30):
        road.drive(0.1 * (step + 1), frame_id=f'frame{step % 3}')
        road.image(0.1 * (step + 1), width=10**9, height=10**9, step=0)
    road.clock(3.0)
    road.next_answer(0)
    assert road.plan(10.0).source == 'plan'
