"""Whom the expert lets go first: lights, people on foot, crossing and joining traffic.

In: conflicts, and how the ego would drive without them. Out: places to stop at and cars to follow.
The ego lets everybody go who would come near it; whoever stands outside its line waits, and is not
waited for. Remembers what it decided at yellow lights.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.expert.conflicts import WALKERS, Conflict, Leader
from emma_planner.simulation.expert.frame import Ego
from emma_planner.simulation.expert.speed import DT_S, Cause, Follow, Limit, Motion, Stop
from emma_planner.simulation.observation import Light, LightState, Route, RouteSpan

LINE_M = 1.5
"""The front stops this far before a stop line."""
YELLOW_MPS2 = 2.8
"""Who would have to brake harder passes at yellow."""
FIRM_MPS2 = 4.5
"""Who would have to brake harder goes on where others might come."""
WALKER_M = 4.0
WALKER_LEAST_M = 1.5
WALKER_CALM_MPS2 = 2.2
KERB_S = 3.5
"""Who stands and needs less than this to be on the ego's line may step out."""
BEFORE_S = 1.5
AFTER_S = 0.6
"""Between the ego and whoever crosses: when the ego is first, and when it is second."""
JOIN_S = 1.2
JOIN_MPS2 = 2.0
YIELD_M = 1.0
ENTRY_M = 0.5
ENTRY_REACH_M = 35.0
STANDS_MPS = 0.3
SLOW_MPS = 1.5
BEYOND_JUNCTION_M = 3.0
LIGHT_REACH_M = 15.0


@dataclass(frozen=True, eq=False)
class _Junction:
    """A junction on the route.

    :param guarded: by lights, one approach at a time
    :param centre: where the ways in and out cross [m]
    :param radius_m: to the ego's stop line
    """

    span: RouteSpan
    guarded: bool
    centre: FloatArray
    radius_m: float


class Yielding:
    """Decides who goes first, from plan to plan."""

    def __init__(self) -> None:
        self._yellow: dict[str, bool] = {}

    def at_lights(self, lights: Iterable[Light], ego: Ego) -> list[Stop]:
        """Stop lines that rule now."""
        stops = []
        for light in lights:
            distance = light.stop_s_m - ego.s_m - ego.vehicle.front_overhang_m
            if light.state is LightState.GREEN or distance < 0.0:
                self._yellow.pop(light.id, None)
                continue
            passes = False
            if light.state is LightState.YELLOW:
                if light.id not in self._yellow:
                    needed = ego.speed_mps**2 / (2.0 * max(distance - 0.5, 0.1))
                    self._yellow[light.id] = needed > YELLOW_MPS2
                passes = self._yellow[light.id]
            if not passes:
                cause = Cause(Limit.RED_LIGHT, light.id, light.stop_s_m)
                stops.append(Stop(light.stop_s_m - LINE_M, cause))
        return stops

    def behind_queues(
        self, route: Route, lights: Iterable[Light], leaders: Iterable[Leader], ego: Ego
    ) -> list[Stop]:
        """Stay out of a junction that cannot be left."""
        stops = []
        front = ego.s_m + ego.vehicle.front_overhang_m
        room = ego.vehicle.length_m + BEYOND_JUNCTION_M
        lines = [light.stop_s_m for light in lights]
        for span in route.spans:
            if span.kind != 'junction' or span.start_s_m < front - 1.0:
                continue
            for leader in leaders:
                stuck = leader.speed_mps < SLOW_MPS
                if stuck and span.start_s_m < leader.rear_s_m < span.end_s_m + room:
                    near = [s for s in lines if abs(s - span.start_s_m) < LIGHT_REACH_M]
                    place = min(near, default=span.start_s_m) - LINE_M
                    cause = Cause(Limit.LEAD, leader.actor.id, leader.rear_s_m)
                    stops.append(Stop(place, cause))
        return stops

    def give_way(
        self,
        route: Route,
        lights: tuple[Light, ...],
        conflicts: Iterable[Conflict],
        free: Motion,
        ego: Ego,
    ) -> tuple[list[Stop], list[Follow]]:
        """Let others go first.

        :param free: how the ego would drive if there were none of them
        """
        stops, follows = [], []
        junctions = _junctions(route, lights, ego)
        for conflict in conflicts:
            if conflict.actor.kind in WALKERS:
                stop = _for_walker(conflict, free, ego)
            elif _is_held(conflict, junctions):
                continue
            elif conflict.joins:
                follow = _for_joining(conflict, free, ego)
                if follow is not None:
                    follows.append(follow)
                continue
            else:
                stop = _for_crossing(conflict, junctions, free, ego)
            if stop is not None:
                stops.append(stop)
        return stops, follows


def _for_walker(conflict: Conflict, free: Motion, ego: Ego) -> Stop | None:
    vehicle = ego.vehicle
    front = ego.s_m + vehicle.front_overhang_m
    stands = abs(conflict.actor.speed_mps) < 0.2
    reach = free.time_at(conflict.from_s_m - vehicle.front_overhang_m - 1.0)
    gone = free.time_at(conflict.to_s_m + vehicle.rear_overhang_m)
    cause = Cause(Limit.PEDESTRIAN, conflict.actor.id, conflict.from_s_m)
    room = conflict.from_s_m - front
    if stands and conflict.enter_s > 0.0:
        calm = room > WALKER_M and _needed(ego, room - WALKER_M) < WALKER_CALM_MPS2
        wait = calm and conflict.enter_s < KERB_S and ego.scale >= 1.0
        return Stop(conflict.from_s_m - WALKER_M, cause) if wait else None
    if gone + BEFORE_S < conflict.enter_s or reach > conflict.leave_s + 1.0:
        return None
    if room < 0.3:
        return None
    if room > WALKER_M and _needed(ego, room - WALKER_M) < FIRM_MPS2:
        return Stop(conflict.from_s_m - WALKER_M, cause)
    return Stop(max(conflict.from_s_m - WALKER_LEAST_M, min(front, conflict.from_s_m)), cause)


def _for_joining(conflict: Conflict, free: Motion, ego: Ego) -> Follow | None:
    actor = conflict.actor
    front = ego.s_m + ego.vehicle.front_overhang_m
    half = 0.5 * actor.length_m
    cause = Cause(Limit.YIELD, actor.id, conflict.from_s_m)
    behind = Follow(conflict.place_s_m - half, max(actor.speed_mps, 0.0), 0.0, cause)
    is_ahead = conflict.place_s_m - half > front
    if conflict.beside:
        leads = conflict.place_s_m + half > front - 1.0
        return behind if leads else None
    if front > conflict.from_s_m:
        return behind if is_ahead else None
    if actor.speed_mps < STANDS_MPS and conflict.enter_s > 0.0:
        return None
    gone = free.time_at(conflict.from_s_m + ego.vehicle.rear_overhang_m)
    if math.isfinite(gone):
        speed = float(np.interp(gone, _times(free), free.speeds_mps)) + 1.0
        closing = max(actor.speed_mps - speed, 0.0) / JOIN_MPS2
        if gone + ego.scale * (JOIN_S + closing) < conflict.enter_s:
            return None
    if not is_ahead and _needed(ego, conflict.from_s_m - front) > FIRM_MPS2:
        return None
    return Follow(behind.rear_s_m, behind.speed_mps, 0.0, cause, conflict.from_s_m - YIELD_M)


def _for_crossing(
    conflict: Conflict, junctions: list[_Junction], free: Motion, ego: Ego
) -> Stop | None:
    vehicle, actor = ego.vehicle, conflict.actor
    front = ego.s_m + vehicle.front_overhang_m
    if front > conflict.from_s_m + 0.3:
        return None
    if actor.speed_mps < STANDS_MPS and conflict.enter_s > 0.0:
        return None
    reach = free.time_at(conflict.from_s_m - vehicle.front_overhang_m)
    gone = free.time_at(conflict.to_s_m + vehicle.rear_overhang_m)
    if gone + ego.scale * BEFORE_S < conflict.enter_s:
        return None
    if reach > conflict.leave_s + AFTER_S:
        return None
    if _needed(ego, conflict.from_s_m - front) > FIRM_MPS2 and conflict.enter_s > 0.0:
        return None
    place = conflict.from_s_m - YIELD_M
    for junction in junctions:
        entry = junction.span.start_s_m
        if entry < conflict.from_s_m < entry + ENTRY_REACH_M and entry - ENTRY_M > front - 0.5:
            place = min(place, entry - ENTRY_M)
    return Stop(place, Cause(Limit.YIELD, actor.id, conflict.from_s_m))


def _is_held(conflict: Conflict, junctions: list[_Junction]) -> bool:
    """Whether a red light holds somebody: only one approach is green, and that is the ego's."""
    actor = conflict.actor
    for junction in junctions:
        span = junction.span
        if junction.guarded and span.start_s_m - 2.0 < conflict.from_s_m < span.end_s_m + 15.0:
            away = np.hypot(*(junction.centre - (actor.pose.x_m, actor.pose.y_m)))
            return bool(away - 0.5 * actor.length_m > junction.radius_m - 1.0)
    return False


def _junctions(route: Route, lights: tuple[Light, ...], ego: Ego) -> list[_Junction]:
    found = []
    for span in route.spans:
        near = ego.s_m - 40.0 < span.end_s_m and span.start_s_m < ego.s_m + 100.0
        if span.kind != 'junction' or not near:
            continue
        lines = [
            light.stop_s_m
            for light in lights
            if abs(light.stop_s_m - span.start_s_m) < LIGHT_REACH_M
        ]
        entry = _place(route, span.start_s_m)
        centre = _crossing_of(entry, _place(route, span.end_s_m))
        radius = float(np.hypot(*(centre - entry[:2])))
        found.append(_Junction(span, bool(lines), centre, radius))
    return found


def _place(route: Route, s_m: float) -> FloatArray:
    """``(3,)`` x, y, yaw of the route."""
    places = np.clip([s_m - 0.5, s_m + 0.5], 0.0, route.length_m)
    x, y = (np.interp(places, route.s_m, route.points[:, k]) for k in (0, 1))
    return np.array([x.mean(), y.mean(), math.atan2(y[1] - y[0], x[1] - x[0])])


def _crossing_of(entry: FloatArray, exit_: FloatArray) -> FloatArray:
    """Where two directions cross; the middle between them where they hardly do."""
    cross = math.sin(exit_[2] - entry[2])
    if abs(cross) < 0.3:
        middle: FloatArray = 0.5 * (entry[:2] + exit_[:2])
        return middle
    dx, dy = exit_[:2] - entry[:2]
    along = (dx * math.sin(exit_[2]) - dy * math.cos(exit_[2])) / cross
    ahead = np.array([math.cos(entry[2]), math.sin(entry[2])])
    crossing: FloatArray = np.asarray(entry[:2] + along * ahead, dtype=np.float64)
    return crossing


def _needed(ego: Ego, room_m: float) -> float:
    """Braking that stops the ego within a distance [m/s^2]."""
    return ego.speed_mps**2 / (2.0 * max(room_m, 0.05))


def _times(motion: Motion) -> FloatArray:
    return np.linspace(DT_S, DT_S * len(motion.s_m), len(motion.s_m))
