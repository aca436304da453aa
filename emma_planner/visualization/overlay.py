"""Draw a plan on the camera picture: the lane it sweeps, its waypoints and a bird's-eye inset.

In: an RGB picture, a trajectory in base_link of the picture's time, a calibrated and mounted
camera, text. Out: a new picture. The road is taken as the plane z = 0 of base_link, so a slope or
a pitching body moves the drawing off the road by its own angle. Knows no model, node or file.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from emma_planner.perception.camera import Camera
from emma_planner.planning.kinematics import integrate
from emma_planner.planning.types import DT_S, NUM_STEPS, ByteArray, FloatArray, Plan, Trajectory

EGO_WIDTH_M = 1.8
EGO_LENGTH_M = 4.5
"""A passenger car, as the drawing shows it [m]."""
FINE_STEPS = 10
"""Drawn poses per trajectory step."""
RIBBON_ALPHA = 0.45

Colour = tuple[int, int, int]
_WHITE: Colour = (255, 255, 255)
_GREY: Colour = (170, 178, 189)
_GRID: Colour = (72, 80, 92)
_DARK: Colour = (18, 22, 28)
_RED: Colour = (213, 47, 47)
_ORANGE: Colour = (255, 152, 0)
_PAST: Colour = (150, 158, 170)
_TRUTH: Colour = (255, 255, 255)
_GRADIENT = np.array([(24, 224, 112), (0, 200, 235), (64, 110, 255)], dtype=np.float64)
"""Colours of now, halfway and the horizon."""
_FONT = cv2.FONT_HERSHEY_DUPLEX
_SHIFT = 4
"""Sub-pixel bits of OpenCV's drawing calls."""


def draw_plan(
    rgb: ByteArray,
    trajectory: Trajectory | None,
    camera: Camera,
    *,
    title: str = '',
    lines: Sequence[str] = (),
    valid: bool = True,
    reason: str = '',
    fallback: Trajectory | None = None,
    past: ArrayLike | None = None,
    truth: ArrayLike | None = None,
    inset: bool = True,
) -> ByteArray:
    """Draw a plan on a copy of the picture.

    :param rgb: ``(H, W, 3)`` uint8; the camera is scaled to its size
    :param trajectory: the plan's; when not valid it shows as a thin red line
    :param title: first line of text
    :param lines: further lines of text, cut to the space there is
    :param valid: whether the trajectory is to be driven
    :param reason: reason code for the red banner of a plan that is missing or not valid
    :param fallback: what is driven in its place, in orange
    :param past: ``(P, 2 or 3)`` x [m], y [m] driven up to t0, base_link, for the inset
    :param truth: ``(T, 2 or 3)`` x [m], y [m] recorded future, base_link, as a white line
    :param inset: whether to draw the bird's-eye view
    """
    picture = np.array(rgb, copy=True, order='C')
    view = camera.scaled(picture.shape[1], picture.shape[0])
    valid = valid and trajectory is not None
    driven, colour = (trajectory, None) if valid else (fallback, _ORANGE)
    if truth is not None:
        truth = np.vstack([np.zeros(2), np.asarray(truth, dtype=np.float64)[:, :2]])
    rejected = None if valid else trajectory
    _draw_road(picture, view, driven, colour, rejected, truth)
    top = 0 if valid else _draw_banner(picture, reason, fallback is not None)
    side = _inset_side(picture, top) if inset else 0
    if side:
        _draw_inset(picture, side, top, driven, colour, [(past, _PAST), (truth, _TRUTH)])
    _draw_text(picture, top, side, title, lines, valid)
    return picture


def plan_text(plan: Plan, speed_now_mps: float, model: str) -> tuple[str, tuple[str, ...]]:
    """Title and lines that describe a plan.

    :param plan: valid or not
    :param speed_now_mps: ego speed at t0
    :param model: name of what planned
    """
    if plan.trajectory is None:
        title = f'{speed_now_mps:.1f} m/s'
    else:
        title = f'{speed_now_mps:.1f} -> {plan.trajectory.speeds_mps[-1]:.1f} m/s in 5 s'
    lines = [model, f'intent: {plan.reasoning.intent}' if plan.reasoning.intent else '']
    return title, tuple(line for line in [*lines, plan.detail] if line)


def fine_poses(trajectory: Trajectory) -> FloatArray:
    """Poses from t0 on along the exact arcs, ten per step.

    :returns: ``(101, 3)`` x [m], y [m], yaw [rad] in base_link of t0
    """
    poses = integrate(
        np.repeat(trajectory.speeds_mps, FINE_STEPS),
        np.repeat(trajectory.curvatures_1pm, FINE_STEPS),
        DT_S / FINE_STEPS,
    )
    return np.vstack([np.zeros(3), poses])


def lane_edges(poses: FloatArray, width_m: float = EGO_WIDTH_M) -> tuple[FloatArray, FloatArray]:
    """Left and right edge of the lane that a body of this width sweeps.

    :param poses: ``(N, 3)`` x [m], y [m], yaw [rad]
    :returns: ``(N, 2)`` x [m], y [m] each, same frame
    """
    left = np.stack([-np.sin(poses[:, 2]), np.cos(poses[:, 2])], axis=-1) * width_m / 2.0
    return poses[:, :2] + left, poses[:, :2] - left


def time_colour(share: float) -> Colour:
    """Colour of a moment: 0 is now, 1 the horizon."""
    position = min(max(share, 0.0), 1.0) * (len(_GRADIENT) - 1)
    low = min(int(position), len(_GRADIENT) - 2)
    mixed = _GRADIENT[low] + (position - low) * (_GRADIENT[low + 1] - _GRADIENT[low])
    red, green, blue = (round(float(value)) for value in mixed)
    return red, green, blue


def _draw_road(
    picture: ByteArray,
    camera: Camera,
    driven: Trajectory | None,
    colour: Colour | None,
    rejected: Trajectory | None,
    truth: FloatArray | None,
) -> None:
    """All that lies on the road: lane, rejected plan, recorded future, waypoints on top."""
    if driven is not None:
        _draw_ribbon(picture, driven, camera, colour)
    if rejected is not None:
        _draw_line(picture, camera, fine_poses(rejected)[:, :2], _RED)
    if truth is not None:
        _draw_line(picture, camera, truth, _TRUTH)
    if driven is not None:
        _draw_waypoints(picture, driven, camera, colour)


def _draw_ribbon(
    picture: ByteArray, trajectory: Trajectory, camera: Camera, colour: Colour | None
) -> None:
    left, right = lane_edges(fine_poses(trajectory))
    quads = np.stack([left[:-1], left[1:], right[1:], right[:-1]], axis=1)
    pixels, in_front = camera.project(quads)
    layer = picture.copy()
    for k in range(len(quads) - 1, -1, -1):  # far to near, so that the near part lies on top
        quad = pixels[k] if in_front[k].all() else camera.project_polygon(quads[k])
        if _touches(picture, quad):
            fill = colour or time_colour(k / len(quads))
            cv2.fillPoly(layer, [_fixed(quad)], fill, cv2.LINE_8, _SHIFT)
    cv2.addWeighted(layer, RIBBON_ALPHA, picture, 1.0 - RIBBON_ALPHA, 0.0, dst=picture)
    thickness = max(1, round(picture.shape[1] / 700))
    for step in range(NUM_STEPS - 1, -1, -1):
        part = slice(step * FINE_STEPS, (step + 1) * FINE_STEPS + 1)
        for edge in (left, right):
            _draw_line(picture, camera, edge[part], colour or _at_step(step), thickness)


def _draw_line(
    picture: ByteArray,
    camera: Camera,
    points_base: FloatArray,
    colour: Colour,
    thickness: int | None = None,
) -> None:
    thickness = thickness or max(1, round(picture.shape[1] / 500))
    for piece in camera.project_line(points_base):
        if _touches(picture, piece):
            cv2.polylines(picture, [_fixed(piece)], False, colour, thickness, cv2.LINE_AA, _SHIFT)


def _draw_waypoints(
    picture: ByteArray, trajectory: Trajectory, camera: Camera, colour: Colour | None
) -> None:
    """A dot every 0.5 s, smaller with distance."""
    pixels, in_front = camera.project(trajectory.poses[:, :2])
    depths = camera.to_optical(trajectory.poses[:, :2])[:, 2]
    smallest = picture.shape[1] / 450.0
    for k in range(NUM_STEPS - 1, -1, -1):
        if not in_front[k] or not _touches(picture, pixels[k : k + 1]):
            continue
        radius = min(max(0.12 * camera.fx / depths[k], smallest), 3.0 * smallest)
        centre = _fixed(pixels[k : k + 1])[0].tolist()
        for grow, fill in ((1.35, _DARK), (1.0, _WHITE), (0.62, colour or _at_step(k))):
            size = round(grow * radius * 2**_SHIFT)
            cv2.circle(picture, centre, size, fill, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def _at_step(step: int) -> Colour:
    return time_colour((step + 1) / NUM_STEPS)


def _fixed(pixels: FloatArray) -> NDArray[np.int32]:
    """Sub-pixel fixed point as OpenCV's drawing takes it, kept inside its range."""
    limit = 2.0 ** (30 - _SHIFT)
    fixed = np.round(np.clip(pixels, -limit, limit) * 2**_SHIFT)
    return np.asarray(fixed, dtype=np.int32)


def _touches(picture: ByteArray, pixels: FloatArray) -> bool:
    """Whether the bounding box of pixels meets the picture."""
    if not len(pixels):
        return False
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    size = (picture.shape[1], picture.shape[0])
    return bool((high >= 0).all() and (low <= size).all())


def _text_height(picture: ByteArray) -> int:
    """Height of a capital letter [px]: by width, less in flat pictures; 0 where unreadable."""
    height, width = picture.shape[:2]
    size = min(max(width / 105.0, 8.0), 26.0)
    return round(size) if height >= 6 * size and width >= 12 * size else 0


def _put(picture: ByteArray, text: str, x: int, baseline: int, size: int, colour: Colour) -> None:
    scale = cv2.getFontScaleFromHeight(_FONT, size, 1)
    cv2.putText(picture, text, (x, baseline), _FONT, scale, colour, 1, cv2.LINE_AA)


def _text_width(text: str, size: int) -> int:
    scale = cv2.getFontScaleFromHeight(_FONT, size, 1)
    return int(cv2.getTextSize(text, _FONT, scale, 1)[0][0])


def _printable(text: str) -> str:
    """Text in the letters that OpenCV's fonts have, on one line."""
    plain = unicodedata.normalize('NFKD', ' '.join(text.split()).replace('\u2192', '->'))
    plain = ''.join(letter for letter in plain if not unicodedata.combining(letter))
    return ''.join(letter if ' ' <= letter <= '~' else '?' for letter in plain)


def _cut(text: str, size: int, room_px: int) -> str:
    """Text shortened to a width."""
    text = _printable(text)
    if _text_width(text, size) <= room_px:
        return text
    while text and _text_width(text + '...', size) > room_px:
        text = text[:-1]
    return text.rstrip() + '...' if text else ''


def _wrap(texts: Sequence[str], size: int, room_px: int, rows: int) -> list[str]:
    """Texts broken at spaces into at most so many rows; what does not fit ends in dots."""
    wrapped: list[str] = []
    for text in texts:
        row = ''
        for word in _printable(text).split(' '):
            if row and _text_width(f'{row} {word}', size) > room_px:
                wrapped.append(row)
                row = word
            else:
                row = f'{row} {word}'.strip()
        wrapped.append(row)
    if len(wrapped) > rows:
        wrapped = [*wrapped[: rows - 1], f'{wrapped[rows - 1]} ...']
    return [_cut(row, size, room_px) for row in wrapped]


def _darken(picture: ByteArray, x: int, y: int, width: int, height: int, share: float) -> None:
    area = picture[max(y, 0) : y + height, max(x, 0) : x + width]
    if area.size:
        dark = np.empty_like(area)
        dark[:] = _DARK
        area[:] = cv2.addWeighted(dark, share, area, 1.0 - share, 0.0)


def _draw_banner(picture: ByteArray, reason: str, has_fallback: bool) -> int:
    """Red bar with the reason code; returns its height [px]."""
    size = _text_height(picture)
    height = 2 * size if size else max(1, min(4, picture.shape[0] // 8))
    picture[:height] = _RED
    if size:
        text = f'NO VALID PLAN: {reason}' if reason else 'NO VALID PLAN'
        text += ' - driving the fallback' if has_fallback else ''
        text = _cut(text, size, picture.shape[1] - 2 * size)
        _put(picture, text, size, height - size // 2, size, _WHITE)
    return height


def _draw_text(
    picture: ByteArray, top: int, side: int, title: str, lines: Sequence[str], valid: bool
) -> None:
    """Text on a dark panel in the upper left corner, beside the inset."""
    size = _text_height(picture)
    texts = [text for text in (title, *lines) if text.strip()]
    if not size or not texts:
        return
    pitch, margin = round(1.75 * size), size
    rows = max(1, (picture.shape[0] // 2 - top - margin) // pitch)
    room = min(picture.shape[1] - side - 5 * margin, max(picture.shape[1] * 3 // 5, 40 * size))
    texts = _wrap(texts, size, room, rows)
    width = max(_text_width(text, size) for text in texts) + 2 * margin
    height = pitch * len(texts) + margin // 2
    x, y = margin, top + margin
    _darken(picture, x, y, width, height, 0.72)
    bar = max(2, size // 4)
    picture[y : y + height, x : x + bar] = time_colour(0.0) if valid else _RED
    for row, text in enumerate(texts):
        colour = _WHITE if row == 0 else _GREY
        _put(picture, text, x + margin, y + pitch * (row + 1) - size // 4, size, colour)


def _inset_side(picture: ByteArray, top: int) -> int:
    """Side of the square inset [px], 0 where it would be too small to read."""
    height, width = picture.shape[:2]
    side = round(min(0.46 * height, 0.22 * width, height - top - 2 * _text_height(picture)))
    return side if side >= 60 else 0


def _draw_inset(
    picture: ByteArray,
    side: int,
    top: int,
    driven: Trajectory | None,
    colour: Colour | None,
    others: Sequence[tuple[Any, Colour]],
) -> None:
    """Bird's-eye view in the upper right corner: grid, ego, past, recorded future, plan."""
    margin = max(_text_height(picture), 4)
    x, y = picture.shape[1] - side - margin, top + margin
    _darken(picture, x, y, side, side, 0.80)
    area = np.ascontiguousarray(picture[y : y + side, x : x + side])
    poses = fine_poses(driven) if driven is not None else np.zeros((1, 3))
    drawn = [
        np.asarray(points, dtype=np.float64)[:, :2] for points, _ in others if points is not None
    ]
    view = _InsetView.around(np.vstack([poses[:, :2], *drawn]), side)
    _draw_grid(area, view)
    for points, line in others:
        if points is not None and len(np.asarray(points)):
            view.polyline(area, np.asarray(points, dtype=np.float64)[:, :2], line)
    for k in range(len(poses) - 1):
        view.polyline(area, poses[k : k + 2, :2], colour or time_colour(k / len(poses)), 2)
    if driven is not None:
        for k, point in enumerate(driven.poses[:, :2]):
            view.dot(area, point, colour or _at_step(k))
    view.ego(area)
    picture[y : y + side, x : x + side] = area
    cv2.rectangle(picture, (x, y), (x + side - 1, y + side - 1), _GRID, 1)


@dataclass(frozen=True)
class _InsetView:
    """Metres of base_link to pixels of a square picture with x up and y left."""

    side: int
    cell_m: float
    cells: int
    behind_m: float

    @classmethod
    def around(cls, points_base: FloatArray, side: int) -> _InsetView:
        """The smallest round view that shows the ego and all points."""
        ahead = max(20.0, float(points_base[:, 0].max()) * 1.08)
        behind = min(max(6.0, -float(points_base[:, 0].min()) * 1.08), 0.5 * ahead)
        across = 2.0 * float(np.abs(points_base[:, 1]).max()) * 1.08
        extent = max(ahead + behind, across)
        cell = next((c for c in (5.0, 10.0, 20.0, 50.0, 100.0) if extent <= 6 * c), 500.0)
        return cls(side, cell, max(1, math.ceil(extent / cell)), behind)

    @property
    def px_per_m(self) -> float:
        return self.side / (self.cells * self.cell_m)

    def pixels(self, points_base: FloatArray) -> FloatArray:
        columns = self.side / 2.0 - points_base[:, 1] * self.px_per_m
        rows = self.side - (points_base[:, 0] + self.behind_m) * self.px_per_m
        return np.stack([columns, rows], axis=-1)

    def polyline(
        self, area: ByteArray, points_base: FloatArray, colour: Colour, thickness: int = 1
    ) -> None:
        pixels = _fixed(self.pixels(points_base))
        cv2.polylines(area, [pixels], False, colour, thickness, cv2.LINE_AA, _SHIFT)

    def dot(self, area: ByteArray, point_base: FloatArray, colour: Colour) -> None:
        centre = _fixed(self.pixels(point_base[None]))[0].tolist()
        radius = round(max(1.6, self.side / 70.0) * 2**_SHIFT)
        cv2.circle(area, centre, radius, colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)

    def ego(self, area: ByteArray) -> None:
        """The car around base_link, taken as its rear axle."""
        rear, front, half = -0.22 * EGO_LENGTH_M, 0.78 * EGO_LENGTH_M, EGO_WIDTH_M / 2.0
        corners = np.array([(rear, half), (front, half), (front, -half), (rear, -half)])
        outline = _fixed(self.pixels(corners))
        cv2.fillPoly(area, [outline], _WHITE, cv2.LINE_AA, _SHIFT)


def _draw_grid(area: ByteArray, view: _InsetView) -> None:
    half = view.cells * view.cell_m
    size = max(6, round(view.side / 24))
    for k in range(-view.cells, view.cells + 1):
        at = k * view.cell_m
        view.polyline(area, np.array([(at, -half), (at, half)]), _GRID)
        view.polyline(area, np.array([(-half, at), (half, at)]), _GRID)
        row = view.pixels(np.array([(at, 0.0)]))[0, 1]
        if k > 0 and k % 2 == 0 and row > 1.5 * size:
            _put(area, f'{at:.0f} m', 3, round(row) - 2, size, _GREY)
