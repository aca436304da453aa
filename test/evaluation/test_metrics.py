"""Laws of the open-loop metrics."""

from __future__ import annotations

import json
import math
import time
import warnings

import numpy as np
import pytest

from emma_planner.evaluation import metrics
from emma_planner.intervals import Figure
from emma_planner.planning.types import NUM_STEPS


def _truth(num: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 20.0, (num, NUM_STEPS, 3))


def _shifted(truth: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Move every waypoint by a distance in a direction that differs from point to point."""
    angle = np.random.default_rng(1).uniform(0.0, 2.0 * np.pi, truth.shape[:2])
    offset = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=-1)
    return truth + offset * distances[..., None]


def _means(figures: tuple[Figure, ...]) -> list[float]:
    return [figure.mean for figure in figures]


def _all_l2(summary: metrics.Summary) -> list[float]:
    return _means(summary.at_horizon + summary.averaged + summary.window)


def test_perfect_actions_score_zero_everywhere():
    truth = _truth(7)
    summary = metrics.summarise(truth, truth)
    assert _all_l2(summary) == [0.0] * 12
    assert (summary.ade.mean, summary.fde.mean) == (0.0, 0.0)
    assert (summary.miss_rate.mean, summary.gross_failure_rate.mean) == (0.0, 0.0)
    assert (summary.ade.low, summary.ade.high) == (0.0, 0.0)


@pytest.mark.parametrize('distance', [0.3, 1.99, 25.0])
def test_constant_offset_is_the_score_in_every_convention(distance):
    truth = _truth(9)
    summary = metrics.summarise(_shifted(truth, np.full((9, NUM_STEPS), distance)), truth)
    assert _all_l2(summary) == pytest.approx([distance] * 12)
    assert summary.ade.mean == pytest.approx(distance)
    assert summary.fde.mean == pytest.approx(distance)
    assert summary.miss_rate.mean == float(distance > 2.0)
    assert summary.gross_failure_rate.mean == float(distance > 10.0)


def test_conventions_differ_on_a_growing_error_as_by_hand():
    truth = _truth(4)
    growing = np.tile(0.5 * np.arange(1, NUM_STEPS + 1), (4, 1))  # 0.5, 1.0, ... 5.0 m
    summary = metrics.summarise(_shifted(truth, growing), truth)
    assert _means(summary.at_horizon) == pytest.approx([1.0, 2.0, 3.0, 5.0])
    assert _means(summary.averaged) == pytest.approx([0.75, 1.25, 1.75, 2.75])
    assert _means(summary.window) == pytest.approx([0.75, 1.75, 2.75, 4.75])
    assert summary.ade.mean == pytest.approx(2.75)
    assert summary.fde.mean == pytest.approx(5.0)


def test_error_in_one_waypoint_reaches_only_the_horizons_that_see_it():
    errors = np.zeros((1, NUM_STEPS))
    errors[0, 2] = 4.0  # t0 + 1.5 s
    assert metrics.at_horizon(errors, 2)[0] == 0.0
    assert metrics.averaged(errors, 1)[0] == 0.0
    assert metrics.averaged(errors, 2)[0] == 1.0
    assert metrics.window(errors, 2)[0] == 2.0
    assert metrics.window(errors, 3)[0] == 0.0


def test_order_of_samples_does_not_matter():
    truth, rng = _truth(60), np.random.default_rng(5)
    predicted = truth + rng.normal(0.0, 2.0, truth.shape)
    valid = np.arange(NUM_STEPS) < rng.integers(0, NUM_STEPS + 1, (60, 1))
    scenes, order = rng.integers(0, 8, 60), rng.permutation(60)
    for labels, shuffled in ((None, None), (scenes, scenes[order])):
        first = metrics.summarise(predicted, truth, valid, scenes=labels)
        second = metrics.summarise(predicted[order], truth[order], valid[order], scenes=shuffled)
        assert json.dumps(_rounded(first)) == json.dumps(_rounded(second))


def _rounded(summary: metrics.Summary) -> object:
    text = json.dumps(metrics.summary_to_json(summary))
    return json.loads(text, parse_float=lambda value: round(float(value), 9))


def test_yaw_and_the_third_column_play_no_part():
    truth = _truth(3)
    turned = truth + np.array([0.0, 0.0, 1.0])
    assert metrics.summarise(turned, truth[..., :2]).ade.mean == 0.0


def test_short_ground_truth_is_scored_to_its_end_and_counted():
    truth = _truth(2)
    predicted = _shifted(truth, np.tile(np.arange(1.0, NUM_STEPS + 1), (2, 1)))
    valid = np.ones((2, NUM_STEPS), dtype=bool)
    valid[1, 4:] = False  # the second recording ends at t0 + 2 s
    truth[1, 4:] = np.nan
    summary = metrics.summarise(predicted, truth, valid)
    assert [figure.n for figure in summary.at_horizon] == [2, 2, 1, 1]
    assert [figure.n for figure in summary.averaged] == [2, 2, 1, 1]
    assert [figure.n for figure in summary.window] == [2, 2, 1, 1]
    assert summary.fde.mean == pytest.approx((10.0 + 4.0) / 2)
    assert summary.ade.mean == pytest.approx((5.5 + 2.5) / 2)
    assert (summary.num_scored, summary.num_short, summary.num_not_scorable) == (2, 1, 0)


def test_no_sample_leaves_the_count():
    truth = _truth(4)
    valid = np.array(
        [[True] * 10, [True] * 10, [False] * 10, [True] * 3 + [False] * 7], dtype=bool
    )
    summary = metrics.summarise(truth, truth, valid, num_unplanned=4)
    assert summary.num_short == 1
    assert summary.n == 8
    assert summary.n == summary.num_scored + summary.num_not_scorable + summary.num_unplanned
    assert (summary.num_scored, summary.num_not_scorable, summary.num_unplanned) == (3, 1, 4)
    assert summary.fde.n == 3


def test_gross_failure_looks_at_the_first_second_only():
    errors = np.zeros((3, NUM_STEPS))
    errors[0, 0], errors[1, 1], errors[2, 2] = 10.1, 10.1, 100.0
    assert metrics.gross_failure(errors).tolist() == [1.0, 1.0, 0.0]
    assert metrics.gross_failure(np.full((1, NUM_STEPS), 10.0)).tolist() == [0.0]


def test_miss_is_strictly_above_two_metres():
    errors = np.zeros((2, NUM_STEPS))
    errors[0, -1], errors[1, -1] = 2.0, 2.01
    assert metrics.miss(errors).tolist() == [0.0, 1.0]


@pytest.mark.parametrize('empty', [[], np.zeros((0, NUM_STEPS, 3))])
def test_empty_set_gives_a_summary_without_a_warning(empty):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        summary = metrics.summarise(empty, empty, num_unplanned=0)
        data = metrics.summary_to_json(summary)
    assert (data['n'], data['scored']) == (0, 0)
    assert data['ade_m'] == {'mean': None, 'low': None, 'high': None, 'n': 0}
    assert 'NaN' not in json.dumps(data, allow_nan=False)


def test_all_unscorable_gives_a_summary_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        truth = np.full((3, NUM_STEPS, 2), np.nan)
        summary = metrics.summarise(_truth(3), truth, np.zeros((3, NUM_STEPS), bool))
    assert (summary.num_not_scorable, summary.num_scored) == (3, 0)
    assert math.isnan(summary.fde.mean)


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_prediction_that_is_not_finite_is_an_error_naming_the_sample(bad):
    truth = _truth(5)
    predicted = truth.copy()
    predicted[3, 7, 1] = bad
    with pytest.raises(ValueError, match='1 of 5 that are not, first at sample 3'):
        metrics.summarise(predicted, truth)


def test_valid_ground_truth_that_is_not_finite_is_an_error():
    truth = _truth(2)
    truth[1, 9] = np.nan
    with pytest.raises(ValueError, match='first at sample 1'):
        metrics.summarise(np.zeros_like(truth), truth)


def test_shapes_that_do_not_fit_are_errors():
    truth = _truth(2)
    with pytest.raises(ValueError, match=r'predicted: need shape \(N, 10, 2 or 3\), got'):
        metrics.displacement(truth[:, :9], truth)
    with pytest.raises(ValueError, match='as many predictions as truths, got 1, 2'):
        metrics.displacement(truth[:1], truth)
    with pytest.raises(ValueError, match='valid: need shape'):
        metrics.summarise(truth, truth, np.ones((2, 9), bool))
    with pytest.raises(ValueError, match='scenes: need 2 labels, got 1'):
        metrics.summarise(truth, truth, scenes=['a'])
    with pytest.raises(ValueError, match='horizon of 1 to 5 s, got 6'):
        metrics.at_horizon(np.zeros((1, NUM_STEPS)), 6)


def test_interval_is_repeatable_and_holds_the_mean():
    truth = _truth(50)
    predicted = truth + np.random.default_rng(2).normal(0.0, 1.0, truth.shape)
    first = metrics.summarise(predicted, truth, seed=3)
    assert first == metrics.summarise(predicted, truth, seed=3)
    assert first.ade.low < first.ade.mean < first.ade.high


def test_one_scene_has_no_interval():
    summary = metrics.summarise(_truth(5), _truth(5, seed=1), scenes=['drive'] * 5)
    assert math.isnan(summary.ade.low)
    assert not math.isnan(summary.ade.mean)


def test_hundred_thousand_windows_are_scored_in_seconds():
    truth = _truth(100_000)
    start = time.perf_counter()
    metrics.summarise(truth + 1.0, truth, num_resamples=100)
    assert time.perf_counter() - start < 10.0  # a guard against loops, not a benchmark


def test_latency_percentiles_of_known_values():
    latency = metrics.percentiles(np.arange(101.0))
    assert (latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.n) == (50.0, 95.0, 99.0, 101)
    assert metrics.percentiles_to_json(metrics.percentiles([]))['p50_ms'] is None
