"""A plan and what is driven after it, drawn on the camera picture it was planned from."""

from __future__ import annotations

from typing import Any

import numpy as np

from emma_planner.config import PlannerConfig
from emma_planner.perception.camera import Camera, mounted_camera, mounting_of
from emma_planner.planning.fallback import DrivenPath, Source
from emma_planner.planning.kinematics import integrate, invert, to_base
from emma_planner.planning.types import NUM_STEPS, ByteArray, EgoHistory, Plan, Trajectory
from emma_planner.visualization.overlay import draw_plan, plan_text

_SAID = {
    Source.PLAN: 'plan',
    Source.LAST_PLAN: 'rest of the last plan',
    Source.STOP: 'stop',
    Source.NONE: 'no path',
}
"""What is driven, for people."""


def camera_of(config: PlannerConfig, camera_info: Any, rgb: ByteArray) -> Camera:
    """Return the camera: calibrated where CameraInfo says something, else by its field of view.

    :param camera_info: sensor_msgs/CameraInfo of ROS 2 (``k``) or ROS 1 (``K``), None without
    :param rgb: ``(H, W, 3)`` a picture of the camera
    """
    height, width = rgb.shape[:2]
    if camera_info is None:
        return mounted_camera(config, width, height)
    matrix = camera_info.k if hasattr(camera_info, 'k') else camera_info.K
    try:
        return Camera.from_matrix(
            matrix, camera_info.width, camera_info.height, **mounting_of(config)
        )
    except ValueError:  # drivers without a calibration send zeros
        return mounted_camera(config, width, height)


def draw(
    rgb: ByteArray,
    plan: Plan,
    driven: DrivenPath,
    history: EgoHistory,
    camera: Camera,
    model: str,
) -> ByteArray:
    """Draw a plan; a fallback shows in its place, under a banner with the reason code.

    :param rgb: ``(H, W, 3)`` the picture that was planned from
    :param driven: what is driven after the plan
    :param model: name of what planned
    """
    title, lines = plan_text(plan, float(history.speeds_mps[-1]), model)
    if not plan.valid:
        ends = driven.speeds_mps[-1] if len(driven.speeds_mps) else 0.0
        title = f'{history.speeds_mps[-1]:.1f} -> {ends:.1f} m/s, {_SAID[driven.source]}'
        lines = (*lines, 'red line: the rejected plan') if plan.trajectory is not None else lines
    return draw_plan(
        rgb,
        plan.trajectory,
        camera,
        title=title,
        lines=lines,
        valid=plan.valid,
        reason=str(plan.reason or ''),
        fallback=None if plan.valid else _as_trajectory(driven, history),
    )


def _as_trajectory(driven: DrivenPath, history: EgoHistory) -> Trajectory | None:
    """A fallback path in base_link; a path that ends early stands still at its end."""
    if not driven.stamps_ns:
        return None
    poses = to_base(driven.poses, history.ego_pose)[:NUM_STEPS]
    padded = np.vstack([poses, np.repeat(poses[-1:], NUM_STEPS - len(poses), axis=0)])
    speeds, curvatures = invert(padded)
    return Trajectory(speeds, curvatures, integrate(speeds, curvatures))
