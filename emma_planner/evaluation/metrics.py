"""Open-loop scores of predicted waypoints against the recorded future.

Arrays in, figures out: ``(N, 10, 2 or 3)`` predicted poses and ground truth in base_link of t0
at t0 + 0.5 s ... t0 + 5 s, with a mask where the recording ends early. "L2 at 1/2/3 s" means three
different things in the literature, so all three are computed and named:

- ``at_horizon``: the distance at that instant (UniAD, arXiv 2212.10156)
- ``averaged``: the mean over all waypoints up to it (ST-P3, arXiv 2207.07601; VAD)
- ``window``: the mean over the waypoints of that second (LightEMMA, arXiv 2505.00284)

No sample is left out quietly: a figure carries the number of samples behind it, and a summary the
number that could not be scored. Knows no planner, no file and no ROS.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emma_planner.intervals import (
    NUM_RESAMPLES,
    Figure,
    figure_to_json,
    finite_or_none,
    mean_figures,
    ratio,
)
from emma_planner.planning.types import DT_S, NUM_STEPS, FloatArray

BoolArray = NDArray[np.bool_]

HORIZONS_S = (1, 2, 3, 5)
"""Horizons of every convention [s]."""
MISS_M = 2.0
"""A final displacement above this is a miss [m] (Argoverse, arXiv 1911.02620)."""
GROSS_M = 10.0
"""An error above this within the first second is a gross failure [m] (OpenEMMA, 2412.15208)."""
_STEPS_PER_S = round(1.0 / DT_S)


@dataclass(frozen=True)
class Summary:
    """Scores of one planner over one set of windows.

    :param n: windows asked for: scored, not scorable and unplanned
    :param num_scored: windows with a trajectory and at least one waypoint of ground truth
    :param num_short: those among the scored whose ground truth ends before 5 s
    :param num_not_scorable: windows with a trajectory but no ground truth at all
    :param num_unplanned: windows for which the planner gave no trajectory
    :param at_horizon: L2 [m] at 1, 2, 3, 5 s
    :param averaged: L2 [m] averaged up to 1, 2, 3, 5 s
    :param window: L2 [m] over the second that ends at 1, 2, 3, 5 s
    :param ade: mean L2 [m] over all waypoints that have ground truth
    :param fde: L2 [m] at the last waypoint that has ground truth
    :param miss_rate: share of samples with FDE > 2 m
    :param gross_failure_rate: share of samples with L2 > 10 m within the first second
    """

    n: int
    num_scored: int
    num_short: int
    num_not_scorable: int
    num_unplanned: int
    at_horizon: tuple[Figure, ...]
    averaged: tuple[Figure, ...]
    window: tuple[Figure, ...]
    ade: Figure
    fde: Figure
    miss_rate: Figure
    gross_failure_rate: Figure


@dataclass(frozen=True)
class Percentiles:
    """Distribution of a latency [ms] over ``n`` plans; NaN where there is none."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    n: int


def summarise(
    predicted: ArrayLike,
    truth: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    scenes: Sequence[Any] | NDArray[Any] | None = None,
    num_unplanned: int = 0,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> Summary:
    """Score a set of windows; the order of the windows does not matter.

    :param predicted: ``(N, 10, 2 or 3)`` x [m], y [m], (yaw) in base_link of t0
    :param truth: ``(N, 10, 2 or 3)`` recorded poses in the same frame; anything where not valid
    :param valid: ``(N, 10)`` where ground truth exists; None for everywhere
    :param scenes: ``(N,)`` scene of each window, the unit of the bootstrap; None: each its own
    :param num_unplanned: further windows for which the planner gave no trajectory
    :param seed: of the bootstrap
    :param num_resamples: of the bootstrap
    :raises ValueError: shapes do not match, a prediction or valid ground truth is not finite
    """
    errors, mask = _checked(predicted, truth, valid)
    figures = mean_figures(_columns(errors, mask), scenes, seed=seed, num_resamples=num_resamples)
    num = len(HORIZONS_S)
    ends = mask.sum(axis=1)
    scored = int((ends > 0).sum())
    return Summary(
        n=len(errors) + num_unplanned,
        num_scored=scored,
        num_short=int(((ends > 0) & ~mask[:, -1]).sum()),
        num_not_scorable=len(errors) - scored,
        num_unplanned=num_unplanned,
        at_horizon=tuple(figures[:num]),
        averaged=tuple(figures[num : 2 * num]),
        window=tuple(figures[2 * num : 3 * num]),
        ade=figures[-4],
        fde=figures[-3],
        miss_rate=figures[-2],
        gross_failure_rate=figures[-1],
    )


def displacement(predicted: ArrayLike, truth: ArrayLike) -> FloatArray:
    """L2 distance per waypoint.

    :param predicted: ``(N, 10, 2 or 3)`` x [m], y [m], ... in base_link of t0
    :param truth: ``(N, 10, 2 or 3)`` in the same frame; NaN where there is none
    :returns: ``(N, 10)`` [m], NaN where truth is
    :raises ValueError: shapes do not match or a prediction is not finite
    """
    first, second = _positions(predicted, 'predicted'), _positions(truth, 'truth')
    if len(first) != len(second):
        raise ValueError(f'need as many predictions as truths, got {len(first)}, {len(second)}')
    bad = np.atleast_1d(~np.isfinite(first).all(axis=(1, 2)))
    if bad.any():
        raise ValueError(
            f'need finite predictions, got {int(bad.sum())} of {len(bad)} that are not, '
            f'first at sample {int(bad.argmax())}'
        )
    distance: FloatArray = np.hypot(first[..., 0] - second[..., 0], first[..., 1] - second[..., 1])
    return distance


def at_horizon(errors: FloatArray, horizon_s: int, valid: BoolArray | None = None) -> FloatArray:
    """Error at the instant t0 + ``horizon_s`` (UniAD).

    :param errors: ``(N, 10)`` [m], of :func:`displacement`
    :param horizon_s: whole seconds, 1 to 5
    :param valid: ``(N, 10)`` where ground truth exists; None for everywhere
    :returns: ``(N,)`` [m], NaN where the ground truth ends earlier
    """
    end = _end(horizon_s)
    return _mean_over(errors, valid, end - 1, end)


def averaged(errors: FloatArray, horizon_s: int, valid: BoolArray | None = None) -> FloatArray:
    """Mean error over all waypoints up to t0 + ``horizon_s`` (ST-P3, VAD).

    Parameters and result as :func:`at_horizon`.
    """
    return _mean_over(errors, valid, 0, _end(horizon_s))


def window(errors: FloatArray, horizon_s: int, valid: BoolArray | None = None) -> FloatArray:
    """Mean error over the waypoints of the second that ends at t0 + ``horizon_s`` (LightEMMA).

    Parameters and result as :func:`at_horizon`.
    """
    end = _end(horizon_s)
    return _mean_over(errors, valid, end - _STEPS_PER_S, end)


def ade(errors: FloatArray, valid: BoolArray | None = None) -> FloatArray:
    """Average displacement: the mean over the waypoints that have ground truth.

    :returns: ``(N,)`` [m], NaN without any
    """
    mask = _mask(errors, valid)
    count = mask.sum(axis=1)
    return ratio(np.where(mask, errors, 0.0).sum(axis=1), count)


def fde(errors: FloatArray, valid: BoolArray | None = None) -> FloatArray:
    """Final displacement: the error at the last waypoint that has ground truth.

    :returns: ``(N,)`` [m], NaN without any
    """
    mask = _mask(errors, valid)
    last = errors.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
    return np.where(mask.any(axis=1), errors[np.arange(len(errors)), last], np.nan)


def miss(errors: FloatArray, valid: BoolArray | None = None) -> FloatArray:
    """Whether the final displacement is above 2 m.

    :returns: ``(N,)`` 1 or 0, NaN without ground truth
    """
    final = fde(errors, valid)
    return np.where(np.isnan(final), np.nan, final > MISS_M)


def gross_failure(errors: FloatArray, valid: BoolArray | None = None) -> FloatArray:
    """Whether the error is above 10 m anywhere within the first second.

    :returns: ``(N,)`` 1 or 0, NaN without ground truth in that second
    """
    mask = _mask(errors, valid)[:, :_STEPS_PER_S]
    above = (np.where(mask, errors[:, :_STEPS_PER_S], 0.0) > GROSS_M).any(axis=1)
    return np.where(mask.any(axis=1), above, np.nan)


def percentiles(latencies_ms: ArrayLike) -> Percentiles:
    """p50, p95 and p99 of latencies [ms]."""
    values = np.asarray(latencies_ms, dtype=np.float64).ravel()
    if not len(values):
        return Percentiles(math.nan, math.nan, math.nan, 0)
    p50, p95, p99 = np.percentile(values, (50, 95, 99)).tolist()
    return Percentiles(p50, p95, p99, len(values))


def summary_to_json(summary: Summary) -> dict[str, Any]:
    """Plain values for a JSON file; None for a figure that no sample supports."""
    conventions = ('at_horizon', 'averaged', 'window')
    return {
        'n': summary.n,
        'scored': summary.num_scored,
        'short': summary.num_short,
        'not_scorable': summary.num_not_scorable,
        'unplanned': summary.num_unplanned,
        'l2_m': {
            name: {
                f'{horizon}s': figure_to_json(figure)
                for horizon, figure in zip(HORIZONS_S, getattr(summary, name), strict=True)
            }
            for name in conventions
        },
        'ade_m': figure_to_json(summary.ade),
        'fde_m': figure_to_json(summary.fde),
        'miss_rate': figure_to_json(summary.miss_rate),
        'gross_failure_rate': figure_to_json(summary.gross_failure_rate),
    }


def percentiles_to_json(latency: Percentiles) -> dict[str, Any]:
    """Plain values for a JSON file; None without a plan."""
    return {
        'p50_ms': finite_or_none(latency.p50_ms),
        'p95_ms': finite_or_none(latency.p95_ms),
        'p99_ms': finite_or_none(latency.p99_ms),
        'n': latency.n,
    }


def _checked(
    predicted: ArrayLike, truth: ArrayLike, valid: ArrayLike | None
) -> tuple[FloatArray, BoolArray]:
    errors = displacement(predicted, truth)
    mask = _mask(errors, valid)
    bad = np.atleast_1d((mask & ~np.isfinite(errors)).any(axis=1))
    if bad.any():
        raise ValueError(
            f'need finite ground truth where valid, got {int(bad.sum())} of {len(bad)} samples '
            f'without, first at sample {int(bad.argmax())}'
        )
    return errors, mask


def _positions(poses: ArrayLike, name: str) -> FloatArray:
    array = np.asarray(poses, dtype=np.float64)
    if array.size == 0 and array.shape[0] == 0:
        return np.zeros((0, NUM_STEPS, 2))
    if array.ndim != 3 or array.shape[1] != NUM_STEPS or array.shape[2] not in (2, 3):
        raise ValueError(f'{name}: need shape (N, {NUM_STEPS}, 2 or 3), got {array.shape}')
    return array[..., :2]


def _mask(errors: FloatArray, valid: ArrayLike | None) -> BoolArray:
    if valid is None:
        return np.ones(errors.shape, dtype=np.bool_)
    mask = np.asarray(valid, dtype=np.bool_)
    if mask.size == 0 and errors.size == 0:
        return np.ones(errors.shape, dtype=np.bool_)
    if mask.shape != errors.shape:
        raise ValueError(f'valid: need shape {errors.shape}, got {mask.shape}')
    return mask


def _end(horizon_s: int) -> int:
    end = horizon_s * _STEPS_PER_S
    if not 0 < end <= NUM_STEPS:
        raise ValueError(f'need a horizon of 1 to {NUM_STEPS // _STEPS_PER_S} s, got {horizon_s}')
    return end


def _mean_over(errors: FloatArray, valid: BoolArray | None, start: int, end: int) -> FloatArray:
    complete = _mask(errors, valid)[:, start:end].all(axis=1)
    return np.where(complete, errors[:, start:end].mean(axis=1), np.nan)


def _columns(errors: FloatArray, mask: BoolArray) -> FloatArray:
    """Every score of every sample, ``(N, 16)``, in the order of :class:`Summary`."""
    scores = [
        convention(errors, horizon, mask)
        for convention in (at_horizon, averaged, window)
        for horizon in HORIZONS_S
    ]
    scores += [rule(errors, mask) for rule in (ade, fde, miss, gross_failure)]
    return np.stack(scores, axis=1)
