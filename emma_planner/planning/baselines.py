"""Kinematic baselines: what a planner must beat before its error says anything.

No image, no model. LightEMMA (arXiv 2505.00284) and OpenEMMA's published numbers lie above the
error of these on most frames.
"""

from __future__ import annotations

import numpy as np

from emma_planner.planning.kinematics import integrate
from emma_planner.planning.types import (
    DT_S,
    NUM_STEPS,
    EgoHistory,
    FloatArray,
    Plan,
    PlannerInput,
    Trajectory,
)

ACCELERATION_SAMPLES = 3
"""Acceleration is the mean over the last second of history."""


def constant_action(history: EgoHistory) -> Trajectory:
    """Keep the current speed and curvature."""
    return _trajectory(np.full(NUM_STEPS, history.speeds_mps[-1]), history.curvatures_1pm[-1])


def constant_velocity(history: EgoHistory) -> Trajectory:
    """Keep the current speed, straight on."""
    return _trajectory(np.full(NUM_STEPS, history.speeds_mps[-1]), 0.0)


def half_acceleration(history: EgoHistory) -> Trajectory:
    """Keep the curvature and half of the current acceleration; never change direction."""
    recent = history.speeds_mps[-ACCELERATION_SAMPLES:]
    acceleration = (recent[-1] - recent[0]) / ((len(recent) - 1) * DT_S)
    # mid-interval speeds: step k holds over ((k-1) dt, k dt]
    time_s = (np.arange(NUM_STEPS) + 0.5) * DT_S
    speeds = recent[-1] + 0.5 * acceleration * time_s
    speeds = np.maximum(speeds, 0.0) if recent[-1] >= 0.0 else np.minimum(speeds, 0.0)
    return _trajectory(speeds, history.curvatures_1pm[-1])


def _trajectory(speeds_mps: FloatArray, curvature_1pm: float) -> Trajectory:
    curvatures = np.full(NUM_STEPS, curvature_1pm)
    return Trajectory(speeds_mps, curvatures, integrate(speeds_mps, curvatures))


BASELINES = {
    'constant-action': constant_action,
    'constant-velocity': constant_velocity,
    'half-acceleration': half_acceleration,
}


class BaselinePlanner:
    """A baseline as a planner.

    :param name: a key of :data:`BASELINES`
    """

    def __init__(self, name: str) -> None:
        if name not in BASELINES:
            raise ValueError(f'need one of {", ".join(BASELINES)}, got {name!r}')
        self._name = name

    @property
    def name(self) -> str:
        """The baseline's name."""
        return self._name

    def plan(self, planner_input: PlannerInput, time_limit_s: float | None = None) -> Plan:
        """Continue the ego motion; looks at nothing else."""
        trajectory = BASELINES[self._name](planner_input.history)
        return Plan(stamp_ns=planner_input.stamp_ns, trajectory=trajectory)
