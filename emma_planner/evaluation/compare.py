"""Two runs on the same windows, or the same scenarios: how far apart, and is it chance.

Rows of figures in, one comparison each out. Scenes are the unit: windows of one drive are no
independent samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emma_planner.evaluation.manoeuvres import errors_of
from emma_planner.evaluation.open_loop import blocks
from emma_planner.evaluation.predictions import Prediction
from emma_planner.intervals import Figure, figure_to_json, finite_or_none, mean_figures
from emma_planner.planning.types import FloatArray

NUM_PERMUTATIONS = 10_000


@dataclass(frozen=True)
class Change:
    """What a variant changes of one figure.

    :param before: mean of the base where both have a value
    :param after: mean of the variant there
    :param change: mean of the differences, with its interval
    :param p_value: chance of a difference this large if the variant changed nothing (two-sided
        sign-flip permutation test over scenes); NaN for fewer than two scenes
    """

    before: float
    after: float
    change: Figure
    p_value: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            'before': finite_or_none(self.before),
            'after': finite_or_none(self.after),
            'change': figure_to_json(self.change),
            'p_value': finite_or_none(self.p_value),
        }


def compare(
    before: FloatArray, after: FloatArray, scenes: Sequence[str], *, seed: int = 0
) -> Change:
    """Compare two columns, sample by sample.

    :param before: ``(N,)``, NaN where a sample has no value
    :param after: ``(N,)``
    :param scenes: ``(N,)``
    """
    both = np.isfinite(before) & np.isfinite(after)
    apart = (after - before)[both]
    labels = [scenes[k] for k in np.flatnonzero(both).tolist()]
    (figure,) = mean_figures(apart[:, None], labels, seed=seed)
    if not len(apart):
        return Change(np.nan, np.nan, figure, np.nan)
    return Change(
        float(before[both].mean()),
        float(after[both].mean()),
        figure,
        _p_value(apart, labels, np.random.default_rng(seed)),
    )


def paired_errors(
    base: Sequence[Prediction], variant: Sequence[Prediction]
) -> tuple[FloatArray, FloatArray, FloatArray, list[str]]:
    """Return errors of the same windows.

    :returns: ADE [m] of the base and of the variant, ``(N,)`` each, NaN without a trajectory or
        truth; ``(N, 2)`` whether each gave no valid plan; and what each window counts to
    :raises ValueError: a window of the base is not in the variant, or the other way round
    """
    ours = {(item.scene, item.stamp_ns): item for item in base}
    others = {(item.scene, item.stamp_ns): item for item in variant}
    if ours.keys() != others.keys():
        count = len(ours.keys() ^ others.keys())
        raise ValueError(f'need the same windows in both runs, got {count} in one of them alone')
    pairs = [(ours[key], others[key]) for key in sorted(ours)]
    before, after = (errors_of([pair[k] for pair in pairs]) for k in (0, 1))
    failed = np.array([[bool(one.reason), bool(other.reason)] for one, other in pairs])
    return before, after, failed.astype(np.float64), blocks([one for one, _ in pairs])


def _p_value(apart: FloatArray, scenes: Sequence[str], rng: np.random.Generator) -> float:
    _, group = np.unique(np.asarray(scenes), return_inverse=True)
    sums = np.bincount(group.ravel(), weights=apart)
    if len(sums) < 2:
        return float('nan')
    signs = rng.choice((-1.0, 1.0), size=(NUM_PERMUTATIONS, len(sums)))
    as_large = np.abs(signs @ sums) >= abs(sums.sum()) - 1e-12
    return float((1 + as_large.sum()) / (1 + NUM_PERMUTATIONS))
