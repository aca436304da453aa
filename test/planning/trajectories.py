"""Trajectories made of speeds and curvatures."""

from __future__ import annotations

import numpy as np

from emma_planner.planning.kinematics import integrate
from emma_planner.planning.types import Trajectory


def trajectory_of(speeds=8.0, curvatures=0.0) -> Trajectory:
    """Take one number for all steps, or one each."""
    speeds = np.broadcast_to(np.asarray(speeds, dtype=float), 10)
    curvatures = np.broadcast_to(np.asarray(curvatures, dtype=float), 10)
    return Trajectory(speeds, curvatures, integrate(speeds, curvatures))
