"""Ego motion to a history: by stamp, gated, and never from after t0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emma_planner.planning.ego_tracks import PoseSample, TwistSample
from emma_planner.planning.history import HistoryLimits, build_history, gate_curvature
from emma_planner.planning.types import EgoHistory, InputError, Reason

REGULAR_S = np.arange(-600, 101) / 100.0
"""100 Hz from 6 s before t0 to 1 s after."""
KEYFRAMES_S = -np.cumsum([0.1, 0.40, 0.65, 0.5, 0.55, 0.42, 0.6, 0.48, 0.63, 0.5, 0.4, 0.6])[::-1]
"""Steps as between nuScenes keyframes, 0.40 to 0.65 s."""
LIMITS = HistoryLimits()
SOURCES = ('twist', 'pose')


def _build(samples, t0_ns, **limits) -> EgoHistory:
    poses, twists = samples
    return build_history(poses, twists, 'odom', t0_ns, HistoryLimits(**limits))


def _same(a: EgoHistory, b: EgoHistory) -> bool:
    return (
        a.speeds_mps.tobytes() == b.speeds_mps.tobytes()
        and a.curvatures_1pm.tobytes() == b.curvatures_1pm.tobytes()
        and a.ego_pose == b.ego_pose
    )


def _mirrored(samples):
    poses, twists = samples
    return (
        [replace(p, y_m=-p.y_m, yaw_rad=-p.yaw_rad) for p in poses],
        [replace(t, yaw_rate_radps=-t.yaw_rate_radps) for t in twists],
    )


def _unfilled(twists):
    return [replace(t, speed_mps=0.0, yaw_rate_radps=0.0) for t in twists]


@pytest.mark.parametrize('source', SOURCES)
@pytest.mark.parametrize('curvature', [0.0, 0.05, -0.2])
@pytest.mark.parametrize('speed', [8.0, 25.0, -3.0])
def test_constant_motion_gives_ten_equal_samples(drive, t0_ns, source, curvature, speed):
    history = _build(drive(REGULAR_S, speed, curvature), t0_ns, source=source)
    np.testing.assert_allclose(history.speeds_mps, speed, rtol=1e-9)
    np.testing.assert_allclose(history.curvatures_1pm, curvature, rtol=1e-9, atol=1e-12)


def test_speed_is_metres_per_second_and_not_per_step(drive, t0_ns):
    for rate_hz in (2, 10, 100):
        times_s = np.arange(-6 * rate_hz, 1) / rate_hz
        history = _build(drive(times_s, 10.0, 0.0), t0_ns, source='pose')
        np.testing.assert_allclose(history.speeds_mps, 10.0, rtol=1e-6)


@pytest.mark.parametrize('source', SOURCES)
def test_samples_lie_half_a_second_apart_and_end_at_t0(drive, t0_ns, source):
    poses, twists = drive(REGULAR_S, 0.0, 0.0)
    speed_at = 10.0 + 1.5 * REGULAR_S
    travelled = 10.0 * REGULAR_S + 0.75 * REGULAR_S**2
    poses = [replace(p, x_m=x, yaw_rad=0.0) for p, x in zip(poses, travelled, strict=True)]
    twists = [replace(t, speed_mps=v) for t, v in zip(twists, speed_at, strict=True)]
    history = _build((poses, twists), t0_ns, source=source)
    expected = 10.0 + 1.5 * np.arange(-4.5, 0.1, 0.5)
    np.testing.assert_allclose(history.speeds_mps, expected, atol=1e-6)


@pytest.mark.parametrize('source', SOURCES)
def test_mirrored_motion_has_negated_curvature(drive, t0_ns, source):
    samples = drive(REGULAR_S, 7.0, 0.08)
    history = _build(samples, t0_ns, source=source)
    mirrored = _build(_mirrored(samples), t0_ns, source=source)
    np.testing.assert_allclose(mirrored.speeds_mps, history.speeds_mps, rtol=1e-9)
    np.testing.assert_allclose(mirrored.curvatures_1pm, -history.curvatures_1pm, rtol=1e-9)


@pytest.mark.parametrize('source', ['auto', *SOURCES])
@pytest.mark.parametrize('garbage', [np.nan, np.inf, 1e300, -7.0])
def test_no_sample_after_t0_is_ever_used(drive, t0_ns, source, garbage):
    poses, twists = drive(REGULAR_S, 9.0, 0.03)
    clean = _build((poses, twists), t0_ns, source=source)
    poisoned = (
        [PoseSample(p.stamp_ns, *[garbage] * 3) if p.stamp_ns > t0_ns else p for p in poses],
        [TwistSample(t.stamp_ns, *[garbage] * 2) if t.stamp_ns > t0_ns else t for t in twists],
    )
    removed = (
        [p for p in poses if p.stamp_ns <= t0_ns],
        [t for t in twists if t.stamp_ns <= t0_ns],
    )
    assert _same(_build(poisoned, t0_ns, source=source), clean)
    assert _same(_build(removed, t0_ns, source=source), clean)


def test_a_sample_one_nanosecond_after_t0_is_after_t0(drive, t0_ns):
    poses, twists = drive(REGULAR_S[REGULAR_S <= 0.0], 9.0, 0.03)
    clean = _build((poses, twists), t0_ns)
    late = (
        [*poses, PoseSample(t0_ns + 1, np.nan, np.nan, np.nan)],
        [*twists, TwistSample(t0_ns + 1, np.nan, np.nan)],
    )
    assert _same(_build(late, t0_ns), clean)


def test_stamps_of_this_century_keep_their_nanoseconds(drive, t0_ns):
    """With float64 stamps, samples 100 ns apart would coincide and divide by zero."""
    poses, twists = drive(REGULAR_S[REGULAR_S <= 0.0], 9.0, 0.0)
    twin = [replace(p, stamp_ns=p.stamp_ns + 100) for p in poses[:-1]]
    merged = sorted([*poses, *twin], key=lambda p: p.stamp_ns)
    history = _build((merged, twists), t0_ns, source='pose')
    np.testing.assert_allclose(history.speeds_mps, 9.0, rtol=1e-3)


def test_shift_of_all_stamps_changes_nothing(drive, t0_ns):
    early = _build(drive(REGULAR_S, stamp_ns=10**10), 10**10)
    assert _same(_build(drive(REGULAR_S, stamp_ns=t0_ns), t0_ns), early)


@pytest.mark.parametrize('curvature', [0.0, 0.04, -0.04])
def test_keyframes_are_resampled_by_stamp_and_not_by_index(drive, t0_ns, curvature):
    history = _build((drive(KEYFRAMES_S, 10.0, curvature)[0], []), t0_ns)
    np.testing.assert_allclose(history.speeds_mps, 10.0, rtol=1e-9)
    np.testing.assert_allclose(history.curvatures_1pm, curvature, rtol=1e-9, atol=1e-12)


def test_keyframes_of_an_accelerating_car_give_the_speed_at_t0(drive, t0_ns):
    poses = drive(KEYFRAMES_S, 0.0, 0.0, start=(0.0, 0.0, 0.0))[0]
    travelled = 12.0 * KEYFRAMES_S + KEYFRAMES_S**2
    poses = [replace(p, x_m=x) for p, x in zip(poses, travelled, strict=True)]
    history = _build((poses, []), t0_ns)
    last_s = KEYFRAMES_S[-1]
    assert history.speeds_mps[-1] == pytest.approx(12.0 + 2.0 * last_s, abs=0.02)
    np.testing.assert_allclose(np.diff(history.speeds_mps[:-1]), 1.0, atol=0.1)


def test_speed_from_poses_does_not_run_through_standstill(drive, t0_ns):
    braking_s = np.minimum(REGULAR_S + 0.05, 0.0)
    poses = drive(REGULAR_S, 0.0, 0.0, start=(0.0, 0.0, 0.0))[0]
    poses = [replace(p, x_m=-2.0 * t**2) for p, t in zip(poses, braking_s, strict=True)]
    assert 0.0 <= _build((poses, []), t0_ns).speeds_mps[-1] < 0.1


def test_one_pose_is_no_motion(drive, t0_ns):
    with pytest.raises(InputError, match='need two ego poses in 5 s, got one'):
        _build((drive([-4.6])[0], []), t0_ns, max_age_s=10.0, max_gap_s=10.0)


def test_near_duplicate_stamps_do_not_blow_up_speed_or_curvature(drive, t0_ns):
    """Some converters repeat a pose a fraction of a millisecond later."""
    poses, _ = drive(KEYFRAMES_S, 10.0, 0.04)
    repeated = [replace(p, stamp_ns=p.stamp_ns + 200_000) for p in poses]
    merged = sorted([*poses, *repeated], key=lambda p: p.stamp_ns)
    history = _build((merged, []), t0_ns)
    np.testing.assert_allclose(history.speeds_mps, 10.0, rtol=0.01)
    np.testing.assert_allclose(history.curvatures_1pm, 0.04, rtol=0.02)


def test_a_twist_that_is_never_filled_gives_way_to_pose_differences(drive, t0_ns):
    poses, twists = drive(REGULAR_S, 8.0, 0.05)
    history = _build((poses, _unfilled(twists)), t0_ns)
    assert _same(history, _build((poses, []), t0_ns, source='pose'))
    np.testing.assert_allclose(history.speeds_mps, 8.0, rtol=1e-3)


def test_a_zero_twist_of_a_standing_car_is_believed(drive, t0_ns):
    random = np.random.default_rng(0)
    poses, twists = drive(REGULAR_S, 0.0, 0.0)
    poses = [replace(p, x_m=p.x_m + random.uniform(-0.01, 0.01)) for p in poses]
    assert not _build((poses, twists), t0_ns).speeds_mps.any()


def test_source_twist_does_not_fall_back_to_poses(drive, t0_ns):
    poses, twists = drive(REGULAR_S, 8.0, 0.05)
    assert not _build((poses, _unfilled(twists)), t0_ns, source='twist').speeds_mps.any()
    with pytest.raises(InputError, match='need ego twists up to the image, got none'):
        _build((poses, []), t0_ns, source='twist')


@pytest.mark.parametrize('rate_hz', [10, 100])
@pytest.mark.parametrize('seed', range(5))
def test_standstill_with_a_centimetre_of_pose_jitter_has_zero_curvature(t0_ns, rate_hz, seed):
    random = np.random.default_rng(seed)
    poses = [
        PoseSample(t0_ns + k * 10**9 // rate_hz, *random.uniform(-0.01, 0.01, 3).tolist())
        for k in range(-6 * rate_hz, 1)
    ]
    history = build_history(poses, [], 'map', t0_ns, LIMITS)
    assert not history.curvatures_1pm.any()
    assert np.abs(history.speeds_mps).max() < 0.2


def test_standstill_with_twist_noise_has_zero_curvature(drive, t0_ns):
    random = np.random.default_rng(0)
    poses, twists = drive(REGULAR_S, 0.0, 0.0)
    noisy = [TwistSample(t.stamp_ns, *random.normal(0.0, 0.05, 2).tolist()) for t in twists]
    assert not _build((poses, noisy), t0_ns).curvatures_1pm.any()


@pytest.mark.parametrize('direction', [1.0, -1.0])
def test_curvature_is_held_and_decays_after_the_car_has_stopped(direction):
    time_s = np.arange(-4.5, 0.1, 0.5)
    speed = np.array([2.0, 2.0, 2.0, *np.zeros(7)]) * direction
    curvature = gate_curvature(time_s, speed, 0.1 * speed, 0.5)
    np.testing.assert_allclose(curvature[:3], 0.1)
    np.testing.assert_allclose(curvature[3:], 0.1 * np.exp(-(time_s[3:] - time_s[2])))


def test_curvature_in_reverse_keeps_the_side_of_the_steering_wheel(drive, t0_ns):
    forward = _build(drive(REGULAR_S, 3.0, 0.1), t0_ns)
    reverse = _build(drive(REGULAR_S, -3.0, 0.1), t0_ns)
    np.testing.assert_allclose(reverse.curvatures_1pm, forward.curvatures_1pm)
    assert (reverse.speeds_mps < 0.0).all()


@pytest.mark.parametrize('source', SOURCES)
def test_the_pose_is_carried_on_to_t0_along_its_arc(drive, t0_ns, source):
    expected = drive([0.0], 8.0, 0.05)[0][0]
    samples = drive(REGULAR_S[REGULAR_S < -0.195], 8.0, 0.05)
    pose = _build(samples, t0_ns, source=source).ego_pose
    assert (pose.x_m, pose.y_m) == pytest.approx((expected.x_m, expected.y_m), abs=1e-3)
    assert pose.yaw_rad == pytest.approx(expected.yaw_rad, abs=1e-3)


def test_the_pose_at_t0_is_the_one_measured_there(drive, t0_ns):
    poses, twists = drive(REGULAR_S)
    history = _build((poses, twists), t0_ns)
    measured = next(p for p in poses if p.stamp_ns == t0_ns)
    assert history.ego_pose.as_array().tolist() == pytest.approx(
        [measured.x_m, measured.y_m, measured.yaw_rad], abs=1e-12
    )
    assert (history.frame_id, history.stamp_ns) == ('odom', t0_ns)


def test_yaw_that_wraps_is_no_jump(drive, t0_ns):
    samples = drive(REGULAR_S, 8.0, 0.05, start=(0.0, 0.0, np.pi))
    history = _build(samples, t0_ns, source='pose')
    np.testing.assert_allclose(history.curvatures_1pm, 0.05, rtol=1e-3)


def _reason_of(samples, t0_ns, **limits) -> tuple[Reason, str]:
    with pytest.raises(InputError) as caught:
        _build(samples, t0_ns, **limits)
    return caught.value.reason, str(caught.value)


def test_no_samples_are_no_odometry(t0_ns):
    reason, message = _reason_of(([], []), t0_ns)
    assert reason is Reason.NO_ODOMETRY
    assert message == 'need ego poses up to the image, got none'


def test_samples_after_t0_alone_are_no_odometry(drive, t0_ns):
    assert _reason_of(drive([0.1, 0.2]), t0_ns)[0] is Reason.NO_ODOMETRY


def test_old_samples_are_stale(drive, t0_ns):
    reason, message = _reason_of(drive(REGULAR_S[REGULAR_S < -0.6]), t0_ns)
    assert reason is Reason.STALE_ODOMETRY
    assert message == 'need ego poses at most 0.5 s old, got 0.61 s'


def test_a_recording_that_just_began_is_a_short_history(drive, t0_ns):
    reason, message = _reason_of(drive(REGULAR_S[REGULAR_S > -3.0]), t0_ns)
    assert reason is Reason.SHORT_HISTORY
    assert message == 'need 4.5 s of ego poses, got 2.99 s'


def test_a_history_of_exactly_its_span_is_long_enough(drive, t0_ns):
    samples = drive(REGULAR_S[REGULAR_S >= -4.5], 8.0, 0.05)
    np.testing.assert_allclose(_build(samples, t0_ns).speeds_mps, 8.0)


@pytest.mark.parametrize(('low', 'high'), [(-3.0, -1.5), (-5.5, -4.2)])
def test_missing_samples_are_a_gap_and_never_padded(drive, t0_ns, low, high):
    times_s = np.array([t for t in REGULAR_S if not low < t < high])
    reason, message = _reason_of(drive(times_s), t0_ns)
    assert reason is Reason.GAPPED_HISTORY
    assert message == f'need ego poses without gaps over 1 s, got {high - low:.2f} s'


def test_a_gap_in_the_twists_alone_is_a_gap(drive, t0_ns):
    poses, twists = drive(REGULAR_S)
    kept = [t for t in twists if not t0_ns - 3 * 10**9 < t.stamp_ns < t0_ns - 10**9]
    assert _reason_of((poses, kept), t0_ns)[0] is Reason.GAPPED_HISTORY


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf, 1e300, -1e20])
@pytest.mark.parametrize('part', ['pose', 'twist'])
def test_numbers_that_are_no_measurement_are_nan_odometry(drive, t0_ns, bad, part):
    poses, twists = drive(REGULAR_S)
    if part == 'pose':
        poses[200] = replace(poses[200], y_m=bad)
    else:
        twists[200] = replace(twists[200], yaw_rate_radps=bad)
    reason, message = _reason_of((poses, twists), t0_ns)
    assert reason is Reason.NAN_ODOMETRY
    assert message.startswith('need finite ego ')


def test_nan_from_before_the_history_is_forgotten(drive, t0_ns):
    poses, twists = drive(REGULAR_S)
    poses[0] = replace(poses[0], x_m=np.nan)
    np.testing.assert_allclose(_build((poses, twists), t0_ns).speeds_mps, 8.0)


@pytest.mark.parametrize('seed', range(30))
def test_whatever_arrives_gives_a_history_or_an_input_error(t0_ns, seed):
    random = np.random.default_rng(seed)
    sizes = 10.0 ** random.uniform(-320, 308, (60, 5)) * random.choice([-1, 1], (60, 5))
    sizes[random.random((60, 5)) < 0.5] = 0.0
    if seed % 2:
        sizes = np.clip(sizes, -1e3, 1e3)
    stamps = np.sort(random.integers(-6 * 10**9, 10**9, 60)) + t0_ns
    poses = [PoseSample(int(s), *row[:3].tolist()) for s, row in zip(stamps, sizes, strict=True)]
    twists = [TwistSample(int(s), *row[3:].tolist()) for s, row in zip(stamps, sizes, strict=True)]
    for source in ('auto', *SOURCES):
        try:
            history = _build((poses, twists), t0_ns, source=source, max_gap_s=6.0, max_age_s=2.0)
        except InputError:
            continue
        assert np.isfinite(history.speeds_mps).all()
