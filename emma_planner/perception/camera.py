"""A pinhole camera mounted on the vehicle: points of base_link to pixels.

base_link is taken at road level. Lines and polygons that cross the near plane are cut there, so
that a lane that starts under the car keeps its visible part. Knows no drawing.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emma_planner.config import PlannerConfig
from emma_planner.planning.types import FloatArray

NEAR_M = 0.3
"""Nothing closer to the image plane than this is drawn [m]."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera and where it sits.

    :param fx: focal lengths and principal point [px], pixel centres at whole numbers
    :param width: of the calibrated picture [px]
    :param x_m: ahead of base_link [m]
    :param y_m: left of base_link [m]
    :param z_m: above the road [m]
    :param pitch_deg: down positive
    :param yaw_deg: left positive
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    x_m: float = 1.5
    y_m: float = 0.0
    z_m: float = 1.5
    pitch_deg: float = 0.0
    yaw_deg: float = 0.0

    def __post_init__(self) -> None:
        if not (self.fx > 0 and self.fy > 0 and self.width > 0 and self.height > 0):
            raise ValueError(f'need positive focal lengths and size, got {self}')

    @classmethod
    def from_matrix(cls, k: ArrayLike, width: int, height: int, **mounting: float) -> Camera:
        """Make a camera from sensor_msgs/CameraInfo.

        :param k: 9 numbers or ``(3, 3)``, row-major [px]
        :param mounting: ``x_m``, ``y_m``, ``z_m``, ``pitch_deg``, ``yaw_deg``
        :raises ValueError: no calibration (drivers without one send zeros)
        """
        matrix = np.asarray(k, dtype=np.float64).reshape(-1)
        if matrix.size != 9 or not np.isfinite(matrix).all():
            raise ValueError(f'need a camera matrix of 9 finite numbers, got {matrix.tolist()}')
        fx, cx, fy, cy = matrix[[0, 2, 4, 5]].tolist()
        return cls(fx, fy, cx, cy, int(width), int(height), **mounting)

    @classmethod
    def from_fov(cls, fov_deg: float, width: int, height: int, **mounting: float) -> Camera:
        """Make a camera with square pixels from its horizontal field of view.

        :param fov_deg: horizontal, between 0 and 180
        :param mounting: as :meth:`from_matrix`
        """
        if not 0.0 < fov_deg < 180.0:
            raise ValueError(f'need a field of view between 0 and 180 deg, got {fov_deg:g}')
        focal = width / 2.0 / math.tan(math.radians(fov_deg) / 2.0)
        return cls(
            focal,
            focal,
            (width - 1) / 2.0,
            (height - 1) / 2.0,
            int(width),
            int(height),
            **mounting,
        )

    def scaled(self, width: int, height: int) -> Camera:
        """Return the camera of the same picture resized to ``width`` x ``height`` px."""
        sx, sy = width / self.width, height / self.height
        return replace(
            self,
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=(self.cx + 0.5) * sx - 0.5,
            cy=(self.cy + 0.5) * sy - 0.5,
            width=width,
            height=height,
        )

    def to_optical(self, points_base: ArrayLike) -> FloatArray:
        """Transform points from base_link to the optical frame (x right, y down, z forward).

        :param points_base: ``(N, 2 or 3)`` x, y, (z = 0) [m]
        :returns: ``(N, 3)`` [m]
        """
        points = np.asarray(points_base, dtype=np.float64)
        if points.shape[-1] == 2:
            points = np.concatenate([points, np.zeros((*points.shape[:-1], 1))], axis=-1)
        result: FloatArray = (
            points - (self.x_m, self.y_m, self.z_m)
        ) @ self._optical_from_base().T
        return result

    def _optical_from_base(self) -> FloatArray:
        pitch, yaw = math.radians(self.pitch_deg), math.radians(self.yaw_deg)
        cp, sp, cy, sy = math.cos(pitch), math.sin(pitch), math.cos(yaw), math.sin(yaw)
        forward, left, up = (cy * cp, sy * cp, -sp), (-sy, cy, 0.0), (cy * sp, sy * sp, cp)
        return np.array([left, up, forward]) * [[-1.0], [-1.0], [1.0]]

    def project(self, points_base: ArrayLike) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Project single points.

        :param points_base: ``(N, 2 or 3)`` x, y, (z = 0) [m]
        :returns: pixels ``(N, 2)`` column, row, NaN behind the near plane; in-front mask ``(N,)``
        """
        optical = self.to_optical(points_base)
        in_front = optical[..., 2] >= NEAR_M
        pixels = np.full((*in_front.shape, 2), np.nan)
        pixels[in_front] = self._pixels(optical[in_front])
        return pixels, in_front

    def rays(self, pixels: ArrayLike) -> FloatArray:
        """Return where pixels look, the reverse of :meth:`project`.

        :param pixels: ``(N, 2)`` column, row
        :returns: ``(N, 3)`` directions in base_link, 1 m along the optical axis
        """
        columns, rows = np.asarray(pixels, dtype=np.float64).T
        optical = np.stack(
            [(columns - self.cx) / self.fx, (rows - self.cy) / self.fy, np.ones_like(rows)], axis=1
        )
        rays: FloatArray = optical @ self._optical_from_base()
        return rays

    def project_line(self, points_base: ArrayLike) -> list[FloatArray]:
        """Project a polyline, cut where it crosses the near plane.

        :param points_base: ``(N, 2 or 3)`` x, y, (z = 0) [m]
        :returns: pieces in front, ``(M, 2)`` column, row [px] each
        """
        optical = self.to_optical(points_base)
        if (optical[:, 2] >= NEAR_M).all():
            return [self._pixels(optical)] if len(optical) > 1 else []
        pieces: list[list[FloatArray]] = [[]]
        for start, end in itertools.pairwise(optical):
            if start[2] >= NEAR_M:
                pieces[-1].append(start)
            if (start[2] >= NEAR_M) != (end[2] >= NEAR_M):
                pieces[-1].append(_at_near_plane(start, end))
                if end[2] < NEAR_M:
                    pieces.append([])
        if len(optical) and optical[-1, 2] >= NEAR_M:
            pieces[-1].append(optical[-1])
        return [self._pixels(np.array(piece)) for piece in pieces if len(piece) > 1]

    def project_polygon(self, points_base: ArrayLike) -> FloatArray:
        """Project a convex polygon, cut at the near plane (Sutherland and Hodgman, 1974).

        :param points_base: ``(N, 2 or 3)`` corners in order [m]
        :returns: ``(M, 2)`` column, row [px]; empty when all of it is behind
        """
        optical = self.to_optical(points_base)
        if (optical[:, 2] >= NEAR_M).all():
            return self._pixels(optical)
        corners: list[FloatArray] = []
        for start, end in zip(optical, np.roll(optical, -1, axis=0), strict=True):
            if start[2] >= NEAR_M:
                corners.append(start)
            if (start[2] >= NEAR_M) != (end[2] >= NEAR_M):
                corners.append(_at_near_plane(start, end))
        return self._pixels(np.array(corners).reshape(-1, 3))

    def _pixels(self, optical: FloatArray) -> FloatArray:
        return optical[:, :2] / optical[:, 2:] * (self.fx, self.fy) + (self.cx, self.cy)


def mounting_of(config: PlannerConfig) -> dict[str, float]:
    """Return where the parameters say that the camera sits."""
    return {
        'x_m': config.camera_x_m,
        'y_m': config.camera_y_m,
        'z_m': config.camera_z_m,
        'pitch_deg': config.camera_pitch_deg,
        'yaw_deg': config.camera_yaw_deg,
    }


def mounted_camera(config: PlannerConfig, width: int, height: int) -> Camera:
    """Return the camera that the parameters describe, for pictures of a size [px]."""
    return Camera.from_fov(config.camera_fov_deg, width, height, **mounting_of(config))


def _at_near_plane(start: FloatArray, end: FloatArray) -> FloatArray:
    share = (NEAR_M - start[2]) / (end[2] - start[2])
    point: FloatArray = start + share * (end - start)
    point[2] = NEAR_M
    return point
