"""Builders that the planning tests share: histories, inputs, and ego motion on a circle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from emma_planner.planning.ego_tracks import PoseSample, TwistSample
from emma_planner.planning.types import CameraFrame, EgoHistory, PlannerInput, Pose

T0_NS = 1_700_000_000_123_456_789
"""A stamp of this century: float64 cannot hold it to the nanosecond."""


@pytest.fixture
def t0_ns() -> int:
    return T0_NS


@pytest.fixture
def make_history() -> Callable[..., EgoHistory]:
    def make(speeds=8.0, curvatures=0.0, stamp_ns=T0_NS, pose=(3.0, -2.0, 0.7), frame_id='odom'):
        return EgoHistory(
            stamp_ns,
            np.broadcast_to(speeds, 10),
            np.broadcast_to(curvatures, 10),
            Pose(*pose),
            frame_id,
        )

    return make


@pytest.fixture
def make_input(make_history) -> Callable[..., PlannerInput]:
    def make(stamp_ns=T0_NS, command='follow lane', **history):
        frame = CameraFrame(stamp_ns, 'front', np.zeros((2, 3, 3), dtype=np.uint8))
        return PlannerInput((frame,), make_history(stamp_ns=stamp_ns, **history), command)

    return make


@pytest.fixture
def drive() -> Callable[..., tuple[list[PoseSample], list[TwistSample]]]:
    """Samples of a car on a circle (or a line), exact to rounding."""

    def make(times_s, speed=8.0, curvature=0.05, start=(10.0, 20.0, 2.5), stamp_ns=T0_NS):
        poses, twists = [], []
        for time_s in times_s:
            arc, (x, y, yaw) = speed * time_s, start
            if curvature == 0.0:
                dx, dy = arc, 0.0
            else:
                dx = np.sin(curvature * arc) / curvature
                dy = (1.0 - np.cos(curvature * arc)) / curvature
            sample_ns = stamp_ns + round(time_s * 1e9)
            poses.append(
                PoseSample(
                    sample_ns,
                    float(x + np.cos(yaw) * dx - np.sin(yaw) * dy),
                    float(y + np.sin(yaw) * dx + np.cos(yaw) * dy),
                    float((yaw + curvature * arc + np.pi) % (2 * np.pi) - np.pi),
                )
            )
            twists.append(TwistSample(sample_ns, speed, speed * curvature))
        return poses, twists

    return make
