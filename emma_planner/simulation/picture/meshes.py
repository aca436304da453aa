"""Triangles with a colour and a normal each: shapes to build models from.

Models face x, left is y, up is z [m]. numpy only; knows no renderer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike

from emma_planner.planning.types import FloatArray

Rgb = tuple[float, float, float]
"""0 ... 1, as they appear in full light."""


class Finish(float, Enum):
    """How a surface is coloured; the value is what the renderer's shader reads."""

    PLAIN = 1.0
    TINTED = 0.5
    """Times the colour of the one who wears it: car paint, clothes, walls."""
    GLOWING = 0.0
    """By its own light."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles, three vertices each, none shared.

    :param points: ``(3 N, 3)`` x, y, z [m]
    :param normals: ``(3 N, 3)`` unit vectors
    :param colours: ``(3 N, 4)`` red, green, blue, finish
    """

    points: FloatArray
    normals: FloatArray
    colours: FloatArray

    def moved(
        self, x_m: float = 0.0, y_m: float = 0.0, z_m: float = 0.0, *, yaw_rad: float = 0.0
    ) -> Mesh:
        """Return it turned about z, then moved."""
        cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
        turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
        points = self.points @ turn + (x_m, y_m, z_m)
        return replace(self, points=points, normals=self.normals @ turn)

    def swung(self, angle_rad: float, pivot_z_m: float) -> Mesh:
        """Return it turned about the y axis at a height: what hangs down goes forward."""
        cos, sin = np.cos(angle_rad), np.sin(angle_rad)
        turn = np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
        pivot = np.array([0.0, 0.0, pivot_z_m])
        points = (self.points - pivot) @ turn + pivot
        return replace(self, points=points, normals=self.normals @ turn)


def join(meshes: Iterable[Mesh]) -> Mesh:
    """Return all as one."""
    parts = list(meshes)
    return Mesh(
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.normals for part in parts]),
        np.concatenate([part.colours for part in parts]),
    )


def faces(
    triangles: ArrayLike, colour: Rgb, finish: Finish = Finish.PLAIN, *, smooth_about: bool = False
) -> Mesh:
    """Make a mesh of triangles ``(N, 3, 3)``, counter-clockwise from outside.

    :param smooth_about: normals point away from the middle of all, for round things
    """
    corners = np.asarray(triangles, dtype=np.float64)
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(flat, axis=1)
    corners, flat = corners[area > 1e-9], flat[area > 1e-9]
    points = corners.reshape(-1, 3)
    normals = np.repeat(flat, 3, axis=0)
    if smooth_about:
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        extent = (points.max(axis=0) - points.min(axis=0)) / 2
        normals = (points - middle) / extent**2
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    colours = np.tile([*colour, finish.value], (len(points), 1))
    return Mesh(points, normals, colours)


def loft(
    rings: ArrayLike, colour: Rgb, finish: Finish = Finish.PLAIN, *, closed: bool = True
) -> Mesh:
    """Make a skin over cross-sections.

    :param rings: ``(K, N, 3)`` [m], one after the other, each counter-clockwise seen
        from where the last one is
    :param closed: with a lid at both ends
    """
    ring = np.asarray(rings, dtype=np.float64)
    after = np.roll(ring, -1, axis=1)
    a, b, c, d = ring[:-1], after[:-1], after[1:], ring[1:]
    quads = np.stack([np.stack([a, b, c], axis=2), np.stack([a, c, d], axis=2)])
    triangles = [quads.reshape(-1, 3, 3)]
    if closed:
        triangles += [_fan(ring[0][::-1]), _fan(ring[-1])]
    return faces(np.concatenate(triangles), colour, finish)


def box(
    low: Sequence[float],
    high: Sequence[float],
    colour: Rgb,
    finish: Finish = Finish.PLAIN,
    *,
    taper: float = 1.0,
) -> Mesh:
    """Make a box between two corners x, y, z [m].

    :param taper: size of the upper face as a share of the lower
    """
    x0, y0, z0 = low
    x1, y1, z1 = high
    base = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    top = base.mean(axis=0) + taper * (base - base.mean(axis=0))
    rings = [np.column_stack([part, np.full(4, z)]) for part, z in ((base, z0), (top, z1))]
    return loft(rings, colour, finish)


def cylinder(
    start: Sequence[float],
    end: Sequence[float],
    radius_m: float,
    colour: Rgb,
    finish: Finish = Finish.PLAIN,
    *,
    end_radius_m: float | None = None,
    sides: int = 10,
) -> Mesh:
    """Make a cylinder or a truncated cone from one point to another [m]."""
    axis = np.subtract(end, start)
    axis = axis / np.linalg.norm(axis)
    aside = np.cross(axis, (0.0, 0.0, 1.0) if abs(axis[2]) < 0.9 else (1.0, 0.0, 0.0))
    aside = aside / np.linalg.norm(aside)
    angles = (np.arange(sides) + 0.5) * 2 * np.pi / sides
    circle = np.outer(np.cos(angles), aside) + np.outer(np.sin(angles), np.cross(axis, aside))
    last = radius_m if end_radius_m is None else end_radius_m
    return loft(
        [np.asarray(start) + radius_m * circle, np.asarray(end) + last * circle], colour, finish
    )


def ball(
    centre: Sequence[float],
    radii: Sequence[float],
    colour: Rgb,
    finish: Finish = Finish.PLAIN,
    *,
    rows: int = 5,
    sides: int = 8,
) -> Mesh:
    """Make an ellipsoid."""
    up = np.linspace(-np.pi / 2, np.pi / 2, rows + 1)
    around = np.arange(sides) * 2 * np.pi / sides
    ring = np.stack(
        [
            np.outer(np.cos(up), np.cos(around)),
            np.outer(np.cos(up), np.sin(around)),
            np.outer(np.sin(up), np.ones(sides)),
        ],
        axis=2,
    )
    after = np.roll(ring, -1, axis=1)
    a, b, c, d = ring[:-1], after[:-1], after[1:], ring[1:]
    quads = np.stack([np.stack([a, b, c], axis=2), np.stack([a, c, d], axis=2)])
    triangles = quads.reshape(-1, 3, 3) * radii + centre
    return faces(triangles, colour, finish, smooth_about=True)


def _fan(ring: FloatArray) -> FloatArray:
    """Triangles over a convex ring."""
    count = len(ring) - 2
    return np.stack([np.repeat(ring[:1], count, axis=0), ring[1:-1], ring[2:]], axis=1)
