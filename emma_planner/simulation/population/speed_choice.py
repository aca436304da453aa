"""How fast a car goes: whoever is ahead, curves, lights, and those who go first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from emma_planner.simulation.observation import LightState
from emma_planner.simulation.population.approaches import Approaches
from emma_planner.simulation.population.car_following import (
    HARDEST_BRAKING_MPS2,
    follow,
    slow_to,
    stop_at,
)
from emma_planner.simulation.population.cars import DEADLOCK_S, CarState
from emma_planner.simulation.population.priority import STANDING_MPS
from emma_planner.simulation.population.road_users import LOOK_M, RoadUsers, Seen
from emma_planner.simulation.population.signals import Signals
from emma_planner.simulation.roads.road_graph import JOIN_M, RoadGraph

BAND_M = 0.35
"""Room beside a car's swept band that others must leave free."""
WALKER_ROOM_M = 1.0
"""And more for who is on foot and may step onto the road."""
STOP_LINE_M = 1.0
YELLOW_BRAKING_MPS2 = 3.0
QUEUE_GAP_M = 6.0
"""Who stands so near behind somebody who stands cannot go."""
CURVE_AHEAD_M = 50.0


class SpeedChoice:
    """Accelerations of all cars of one drive.

    :param ranks: of all lanes
    """

    def __init__(self, graph: RoadGraph, ranks: Mapping[str, int]) -> None:
        self._graph = graph
        self._ranks = ranks
        self._blocked_by: dict[str, str] = {}

    def acceleration(
        self,
        car: CarState,
        users: RoadUsers,
        seen: Seen,
        approaches: Approaches,
        signals: Signals,
    ) -> float:
        """Return what a car does now [m/s^2]; notes whether it stands in a queue."""
        track, front = car.track, car.s_m + car.length_m / 2.0
        ahead = (track.s_m >= car.s_m) & (track.s_m <= car.s_m + CURVE_AHEAD_M)
        limits = car.factor * track.speeds_mps
        here = float(np.interp(car.s_m, track.s_m, limits))
        gap, leader_mps = self._leader(car, users, seen)
        stands = max(car.speed_mps, leader_mps) < STANDING_MPS
        car.queues = stands and gap < QUEUE_GAP_M
        wanted = [follow(car.speed_mps, here, gap, leader_mps)]
        for s, limit in zip(track.s_m[ahead], limits[ahead], strict=True):
            if limit < car.speed_mps:
                wanted.append(slow_to(car.speed_mps, float(limit), float(s) - car.s_m))
        if car.braking is not None:
            wanted.append(-car.braking[0])
        stops = [*self._lights(car, signals), *self._yields(car, approaches, signals, gap)]
        last = track.lanes[-1]
        if not self._graph.next_lanes(last) and self._graph.ends_here(last):
            stops.append(track.length_m - 1.0)
        wanted += [stop_at(car.speed_mps, stop - front) for stop in stops]
        return max(min(wanted), -HARDEST_BRAKING_MPS2)

    def _leader(self, car: CarState, users: RoadUsers, seen: Seen) -> tuple[float, float]:
        """Return the gap to what is next in the way, and its speed along it."""
        low = min(car.offset_m, car.wanted_offset_m) - car.width_m / 2.0 - BAND_M
        high = max(car.offset_m, car.wanted_offset_m) + car.width_m / 2.0 + BAND_M
        gap, speed = math.inf, 0.0
        ignored = car.ignores
        nearest = ''
        for k, s, offset in zip(seen.who, seen.s_m, seen.offset_m, strict=True):
            if s[4] <= car.s_m or users.names[k] in (car.id, ignored):
                continue
            room = WALKER_ROOM_M if users.walks[k] else 0.0
            inside = (offset >= low - room) & (offset <= high + room)
            across = offset.min() < 0.0 < offset.max() and low < 0.0 < high
            if not (inside.any() or across):
                continue
            rear = float(s[inside].min() if inside.any() else s.min())
            if rear >= seen.to_m - 0.5:
                continue
            this = max(0.05, rear - car.s_m - car.length_m / 2.0)
            if this < gap:
                along = math.cos(users.yaw_rad[k] - car.track.place(float(s[4]))[2])
                gap, speed = this, max(-3.0, float(users.speed_mps[k]) * along)
                nearest = users.names[k]
        self._watch(car, nearest)
        return gap, speed

    def _watch(self, car: CarState, blocker: str) -> None:
        """Of two cars that are in each other's way for long, the first by name goes."""
        self._blocked_by[car.id] = blocker
        mutual = self._blocked_by.get(blocker) == car.id
        if mutual and car.waited_s >= DEADLOCK_S and car.id < blocker:
            car.ignores = blocker

    def _lights(self, car: CarState, signals: Signals) -> Iterable[float]:
        track, front = car.track, car.s_m + car.length_m / 2.0
        for lane, start in zip(track.lanes, track.starts_m, strict=True):
            line = start + lane.length_m - STOP_LINE_M
            if line - front > LOOK_M:
                return
            if line < front - 0.5 or not signals.stops(lane.id):
                continue
            needed = car.speed_mps**2 / (2.0 * max(line - front, 0.1))
            late = signals.state(lane.id) is LightState.YELLOW and needed > YELLOW_BRAKING_MPS2
            if not late:
                yield line

    def _yields(
        self,
        car: CarState,
        approaches: Approaches,
        signals: Signals,
        gap_m: float,
    ) -> Iterable[float]:
        """Places before which the car has to stop, along its track."""
        track, half = car.track, car.length_m / 2.0
        for lane, start in zip(track.lanes, track.starts_m, strict=True):
            distance = start - car.s_m
            if distance > LOOK_M / 2.0:
                return
            conflicts = self._graph.conflicts[lane.id]
            waits_inside = lane.kind in ('merge', 'split')
            if not conflicts or (distance < half - 0.5 and not waits_inside):
                continue
            enters = lane.kind == 'junction' or (
                lane.kind == 'roundabout' and not self._ranks[lane.id]
            )
            if enters and self._is_full(car, start + lane.length_m, gap_m):
                yield start
            for conflict in conflicts:
                other_lane = self._graph.lanes[conflict.other]
                if math.dist(other_lane.points[0], lane.points[0]) < JOIN_M:
                    continue  # they part here: whoever is ahead leads
                joins = math.dist(other_lane.points[-1], lane.points[-1]) < JOIN_M
                if waits_inside and not joins:
                    continue
                me = approaches.of_car(car, lane, start)
                if approaches.someone_first(me, conflict, signals):
                    yield start + conflict.enter_m - 2.0 if waits_inside else start
                    break

    def _is_full(self, car: CarState, end_m: float, gap_m: float) -> bool:
        """Whether the queue behind a junction reaches back to it."""
        rear = car.s_m + car.length_m / 2.0 + gap_m
        return gap_m < LOOK_M and end_m - 3.0 < rear < end_m + car.length_m + 1.0
