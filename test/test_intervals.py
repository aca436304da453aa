"""Laws of the bootstrap intervals."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from emma_planner.intervals import (
    Figure,
    bootstrap,
    figure_to_json,
    mean_figures,
    ratio_figures,
)


def test_interval_covers_the_true_mean_about_95_times_in_100():
    rng = np.random.default_rng(0)
    trials, covered = 600, 0
    for _ in range(trials):
        low, high = bootstrap(rng.normal(5.0, 1.0, (60, 1)), rng=rng, num_resamples=200)
        covered += bool(low[0] <= 5.0 <= high[0])
    # A percentile bootstrap of 60 samples covers 94 %; three standard deviations of the count.
    assert covered / trials == pytest.approx(0.94, abs=3.0 * math.sqrt(0.94 * 0.06 / trials))


def test_interval_over_scenes_is_wider_than_over_their_windows():
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(size=(10, 1)), 30, axis=0)
    scenes = np.repeat(np.arange(10), 30)
    narrow = bootstrap(values, rng=np.random.default_rng(1))
    wide = bootstrap(values, scenes, rng=np.random.default_rng(1))
    assert np.ptp(wide) > 3.0 * np.ptp(narrow)


def test_samples_without_a_value_are_behind_no_mean():
    first, second = mean_figures(np.array([[1.0, np.nan], [3.0, np.nan]]))
    assert (first.mean, first.n) == (2.0, 2)
    assert math.isnan(second.mean)
    assert second.n == 0


def test_ratio_weighs_samples_by_their_denominator():
    (figure,) = ratio_figures(np.array([[1.0], [0.0]]), np.array([1.0, 9.0]))
    assert figure.mean == pytest.approx(0.1)
    assert (figure.low, figure.high, figure.n) == (0.0, 1.0, 2)


def test_constant_ratio_has_an_interval_of_no_width():
    distance = np.array([1.0, 2.0, 5.0])
    (figure,) = ratio_figures(0.25 * distance[:, None], distance)
    assert (figure.mean, figure.low, figure.high) == pytest.approx((0.25, 0.25, 0.25))


def test_ratio_over_nothing_is_null_in_json():
    (figure,) = ratio_figures(np.ones((2, 1)), np.zeros(2))
    assert figure_to_json(figure) == {'mean': None, 'low': None, 'high': None, 'n': 2}


def test_one_scene_has_no_interval():
    values, distance = np.array([[1.0], [2.0]]), np.array([1.0, 3.0])
    for figure in (
        *mean_figures(values, ['a', 'a']),
        *ratio_figures(values, distance, ['a', 'a']),
    ):
        assert math.isnan(figure.low)
        assert math.isnan(figure.high)
        assert not math.isnan(figure.mean)


def test_order_does_not_matter_and_the_seed_does():
    rng = np.random.default_rng(3)
    values, distance, scenes = rng.normal(size=(40, 2)), rng.uniform(size=40), np.arange(40) // 4
    order = rng.permutation(40)
    first = ratio_figures(values, distance, scenes, seed=1)
    second = ratio_figures(values[order], distance[order], scenes[order], seed=1)
    assert _numbers(first) == pytest.approx(_numbers(second))
    assert _numbers(first) != _numbers(ratio_figures(values, distance, scenes, seed=2))


def _numbers(figures: list[Figure]) -> list[float]:
    return [value for figure in figures for value in (figure.mean, figure.low, figure.high)]


def test_labels_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match='scenes: need 2 labels, got 1'):
        mean_figures(np.zeros((2, 1)), ['a'])


def test_json_has_no_nan():
    text = json.dumps(figure_to_json(Figure(1.5, math.nan, math.inf, 3)), allow_nan=False)
    assert json.loads(text) == {'mean': 1.5, 'low': None, 'high': None, 'n': 3}
