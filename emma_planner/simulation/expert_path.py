"""Where the expert drives: the route, with smooth shifts round what stands in the way.

A shift that stays in the ego's lane is made at once; one that leaves it, and each lane change of
the route, waits until there is a gap, as long as the old lane lasts. Remembers what has begun.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.expert_conflicts import Line
from emma_planner.simulation.expert_frame import RouteFrame, corners, ramp
from emma_planner.simulation.expert_gaps import blocker
from emma_planner.simulation.expert_speed import Cap, Cause, Limit, Stop
from emma_planner.simulation.observation import Actor, ActorKind, Route, RouteSpan, VehicleShape
from emma_planner.simulation.route import TURNING_KINDS

LOOK_AHEAD_M = 100.0
BEGIN_M = 65.0
"""Nothing is begun for what is farther away: all that belongs to it is seen by then."""
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
AHEAD_OF_OBSTACLE_M = 2.0
"""base_link is over so far before the obstacle; its front leads by its heading."""
OBSTACLE_STOP_M = 4.0
CHANGE_M = 16.0
"""Shortest lane change."""
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
        out = ramp((s_m - self.start_m) / (self.full_m - self.start_m))
        back = ramp((s_m - self.leave_m) / (self.end_m - self.leave_m))
        offsets: FloatArray = self.offset_m * (out - back)
        return offsets


@dataclass(frozen=True, eq=False)
class Lateral:
    """What the ego's line is, and what it asks of the speed.

    :param shift: under way or next, None on a free lane
    :param change: +1 while a lane change to the left is under way, -1 to the right, else 0
    """

    line: Line
    stops: tuple[Stop, ...]
    caps: tuple[Cap, ...]
    shift: Shift | None
    change: int


@dataclass(frozen=True, eq=False)
class Ego:
    """The ego on the route.

    :param scale: of gaps wanted
    """

    s_m: float
    d_m: float
    speed_mps: float
    vehicle: VehicleShape
    scale: float


@dataclass(frozen=True)
class _Box:
    """An obstacle or a group of them in the route's frame."""

    ids: frozenset[str]
    from_s_m: float
    to_s_m: float
    right_m: float
    left_m: float


class ExpertPath:
    """Lays the line, from plan to plan."""

    def __init__(self) -> None:
        self._shifts: list[Shift] = []
        self._changes: dict[float, tuple[float, float]] = {}

    def lay(self, frame: RouteFrame, actors: tuple[Actor, ...], ego: Ego) -> Lateral:
        """Return the line from here on."""
        self._shifts = [shift for shift in self._shifts if shift.end_m > ego.s_m - 5.0]
        base, stops, caps, change = self._change_lanes(frame, actors, ego)
        offsets = base.copy()
        nearest: Shift | None = None
        for group in _groups(frame, actors, base, ego):
            shift, blocked = self._pass(frame, actors, group, base, ego)
            if blocked is not None:
                stops.append(blocked)
            elif shift is not None:
                speed = 3.5 + 9.0 * (shift.clearance_m - LEAST_CLEARANCE_M)
                reach = ego.vehicle.front_overhang_m
                cause = Cause(Limit.OBSTACLE, min(shift.ids), group.from_s_m)
                caps.append(
                    Cap(group.from_s_m - reach, group.to_s_m + 1.0, max(speed, 3.0), cause)
                )
        for shift in self._shifts:
            offsets += shift.offsets(frame.s_m)
            if nearest is None and shift.end_m > ego.s_m:
                nearest = shift
        line = Line.of(frame, offsets, ego.vehicle)
        return Lateral(line, tuple(stops), tuple(caps), nearest, change)

    def _change_lanes(
        self, frame: RouteFrame, actors: tuple[Actor, ...], ego: Ego
    ) -> tuple[FloatArray, list[Stop], list[Cap], int]:
        """Put lane changes off that have no gap yet."""
        base = np.zeros(len(frame.s_m))
        stops: list[Stop] = []
        caps: list[Cap] = []
        underway = 0
        spans = [span for span in frame.route.spans if span.command.startswith('change lane')]
        free_from = -math.inf
        for number, span in enumerate(spans):
            side = 1 if span.command == 'change lane left' else -1
            width = frame.route.lane_width_m
            if span.end_s_m < ego.s_m - 80.0 or span.start_s_m > ego.s_m + LOOK_AHEAD_M:
                continue
            length = span.end_s_m - span.start_s_m
            latest = _latest(frame.route, spans, number)
            begun = self._changes.get(span.start_s_m)
            if begun is None and self._is_near(span, latest, ego):
                who = None
                if ego.s_m >= free_from:
                    band = _target_band(base, frame, ego, side, width)
                    who = blocker(
                        frame, actors, (ego.s_m, ego.speed_mps), band, ego.vehicle, ego.scale
                    )
                if ego.s_m >= free_from and who is None:
                    start = max(span.start_s_m, ego.s_m + 0.2 * ego.speed_mps)
                    if start > span.start_s_m + 1.0:
                        room = max(latest + CHANGE_M - start, 10.0)
                        length = min(max(2.8 * ego.speed_mps, CHANGE_M), 40.0, room)
                    begun = (start, start + length)
                    self._changes[span.start_s_m] = begun
                else:
                    stay = ramp((frame.s_m - span.start_s_m) / length)
                    base -= side * width * stay
                    name = who.id if who is not None else ''
                    cause = Cause(Limit.YIELD, name, latest)
                    stops.append(Stop(latest + ego.vehicle.front_overhang_m, cause))
                    slow = max(4.0, 0.65 * frame.at(ego.s_m, frame.limit_mps))
                    caps.append(Cap(ego.s_m, latest, slow, cause))
                    free_from = math.inf
                    continue
            if begun is not None:
                base -= (
                    side
                    * width
                    * (
                        ramp((frame.s_m - span.start_s_m) / (span.end_s_m - span.start_s_m))
                        - ramp((frame.s_m - begun[0]) / (begun[1] - begun[0]))
                    )
                )
                free_from = 0.4 * begun[0] + 0.6 * begun[1]
                if begun[0] - 5.0 <= ego.s_m <= begun[1]:
                    underway = side
        return base, stops, caps, underway

    def _is_near(self, span: RouteSpan, latest_m: float, ego: Ego) -> bool:
        braking = ego.speed_mps**2 / 3.0 + 12.0
        return (
            span.start_s_m - ego.s_m < max(6.0, 1.2 * ego.speed_mps)
            or latest_m - ego.s_m < braking
        )

    def _pass(
        self,
        frame: RouteFrame,
        actors: tuple[Actor, ...],
        group: _Box,
        base: FloatArray,
        ego: Ego,
    ) -> tuple[Shift | None, Stop | None]:
        """Shift round a group, or stop before it."""
        known = next((shift for shift in self._shifts if shift.ids & group.ids), None)
        wanted = _shift_round(frame, group, base, ego, known)
        who = min(group.ids)
        if wanted is None:
            cause = Cause(Limit.OBSTACLE, who, group.from_s_m)
            return known, None if known else Stop(group.from_s_m - OBSTACLE_STOP_M, cause)
        if known is not None:
            more = abs(wanted.offset_m) > abs(known.offset_m) + 0.05
            grown = replace(
                known,
                ids=known.ids | group.ids,
                offset_m=wanted.offset_m if more else known.offset_m,
                leave_m=max(known.leave_m, wanted.leave_m),
                end_m=max(known.end_m, wanted.end_m),
            )
            self._shifts[self._shifts.index(known)] = grown
            return grown, None
        if not _leaves_lane(frame, wanted, ego):
            if abs(wanted.offset_m) > 0.05 and group.from_s_m < ego.s_m + BEGIN_M:
                self._shifts.append(wanted)
            return wanted, None
        shortest = _shortest(wanted.offset_m)
        hold = wanted.full_m - shortest + ego.vehicle.front_overhang_m
        if group.from_s_m > ego.s_m + BEGIN_M:
            return None, Stop(hold, Cause(Limit.OBSTACLE, who, group.from_s_m))
        half = 0.5 * ego.vehicle.width_m
        side = math.copysign(1.0, wanted.offset_m)
        inner, outer = side * (half + 0.1), wanted.offset_m + side * (half + 0.3)
        middle = float(np.interp(group.from_s_m, frame.s_m, base))
        band = (middle + min(inner, outer), middle + max(inner, outer))
        other = blocker(frame, actors, (ego.s_m, ego.speed_mps), band, ego.vehicle, ego.scale)
        if other is not None:
            return None, Stop(hold, Cause(Limit.OBSTACLE, who, group.from_s_m))
        self._shifts.append(wanted)
        return wanted, None


def _target_band(
    base: FloatArray, frame: RouteFrame, ego: Ego, side: int, width_m: float
) -> tuple[float, float]:
    """The lane beside the ego: from its own side to the far side of that lane."""
    half = 0.5 * ego.vehicle.width_m
    near, far = ego.d_m + side * (half + 0.3), ego.d_m + side * (width_m + half)
    return min(near, far), max(near, far)


def _latest(route: Route, spans: list[RouteSpan], number: int) -> float:
    """Last place of base_link from which a lane change can begin."""
    span = spans[number]
    left = span.command == 'change lane left'
    room = route.right_m if left else route.left_m
    later = [other for other in spans[number + 1 :] if other.command == span.command]
    opposite = [other for other in spans[number + 1 :] if other.command != span.command]
    end = route.length_m
    for other in route.spans:
        if other.start_s_m >= span.end_s_m and other.kind in TURNING_KINDS:
            end = min(end, other.start_s_m)
    if opposite:
        end = min(end, opposite[0].start_s_m)
    lanes = 1.0 + np.sum([route.s_m >= other.end_s_m for other in later], axis=0)
    gone = (room < (0.4 + lanes) * route.lane_width_m) & (route.s_m > span.end_s_m + 1.0)
    if gone.any():
        end = min(end, float(route.s_m[np.argmax(gone)]))
    more = sum(1 for other in later if other.start_s_m < end)
    return max(end - (1 + more) * (CHANGE_M + 1.0), span.start_s_m)


def _groups(
    frame: RouteFrame, actors: tuple[Actor, ...], base: FloatArray, ego: Ego
) -> list[_Box]:
    """Obstacles on or near the ego's line, together where they are near to each other."""
    line = Line.of(frame, base, ego.vehicle)
    boxes = []
    for actor in actors:
        if not actor.parked and actor.kind not in STATIC_KINDS:
            continue
        s_m, d_m = frame.locate(corners(actor))
        near = s_m.max() > ego.s_m - 8.0 and s_m.min() < ego.s_m + LOOK_AHEAD_M
        offset = float(np.interp(s_m.mean(), frame.s_m, base))
        covers = d_m.min() < offset < d_m.max()
        if near and (covers or (line.aside(s_m, d_m) < CLEARANCE_M).any()):
            boxes.append(
                _Box(
                    frozenset([actor.id]),
                    float(s_m.min()),
                    float(s_m.max()),
                    float(d_m.min()),
                    float(d_m.max()),
                )
            )
    boxes.sort(key=lambda box: box.from_s_m)
    groups: list[_Box] = []
    for box in boxes:
        if groups and box.from_s_m - groups[-1].to_s_m < GROUP_M:
            joined = _joined(groups[-1], box)
            alone = _shift_round(frame, groups[-1], base, ego, None)
            both = _shift_round(frame, joined, base, ego, None)
            if both is not None or alone is None:
                groups[-1] = joined
                continue
        groups.append(box)
    return groups


def _joined(one: _Box, other: _Box) -> _Box:
    return _Box(
        one.ids | other.ids,
        min(one.from_s_m, other.from_s_m),
        max(one.to_s_m, other.to_s_m),
        min(one.right_m, other.right_m),
        max(one.left_m, other.left_m),
    )


def _shift_round(
    frame: RouteFrame, group: _Box, base: FloatArray, ego: Ego, known: Shift | None
) -> Shift | None:
    """Return the smaller of the shifts to the left and to the right, None where neither fits."""
    sides = (1, -1) if known is None else (1 if known.offset_m >= 0.0 else -1,)
    found = [_to_side(frame, group, base, ego, side) for side in sides]
    fits = [shift for shift in found if shift is not None]
    return min(fits, key=lambda shift: abs(shift.offset_m)) if fits else None


def _to_side(
    frame: RouteFrame, group: _Box, base: FloatArray, ego: Ego, side: int
) -> Shift | None:
    """Return the shift to one side, of base_link from the line without it."""
    along = (frame.s_m > group.from_s_m - 4.0) & (frame.s_m < group.to_s_m + 4.0)
    if not along.any():
        return None
    line = Line.of(frame, base, ego.vehicle)
    room = frame.left_m if side > 0 else frame.right_m
    outer = line.left_m if side > 0 else line.right_m
    inner = (line.right_m if side > 0 else line.left_m)[along].max()
    middle = float(base[along].mean())
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
    length = min(max(SHIFT_S * speed, _shortest(offset)), LONGEST_SHIFT_M)
    full = group.from_s_m - AHEAD_OF_OBSTACLE_M
    start = max(full - length, ego.s_m + 0.2 * ego.speed_mps)
    full = max(full, start + 0.8 * _shortest(offset))
    leave = group.to_s_m + ego.vehicle.rear_overhang_m + 1.0
    return Shift(group.ids, side * offset, clearance, start, full, leave, leave + length)


def _shortest(offset_m: float) -> float:
    """Length of the shortest shift; 5.77 is the peak of the quintic's second derivative."""
    return max(6.0, math.sqrt(5.77 * abs(offset_m) / SHIFT_CURVATURE_1PM))


def _leaves_lane(frame: RouteFrame, shift: Shift, ego: Ego) -> bool:
    half = 0.5 * (frame.route.lane_width_m - ego.vehicle.width_m)
    return abs(shift.offset_m) > half + LANE_TOLERANCE_M + 1e-6
