"""Where the expert drives: the route, with smooth shifts round what stands in the way.

A shift that stays in the ego's lane is made at once; one that leaves it waits until there is a
gap. Remembers shifts that have begun.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.expert.changes import LaneChanges
from emma_planner.simulation.expert.conflicts import Line
from emma_planner.simulation.expert.frame import Ego, RouteFrame
from emma_planner.simulation.expert.gaps import blocker
from emma_planner.simulation.expert.shifts import (
    LEAST_CLEARANCE_M,
    Group,
    Shift,
    find_groups,
    leaves_lane,
    shift_round,
    shortest_m,
)
from emma_planner.simulation.expert.speed import Cap, Cause, Limit, Stop
from emma_planner.simulation.observation import Actor

BEGIN_M = 65.0
"""Nothing is begun for what is farther away: all that belongs to it is seen by then."""
STOP_M = 4.0
"""Before what cannot be passed."""
PASSING_MPS = 3.5
PASSING_1PS = 9.0
"""Speed beside an obstacle: the first at the least clearance, the second more for each metre."""
INNER_M, OUTER_M = 0.1, 0.3
"""What must be free beside: from so far beyond the ego's side, and so far beyond its new place."""


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


class ExpertPath:
    """Lays the line, from plan to plan."""

    def __init__(self) -> None:
        self._shifts: list[Shift] = []
        self._changes = LaneChanges()

    def lay(self, frame: RouteFrame, actors: tuple[Actor, ...], ego: Ego) -> Lateral:
        """Return the line from here on."""
        self._shifts = [shift for shift in self._shifts if shift.end_m > ego.s_m - 5.0]
        changes = self._changes.lay(frame, actors, ego)
        stops, caps = list(changes.stops), list(changes.caps)
        for group in find_groups(frame, actors, changes.base_m, ego):
            passed = self._pass(frame, actors, group, changes.base_m, ego)
            if isinstance(passed, Stop):
                stops.append(passed)
            else:
                caps.append(_passing(group, passed, ego))
        offsets = changes.base_m + sum(shift.offsets(frame.s_m) for shift in self._shifts)
        nearest = next((shift for shift in self._shifts if shift.end_m > ego.s_m), None)
        line = Line.of(frame, offsets, ego.vehicle)
        return Lateral(line, tuple(stops), tuple(caps), nearest, changes.side)

    def _pass(
        self,
        frame: RouteFrame,
        actors: tuple[Actor, ...],
        group: Group,
        base_m: FloatArray,
        ego: Ego,
    ) -> Shift | Stop:
        """Shift round a group, or stop before it."""
        known = next((shift for shift in self._shifts if shift.ids & group.ids), None)
        wanted = shift_round(frame, group, base_m, ego, known)
        cause = Cause(Limit.OBSTACLE, min(group.ids), group.from_s_m)
        if wanted is None:
            return known or Stop(group.from_s_m - STOP_M, cause)
        if known is not None:
            return self._grow(known, wanted)
        near = group.from_s_m < ego.s_m + BEGIN_M
        if leaves_lane(frame, wanted, ego):
            middle = float(np.interp(group.from_s_m, frame.s_m, base_m))
            if not near or _is_taken(frame, actors, wanted, middle, ego):
                hold = wanted.full_m - shortest_m(wanted.offset_m)
                return Stop(hold + ego.vehicle.front_overhang_m, cause)
        if near and abs(wanted.offset_m) > 0.05:
            self._shifts.append(wanted)
        return wanted

    def _grow(self, known: Shift, wanted: Shift) -> Shift:
        """Let a shift pass what has come into sight besides."""
        more = abs(wanted.offset_m) > abs(known.offset_m) + 0.05
        grown = replace(
            known,
            ids=known.ids | wanted.ids,
            offset_m=wanted.offset_m if more else known.offset_m,
            leave_m=max(known.leave_m, wanted.leave_m),
            end_m=max(known.end_m, wanted.end_m),
        )
        self._shifts[self._shifts.index(known)] = grown
        return grown


def _passing(group: Group, shift: Shift, ego: Ego) -> Cap:
    """Speed beside a group."""
    speed = PASSING_MPS + PASSING_1PS * (shift.clearance_m - LEAST_CLEARANCE_M)
    cause = Cause(Limit.OBSTACLE, min(shift.ids), group.from_s_m)
    reach = ego.vehicle.front_overhang_m
    return Cap(group.from_s_m - reach, group.to_s_m + 1.0, max(speed, PASSING_MPS), cause)


def _is_taken(
    frame: RouteFrame, actors: tuple[Actor, ...], shift: Shift, middle_m: float, ego: Ego
) -> bool:
    """Whether somebody beside forbids a shift.

    :param middle_m: offset of the ego's line without it
    """
    half, side = 0.5 * ego.vehicle.width_m, math.copysign(1.0, shift.offset_m)
    inner, outer = side * (half + INNER_M), shift.offset_m + side * (half + OUTER_M)
    band = (middle_m + min(inner, outer), middle_m + max(inner, outer))
    seen = (ego.s_m, ego.speed_mps)
    return blocker(frame, actors, seen, band, ego.vehicle, ego.scale) is not None
