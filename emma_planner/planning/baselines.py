"""Kinematic baselines: what a planner must beat before its error says anything.

No image, no model. LightEMMA (arXiv 2505.00284) and OpenEMMA's published numbers lie above the
error of these on most frames.
"""

from __future__ import annotations

from collections.abc import Callable

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


Actions = tuple[FloatArray, FloatArray]
"""Speeds ``(..., 10)`` [m/s] and curvatures ``(..., 10)`` [1/m]."""


def constant_action(history: EgoHistory) -> Trajectory:
    """Keep the current speed and curvature."""
    return _trajectory(_constant_action, history)


def constant_velocity(history: EgoHistory) -> Trajectory:
    """Keep the current speed, straight on."""
    return _trajectory(_constant_velocity, history)


def half_acceleration(history: EgoHistory) -> Trajectory:
    """Keep the curvature and half of the current acceleration; never change direction."""
    return _trajectory(_half_acceleration, history)


def _constant_action(speeds: FloatArray, curvatures: FloatArray) -> Actions:
    return _held(speeds), _held(curvatures)


def _constant_velocity(speeds: FloatArray, curvatures: FloatArray) -> Actions:
    return _held(speeds), np.zeros_like(_held(curvatures))


def _half_acceleration(speeds: FloatArray, curvatures: FloatArray) -> Actions:
    recent = speeds[..., -ACCELERATION_SAMPLES:]
    now = recent[..., -1:]
    acceleration = (now - recent[..., :1]) / ((ACCELERATION_SAMPLES - 1) * DT_S)
    # mid-interval speeds: step k holds over ((k-1) dt, k dt]
    time_s = (np.arange(NUM_STEPS) + 0.5) * DT_S
    then = now + 0.5 * acceleration * time_s
    then = np.where(now >= 0.0, np.maximum(then, 0.0), np.minimum(then, 0.0))
    return then, _held(curvatures)


def _held(values: FloatArray) -> FloatArray:
    return np.repeat(values[..., -1:], NUM_STEPS, axis=-1)


def _trajectory(
    law: Callable[[FloatArray, FloatArray], Actions], history: EgoHistory
) -> Trajectory:
    speeds, curvatures = law(history.speeds_mps, history.curvatures_1pm)
    return Trajectory(speeds, curvatures, integrate(speeds, curvatures))


BASELINES = {
    'constant-action': constant_action,
    'constant-velocity': constant_velocity,
    'half-acceleration': half_acceleration,
}
_LAWS = {
    'constant-action': _constant_action,
    'constant-velocity': _constant_velocity,
    'half-acceleration': _half_acceleration,
}


def baseline_poses(name: str, histories: FloatArray) -> FloatArray:
    """Return what a baseline plans from many histories at once.

    :param histories: ``(N, 10, 2)`` speed [m/s], curvature [1/m], oldest first
    :returns: ``(N, 10, 3)`` x [m], y [m], yaw [rad], base_link of each t0
    """
    return integrate(*_LAWS[name](histories[..., 0], histories[..., 1]))


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
