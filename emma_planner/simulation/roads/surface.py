"""Where there is road: lanes and the inside of junctions, for many points at once."""

from __future__ import annotations

import numpy as np

from emma_planner.planning.kinematics import wrap_angle
from emma_planner.planning.types import FloatArray, Pose
from emma_planner.simulation.observation import VehicleShape
from emma_planner.simulation.roads.boxes import corners_of
from emma_planner.simulation.roads.polyline import Segments
from emma_planner.simulation.roads.road_graph import Lane, RoadGraph

EDGE_TOLERANCE_M = 0.3
"""A tyre on the edge line is still on the road."""


class RoadSurface:
    """All drivable surface of a map.

    :param graph: its lanes
    """

    def __init__(self, graph: RoadGraph) -> None:
        lanes = sorted(graph.lanes.values(), key=lambda lane: lane.id)
        self._lanes = lanes
        self._segments = Segments(*(lane.points for lane in lanes))
        counts = [len(lane.points) - 1 for lane in lanes]
        self._lane_of = np.repeat(np.arange(len(lanes)), counts)
        self._s = np.concatenate([lane.s_m[:-1] for lane in lanes])
        self._half = np.array([lane.width_m / 2 for lane in lanes])[self._lane_of]
        self._yaw = np.arctan2(self._segments.step[:, 1], self._segments.step[:, 0])
        self._hulls = _junction_hulls(lanes)

    def on_road(self, points: FloatArray) -> bool:
        """Whether all points ``(N, 2)`` [m] lie on the road."""
        distances, _ = self._segments.distances(points)
        near = np.any(distances <= self._half + EDGE_TOLERANCE_M, axis=1).tolist()
        return all(
            on or any(_inside(hull, point) for hull in self._hulls)
            for on, point in zip(near, points, strict=True)
        )

    def lane_at(self, pose: Pose) -> tuple[Lane, float, float, bool]:
        """Return the lane of the pose's direction nearest to it, place on it, and if it is on it.

        :returns: lane, distance along [m], offset to the left [m], within its width
        """
        place = np.array([pose.x_m, pose.y_m])
        distances, parts = self._segments.distances(place)
        away = np.abs(wrap_angle(self._yaw - pose.yaw_rad))
        cost = distances + np.where(away < np.pi / 2, 0.5 * away, 1000.0)
        k = int(np.argmin(cost))
        lane = self._lanes[self._lane_of[k]]
        s = self._s[k] + parts[k] * np.sqrt(self._segments.squared[k])
        offset = float(np.copysign(distances[k], self._segments.sides(place)[k]))
        on = cost[k] < 1000.0 and abs(offset) <= lane.width_m / 2 + EDGE_TOLERANCE_M
        return lane, float(s), offset, bool(on)


def footprint(pose: Pose, shape: VehicleShape) -> FloatArray:
    """Return corners ``(4, 2)`` x, y [m] of the ego: front left, front right, rear right, left."""
    return corners_of(pose, -shape.rear_overhang_m, shape.front_overhang_m, shape.width_m)


def _junction_hulls(lanes: list[Lane]) -> list[FloatArray]:
    """Convex hulls of the lanes inside each junction: the surface between the turning lanes."""
    blocks: dict[int, list[FloatArray]] = {}
    for lane in lanes:
        if lane.kind == 'junction':
            half = lane.width_m / 2
            blocks.setdefault(lane.block, []).extend((lane.beside(half), lane.beside(-half)))
    return [_hull(np.concatenate(points)) for points in blocks.values()]


def _hull(points: FloatArray) -> FloatArray:
    """Andrew's monotone chain (1979), counter-clockwise."""
    ordered = sorted(map(tuple, points))
    chains = []
    for sequence in (ordered, ordered[::-1]):
        chain: list[tuple[float, ...]] = []
        for point in sequence:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], point) <= 0.0:
                chain.pop()
            chain.append(point)
        chains.append(chain[:-1])
    return np.array(chains[0] + chains[1])


def _turn(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _inside(hull: FloatArray, point: FloatArray) -> bool:
    step = np.roll(hull, -1, axis=0) - hull
    apart = point - hull
    return bool((step[:, 0] * apart[:, 1] - step[:, 1] * apart[:, 0] >= 0.0).all())
