"""Means and ratios over samples with their 95 % bootstrap intervals.

Arrays in, figures out. The unit of the bootstrap is the scene: windows of one drive, or drives of
one scenario, are no independent samples. Knows neither what is measured nor a file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emma_planner.planning.types import FloatArray

Scenes = Sequence[Any] | NDArray[Any] | None

NUM_RESAMPLES = 1000


@dataclass(frozen=True)
class Figure:
    """A mean over samples with its 95 % bootstrap interval.

    :param mean: NaN where no sample could be scored
    :param low: lower end; NaN for fewer than two scenes, which tell nothing about their spread
    :param high: upper end
    :param n: samples behind the mean
    """

    mean: float
    low: float
    high: float
    n: int


def mean_figures(
    values: FloatArray,
    scenes: Scenes = None,
    *,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> list[Figure]:
    """Mean and interval of every column.

    :param values: ``(N, M)``, NaN where a sample has no value
    :param scenes: ``(N,)`` scene of each sample; None: each its own
    :param seed: of the bootstrap
    :returns: M figures
    """
    known = np.isfinite(values)
    counts = known.sum(axis=0)
    means = ratio(np.where(known, values, 0.0).sum(axis=0), counts)
    low, high = bootstrap(
        values, scenes, rng=np.random.default_rng(seed), num_resamples=num_resamples
    )
    rows = zip(means.tolist(), low.tolist(), high.tolist(), counts.tolist(), strict=True)
    return [Figure(*row) for row in rows]


def ratio_figures(
    numerators: FloatArray,
    denominator: FloatArray,
    scenes: Scenes = None,
    *,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> list[Figure]:
    """Sum of every column over the sum of the denominator, as events per kilometre are.

    A long drive weighs more than a short one, unlike in a mean of ratios.

    :param numerators: ``(N, M)``, finite
    :param denominator: ``(N,)``, finite and >= 0
    :param scenes: ``(N,)`` scene of each sample; None: each its own
    :param seed: of the bootstrap
    :returns: M figures, NaN where the denominators sum to 0
    """
    below = np.repeat(denominator[:, None], numerators.shape[1], axis=1)
    means = ratio(numerators.sum(axis=0), below.sum(axis=0))
    low, high = _resampled(
        _per_scene(numerators, scenes),
        _per_scene(below, scenes),
        np.random.default_rng(seed),
        num_resamples,
    )
    rows = zip(means.tolist(), low.tolist(), high.tolist(), strict=True)
    return [Figure(*row, len(numerators)) for row in rows]


def bootstrap(
    values: FloatArray,
    scenes: Scenes = None,
    *,
    rng: np.random.Generator,
    num_resamples: int = NUM_RESAMPLES,
) -> tuple[FloatArray, FloatArray]:
    """95 % percentile intervals of column means, by drawing whole scenes with replacement.

    :param values: ``(N, M)``, NaN where a sample has no value
    :param scenes: ``(N,)`` scene of each sample; None: each its own
    :returns: lower and upper ends, ``(M,)`` each; NaN for fewer than two scenes
    """
    known = np.isfinite(values)
    sums = _per_scene(np.where(known, values, 0.0), scenes)
    counts = _per_scene(known.astype(np.float64), scenes)
    return _resampled(sums, counts, rng, num_resamples)


def ratio(numerator: FloatArray, denominator: ArrayLike) -> FloatArray:
    """Quotient, NaN where the denominator is 0."""
    below = np.asarray(denominator, dtype=np.float64)
    nothing = np.full(numerator.shape, np.nan)
    np.divide(numerator, below, out=nothing, where=below > 0)
    return nothing


def figure_to_json(figure: Figure) -> dict[str, Any]:
    """Plain values for a JSON file; None for what no sample supports."""
    return {
        'mean': finite_or_none(figure.mean),
        'low': finite_or_none(figure.low),
        'high': finite_or_none(figure.high),
        'n': figure.n,
    }


def finite_or_none(value: float) -> float | None:
    """JSON knows neither NaN nor infinity."""
    return value if math.isfinite(value) else None


def _per_scene(values: FloatArray, scenes: Scenes) -> FloatArray:
    """Sums of the columns over each scene, ``(S, M)``."""
    if scenes is None:
        return values
    if len(scenes) != len(values):
        raise ValueError(f'scenes: need {len(values)} labels, got {len(scenes)}')
    labels, group = np.unique(np.asarray(scenes), return_inverse=True)
    sums = np.zeros((len(labels), values.shape[1]))
    np.add.at(sums, group.ravel(), values)
    return sums


def _resampled(
    sums: FloatArray, counts: FloatArray, rng: np.random.Generator, num_resamples: int
) -> tuple[FloatArray, FloatArray]:
    num_scenes, num_columns = sums.shape
    nothing = np.full(num_columns, np.nan)
    if num_scenes < 2:
        return nothing, nothing
    order = np.lexsort(np.hstack([sums, counts]).T)  # the result must not depend on the order
    both = np.hstack([sums, counts])[order]
    totals = np.empty((num_resamples, 2 * num_columns))
    for row in totals:
        drawn = rng.integers(0, num_scenes, size=num_scenes)
        row[:] = np.bincount(drawn, minlength=num_scenes).astype(np.float64) @ both
    means = ratio(totals[:, :num_columns], totals[:, num_columns:])
    ends = [_quantiles(column) for column in means.T]
    return np.array([low for low, _ in ends]), np.array([high for _, high in ends])


def _quantiles(values: FloatArray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return math.nan, math.nan
    low, high = np.percentile(finite, (2.5, 97.5)).tolist()
    return low, high
