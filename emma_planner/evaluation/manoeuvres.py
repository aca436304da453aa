"""Errors by what was driven, so that the mix of a test set does not hide what is rare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from emma_planner.evaluation.metrics import ade, displacement
from emma_planner.evaluation.open_loop import blocks, predicted_and_truth
from emma_planner.evaluation.predictions import Prediction
from emma_planner.intervals import Figure, mean_figures
from emma_planner.planning.checks import STOPPED_MPS, lateral_motion, longitudinal_motion
from emma_planner.planning.kinematics import invert
from emma_planner.planning.types import FloatArray, Trajectory

UNKNOWN = 'not known to its end'
LEAST = 5
"""A rarer manoeuvre has no figure of its own in the balanced mean."""


def manoeuvre_of(item: Prediction) -> str:
    """Return what was driven: standing, starting, stopping, turning, or a change of speed."""
    if not np.isfinite(item.truth).all():
        return UNKNOWN
    future = Trajectory(*invert(item.truth), item.truth)
    change, side = longitudinal_motion(future), lateral_motion(future)
    stands = item.history is not None and abs(float(item.history[-1, 0])) < STOPPED_MPS
    if stands:
        return 'standing' if change == 'stop' else 'starting'
    if change == 'stop':
        return 'stopping'
    if side != 'straight':
        return f'turning {side}'
    return {'keep': 'steady', 'accelerate': 'accelerating', 'decelerate': 'decelerating'}[change]


def by_manoeuvre(
    predictions: Sequence[Prediction], *, seed: int = 0
) -> list[tuple[str, int, Figure]]:
    """Return ADE [m] of each manoeuvre, most frequent first.

    :returns: name, windows, figure over those with a trajectory
    """
    names = [manoeuvre_of(item) for item in predictions]
    errors, scenes = errors_of(predictions), blocks(predictions)
    found = []
    for name, count in Counter(names).most_common():
        chosen = [k for k, other in enumerate(names) if other == name]
        (figure,) = mean_figures(errors[chosen][:, None], [scenes[k] for k in chosen], seed=seed)
        found.append((name, count, figure))
    return found


def balanced_ade_m(rows: Sequence[tuple[str, int, Figure]]) -> float:
    """Return the mean ADE [m] over manoeuvres: what a test set of equal shares would give.

    :param rows: of :func:`by_manoeuvre`
    """
    means = [
        figure.mean
        for name, count, figure in rows
        if name != UNKNOWN and count >= LEAST and np.isfinite(figure.mean)
    ]
    return float(np.mean(means)) if means else float('nan')


def errors_of(predictions: Sequence[Prediction]) -> FloatArray:
    """Return ADE [m] of each, NaN without a trajectory or truth."""
    found = np.full(len(predictions), np.nan)
    planned = [k for k, item in enumerate(predictions) if item.poses is not None]
    poses, truth, known = predicted_and_truth(predictions)
    if planned:
        found[planned] = ade(displacement(poses, truth), known)
    return found
