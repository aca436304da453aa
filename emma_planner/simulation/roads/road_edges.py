"""How far places are from the lanes, and how wide the whole road is: for what stands beside it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.roads.polyline import Segments
from emma_planner.simulation.roads.road_graph import RoadGraph

MARCH_M = 0.25
WIDEST_M = 30.0
GAP_M = 0.6
"""A strip between two lanes narrower than this belongs to the road."""
REACH_M = 10.0
"""Lanes farther than the widest road and this do not matter."""
CHUNK = 256

BoolArray = npt.NDArray[np.bool_]


class RoadEdges:
    """The outline of all lanes of a map.

    :param graph: its lanes
    """

    def __init__(self, graph: RoadGraph) -> None:
        lanes = list(graph.lanes.values())
        self._segments = Segments(*(lane.points for lane in lanes))
        halves = [np.full(len(lane.points) - 1, lane.width_m / 2) for lane in lanes]
        self._half = np.concatenate(halves)

    def clearance(self, points: FloatArray) -> FloatArray:
        """Return distance from points ``(N, 2)`` to the nearest lane's edge [m], < 0 on a lane."""
        everything = np.ones(len(self._half), dtype=bool)
        parts = [
            self._clearance(points[k : k + CHUNK], everything)
            for k in range(0, len(points), CHUNK)
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def across(self, x_m: float, y_m: float, yaw_rad: float) -> tuple[float, float]:
        """Return distances [m] from a place on a road to its outer edges, both directions taken.

        :param yaw_rad: along the road
        :returns: to the left, to the right; at most :data:`WIDEST_M`
        """
        place = np.array([x_m, y_m])
        near = np.hypot(*(self._segments.start - place).T) < WIDEST_M + REACH_M
        if not near.any():
            raise ValueError(f'need a place on a road, got ({x_m:.1f}, {y_m:.1f})')
        away = np.arange(0.0, WIDEST_M, MARCH_M)
        normal = np.array([-np.sin(yaw_rad), np.cos(yaw_rad)])
        sides = []
        for side in (1.0, -1.0):
            clear = self._clearance(place + side * away[:, None] * normal, near)
            off = clear > GAP_M / 2
            first = int(np.argmax(off)) if off.any() else len(away) - 1
            sides.append(max(float(away[first] - max(clear[first], 0.0)), 0.0))
        return sides[0], sides[1]

    def _clearance(self, points: FloatArray, segments: BoolArray) -> FloatArray:
        distances, _ = self._segments.among(segments).distances(points)
        nearest: FloatArray = (distances - self._half[segments]).min(axis=1)
        return nearest
