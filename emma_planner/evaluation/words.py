"""What was said against what is true, and what it has to do with the plan.

Predictions in, one row of 0, 1 or NaN each out; NaN where there is nothing to compare.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emma_planner.evaluation.predictions import Prediction
from emma_planner.planning.checks import intent_agrees
from emma_planner.planning.kinematics import invert
from emma_planner.planning.statements import Said, read
from emma_planner.planning.types import FloatArray, Trajectory

LEAD_TOLERANCE = 0.2
"""A lead's distance is right within this share of it, or 1 m: what words can say."""
WORDS = ('known', 'light', 'lead', 'intent', 'agrees')
"""Columns: a scene is not said to be unknown; the light is said as it is, none included; the lead
is said where there is one, at its distance, and not elsewhere; the change of speed is said as the
true words say it; the plan does what its own intent says."""


def word_scores(predictions: Sequence[Prediction]) -> FloatArray:
    """Return ``(N, 5)`` scores in the order of :data:`WORDS`."""
    return np.array([_row(item) for item in predictions], dtype=np.float64).reshape(-1, len(WORDS))


def _row(item: Prediction) -> list[float]:
    is_silent = not (item.said.scene or item.said.objects or item.said.intent)
    agrees = None
    if item.said.intent and item.poses is not None and np.isfinite(item.poses).all():
        agrees = intent_agrees(item.said.intent, Trajectory(*invert(item.poses), item.poses))
    agreed = np.nan if agrees is None else float(agrees)
    if item.true is None:
        return [np.nan] * 4 + [agreed]
    if is_silent and item.reason:
        return [0.0] * 4 + [agreed]
    if is_silent:
        return [np.nan] * 5
    true, said = read(item.true), read(item.said)
    return [
        float(said.is_known),
        float(said.light == true.light),
        float(_same_lead(said, true)),
        float(said.intent == true.intent),
        agreed,
    ]


def _same_lead(said: Said, true: Said) -> bool:
    if said.lead_m is None or true.lead_m is None:
        return said.lead_m is true.lead_m
    return abs(said.lead_m - true.lead_m) <= max(LEAD_TOLERANCE * true.lead_m, 1.0)
