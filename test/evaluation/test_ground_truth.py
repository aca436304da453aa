"""The recorded future is what was driven, and says where it is not known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from synthetic_bags import braking, circle, straight

from emma_planner.evaluation.ground_truth import MAX_GAP_S, GroundTruth
from emma_planner.planning.ego_tracks import PoseSample
from emma_planner.planning.kinematics import integrate

T0_NS = 1_700_000_000_123_456_789


def truth(motion, times_s, start=(0.0, 0.0, 0.0)):
    x0, y0, yaw0 = start
    poses = []
    for time_s in times_s:
        x, y, yaw, *_ = motion(time_s)
        poses.append(
            PoseSample(
                T0_NS + round(time_s * 1e9),
                x0 + math.cos(yaw0) * x - math.sin(yaw0) * y,
                y0 + math.sin(yaw0) * x + math.cos(yaw0) * y,
                math.remainder(yaw0 + yaw, 2 * math.pi),
            )
        )
    return GroundTruth(poses)


@pytest.mark.parametrize('start', [(0.0, 0.0, 0.0), (-4e5, 9e4, 3.1)])
def test_a_circle_is_the_exact_arc_wherever_it_lies(start):
    future, valid = truth(circle(8.0, 0.05), np.arange(0, 20, 0.1), start).future(T0_NS)
    assert valid.all()
    np.testing.assert_allclose(future, integrate(np.full(10, 8.0), np.full(10, 0.05)), atol=1e-6)


def test_between_samples_it_is_interpolated():
    at_ns = T0_NS + 1_234_567_890
    future, valid = truth(circle(8.0, 0.05), np.arange(0, 20, 0.1)).future(at_ns)
    assert valid.all()
    np.testing.assert_allclose(future, integrate(np.full(10, 8.0), np.full(10, 0.05)), atol=1e-2)


def test_standstill_stays_at_the_origin():
    stopped_ns = T0_NS + 10_000_000_000
    future, valid = truth(braking(), np.arange(0, 20, 0.1)).future(stopped_ns)
    assert valid.all()
    np.testing.assert_allclose(future, 0.0, atol=1e-9)


def test_a_yaw_that_wraps_is_interpolated_the_short_way():
    turning = circle(8.0, 0.25)  # 2 rad/s, and every instant lies between two samples
    future, _ = truth(turning, np.arange(0, 8, 0.5)).future(T0_NS + 250_000_000)
    yaw_steps = np.angle(np.exp(1j * np.diff(future[:, 2])))
    np.testing.assert_allclose(yaw_steps, 1.0, atol=1e-6)


def test_the_future_is_cut_where_the_recording_ends():
    for length_s, known in ((5.0, 10), (4.9, 9), (3.0, 6), (0.5, 1), (0.4, 0)):
        samples = np.append(np.arange(0.0, length_s, 0.1), length_s)
        future, valid = truth(straight(), samples).future(T0_NS)
        assert valid.tolist() == [True] * known + [False] * (10 - known)
        np.testing.assert_allclose(future[valid][:, 0], np.arange(1, known + 1) * 4.0)
        assert not future[~valid].any()


def test_before_the_recording_nothing_is_known():
    future, valid = truth(straight(), np.arange(0, 20, 0.1)).future(T0_NS - 1)
    assert not valid.any()
    assert not future.any()


def test_a_gap_is_not_bridged():
    times = [*np.arange(0.0, 2.01, 0.1), *np.arange(2.0 + MAX_GAP_S + 0.2, 12.0, 0.1)]
    _, valid = truth(straight(), times).future(T0_NS)
    assert valid.tolist() == [True] * 4 + [False] * 3 + [True] * 3


def test_a_short_gap_is_bridged():
    times = [*np.arange(0.0, 2.01, 0.1), *np.arange(2.0 + MAX_GAP_S - 0.1, 12.0, 0.1)]
    assert truth(straight(), times).future(T0_NS)[1].all()


def test_poses_at_the_edges_of_a_gap_are_known():
    times = [0.0, 0.5, 1.0, 3.0, 3.5, 4.0, 4.5, 5.0]
    _, valid = truth(straight(), times).future(T0_NS)
    assert valid.tolist() == [True, True, False, False, False, True, True, True, True, True]


def test_a_window_that_starts_in_a_gap_is_not_known():
    times = [*np.arange(0.0, 1.0, 0.1), *np.arange(4.0, 12.0, 0.1)]
    _, valid = truth(straight(), times).future(T0_NS + 2_000_000_000)
    assert not valid.any()


def test_poses_that_are_no_numbers_are_left_out():
    samples = [PoseSample(T0_NS + k * 100_000_000, 0.8 * k, 0.0, 0.0) for k in range(100)]
    samples[20] = PoseSample(samples[20].stamp_ns, math.nan, 0.0, 0.0)
    samples[30] = PoseSample(samples[30].stamp_ns, 0.0, math.inf, 0.0)
    future, valid = GroundTruth(samples).future(T0_NS)
    assert valid.all()
    np.testing.assert_allclose(future[:, 0], np.arange(1, 11) * 4.0)


@pytest.mark.parametrize('count', [0, 1])
def test_a_recording_without_motion_knows_nothing(count):
    poses = [PoseSample(T0_NS, 0.0, 0.0, 0.0)] * count
    future, valid = GroundTruth(poses).future(T0_NS)
    assert future.shape == (10, 3)
    assert not valid.any()
