"""Speed along a path that is planned anew at every step."""

from __future__ import annotations

import numpy as np
import pytest

from emma_planner.control.config import FollowerConfig
from emma_planner.control.path_reference import PathReference
from emma_planner.control.speed import SpeedControl
from emma_planner.control.timed_path import TimedPath


@pytest.mark.parametrize('acceleration', [-2.0, 1.5])
def test_a_path_that_begins_now_is_driven_with_all_of_its_acceleration(acceleration):
    times = np.linspace(0.0, 3.0, 31)
    poses = np.column_stack([8.0 * times + 0.5 * acceleration * times**2, times * 0, times * 0])
    path = TimedPath(0, 'map', poses, tuple(round(1e9 * t) for t in times))
    control = SpeedControl(FollowerConfig(max_jerk_mps3=100.0, actuation_delay_s=0.05))
    _, wanted = control.along(PathReference(path), 0.0, 0.0, 8.0, 0.1)
    assert wanted == pytest.approx(acceleration, rel=0.1)
