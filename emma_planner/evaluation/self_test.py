"""Does the evaluation measure what it says: checked on the very predictions that it scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from emma_planner.evaluation.metrics import HORIZONS_S, Summary, summarise
from emma_planner.evaluation.open_loop import predicted_and_truth
from emma_planner.evaluation.predictions import Prediction

OFFSET_M = 1.5
TOLERANCE_M = 1e-6


class SelfTestError(Exception):
    """The evaluation does not measure what it says."""


def self_test(predictions: Sequence[Prediction], seed: int = 0) -> None:
    """Check three laws: perfect is 0, an offset is that offset, order does not matter.

    :raises SelfTestError: names the law that does not hold
    """
    perfect = [replace(item, poses=item.truth) for item in predictions]
    _expect('a perfect prediction', _summary(perfect), 0.0)
    aside = np.array([0.0, OFFSET_M, 0.0])
    beside = [replace(item, poses=item.truth + aside) for item in predictions]
    _expect(f'a prediction {OFFSET_M:g} m aside', _summary(beside), OFFSET_M)
    order = np.random.default_rng(seed).permutation(len(predictions))
    one = _means(_summary(predictions))
    other = _means(_summary([predictions[k] for k in order]))
    if not np.allclose(one, other, rtol=0.0, atol=TOLERANCE_M, equal_nan=True):
        raise SelfTestError('need the same figures in any order, got others')


def _expect(what: str, summary: Summary, expected_m: float) -> None:
    found = _means(summary)
    off = np.abs(found - expected_m)
    if np.nanmax(off, initial=0.0) > TOLERANCE_M:
        raise SelfTestError(f'{what}: need {expected_m:g} m, got {found[np.nanargmax(off)]:g} m')


def _means(summary: Summary) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    figures = [
        getattr(summary, kind)[k]
        for kind in ('at_horizon', 'averaged', 'window')
        for k in range(len(HORIZONS_S))
    ]
    return np.array([figure.mean for figure in (*figures, summary.ade, summary.fde)])


def _summary(predictions: Sequence[Prediction]) -> Summary:
    predicted, truth, known = predicted_and_truth(predictions)
    return summarise(predicted, truth, known, num_resamples=0)
