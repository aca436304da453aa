"""Where a planner looks: how far its plan moves when a part of the picture is covered.

Zeiler, Fergus, Visualizing and understanding convolutional networks (ECCV 2014). For any planner.
"""

from __future__ import annotations

import numpy as np

from emma_planner.planning.planner import Planner
from emma_planner.planning.types import FloatArray, PlannerInput, Trajectory

ROWS, COLUMNS = 6, 11
GREY = 127


def occlusion_saliency(
    planner: Planner, planner_input: PlannerInput, rows: int = ROWS, columns: int = COLUMNS
) -> FloatArray:
    """Return how far the plan moves for each covered cell.

    :returns: ``(rows, columns)`` mean displacement of the waypoints [m]; NaN where a covered
        picture has no plan, all 0 where there is none without covering
    """
    whole = planner.plan(planner_input)
    moved = np.zeros((rows, columns))
    if whole.trajectory is None:
        return moved
    whole_rgb = planner_input.frames[0].rgb
    height, width = whole_rgb.shape[:2]
    downs = np.linspace(0, height, rows + 1).round().astype(int)
    rights = np.linspace(0, width, columns + 1).round().astype(int)
    for row in range(rows):
        for column in range(columns):
            rgb = whole_rgb.copy()
            rgb[downs[row] : downs[row + 1], rights[column] : rights[column + 1]] = GREY
            covered = planner.plan(planner_input.with_front(rgb))
            moved[row, column] = _apart(covered.trajectory, whole.trajectory)
    return moved


def _apart(covered: Trajectory | None, whole: Trajectory) -> float:
    if covered is None:
        return float('nan')
    apart = covered.poses[:, :2] - whole.poses[:, :2]
    return float(np.linalg.norm(apart, axis=1).mean())
