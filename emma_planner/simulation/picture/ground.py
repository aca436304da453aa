"""Road surface and markings as flat triangles on z = 0.

In: a road as seen from above. Out: one mesh for each layer, to be painted in their order.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.picture.meshes import Finish, Mesh, Rgb
from emma_planner.simulation.roads.road_map import LaneLine, LineKind, RoadMap

LINE_WIDTH_M = 0.16
SHOULDER_M = 0.7
"""Gravel beside the asphalt."""
WHITE: Rgb = (0.93, 0.93, 0.91)
YELLOW: Rgb = (0.98, 0.77, 0.12)
GRAVEL: Rgb = (1.35, 1.27, 1.12)
ASPHALT: Rgb = (1.0, 1.0, 1.0)


def shoulders(roads: RoadMap) -> Mesh:
    """Build gravel around every lane."""
    strips = []
    for lane in roads.lanes:
        closed = np.concatenate([lane, lane[:1]])
        strips.append(_strip(closed, 2 * SHOULDER_M))
    return _flat(strips, GRAVEL)


def surface(roads: RoadMap) -> Mesh:
    """Build the asphalt: outlines of two sides with as many points each, or convex ones."""
    strips = []
    for lane in roads.lanes:
        half = len(lane) // 2
        strips.append(_quads(lane[:half], lane[::-1][:half]))
    return _flat(strips, ASPHALT)


def markings(lines: Iterable[LaneLine]) -> list[Mesh]:
    """Build painted lines, white ones first."""
    strips: dict[Rgb, list[FloatArray]] = {WHITE: [], YELLOW: []}
    for line in lines:
        colour = YELLOW if line.kind is LineKind.YELLOW else WHITE
        strips[colour] += [_strip(part, LINE_WIDTH_M) for part in line.painted()]
    return [_flat(parts, colour) for colour, parts in strips.items() if parts]


def square(size_m: float, colour: Rgb) -> Mesh:
    """Build a flat square around the origin."""
    half = size_m / 2
    left = np.array([(-half, half), (half, half)])
    return _flat([_quads(left, left * (1.0, -1.0))], colour)


def _strip(points: FloatArray, width_m: float) -> FloatArray:
    """Triangles ``(N, 3, 2)`` along a line."""
    steps = np.diff(points, axis=0)
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    points = points[np.concatenate([[True], lengths > 1e-6])]
    direction = np.gradient(points, axis=0)
    direction /= np.maximum(np.hypot(direction[:, 0], direction[:, 1]), 1e-9)[:, None]
    aside = width_m / 2 * np.column_stack([-direction[:, 1], direction[:, 0]])
    return _quads(points + aside, points - aside)


def _quads(left: FloatArray, right: FloatArray) -> FloatArray:
    first = np.stack([left[:-1], right[:-1], right[1:]], axis=1)
    second = np.stack([left[:-1], right[1:], left[1:]], axis=1)
    return np.concatenate([first, second])


def _flat(triangles: list[FloatArray], colour: Rgb) -> Mesh:
    points = np.concatenate(triangles).reshape(-1, 2)
    count = len(points)
    return Mesh(
        np.column_stack([points, np.zeros(count)]),
        np.tile([0.0, 0.0, 1.0], (count, 1)),
        np.tile([*colour, Finish.PLAIN.value], (count, 1)),
    )
