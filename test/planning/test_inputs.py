"""The input buffer: which image and which history belong to a tick, or why none do."""

from __future__ import annotations

import numpy as np
import pytest

from emma_planner.planning.ego_tracks import EgoMeasurement
from emma_planner.planning.history import HistoryLimits
from emma_planner.planning.inputs import InputBuffer, InputLimits
from emma_planner.planning.types import InputError, Reason

MS = 1_000_000
S = 1000 * MS


def _fill(buffer, t0_ns, low_s=-6.0, high_s=0.0, speed=5.0, rate_hz=50) -> None:
    for k in range(round(low_s * rate_hz), round(high_s * rate_hz) + 1):
        pose = (speed * k / rate_hz, 0.0, 0.0)
        stamp_ns = t0_ns + k * S // rate_hz
        buffer.add_ego(EgoMeasurement(stamp_ns, 'odom', pose, (speed, 0.0)))


def _reason(buffer, now_ns) -> Reason:
    with pytest.raises(InputError) as caught:
        buffer.snapshot(now_ns)
    return caught.value.reason


@pytest.fixture
def buffer() -> InputBuffer:
    return InputBuffer(InputLimits(), 'follow lane')


@pytest.fixture
def full(buffer, t0_ns) -> InputBuffer:
    _fill(buffer, t0_ns)
    buffer.add_image(t0_ns, 'image 0')
    return buffer


def test_a_snapshot_holds_the_newest_image_and_its_history(full, t0_ns):
    full.add_image(t0_ns + 20 * MS, 'image 1')
    full.command = 'turn left'
    snapshot = full.snapshot(t0_ns + 30 * MS)
    assert (snapshot.image, snapshot.stamp_ns) == ('image 1', t0_ns + 20 * MS)
    assert (snapshot.tick_ns, snapshot.command) == (t0_ns + 30 * MS, 'turn left')
    assert snapshot.history.ego_pose.x_m == pytest.approx(0.1)


def test_an_image_stamped_after_the_tick_is_left_for_the_next_tick(full, t0_ns):
    full.add_image(t0_ns + 50 * MS, 'later')
    assert full.snapshot(t0_ns + 40 * MS).image == 'image 0'
    assert full.snapshot(t0_ns + 50 * MS).image == 'later'


def test_ego_motion_after_the_image_is_not_used(full, t0_ns):
    before = full.snapshot(t0_ns).history
    full.add_image(t0_ns, 'image 0')
    for k in range(1, 20):
        nan = float('nan')
        full.add_ego(EgoMeasurement(t0_ns + k * 20 * MS, 'odom', (nan, nan, nan), (nan, 1e9)))
    again = InputBuffer(InputLimits(), 'follow lane')
    again.ego = full.ego
    again.add_image(t0_ns, 'image 0')
    after = again.snapshot(t0_ns + 400 * MS).history
    assert after.speeds_mps.tobytes() == before.speeds_mps.tobytes()
    assert after.curvatures_1pm.tobytes() == before.curvatures_1pm.tobytes()
    assert after.ego_pose == before.ego_pose


def test_the_same_image_is_not_planned_twice(full, t0_ns):
    full.snapshot(t0_ns)
    full.add_image(t0_ns, 'duplicate')
    with pytest.raises(InputError, match='need a new image since the last plan') as caught:
        full.snapshot(t0_ns + 100 * MS)
    assert caught.value.reason is Reason.STALE_IMAGE


def test_an_image_refused_for_its_history_may_be_asked_for_again(buffer, t0_ns):
    buffer.add_image(t0_ns, 'image')
    assert _reason(buffer, t0_ns) is Reason.NO_ODOMETRY
    _fill(buffer, t0_ns)
    assert buffer.snapshot(t0_ns + 10 * MS).image == 'image'


def test_duplicate_images_are_dropped(full, t0_ns):
    full.add_image(t0_ns, 'duplicate')
    full.add_image(t0_ns - 10 * MS, 'late')
    assert full.snapshot(t0_ns).image == 'image 0'


def test_without_an_image_there_is_no_image(buffer, t0_ns):
    _fill(buffer, t0_ns)
    with pytest.raises(InputError, match='need a camera image up to the tick, got none yet'):
        buffer.snapshot(t0_ns)
    buffer.add_image(t0_ns + S, 'later')
    with pytest.raises(InputError, match='got only later ones') as caught:
        buffer.snapshot(t0_ns)
    assert caught.value.reason is Reason.NO_IMAGE


def test_an_old_image_is_stale(full, t0_ns):
    with pytest.raises(InputError, match=r'need an image at most 0\.5 s old, got 0\.60 s') as err:
        full.snapshot(t0_ns + 600 * MS)
    assert err.value.reason is Reason.STALE_IMAGE


def test_an_image_at_the_age_limit_is_fresh(full, t0_ns):
    assert full.snapshot(t0_ns + 500 * MS).stamp_ns == t0_ns


@pytest.mark.parametrize(
    ('low_s', 'high_s', 'reason'),
    [
        (-6.0, -0.6, Reason.STALE_ODOMETRY),
        (-3.0, 0.0, Reason.SHORT_HISTORY),
    ],
)
def test_ego_motion_that_does_not_reach_is_named(buffer, t0_ns, low_s, high_s, reason):
    _fill(buffer, t0_ns, low_s, high_s)
    buffer.add_image(t0_ns, 'image')
    assert _reason(buffer, t0_ns) is reason


def test_a_gap_is_named(buffer, t0_ns):
    _fill(buffer, t0_ns, -6.0, -3.0)
    _fill(buffer, t0_ns, -1.0, 0.0)
    buffer.add_image(t0_ns, 'image')
    assert _reason(buffer, t0_ns) is Reason.GAPPED_HISTORY


def test_nan_is_named(buffer, t0_ns):
    _fill(buffer, t0_ns, -6.0, -1.0)
    buffer.add_ego(EgoMeasurement(t0_ns - 990 * MS, 'odom', (float('nan'), 0.0, 0.0), (5.0, 0.0)))
    _fill(buffer, t0_ns, -0.96, 0.0)
    buffer.add_image(t0_ns, 'image')
    assert _reason(buffer, t0_ns) is Reason.NAN_ODOMETRY


def test_limits_are_heeded(t0_ns):
    limits = InputLimits(image_max_age_s=2.0, history=HistoryLimits(max_age_s=2.0, max_gap_s=2.0))
    buffer = InputBuffer(limits, '')
    _fill(buffer, t0_ns, -6.0, -1.5)
    buffer.add_image(t0_ns, 'image')
    assert buffer.snapshot(t0_ns + 1900 * MS).image == 'image'


@pytest.mark.parametrize('first', ['ego', 'image'])
def test_a_bag_that_loops_clears_everything_and_recovers(full, t0_ns, first):
    full.snapshot(t0_ns)
    start_ns = t0_ns - 60 * S
    if first == 'image':
        full.add_image(start_ns, 'looped')
        _fill(full, start_ns, -1.0, 0.0)
    else:
        _fill(full, start_ns, -1.0, 0.0)
        full.add_image(start_ns, 'looped')
    with pytest.raises(InputError, match=r'time was set back: need 4\.5 s') as caught:
        full.snapshot(start_ns + 10 * MS)
    assert caught.value.reason is Reason.TIME_JUMP
    _fill(full, start_ns, 0.0, 5.0)
    full.add_image(start_ns + 5 * S, 'new')
    assert full.snapshot(start_ns + 5 * S).image == 'new'
    full.add_image(start_ns + 6 * S, 'next')
    assert _reason(full, start_ns + 6 * S) is Reason.STALE_ODOMETRY
    assert _reason(full, start_ns - S) is Reason.NO_IMAGE


def test_a_jump_announced_by_the_clock_clears_too(full, t0_ns):
    full.clear_after_jump()
    assert _reason(full, t0_ns) is Reason.TIME_JUMP


def test_after_a_loop_an_image_of_the_same_stamp_is_new(full, t0_ns):
    full.snapshot(t0_ns)
    full.clear_after_jump()
    _fill(full, t0_ns)
    full.add_image(t0_ns, 'second round')
    assert full.snapshot(t0_ns).image == 'second round'


def test_latest_ego_is_the_state_now(full, t0_ns):
    state = full.latest_ego(t0_ns + 100 * MS)
    assert state is not None
    assert (state.stamp_ns, state.speed_mps) == (t0_ns + 100 * MS, pytest.approx(5.0))
    assert state.pose.x_m == pytest.approx(0.5)
    assert state.curvature_1pm == 0.0


def test_latest_ego_is_none_when_ego_motion_is_not_known(full, t0_ns):
    assert full.latest_ego(t0_ns + S) is None


def test_a_twist_topic_alone_is_enough(buffer, t0_ns):
    for k in range(-120, 1):
        twist = EgoMeasurement(t0_ns + k * 50 * MS, 'base_link', None, (4.0, 0.2))
        buffer.add_ego(twist, 'twist')
    buffer.add_image(t0_ns, 'image')
    history = buffer.snapshot(t0_ns).history
    np.testing.assert_allclose(history.curvatures_1pm, 0.05)


@pytest.mark.parametrize('rate_hz', [2, 10, 12, 20, 30, 60])
@pytest.mark.parametrize('late_ms', [0, 130])
def test_the_pictures_of_half_a_second_and_a_second_ago_are_kept(buffer, t0_ns, rate_hz, late_ms):
    _fill(buffer, t0_ns, high_s=1.0)
    for k in range(-3 * rate_hz, rate_hz + 1):
        buffer.add_image(t0_ns + k * S // rate_hz, k)
    snapshot = buffer.snapshot(t0_ns + S + late_ms * MS)
    assert snapshot.stamp_ns == t0_ns + S
    for number, (stamp_ns, _) in enumerate(snapshot.earlier, 1):
        assert abs(snapshot.stamp_ns - number * S // 2 - stamp_ns) <= 50 * MS
    assert len(buffer._images) <= 24


def test_a_picture_of_another_time_is_none_of_the_earlier_ones(full, t0_ns):
    full.add_image(t0_ns + 700 * MS, 'present')
    _fill(full, t0_ns, low_s=0.0, high_s=0.8)
    assert full.snapshot(t0_ns + 700 * MS).earlier == (None, None)


def test_after_time_was_set_back_there_are_no_earlier_pictures(full, t0_ns):
    full.add_image(t0_ns + 500 * MS, 'present')
    full.clear_after_jump()
    _fill(full, t0_ns, high_s=1.0)
    full.add_image(t0_ns + S, 'first')
    assert full.snapshot(t0_ns + S).earlier == (None, None)


def test_an_earlier_picture_that_cannot_be_decoded_is_none(full, t0_ns):
    full.add_image(t0_ns + 500 * MS, 'good')
    full.add_image(t0_ns + S, 'present')
    _fill(full, t0_ns, low_s=0.0, high_s=1.0)

    def decode(image):
        if image == 'image 0':
            raise InputError(Reason.IMAGE_CORRUPT, 'need a picture')
        return np.full((2, 2, 3), len(image), dtype=np.uint8)

    given = full.snapshot(t0_ns + S).planner_input(decode)
    half, whole = given.earlier
    assert (half.stamp_ns, half.rgb[0, 0, 0], whole) == (t0_ns + 500 * MS, 4, None)
    assert (given.frames[0].stamp_ns, given.frames[0].rgb[0, 0, 0]) == (t0_ns + S, 7)
