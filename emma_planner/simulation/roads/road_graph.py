"""Lanes and how they join: the map of a world without its simulator.

Pure geometry in the world's ``map`` frame. Knows no cars and no simulator.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from emma_planner.planning.kinematics import wrap_angle
from emma_planner.planning.types import FloatArray
from emma_planner.simulation.roads.polyline import offset_line, project, way_along, yaw_along

JOIN_M = 0.6
"""Ends of lanes closer than this join."""
CONFLICT_M = 2.4
"""Middle lines of two lanes closer than this cannot be driven at the same time."""

RoadId = tuple[str, str]


class RouteError(Exception):
    """There is no way, or a place that is not on the map."""


@dataclass(frozen=True, eq=False)
class Lane:
    """One lane, in its driving direction.

    :param id: unique
    :param road: the lanes side by side that it belongs to
    :param index: place in the road, 0 = leftmost
    :param points: ``(N, 2)`` x, y [m], middle line, about 1 m apart
    :param kind: ``straight``, ``curve``, ``roundabout``, ``junction``, ``ramp``, ``merge`` or
        ``split``
    :param block: number of the road block along the map, 0 = start
    :param left_line: ``none``, ``broken``, ``solid`` or ``edge``
    :param speed_limit_mps: posted
    """

    id: str
    road: RoadId
    index: int
    points: FloatArray
    width_m: float
    kind: str
    block: int
    left_line: str
    right_line: str
    speed_limit_mps: float
    s_m: FloatArray = field(init=False)
    yaw_rad: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        if len(self.points) < 2 or not (np.diff(way_along(self.points)) > 0.0).all():
            raise ValueError(f'lane {self.id}: need two points at least, all apart')
        object.__setattr__(self, 's_m', way_along(self.points))
        object.__setattr__(self, 'yaw_rad', yaw_along(self.points))

    @property
    def length_m(self) -> float:
        """Along the middle line [m]."""
        return float(self.s_m[-1])

    @property
    def turn_rad(self) -> float:
        """From its first to its last direction, left positive."""
        return float(self.yaw_rad[-1] - self.yaw_rad[0])

    def place(self, s_m: float, offset_m: float = 0.0) -> tuple[float, float, float]:
        """Return x, y, yaw at a distance along the lane, offset to the left."""
        x = float(np.interp(s_m, self.s_m, self.points[:, 0]))
        y = float(np.interp(s_m, self.s_m, self.points[:, 1]))
        yaw = float(np.interp(s_m, self.s_m, self.yaw_rad))
        return x - offset_m * np.sin(yaw), y + offset_m * np.cos(yaw), yaw

    def beside(self, offset_m: float) -> FloatArray:
        """Return a line ``(N, 2)`` along the lane, offset to the left [m]."""
        return offset_line(self.points, self.yaw_rad, offset_m)

    def locate(self, x_m: float, y_m: float) -> tuple[float, float]:
        """Return distance along the lane and offset from it, left positive [m]."""
        return locate(self.points, self.s_m, x_m, y_m)


def locate(points: FloatArray, s_m: FloatArray, x_m: float, y_m: float) -> tuple[float, float]:
    """Project a point onto a polyline.

    :param points: ``(N, 2)``
    :param s_m: ``(N,)`` distance along it
    :returns: distance along, and signed distance beside it, left positive [m]
    """
    s, offset = project(points, s_m, np.array([x_m, y_m]))
    return float(s), float(offset)


@dataclass(frozen=True)
class Conflict:
    """Where two lanes cross or run together.

    :param enter_m: from here along ``lane`` until ``leave_m``
    :param other_enter_m: and on ``other`` from here
    """

    lane: str
    other: str
    enter_m: float
    leave_m: float
    other_enter_m: float
    other_leave_m: float


class RoadGraph:
    """All lanes of a map.

    :param lanes: in any order
    """

    def __init__(self, lanes: list[Lane]) -> None:
        self.lanes = {lane.id: lane for lane in lanes}
        self.roads: dict[RoadId, tuple[Lane, ...]] = {}
        for lane in sorted(lanes, key=lambda lane: (lane.road, lane.index)):
            self.roads[lane.road] = (*self.roads.get(lane.road, ()), lane)
        leaving: dict[str, list[Lane]] = {}
        for lane in lanes:
            leaving.setdefault(lane.road[0], []).append(lane)
        self._next = {
            lane.id: tuple(
                other
                for other in sorted(leaving.get(lane.road[1], ()), key=lambda other: other.id)
                if np.hypot(*(other.points[0] - lane.points[-1])) < JOIN_M
            )
            for lane in lanes
        }
        self._before: dict[str, list[Lane]] = {lane.id: [] for lane in lanes}
        for lane in lanes:
            for other in self._next[lane.id]:
                self._before[other.id].append(lane)
        self.conflicts = self._find_conflicts(lanes)

    def next_lanes(self, lane: Lane) -> tuple[Lane, ...]:
        """Lanes that begin where this one ends."""
        return self._next[lane.id]

    def lanes_before(self, lane: Lane) -> tuple[Lane, ...]:
        """Lanes that end where this one begins."""
        return tuple(self._before[lane.id])

    def beside(self, lane: Lane) -> tuple[Lane, ...]:
        """Lanes of the same road directly left and right."""
        return tuple(
            other for other in self.roads[lane.road] if abs(other.index - lane.index) == 1
        )

    def ends_here(self, lane: Lane) -> bool:
        """Whether a lane stops while its road goes on."""
        return any(self.next_lanes(other) for other in self.beside(lane))

    def nearest(self, x_m: float, y_m: float, yaw_rad: float) -> Lane:
        """Return the lane whose middle line is nearest, of those that lead the same way."""

        def distance(lane: Lane) -> float:
            s, offset = lane.locate(x_m, y_m)
            away = abs(wrap_angle(lane.place(s)[2] - yaw_rad))
            return abs(offset) + (0.0 if away < np.pi / 2 else 1000.0)

        return min(self.lanes.values(), key=distance)

    def _find_conflicts(self, lanes: list[Lane]) -> dict[str, tuple[Conflict, ...]]:
        found: dict[str, list[Conflict]] = {lane.id: [] for lane in lanes}
        boxes = {lane.id: _box(lane.points) for lane in lanes}
        for k, one in enumerate(lanes):
            for other in lanes[k + 1 :]:
                if one.road == other.road or not _boxes_meet(boxes[one.id], boxes[other.id]):
                    continue
                conflict = _conflict(one, other)
                if conflict is None:
                    continue
                found[one.id].append(conflict)
                found[other.id].append(
                    Conflict(
                        other.id,
                        one.id,
                        conflict.other_enter_m,
                        conflict.other_leave_m,
                        conflict.enter_m,
                        conflict.leave_m,
                    )
                )
        return {name: tuple(conflicts) for name, conflicts in found.items()}


def _box(points: FloatArray) -> FloatArray:
    return np.array([points.min(axis=0) - CONFLICT_M, points.max(axis=0) + CONFLICT_M])


def _boxes_meet(one: FloatArray, other: FloatArray) -> bool:
    return bool((one[0] <= other[1]).all() and (other[0] <= one[1]).all())


def _conflict(one: Lane, other: Lane) -> Conflict | None:
    """Return where two lanes come too near, None when they do not or only touch end to end."""
    apart = np.hypot(
        one.points[:, None, 0] - other.points[None, :, 0],
        one.points[:, None, 1] - other.points[None, :, 1],
    )
    near = apart < CONFLICT_M
    joins = (
        np.hypot(*(one.points[-1] - other.points[0])) < JOIN_M
        or np.hypot(*(other.points[-1] - one.points[0])) < JOIN_M
    )
    if joins or not near.any():
        return None
    mine, theirs = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    return Conflict(
        one.id,
        other.id,
        float(one.s_m[mine[0]]),
        float(one.s_m[mine[-1]]),
        float(other.s_m[theirs[0]]),
        float(other.s_m[theirs[-1]]),
    )
