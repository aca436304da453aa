"""Lines through points: distance and direction along them, and where places lie beside them.

Pure numpy, for many places at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emma_planner.planning.types import FloatArray


def way_along(points: FloatArray) -> FloatArray:
    """Return ``(N,)`` distance along a line of points ``(N, 2)`` [m]."""
    way: FloatArray = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    return way


def yaw_along(points: FloatArray) -> FloatArray:
    """Return ``(N,)`` direction of a line at its points ``(N, 2)`` [rad], continuous.

    Inside it is the mean of the directions before and after.
    """
    steps = np.diff(points, axis=0)
    yaw = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
    middle: FloatArray = np.concatenate([yaw[:1], (yaw[:-1] + yaw[1:]) / 2, yaw[-1:]])
    return middle


def offset_line(points: FloatArray, yaw_rad: FloatArray, left_m: FloatArray | float) -> FloatArray:
    """Return a line ``(N, 2)`` beside another one.

    :param left_m: how far to the left, one number or ``(N,)``
    """
    normal = np.column_stack([-np.sin(yaw_rad), np.cos(yaw_rad)])
    line: FloatArray = points + np.reshape(left_m, (-1, 1)) * normal
    return line


class Segments:
    """Straight pieces, of one line or of many.

    :param lines: points ``(N, 2)`` of each line [m]
    """

    def __init__(self, *lines: FloatArray) -> None:
        self.start = np.concatenate([line[:-1] for line in lines])
        self.step = np.concatenate([line[1:] - line[:-1] for line in lines])
        self.squared = (self.step**2).sum(axis=1)

    def among(self, chosen: NDArray[np.bool_]) -> Segments:
        """Return some of the segments.

        :param chosen: ``(S,)`` booleans
        """
        part = Segments.__new__(Segments)
        part.start, part.step = self.start[chosen], self.step[chosen]
        part.squared = self.squared[chosen]
        return part

    def distances(self, places: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return how far places lie from every segment, and beside which part of it.

        :param places: ``(..., 2)`` x, y [m]
        :returns: distances [m] and parts 0 ... 1 of the segments, ``(..., S)`` each
        """
        (along_x, along_y), (start_x, start_y) = self.step.T, self.start.T
        apart_x = places[..., None, 0] - start_x
        apart_y = places[..., None, 1] - start_y
        part = (apart_x * along_x + apart_y * along_y) / self.squared
        part = np.minimum(np.maximum(part, 0.0), 1.0)
        return np.hypot(apart_x - part * along_x, apart_y - part * along_y), part

    def sides(self, places: FloatArray) -> FloatArray:
        """Return ``(..., S)`` numbers whose sign is the side of each segment, left positive."""
        apart = places[..., None, :] - self.start
        side: FloatArray = self.step[:, 0] * apart[..., 1] - self.step[:, 1] * apart[..., 0]
        return side


def project(
    points: FloatArray, s_m: FloatArray, places: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Project places onto a line.

    :param points: ``(N, 2)`` of the line
    :param s_m: ``(N,)`` distance along it
    :param places: ``(..., 2)``
    :returns: ``(...)`` distance along, and signed distance beside it, left positive [m]
    """
    flat = places.reshape(-1, 2)
    segments = Segments(points)
    distances, parts = segments.distances(flat)
    rows, k = np.arange(len(flat)), distances.argmin(axis=-1)
    apart, step = flat - segments.start[k], segments.step[k]
    side = step[:, 0] * apart[:, 1] - step[:, 1] * apart[:, 0]
    along = s_m[k] + parts[rows, k] * (s_m[k + 1] - s_m[k])
    beside = np.copysign(distances[rows, k], side)
    shape = places.shape[:-1]
    return along.reshape(shape), beside.reshape(shape)


def quintic_step(part: FloatArray) -> FloatArray:
    """Step from 0 to 1 without jumps of curvature; ``part`` 0 ... 1 of its length."""
    x = np.clip(part, 0.0, 1.0)
    step: FloatArray = x**3 * (10.0 - 15.0 * x + 6.0 * x**2)
    return step
