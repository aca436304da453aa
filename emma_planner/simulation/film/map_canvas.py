"""A square picture to draw on in metres of the map, seen from above with a viewer's heading up.

Draws at twice the size and shrinks, so that thin lines are smooth. Knows nothing of what is drawn.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from emma_planner.planning.types import ByteArray, FloatArray, Pose
from emma_planner.visualization.overlay import Colour

VIEWER_ROW = 0.68
"""Where the viewer is, share of the picture's height from its top."""
SUPERSAMPLING = 2
DESIGN_PX = 360.0
"""Picture size that widths in px are meant for; they grow with the picture."""
LEAST_PX = 60
SCALES_M = (1, 2, 5, 10, 20, 50, 100, 200, 500)
GROUND: Colour = (25, 31, 33)
DARK: Colour = (18, 22, 28)
TEXT: Colour = (208, 213, 220)
_SHIFT = 4
"""Sub-pixel bits of OpenCV's drawing calls."""


class MapCanvas:
    """A picture to draw on in metres of the map."""

    def __init__(self, viewer: Pose, size_px: int, metres: float) -> None:
        if size_px < LEAST_PX or not (math.isfinite(metres) and metres > 0.0):
            raise ValueError(
                f'need at least {LEAST_PX} px and more than 0 m, got {size_px} px and {metres:g} m'
            )
        self._viewer = viewer
        self._size_px = size_px
        self._side = size_px * SUPERSAMPLING
        self._px_per_m = self._side / metres
        self._unit = self._side / DESIGN_PX
        self._pixels = np.empty((self._side, self._side, 3), dtype=np.uint8)
        self._pixels[:] = GROUND

    def picture(self) -> ByteArray:
        size = (self._size_px, self._size_px)
        return np.asarray(cv2.resize(self._pixels, size, interpolation=cv2.INTER_AREA))

    def metres_of(self, width_px: float) -> float:
        """Metres that so many px of the design cover."""
        return width_px * self._unit / self._px_per_m

    def near(self, points_map: FloatArray) -> NDArray[np.bool_]:
        """Which points lie within the picture or half its side around it."""
        pixels = self._to_pixels(points_map)
        return np.asarray(np.abs(pixels - self._side / 2.0).max(axis=-1) < self._side)

    def fill(self, points_map: FloatArray, colour: Colour) -> None:
        """Fill a polygon; OpenCV fills its border too, so that neighbours leave no seam."""
        pixels = self._to_pixels(points_map)
        if self._touches(pixels):
            cv2.fillPoly(self._pixels, [_fixed(pixels)], colour, cv2.LINE_AA, _SHIFT)

    def line(
        self, points_map: FloatArray, colour: Colour, width_px: float, *, closed: bool = False
    ) -> None:
        """:param width_px: as in a picture of :data:`DESIGN_PX`"""
        pixels = self._to_pixels(points_map)
        if len(pixels) and self._touches(pixels):
            width = max(1, round(width_px * self._unit))
            line = [_fixed(pixels)]
            cv2.polylines(self._pixels, line, closed, colour, width, cv2.LINE_AA, _SHIFT)

    def dot(self, point_map: FloatArray, colour: Colour, radius_px: float) -> None:
        """:param radius_px: as in a picture of :data:`DESIGN_PX`"""
        centre = _fixed(self._to_pixels(point_map[None]))[0].tolist()
        radius = round(radius_px * self._unit * 2**_SHIFT)
        cv2.circle(self._pixels, centre, radius, colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)

    def scale_bar(self) -> None:
        """A bar of a round length in the lower left corner."""
        lengths = [m for m in SCALES_M if m * self._px_per_m <= self._side / 4]
        if not lengths:
            return
        thickness, margin = max(1, round(1.5 * self._unit)), round(9 * self._unit)
        left, right = margin, margin + round(lengths[-1] * self._px_per_m)
        low, high = self._side - margin, self._side - margin - round(4 * self._unit)
        bracket = np.array([(left, high), (left, low), (right, low), (right, high)], np.int32)
        font, text = cv2.FONT_HERSHEY_SIMPLEX, f'{lengths[-1]} m'
        size = cv2.getFontScaleFromHeight(font, round(8 * self._unit), 1)
        place = (left + round(4 * self._unit), high - round(0.5 * self._unit))
        for grow, colour in ((round(2 * self._unit), DARK), (0, TEXT)):
            width = thickness + grow
            cv2.polylines(self._pixels, [bracket], False, colour, width, cv2.LINE_AA)
            cv2.putText(self._pixels, text, place, font, size, colour, width, cv2.LINE_AA)

    def _to_pixels(self, points_map: FloatArray) -> FloatArray:
        cos, sin = math.cos(self._viewer.yaw_rad), math.sin(self._viewer.yaw_rad)
        east, north = (points_map - (self._viewer.x_m, self._viewer.y_m)).T
        ahead, left = cos * east + sin * north, cos * north - sin * east
        columns = (self._side - 1) / 2.0 - left * self._px_per_m
        rows = (self._side - 1) * VIEWER_ROW - ahead * self._px_per_m
        return np.stack([columns, rows], axis=-1)

    def _touches(self, pixels: FloatArray) -> bool:
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        return bool((high >= 0).all() and (low <= self._side).all())


def _fixed(pixels: FloatArray) -> NDArray[np.int32]:
    """Sub-pixel fixed point as OpenCV's drawing takes it, kept inside its range."""
    limit = 2.0 ** (30 - _SHIFT)
    return np.asarray(np.round(np.clip(pixels, -limit, limit) * 2**_SHIFT), dtype=np.int32)
