"""Moves round what stands in the way: which side, how far, from where to where.

In: the route frame, the ego's line without them, obstacles. Out: groups of obstacles and the
shifts that pass them. Decides nothing and remembers nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.expert.conflicts import Line
from emma_planner.simulation.expert.frame import Ego, RouteFrame, corners
from emma_planner.simulation.observation import Actor, ActorKind
from emma_planner.simulation.roads.polyline import quintic_step

LOOK_AHEAD_M = 100.0
GROUP_M = 30.0
"""Obstacles nearer to each other are passed together."""
CLEARANCE_M = 0.8
IN_LANE_CLEARANCE_M = 0.6
LEAST_CLEARANCE_M = 0.35
EDGE_M = 0.15
"""Kept between the ego and the end of its room."""
LANE_TOLERANCE_M = 0.1
SHIFT_S = 3.0
LONGEST_SHIFT_M = 40.0
SHIFT_CURVATURE_1PM = 0.13
"""Of the shortest shift."""
QUINTIC_PEAK = 5.77
"""Largest second derivative of the quintic step."""
AHEAD_OF_OBSTACLE_M = 2.0
"""base_link is over so far before the obstacle; its front leads by its heading."""
STATIC_KINDS = (ActorKind.CONE, ActorKind.BARRIER, ActorKind.WARNING)


@dataclass(frozen=True)
class Shift:
    """A move beside the line and back, by place of base_link along the route.

    :param offset_m: left positive
    """

    ids: frozenset[str]
    offset_m: float
    clearance_m: float
    start_m: float
    full_m: float
    leave_m: float
    end_m: float

    def offsets(self, s_m: FloatArray) -> FloatArray:
        """Offset at places along the route."""
        out = quintic_step((s_m - self.start_m) / (self.full_m - self.start_m))
        back = quintic_step((s_m - self.leave_m) / (self.end_m - self.leave_m))
        offsets: FloatArray = self.offset_m * (out - back)
        return offsets


@dataclass(frozen=True)
class Group:
    """Obstacles that are passed together, in the route's frame.

    :param right_m: offset of their right end, left positive
    """

    ids: frozenset[str]
    from_s_m: float
    to_s_m: float
    right_m: float
    left_m: float


def find_groups(
    frame: RouteFrame, actors: tuple[Actor, ...], base_m: FloatArray, ego: Ego
) -> list[Group]:
    """Obstacles on or near the ego's line, together where they are near to each other."""
    groups: list[Group] = []
    for one in sorted(_near(frame, actors, base_m, ego), key=lambda one: one.from_s_m):
        if groups and one.from_s_m - groups[-1].to_s_m < GROUP_M:
            joined = _joined(groups[-1], one)
            alone = shift_round(frame, groups[-1], base_m, ego, None)
            if alone is None or shift_round(frame, joined, base_m, ego, None) is not None:
                groups[-1] = joined
                continue
        groups.append(one)
    return groups


def _near(
    frame: RouteFrame, actors: tuple[Actor, ...], base_m: FloatArray, ego: Ego
) -> list[Group]:
    line = Line.of(frame, base_m, ego.vehicle)
    found = []
    for actor in actors:
        if not actor.parked and actor.kind not in STATIC_KINDS:
            continue
        s_m, d_m = frame.locate(corners(actor))
        near = s_m.max() > ego.s_m - 8.0 and s_m.min() < ego.s_m + LOOK_AHEAD_M
        offset = float(np.interp(s_m.mean(), frame.s_m, base_m))
        covers = d_m.min() < offset < d_m.max()
        if near and (covers or (line.aside(s_m, d_m) < CLEARANCE_M).any()):
            ends = (s_m.min(), s_m.max(), d_m.min(), d_m.max())
            found.append(Group(frozenset([actor.id]), *map(float, ends)))
    return found


def _joined(one: Group, other: Group) -> Group:
    return Group(
        one.ids | other.ids,
        min(one.from_s_m, other.from_s_m),
        max(one.to_s_m, other.to_s_m),
        min(one.right_m, other.right_m),
        max(one.left_m, other.left_m),
    )


def shift_round(
    frame: RouteFrame, group: Group, base_m: FloatArray, ego: Ego, known: Shift | None
) -> Shift | None:
    """Return the smaller of the shifts to the left and to the right, None where neither fits."""
    sides = (1, -1) if known is None else (1 if known.offset_m >= 0.0 else -1,)
    found = [_to_side(frame, group, base_m, ego, side) for side in sides]
    fits = [shift for shift in found if shift is not None]
    return min(fits, key=lambda shift: abs(shift.offset_m)) if fits else None


def _to_side(
    frame: RouteFrame, group: Group, base_m: FloatArray, ego: Ego, side: int
) -> Shift | None:
    """Return the shift to one side, of base_link from the line without it."""
    along = (frame.s_m > group.from_s_m - 4.0) & (frame.s_m < group.to_s_m + 4.0)
    if not along.any():
        return None
    line = Line.of(frame, base_m, ego.vehicle)
    room = frame.left_m if side > 0 else frame.right_m
    outer = line.left_m if side > 0 else line.right_m
    inner = (line.right_m if side > 0 else line.left_m)[along].max()
    middle = float(base_m[along].mean())
    most = float((room - outer)[along].min()) - EDGE_M - side * middle
    touch = side * ((group.left_m if side > 0 else group.right_m) - middle) + float(inner)
    in_lane = 0.5 * frame.route.lane_width_m + LANE_TOLERANCE_M - float(outer[along].max())
    if touch + IN_LANE_CLEARANCE_M <= in_lane:
        clearance = min(CLEARANCE_M, in_lane - touch)
    else:
        clearance = min(CLEARANCE_M, most - touch)
    if clearance < LEAST_CLEARANCE_M:
        return None
    offset = max(touch + clearance, 0.0)
    speed = max(ego.speed_mps, 4.0)
    length = min(max(SHIFT_S * speed, shortest_m(offset)), LONGEST_SHIFT_M)
    full = group.from_s_m - AHEAD_OF_OBSTACLE_M
    start = max(full - length, ego.s_m + 0.2 * ego.speed_mps)
    full = max(full, start + 0.8 * shortest_m(offset))
    leave = group.to_s_m + ego.vehicle.rear_overhang_m + 1.0
    return Shift(group.ids, side * offset, clearance, start, full, leave, leave + length)


def shortest_m(offset_m: float) -> float:
    """Length of the shortest shift."""
    return max(6.0, math.sqrt(QUINTIC_PEAK * abs(offset_m) / SHIFT_CURVATURE_1PM))


def leaves_lane(frame: RouteFrame, shift: Shift, ego: Ego) -> bool:
    """Whether a shift needs room of the lane beside."""
    half = 0.5 * (frame.route.lane_width_m - ego.vehicle.width_m)
    return abs(shift.offset_m) > half + LANE_TOLERANCE_M + 1e-6
