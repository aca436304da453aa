"""What a road looks like from above: surface and markings. Ground truth for pictures only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.roads.polyline import way_along
from emma_planner.simulation.roads.road_graph import RoadGraph

DASH_M, GAP_M = 3.0, 6.0
"""Of broken lines."""


class LineKind(str, Enum):
    """Markings that can be told apart from above."""

    BROKEN = 'broken'
    SOLID = 'solid'
    YELLOW = 'yellow'


@dataclass(frozen=True, eq=False)
class LaneLine:
    """One marking.

    :param points: ``(N, 2)`` x, y [m], map
    """

    points: FloatArray
    kind: LineKind

    def __post_init__(self) -> None:
        object.__setattr__(self, 'points', _points(self.points, 2, 'lane line'))

    def painted(self) -> list[FloatArray]:
        """Return the parts with paint, ``(K, 2)`` x, y [m] each: the whole line, or its dashes."""
        if self.kind is not LineKind.BROKEN:
            return [self.points]
        s = way_along(self.points)
        dashes = []
        for start in np.arange(GAP_M / 2, s[-1], DASH_M + GAP_M):
            places = np.linspace(start, min(start + DASH_M, s[-1]), 4)
            dash = [np.interp(places, s, self.points[:, k]) for k in range(2)]
            dashes.append(np.column_stack(dash))
        return dashes


@dataclass(frozen=True, eq=False)
class RoadMap:
    """All drivable surface and its markings.

    :param lanes: outlines ``(N, 2)`` x, y [m], map, not closed; they may touch and overlap
    """

    lanes: tuple[FloatArray, ...]
    lines: tuple[LaneLine, ...]

    def __post_init__(self) -> None:
        lanes = tuple(_points(lane, 3, 'lane outline') for lane in self.lanes)
        object.__setattr__(self, 'lanes', lanes)


def road_map_of(graph: RoadGraph) -> RoadMap:
    """Return the outlines of all lanes and the lines between them."""
    lanes = sorted(graph.lanes.values(), key=lambda lane: lane.id)
    lines = []
    for lane in lanes:
        for side, kind in ((1.0, lane.left_line), (-1.0, lane.right_line)):
            # between two lanes both know the same line
            if kind == 'broken' and side > 0.0 and lane.index > 0:
                continue
            if kind != 'none':
                drawn = LineKind.BROKEN if kind == 'broken' else LineKind.SOLID
                lines.append(LaneLine(lane.beside(side * lane.width_m / 2), drawn))
    outlines = tuple(
        np.concatenate([lane.beside(lane.width_m / 2), lane.beside(-lane.width_m / 2)[::-1]])
        for lane in lanes
    )
    return RoadMap(outlines, tuple(lines))


def _points(values: Any, least: int, name: str) -> FloatArray:
    points = np.array(values, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < least:
        raise ValueError(f'{name}: need shape (at least {least}, 2), got {points.shape}')
    if not np.isfinite(points).all():
        raise ValueError(f'{name}: need finite points')
    points.flags.writeable = False
    return points
