"""Covering the part that matters moves the plan; covering another does not."""

from __future__ import annotations

import numpy as np
import pytest

from emma_planner.evaluation.occlusion import GREY, occlusion_saliency
from emma_planner.planning.kinematics import integrate
from emma_planner.planning.types import (
    CameraFrame,
    EgoHistory,
    Plan,
    PlannerInput,
    Pose,
    Reason,
    Trajectory,
)


class Watcher:
    """Drives as fast as one corner of the picture is bright."""

    name = 'watcher'

    def plan(self, planner_input, time_limit_s=None):
        bright = planner_input.frames[0].rgb[:10, -10:].mean() / 255.0
        speeds = np.full(10, 10.0 * bright)
        poses = integrate(speeds, np.zeros(10))
        return Plan(planner_input.stamp_ns, Trajectory(speeds, np.zeros(10), poses))


class Silent:
    name = 'silent'

    def plan(self, planner_input, time_limit_s=None):
        return Plan(planner_input.stamp_ns, None, reason=Reason.FORMAT)


@pytest.fixture
def given():
    rgb = np.full((60, 110, 3), 255, dtype=np.uint8)
    history = EgoHistory(0, np.zeros(10), np.zeros(10), Pose(0, 0, 0), 'map')
    return PlannerInput((CameraFrame(0, 'front', rgb),), history)


def test_only_the_cell_that_is_looked_at_moves_the_plan(given):
    moved = occlusion_saliency(Watcher(), given)
    assert moved.shape == (6, 11)
    assert moved[0, -1] == pytest.approx(10.0 * (1 - GREY / 255) * 0.5 * 5.5)
    assert np.count_nonzero(moved) == 1
    assert (given.frames[0].rgb == 255).all()


def test_without_a_plan_nothing_is_looked_at(given):
    assert not occlusion_saliency(Silent(), given).any()
