"""Who drives gets what the follower node gets, and does with it what that does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('metadrive')

from emma_planner.assemble import planner_of_process
from emma_planner.config import PlannerConfig
from emma_planner.planning.kinematics import integrate, to_frame
from emma_planner.planning.types import Pose
from emma_planner.recordings.plan_log import PlanLogHeader
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.drives.drive_files import DriveFiles, FilesOptions
from emma_planner.simulation.drives.drive_task import world_of_process
from emma_planner.simulation.drives.drivers import PlannerDriver
from emma_planner.simulation.scenario import scenario_of
from emma_planner.simulation.world import STEP_NS

CAMERA = CameraSettings(width=160, height=90)
CONFIG = PlannerConfig(planner='constant-action')
BACK_MPS = -0.6


def test_a_plan_that_goes_back_is_not_followed_and_the_drive_goes_on(tmp_path):
    world = world_of_process(CAMERA)
    now = world.reset(scenario_of('train', 5))
    header, records = PlanLogHeader('constant-action', 'constant-action', '0', 'back'), []
    with DriveFiles(tmp_path / 'drive', header, CAMERA, FilesOptions()) as files:
        driver = PlannerDriver(
            planner_of_process(CONFIG),
            CONFIG,
            world.vehicle,
            files.topics,
            files.make,
            latency_s=0.0,
            start_ns=now.stamp_ns,
            on_record=records.append,
        )
        for k in range(round(8e9 / STEP_NS)):  # it rolls back, as after a collision
            moved = integrate(np.array([BACK_MPS]), np.zeros(1), k * STEP_NS / 1e9)
            pose = Pose(*to_frame(moved, now.pose)[0])
            seen = replace(
                now,
                stamp_ns=now.stamp_ns + k * STEP_NS,
                pose=pose,
                speed_mps=BACK_MPS,
                image=np.zeros((90, 160, 3), np.uint8),
            )
            control = driver.control(seen)
    planned = [record['speeds_mps'] for record in records if record['speeds_mps']]
    assert len(planned) > 3
    assert planned[-1][-1] == pytest.approx(BACK_MPS, abs=0.05)
    assert control.speed_mps == 0.0
