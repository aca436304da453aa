"""A plan and a driven path, as the writers take them."""

from __future__ import annotations

import numpy as np
import pytest

from emma_planner.planning.fallback import DrivenPath, Source
from emma_planner.planning.kinematics import integrate
from emma_planner.planning.types import EgoHistory, Plan, Pose, Reasoning, Trajectory


@pytest.fixture
def make_driven():
    def make(source=Source.PLAN):
        poses = integrate(np.full(10, 8.0), np.full(10, 0.02))
        stamps = tuple(k * 500_000_000 for k in range(1, 11))
        return DrivenPath(source, 'odom', stamps, poses, np.full(10, 8.0))

    return make


@pytest.fixture
def history():
    return EgoHistory(7, np.full(10, 8.0), np.full(10, 0.02), Pose(1.0, 2.0, 0.5), 'odom')


@pytest.fixture
def make_plan():
    def make(intent='keep lane', **more):
        speeds, curvatures = np.full(10, 8.0), np.full(10, 0.02)
        trajectory = Trajectory(speeds, curvatures, integrate(speeds, curvatures))
        return Plan(7, trajectory, Reasoning('a road', ('a car',), intent), **more)

    return make
