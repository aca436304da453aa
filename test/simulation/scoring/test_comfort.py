"""Laws of the smoothing and of the comfort limits."""

from __future__ import annotations

import numpy as np
import pytest

from emma_planner.simulation.scoring.comfort import comfortable_segments, savitzky_golay

STEP_S = 0.1


def _verdicts(speeds: np.ndarray, yaw_rates: np.ndarray | float = 0.0) -> list[bool]:
    rates = np.broadcast_to(np.asarray(yaw_rates, dtype=float), speeds.shape)
    return comfortable_segments(speeds, rates, STEP_S).tolist()


def _ramp(acceleration: float, num: int = 60) -> np.ndarray:
    return 10.0 + acceleration * STEP_S * np.arange(num)


@pytest.mark.parametrize('num', [3, 5, 7, 8, 40])
def test_parabolas_and_their_slopes_pass_through_the_filter(num):
    time = STEP_S * np.arange(num)
    values = 1.0 - 2.0 * time + 0.7 * time**2
    assert savitzky_golay(values, STEP_S) == pytest.approx(values)
    slope = savitzky_golay(values, STEP_S, derivative=1)
    assert slope == pytest.approx(-2.0 + 1.4 * time)


def test_filter_leaves_a_third_of_the_noise_and_keeps_its_length():
    noise = np.random.default_rng(0).normal(size=2000)
    smooth = savitzky_golay(noise, STEP_S)
    assert smooth.shape == noise.shape
    # the middle weight of a parabola over 7 samples is 7/21: the variance shrinks to a third
    assert smooth.var() == pytest.approx(noise.var() / 3.0, rel=0.1)


def test_filter_is_the_published_one():
    impulse = np.zeros(21)
    impulse[10] = 1.0
    weights = savitzky_golay(impulse, STEP_S)[7:14]
    assert weights == pytest.approx(np.array([-2, 3, 6, 7, 6, 3, -2]) / 21.0)
    slopes = savitzky_golay(impulse, STEP_S, derivative=1)[7:14]
    assert slopes == pytest.approx(np.arange(3, -4, -1) / 28.0 / STEP_S)


@pytest.mark.parametrize(('num', 'expected'), [(0, []), (1, [1.0]), (2, [1.0, 3.0])])
def test_signals_too_short_for_the_filter_pass_unchanged(num, expected):
    values = np.array([1.0, 3.0])[:num]
    assert savitzky_golay(values, STEP_S).tolist() == pytest.approx(expected)


def test_slope_of_two_samples_is_their_difference_and_of_one_is_zero():
    assert savitzky_golay(np.array([1.0, 3.0]), STEP_S, derivative=1) == pytest.approx([20.0] * 2)
    assert savitzky_golay(np.array([4.0]), STEP_S, derivative=1).tolist() == [0.0]


@pytest.mark.parametrize(
    ('num', 'segments'), [(0, 0), (1, 1), (19, 1), (20, 1), (21, 1), (39, 1), (40, 2), (205, 10)]
)
def test_drive_is_cut_in_segments_of_two_seconds(num, segments):
    assert _verdicts(np.full(num, 10.0)) == [True] * segments


@pytest.mark.parametrize(
    ('acceleration', 'comfortable'), [(2.3, True), (2.5, False), (-4.0, True), (-4.1, False)]
)
def test_limits_of_longitudinal_acceleration(acceleration, comfortable):
    assert _verdicts(_ramp(acceleration)) == [comfortable] * 3


@pytest.mark.parametrize('side', [1.0, -1.0])
@pytest.mark.parametrize(('lateral', 'comfortable'), [(4.8, True), (5.0, False)])
def test_limit_of_lateral_acceleration(lateral, comfortable, side):
    assert _verdicts(np.full(60, 20.0), side * lateral / 20.0) == [comfortable] * 3


@pytest.mark.parametrize('side', [1.0, -1.0])
@pytest.mark.parametrize(('yaw_rate', 'comfortable'), [(0.94, True), (0.96, False)])
def test_limit_of_yaw_rate(yaw_rate, comfortable, side):
    assert _verdicts(np.full(60, 1.0), side * yaw_rate) == [comfortable] * 3


@pytest.mark.parametrize('side', [1.0, -1.0])
@pytest.mark.parametrize(('change', 'comfortable'), [(1.9, True), (2.0, False)])
def test_limit_of_yaw_acceleration(change, comfortable, side):
    rates = side * change * STEP_S * (np.arange(9) - 4.0)
    assert _verdicts(np.full(9, 0.1), rates) == [comfortable]


@pytest.mark.parametrize(('jerk', 'comfortable'), [(4.1, True), (4.2, False)])
def test_limit_of_longitudinal_jerk(jerk, comfortable):
    time = STEP_S * (np.arange(9) - 4.0)
    assert _verdicts(10.0 + 0.5 * jerk * time**2) == [comfortable]


@pytest.mark.parametrize(('jerk', 'comfortable'), [(8.3, True), (8.5, False)])
def test_limit_of_jerk_across(jerk, comfortable):
    time = STEP_S * np.arange(6)
    assert _verdicts(np.full(6, 20.0), 0.5 / 20.0 + jerk * time / 20.0) == [comfortable]


def test_one_hard_braking_costs_its_segments_alone():
    speeds = np.full(200, 10.0)
    speeds[100:] = 0.0
    verdicts = _verdicts(speeds)
    assert verdicts.count(False) == 2
    assert not verdicts[4]
    assert not verdicts[5]
