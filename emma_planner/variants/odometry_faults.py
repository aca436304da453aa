"""What goes wrong with the measured ego motion, in five severities."""

from __future__ import annotations

import numpy as np

from emma_planner.planning.types import FloatArray, PlannerInput
from emma_planner.variants.change import Change, Context, with_motion

_NOISE_MPS = (0.1, 0.25, 0.5, 1.0, 2.0)
_NOISE_1PM = (0.0005, 0.001, 0.0025, 0.005, 0.01)
_BIAS = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Share of the speed that is measured too much, as wheels of another size do."""
_YAW_BIAS_RADPS = (0.002, 0.005, 0.01, 0.02, 0.05)
_DROPOUTS = (0.1, 0.2, 0.35, 0.5, 0.8)
_LATE_STEPS = (1, 2, 3, 4, 6)
LEAST_MPS = 0.5
"""A yaw rate makes a curvature from here on."""


def odometry_noise(severity: int) -> Change:
    """Add noise to every sample."""

    def change(planner_input: PlannerInput, context: Context) -> PlannerInput:
        past, rng = planner_input.history, context.rng
        count = len(past.speeds_mps)
        return with_motion(
            planner_input,
            past.speeds_mps + rng.normal(0.0, _NOISE_MPS[severity - 1], count),
            past.curvatures_1pm + rng.normal(0.0, _NOISE_1PM[severity - 1], count),
        )

    return change


def odometry_bias(severity: int) -> Change:
    """Measure speeds too high and a yaw rate that is not there."""

    def change(planner_input: PlannerInput, _: Context) -> PlannerInput:
        past = planner_input.history
        speeds = past.speeds_mps * (1.0 + _BIAS[severity - 1])
        turning = np.where(
            np.abs(speeds) < LEAST_MPS, 0.0, _YAW_BIAS_RADPS[severity - 1] / _away_from_0(speeds)
        )
        return with_motion(planner_input, speeds, past.curvatures_1pm + turning)

    return change


def odometry_dropouts(severity: int) -> Change:
    """Repeat the sample before where one is lost."""

    def change(planner_input: PlannerInput, context: Context) -> PlannerInput:
        past = planner_input.history
        kept = context.rng.random(len(past.speeds_mps)) >= _DROPOUTS[severity - 1]
        kept[0] = True
        last = np.maximum.accumulate(np.where(kept, np.arange(len(kept)), 0))
        return with_motion(planner_input, past.speeds_mps[last], past.curvatures_1pm[last])

    return change


def odometry_late(severity: int) -> Change:
    """Tell a motion that is some steps of 0.5 s old."""

    def change(planner_input: PlannerInput, _: Context) -> PlannerInput:
        past, late = planner_input.history, _LATE_STEPS[severity - 1]
        at = np.maximum(np.arange(len(past.speeds_mps)) - late, 0)
        return with_motion(planner_input, past.speeds_mps[at], past.curvatures_1pm[at])

    return change


def _away_from_0(speeds: FloatArray) -> FloatArray:
    return np.where(np.abs(speeds) < LEAST_MPS, LEAST_MPS, speeds)
