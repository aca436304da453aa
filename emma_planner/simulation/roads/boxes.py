"""Oriented boxes in the plane: their corners, and when two that move at constant velocity overlap.

Boxes of any number against one. Knows neither traffic nor faults.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from emma_planner.planning.types import FloatArray, Pose


def corners_of(pose: Pose, rear_m: float, front_m: float, width_m: float) -> FloatArray:
    """Return the corners ``(4, 2)`` x, y [m] of a box along a pose.

    :param rear_m: its rear end along the pose's x, negative behind
    :param front_m: and its front end
    :returns: front left, front right, rear right, rear left
    """
    half = width_m / 2
    body = np.array([[front_m, half], [front_m, -half], [rear_m, -half], [rear_m, half]])
    cos, sin = math.cos(pose.yaw_rad), math.sin(pose.yaw_rad)
    corners: FloatArray = body @ np.array([[cos, sin], [-sin, cos]]) + (pose.x_m, pose.y_m)
    return corners


@dataclass(frozen=True, eq=False)
class Boxes:
    """N oriented boxes that move along constant velocities without turning.

    :param centres: ``(N, 2)`` x, y [m]
    :param yaws_rad: ``(N,)``
    :param half_lengths_m: ``(N,)`` along their own x
    :param half_widths_m: ``(N,)``
    :param velocities_mps: ``(N, 2)`` x, y
    """

    centres: FloatArray
    yaws_rad: FloatArray
    half_lengths_m: FloatArray
    half_widths_m: FloatArray
    velocities_mps: FloatArray


def box(
    centre: tuple[float, float], yaw_rad: float, length_m: float, width_m: float, speed_mps: float
) -> Boxes:
    """Return one box whose velocity points along its own x."""
    heading = np.array([[math.cos(yaw_rad), math.sin(yaw_rad)]])
    return Boxes(
        centres=np.array([centre]),
        yaws_rad=np.array([yaw_rad]),
        half_lengths_m=np.array([0.5 * length_m]),
        half_widths_m=np.array([0.5 * width_m]),
        velocities_mps=speed_mps * heading,
    )


def first_overlap(one: Boxes, others: Boxes) -> FloatArray:
    """Time until each of the others overlaps the one.

    Separating axes (Gottschalk, Lin & Manocha, OBBTree, SIGGRAPH 1996, section 5): two boxes
    overlap when their projections do on all four side directions. These do not turn, so that the
    distance along each is linear in time and overlaps in one interval; the boxes do in the
    intersection of the four. Exact, no step of time can jump over a thin box.

    :param one: a single box
    :returns: ``(N,)`` [s], 0 where they overlap now, inf where they never will; boxes that only
        touch do not overlap
    """
    axes = np.stack([*_sides(one, len(others.yaws_rad)), *_sides(others)], axis=1)  # (N, 4, 2)
    apart = _along(axes, others.centres - one.centres)
    speed = _along(axes, others.velocities_mps - one.velocities_mps)
    reach = _reach(axes, one) + _reach(axes, others)
    still = np.where(np.abs(apart) < reach, np.inf, -np.inf)  # without motion: always or never
    moves = np.abs(speed) > 1e-12
    pace = np.where(moves, speed, 1.0)
    middle, half = -apart / pace, reach / np.abs(pace)
    start = np.where(moves, middle - half, -still).max(axis=1)
    end = np.where(moves, middle + half, still).min(axis=1)
    return np.where((start < end) & (end > 0.0), np.maximum(start, 0.0), np.inf)


def _sides(boxes: Boxes, count: int | None = None) -> tuple[FloatArray, FloatArray]:
    """Unit vectors along the length and the width, ``(N, 2)`` each."""
    cos, sin = np.cos(boxes.yaws_rad), np.sin(boxes.yaws_rad)
    length, width = np.stack([cos, sin], axis=1), np.stack([-sin, cos], axis=1)
    if count is None:
        return length, width
    return np.repeat(length, count, axis=0), np.repeat(width, count, axis=0)


def _along(axes: FloatArray, vectors: FloatArray) -> FloatArray:
    """Components ``(N, 4)`` of vectors ``(N, 2)`` along axes ``(N, 4, 2)``."""
    return np.asarray(np.einsum('nkd,nd->nk', axes, vectors), dtype=np.float64)


def _reach(axes: FloatArray, boxes: Boxes) -> FloatArray:
    """Half of the boxes' projections on the axes, ``(N, 4)``."""
    length, width = _sides(boxes)
    count = (len(axes), 2)
    along = np.abs(_along(axes, np.broadcast_to(length, count)))
    across = np.abs(_along(axes, np.broadcast_to(width, count)))
    reach: FloatArray = (
        along * boxes.half_lengths_m[:, None] + across * boxes.half_widths_m[:, None]
    )
    return reach
