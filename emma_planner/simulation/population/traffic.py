"""Cars that share the road with the ego: they follow lanes, keep gaps, stop at lights and yield.

Kinematic and deterministic: the same scenario and the same ego motion give the same traffic. In:
where the ego is, lights, obstacles and pedestrians. Out: where every car is. Knows no simulator.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from emma_planner.planning.kinematics import wrap_angle
from emma_planner.planning.types import FloatArray, Pose
from emma_planner.simulation.observation import Actor, ActorKind, LightState, VehicleShape
from emma_planner.simulation.population.car_following import (
    HARDEST_BRAKING_MPS2,
    follow,
    slow_to,
    stop_at,
)
from emma_planner.simulation.population.priority import TURN_RAD, Approach, must_yield, rank_of
from emma_planner.simulation.population.track import Track
from emma_planner.simulation.roads.boxes import corners_of
from emma_planner.simulation.roads.polyline import project
from emma_planner.simulation.roads.road_graph import JOIN_M, Conflict, Lane, RoadGraph
from emma_planner.simulation.scenario import Scenario

MAX_CARS = 40
SIZES_M = {
    's': (4.3, 1.7, 1.55),
    'm': (4.6, 1.85, 1.5),
    'l': (4.87, 2.05, 1.85),
    'xl': (5.74, 2.3, 2.8),
}
"""Length, width, height by model."""
SPACING_M = 12.0
EGO_CLEAR_M = 18.0
NEW_FAR_M = 90.0
"""Who has left the map comes back no nearer to the ego than this."""
TRACK_M = 80.0
LOOK_M = 60.0
BAND_M = 0.35
"""Room beside a car's swept band that others must leave free."""
CHANGE_MPS = 1.2
"""How fast a car moves sideways in a lane change or around an obstacle."""
SHIFT_ROOM_M = 1.0
STOP_LINE_M = 1.0
YELLOW_BRAKING_MPS2 = 3.0
STANDING_MPS = 0.3
CREEPING_MPS = 2.0
"""Whoever moves up in a queue has waited all the same."""
DEADLOCK_S = 6.0
QUEUE_GAP_M = 6.0
"""Who stands so near behind somebody who stands cannot go."""
LEAD_GAP_M = 22.0
CUT_IN_AHEAD_M = (7.0, 12.0)
CUT_IN_CLOSING_MPS = (-2.0, 1.0)


class Signals(Protocol):
    """Traffic lights, by the lane at whose end they stand."""

    def stops(self, lane_id: str) -> bool:
        """Red or yellow."""
        ...

    def state(self, lane_id: str) -> LightState | None:
        """What it shows; None without a light."""
        ...


@dataclass(frozen=True)
class EgoMotion:
    """The ego as others see it.

    :param pose: base_link
    :param route_lane_ids: where it is going
    """

    pose: Pose
    speed_mps: float
    shape: VehicleShape
    route_lane_ids: tuple[str, ...]

    @property
    def centre(self) -> Pose:
        """Middle of its footprint."""
        ahead = (self.shape.front_overhang_m - self.shape.rear_overhang_m) / 2.0
        yaw = self.pose.yaw_rad
        return Pose(
            self.pose.x_m + ahead * math.cos(yaw), self.pose.y_m + ahead * math.sin(yaw), yaw
        )


@dataclass(frozen=True)
class Car:
    """A car now.

    :param model: a key of :data:`SIZES_M`
    :param pose: middle of its footprint
    """

    id: str
    model: str
    pose: Pose
    speed_mps: float
    yaw_rate_radps: float


@dataclass(eq=False)
class _Driver:
    """What a car remembers.

    :param s_m: its middle along its track
    :param offset_m: beside the track, left positive; on its way to ``wanted_offset_m``
    :param plan: lanes to take where there is a choice
    :param brakes: seconds of driving at which to brake to a stop
    :param queues: stands behind somebody who stands
    :param cut_in_s: when to change in front of the ego
    """

    id: str
    model: str
    track: Track
    s_m: float
    speed_mps: float
    factor: float
    rng: np.random.Generator
    offset_m: float = 0.0
    wanted_offset_m: float = 0.0
    waited_s: float = 0.0
    driven_s: float = 0.0
    plan: tuple[str, ...] = ()
    brakes: list[float] = field(default_factory=list)
    braking: tuple[float, float] | None = None
    cut_in_s: float | None = None
    queues: bool = False
    pose: Pose = field(default_factory=lambda: Pose(0.0, 0.0, 0.0))
    yaw_rate_radps: float = 0.0

    @property
    def length_m(self) -> float:
        return SIZES_M[self.model][0]

    @property
    def width_m(self) -> float:
        return SIZES_M[self.model][1]

    def update_pose(self, dt_s: float) -> None:
        x, y, yaw = self.track.place(self.s_m)
        x, y = x - self.offset_m * math.sin(yaw), y + self.offset_m * math.cos(yaw)
        sideways = math.copysign(
            min(CHANGE_MPS, abs(self.wanted_offset_m - self.offset_m)),
            self.wanted_offset_m - self.offset_m,
        )
        yaw += math.atan2(sideways, max(self.speed_mps, 4.0)) if self.speed_mps > 0.5 else 0.0
        turned = wrap_angle(yaw - self.pose.yaw_rad)
        self.yaw_rate_radps = turned / dt_s if dt_s > 0.0 else 0.0
        self.pose = Pose(x, y, wrap_angle(yaw))


@dataclass(frozen=True, eq=False)
class _Seen:
    """Those near a car, on its track.

    :param who: ``(n,)`` numbers of users
    :param s_m: ``(n, 5)`` along the track, corners and middle
    :param offset_m: ``(n, 5)`` beside it, left positive
    :param from_m: the track was looked at between here and ``to_m``
    """

    who: NDArray[np.intp]
    s_m: FloatArray
    offset_m: FloatArray
    from_m: float
    to_m: float


@dataclass(frozen=True, eq=False)
class _Users:
    """Everybody on the road as arrays, the ego first.

    :param points: ``(N, 5, 2)`` corners and middle [m]
    """

    names: tuple[str, ...]
    points: FloatArray
    yaw_rad: FloatArray
    speed_mps: FloatArray
    parked: tuple[bool, ...]
    walks: tuple[bool, ...]


EGO = 'ego'


class Traffic:
    """All cars of one drive.

    :param ego: at the start
    """

    def __init__(self, graph: RoadGraph, scenario: Scenario, ego: EgoMotion) -> None:
        self._graph = graph
        self._ranks = {name: rank_of(lane, graph) for name, lane in graph.lanes.items()}
        self._entries = tuple(
            lane
            for _, lane in sorted(graph.lanes.items())
            if not graph.lanes_before(lane) and lane.length_m > 8.0
        )
        self._rng = np.random.default_rng((scenario.seed, 2))
        self._ego_waited_s = 0.0
        self._drivers: list[_Driver] = []
        self._absent: list[_Driver] = []
        self._blocked_by: dict[str, str] = {}
        self._ignores: dict[str, str] = {}
        self._spawn_scripted(scenario, ego)
        self._spawn(scenario.traffic_density, ego)
        self._fresh = True
        for driver in self._drivers:
            driver.update_pose(0.0)

    @property
    def cars(self) -> tuple[Car, ...]:
        """All cars on the map."""
        return tuple(
            Car(d.id, d.model, d.pose, d.speed_mps, d.yaw_rate_radps) for d in self._drivers
        )

    def to_actor(self, car: Car) -> Actor:
        """Return a car with where it will go over the next 40 m."""
        driver = next(d for d in self._drivers if d.id == car.id)
        ahead = driver.s_m + np.arange(0.0, 41.0, 2.0)
        ahead = ahead[ahead <= driver.track.length_m]
        track = driver.track
        path = np.column_stack([np.interp(ahead, track.s_m, track.points[:, k]) for k in (0, 1)])
        length, width, height = SIZES_M[car.model]
        return Actor(
            car.id,
            ActorKind.VEHICLE,
            car.pose,
            car.speed_mps,
            length,
            width,
            height,
            parked=False,
            path=path,
        )

    def step(
        self, dt_s: float, ego: EgoMotion, signals: Signals, obstacles: tuple[Actor, ...]
    ) -> None:
        """Let everybody drive for a while.

        :param obstacles: pedestrians, parked cars, cones
        """
        if self._fresh:
            self._make_room(obstacles)
            self._fresh = False
        self._ego_waited_s = self._ego_waited_s + dt_s if ego.speed_mps < STANDING_MPS else 0.0
        for driver in self._drivers:
            self._extend(driver)
        users = self._users(ego, obstacles)
        approaches = self._approaches(ego)
        wanted = []
        for driver in self._drivers:
            seen = self._look(driver, users)
            if self._steer(driver, ego, users, seen):
                seen = self._look(driver, users)
            wanted.append(self._acceleration(driver, users, seen, approaches, signals))
        for driver, acceleration in zip(self._drivers, wanted, strict=True):
            self._move(driver, acceleration, dt_s)
        self._leave_and_enter(ego)

    # -- spawning ------------------------------------------------------------------------------

    def _spawn(self, density: float, ego: EgoMotion) -> None:
        places = [
            (lane, s)
            for _, lane in sorted(self._graph.lanes.items())
            if lane.kind not in ('junction', 'roundabout', 'merge', 'split')
            and self._graph.next_lanes(lane)
            for s in np.arange(6.0, lane.length_m - 8.0, SPACING_M)
        ]
        total = sum(lane.length_m for lane in self._graph.lanes.values())
        count = min(round(density * total / 10.0), MAX_CARS - len(self._drivers), len(places))
        for k in self._rng.permutation(len(places))[:count]:
            lane, s = places[int(k)]
            x, y, _ = lane.place(s)
            near_ego = math.hypot(x - ego.centre.x_m, y - ego.centre.y_m) < EGO_CLEAR_M
            if near_ego or self._is_taken(x, y, SPACING_M):
                continue
            self._add(lane, float(s), speed_share=0.6)

    def _spawn_scripted(self, scenario: Scenario, ego: EgoMotion) -> None:
        if not ego.route_lane_ids:
            return
        start = self._graph.lanes[ego.route_lane_ids[0]]
        s, _ = start.locate(ego.centre.x_m, ego.centre.y_m)
        for k in range(scenario.braking_leads):
            ahead = s + ego.shape.length_m + LEAD_GAP_M * (k + 1)
            driver = self._add_ahead(start, ahead, ego.route_lane_ids)
            if driver is not None:
                driver.factor = float(driver.rng.uniform(0.7, 0.9))
                gaps = driver.rng.uniform(10.0, 20.0, size=8)
                driver.brakes = np.cumsum(gaps).tolist()
        for _ in range(scenario.cut_ins):
            beside = self._graph.beside(start)
            if not beside:
                return
            lane = beside[int(self._rng.integers(len(beside)))]
            ahead = s + ego.shape.length_m + float(self._rng.uniform(8.0, 14.0))
            driver = self._add_ahead(lane, ahead, ())
            if driver is not None:
                driver.cut_in_s = float(driver.rng.uniform(2.0, 8.0))

    def _add_ahead(self, lane: Lane, s_m: float, plan: tuple[str, ...]) -> _Driver | None:
        """Put a car onto a lane or those that follow it."""
        while s_m > lane.length_m:
            following = self._graph.next_lanes(lane)
            planned = [item for item in following if item.id in plan]
            if not following:
                return None
            s_m -= lane.length_m
            lane = (planned or list(following))[0]
        x, y, _ = lane.place(s_m)
        if self._is_taken(x, y, 8.0):
            return None
        driver = self._add(lane, s_m, speed_share=0.0)
        driver.plan = plan
        return driver

    def _add(self, lane: Lane, s_m: float, speed_share: float) -> _Driver:
        number = len(self._drivers) + len(self._absent)
        rng = np.random.default_rng(self._rng.integers(2**32))
        factor = float(rng.uniform(0.75, 1.0))
        driver = _Driver(
            id=f'car-{number:02d}',
            model=str(rng.choice(list(SIZES_M), p=(0.3, 0.4, 0.2, 0.1))),
            track=Track((lane,)),
            s_m=s_m,
            speed_mps=speed_share * factor * lane.speed_limit_mps,
            factor=factor,
            rng=rng,
        )
        self._extend(driver)
        here = float(np.interp(s_m, driver.track.s_m, driver.track.speeds_mps))
        driver.speed_mps = min(driver.speed_mps, 0.8 * here)
        driver.update_pose(0.0)
        self._drivers.append(driver)
        return driver

    def _is_taken(self, x_m: float, y_m: float, room_m: float) -> bool:
        return any(math.hypot(d.pose.x_m - x_m, d.pose.y_m - y_m) < room_m for d in self._drivers)

    def _make_room(self, obstacles: tuple[Actor, ...]) -> None:
        """Take cars away that would start in or right behind an obstacle."""
        for driver in list(self._drivers):
            if any(
                math.hypot(driver.pose.x_m - o.pose.x_m, driver.pose.y_m - o.pose.y_m) < 9.0
                for o in obstacles
                if o.kind is not ActorKind.PEDESTRIAN
            ):
                self._drivers.remove(driver)
                self._absent.append(driver)

    # -- where everybody is --------------------------------------------------------------------

    def _users(self, ego: EgoMotion, obstacles: tuple[Actor, ...]) -> _Users:
        rows = [(EGO, ego.centre, ego.shape.length_m, ego.shape.width_m, ego.speed_mps)]
        rows += [(d.id, d.pose, d.length_m, d.width_m, d.speed_mps) for d in self._drivers]
        rows += [(o.id, o.pose, o.length_m, o.width_m, o.speed_mps) for o in obstacles]
        moving = 1 + len(self._drivers)
        return _Users(
            tuple(row[0] for row in rows),
            np.array([_outline(pose, length, width) for _, pose, length, width, _ in rows]),
            np.array([row[1].yaw_rad for row in rows]),
            np.array([row[4] for row in rows]),
            (False,) * moving + tuple(o.parked or _is_thing(o) for o in obstacles),
            (False,) * moving + tuple(o.kind is ActorKind.PEDESTRIAN for o in obstacles),
        )

    def _approaches(self, ego: EgoMotion) -> dict[str, list[tuple[float, float, Approach]]]:
        """By lane: everybody who is on it or comes to it, with the distance to its start."""
        found: dict[str, list[tuple[float, float, Approach]]] = {}
        for driver in self._drivers:
            track = driver.track
            for lane, start in zip(track.lanes, track.starts_m, strict=True):
                if start - driver.s_m > LOOK_M:
                    break
                approach = Approach(
                    driver.id,
                    0.0,
                    0.0,
                    driver.speed_mps,
                    driver.waited_s,
                    self._ranks[lane.id],
                    queues=driver.queues,
                )
                half = driver.length_m / 2.0
                found.setdefault(lane.id, []).append((start - driver.s_m, half, approach))
        for lane, distance in self._ego_lanes(ego):
            approach = Approach(
                EGO,
                0.0,
                0.0,
                ego.speed_mps,
                self._ego_waited_s,
                self._ranks[lane.id],
                is_ego=True,
            )
            found.setdefault(lane.id, []).append((distance, ego.shape.length_m / 2.0, approach))
        return found

    def _ego_lanes(self, ego: EgoMotion) -> list[tuple[Lane, float]]:
        """Lanes of the ego's route from where it is, with the distance to their starts."""
        centre, lanes = ego.centre, [self._graph.lanes[name] for name in ego.route_lane_ids]
        best, best_offset, best_s = None, 3.0, 0.0
        for k, lane in enumerate(lanes):
            s, offset = lane.locate(centre.x_m, centre.y_m)
            turned = math.cos(lane.place(s)[2] - centre.yaw_rad)
            if 0.0 < s < lane.length_m and abs(offset) < best_offset and turned > 0.5:
                best, best_offset, best_s = k, abs(offset), s
        if best is None:
            return []
        found, distance = [], -best_s
        for k in range(best, len(lanes)):
            if distance > LOOK_M:
                break
            if k > best and lanes[k].road == lanes[k - 1].road:  # a change: side by side
                found.append((lanes[k], distance - lanes[k - 1].length_m))
                continue
            found.append((lanes[k], distance))
            distance += lanes[k].length_m
        return found

    # -- deciding ------------------------------------------------------------------------------

    def _acceleration(
        self,
        driver: _Driver,
        users: _Users,
        seen: _Seen,
        approaches: dict[str, list[tuple[float, float, Approach]]],
        signals: Signals,
    ) -> float:
        track, front = driver.track, driver.s_m + driver.length_m / 2.0
        ahead = (track.s_m >= driver.s_m) & (track.s_m <= driver.s_m + 50.0)
        limits = driver.factor * track.speeds_mps
        here = float(np.interp(driver.s_m, track.s_m, limits))
        gap, leader_mps = self._leader(driver, users, seen)
        stands = max(driver.speed_mps, leader_mps) < STANDING_MPS
        driver.queues = stands and gap < QUEUE_GAP_M
        wanted = [follow(driver.speed_mps, here, gap, leader_mps)]
        for s, limit in zip(track.s_m[ahead], limits[ahead], strict=True):
            if limit < driver.speed_mps:
                wanted.append(slow_to(driver.speed_mps, float(limit), float(s) - driver.s_m))
        wanted.append(self._scripted_braking(driver))
        stops = [*self._lights(driver, signals), *self._yields(driver, approaches, signals, gap)]
        last = track.lanes[-1]
        if not self._graph.next_lanes(last) and self._ends_here(last):
            stops.append(track.length_m - 1.0)
        wanted += [stop_at(driver.speed_mps, stop - front) for stop in stops]
        return max(min(wanted), -HARDEST_BRAKING_MPS2)

    def _ends_here(self, lane: Lane) -> bool:
        """Whether a lane stops while its road goes on."""
        return any(self._graph.next_lanes(other) for other in self._graph.beside(lane))

    def _look(self, driver: _Driver, users: _Users) -> _Seen:
        points, s_m = driver.track.window(driver.s_m - 8.0, driver.s_m + LOOK_M)
        apart = np.hypot(
            users.points[:, 4, 0] - driver.pose.x_m, users.points[:, 4, 1] - driver.pose.y_m
        )
        near = np.flatnonzero(apart < LOOK_M)
        s, offset = project(points, s_m, users.points[near])
        return _Seen(near, s, offset, float(s_m[0]), float(s_m[-1]))

    def _leader(self, driver: _Driver, users: _Users, seen: _Seen) -> tuple[float, float]:
        """Return the gap to what is next in the way, and its speed along it."""
        low = min(driver.offset_m, driver.wanted_offset_m) - driver.width_m / 2.0 - BAND_M
        high = max(driver.offset_m, driver.wanted_offset_m) + driver.width_m / 2.0 + BAND_M
        gap, speed = math.inf, 0.0
        ignored = self._ignores.get(driver.id)
        nearest = ''
        for k, s, offset in zip(seen.who, seen.s_m, seen.offset_m, strict=True):
            if s[4] <= driver.s_m or users.names[k] in (driver.id, ignored):
                continue
            room = 1.0 if users.walks[k] else 0.0
            inside = (offset >= low - room) & (offset <= high + room)
            across = offset.min() < 0.0 < offset.max() and low < 0.0 < high
            if not (inside.any() or across):
                continue
            rear = float(s[inside].min() if inside.any() else s.min())
            if rear >= seen.to_m - 0.5:
                continue
            this = max(0.05, rear - driver.s_m - driver.length_m / 2.0)
            if this < gap:
                along = math.cos(users.yaw_rad[k] - driver.track.place(float(s[4]))[2])
                gap, speed = this, max(-3.0, float(users.speed_mps[k]) * along)
                nearest = users.names[k]
        self._watch(driver, nearest)
        return gap, speed

    def _watch(self, driver: _Driver, blocker: str) -> None:
        """Of two cars that are in each other's way for long, the first by name goes."""
        self._blocked_by[driver.id] = blocker
        mutual = self._blocked_by.get(blocker) == driver.id
        if mutual and driver.waited_s >= DEADLOCK_S and driver.id < blocker:
            self._ignores[driver.id] = blocker

    def _lights(self, driver: _Driver, signals: Signals) -> Iterable[float]:
        track, front = driver.track, driver.s_m + driver.length_m / 2.0
        for lane, start in zip(track.lanes, track.starts_m, strict=True):
            line = start + lane.length_m - STOP_LINE_M
            if line - front > LOOK_M:
                return
            if line < front - 0.5 or not signals.stops(lane.id):
                continue
            needed = driver.speed_mps**2 / (2.0 * max(line - front, 0.1))
            late = signals.state(lane.id) is LightState.YELLOW and needed > YELLOW_BRAKING_MPS2
            if not late:
                yield line

    def _yields(
        self,
        driver: _Driver,
        approaches: dict[str, list[tuple[float, float, Approach]]],
        signals: Signals,
        gap_m: float,
    ) -> Iterable[float]:
        """Places before which the car has to stop, along its track."""
        track, half = driver.track, driver.length_m / 2.0
        for lane, start in zip(track.lanes, track.starts_m, strict=True):
            distance = start - driver.s_m
            if distance > LOOK_M / 2.0:
                return
            conflicts = self._graph.conflicts[lane.id]
            waits_inside = lane.kind in ('merge', 'split')
            if not conflicts or (distance < half - 0.5 and not waits_inside):
                continue
            enters = lane.kind == 'junction' or (
                lane.kind == 'roundabout' and not self._ranks[lane.id]
            )
            if enters and self._is_full(driver, start + lane.length_m, gap_m):
                yield start
            for conflict in conflicts:
                other_lane = self._graph.lanes[conflict.other]
                if math.dist(other_lane.points[0], lane.points[0]) < JOIN_M:
                    continue  # they part here: whoever is ahead leads
                joins = math.dist(other_lane.points[-1], lane.points[-1]) < JOIN_M
                if waits_inside and not joins:
                    continue
                me = Approach(
                    driver.id,
                    distance + conflict.enter_m - half,
                    distance + conflict.leave_m + half,
                    driver.speed_mps,
                    driver.waited_s,
                    self._ranks[lane.id],
                )
                if self._someone_first(me, conflict, approaches, signals):
                    yield start + conflict.enter_m - 2.0 if waits_inside else start
                    break

    def _is_full(self, driver: _Driver, end_m: float, gap_m: float) -> bool:
        """Whether the queue behind a junction reaches back to it."""
        rear = driver.s_m + driver.length_m / 2.0 + gap_m
        return gap_m < LOOK_M and end_m - 3.0 < rear < end_m + driver.length_m + 1.0

    def _someone_first(
        self,
        me: Approach,
        conflict: Conflict,
        approaches: dict[str, list[tuple[float, float, Approach]]],
        signals: Signals,
    ) -> bool:
        for distance, half, other in approaches.get(conflict.other, ()):
            if other.name == me.name:
                continue
            before = self._graph.lanes_before(self._graph.lanes[conflict.other])
            if distance > half and any(signals.state(b.id) is LightState.RED for b in before):
                continue
            approach = Approach(
                other.name,
                distance + conflict.other_enter_m - half,
                distance + conflict.other_leave_m + half,
                other.speed_mps,
                other.waited_s,
                other.rank,
                other.is_ego,
                other.queues,
            )
            if must_yield(me, approach):
                return True
        return False

    def _scripted_braking(self, driver: _Driver) -> float:
        if driver.braking is not None:
            return -driver.braking[0]
        return math.inf

    # -- steering ------------------------------------------------------------------------------

    def _steer(self, driver: _Driver, ego: EgoMotion, users: _Users, seen: _Seen) -> bool:
        """Choose lane and place in it.

        :returns: whether it is another lane now
        """
        track, driver.wanted_offset_m = driver.track, 0.0
        if abs(driver.offset_m) < 0.3:
            self._change_where_needed(driver, ego, users, seen)
        if driver.track is not track:
            return True
        self._pass_obstacles(driver, users, seen)
        return False

    def _change_where_needed(
        self, driver: _Driver, ego: EgoMotion, users: _Users, seen: _Seen
    ) -> None:
        lane = driver.track.lanes[0]
        beside = self._graph.beside(lane)
        if driver.cut_in_s is not None:
            self._cut_in(driver, ego, users)
            return
        planned = [item for item in beside if item.id in driver.plan]
        if planned and lane.id in driver.plan:
            after = driver.plan[driver.plan.index(lane.id) + 1 :]
            if planned[0].id in after[:1]:
                self._try_change(driver, planned[0], users)
                return
        if lane.kind == 'roundabout' and self._ranks[lane.id]:
            # leave the circle from its outer lane
            for other in beside:
                if other.index > lane.index and self._try_change(driver, other, users):
                    return
        elif not self._graph.next_lanes(lane) and self._ends_here(lane):
            for other in beside:
                if self._graph.next_lanes(other) and self._try_change(driver, other, users):
                    return
        elif self._is_blocked(driver, users, seen):
            for other in beside:
                if self._try_change(driver, other, users):
                    return

    def _is_blocked(self, driver: _Driver, users: _Users, seen: _Seen) -> bool:
        """Whether something that does not move stands in the lane ahead."""
        return any(
            abs(_shift_past(offset, driver.width_m)) > SHIFT_ROOM_M
            for s, offset in self._standing(users, seen)
            if driver.s_m + 1.0 < s[4] < driver.s_m + 40.0
        )

    def _pass_obstacles(self, driver: _Driver, users: _Users, seen: _Seen) -> None:
        """Keep away from what stands in part of the lane."""
        for s, offset in self._standing(users, seen):
            shift = _shift_past(offset, driver.width_m)
            if s[4] < driver.s_m + 30.0 and 0.0 < abs(shift) <= SHIFT_ROOM_M:
                driver.wanted_offset_m = shift

    def _standing(self, users: _Users, seen: _Seen) -> Iterable[tuple[FloatArray, FloatArray]]:
        for k, s, offset in zip(seen.who, seen.s_m, seen.offset_m, strict=True):
            if users.parked[k] and seen.from_m + 0.5 < s[4] < seen.to_m - 0.5:
                yield s, offset

    def _cut_in(self, driver: _Driver, ego: EgoMotion, users: _Users) -> None:
        assert driver.cut_in_s is not None
        if driver.driven_s < driver.cut_in_s:
            return
        lane = driver.track.lanes[0]
        for other in self._graph.beside(lane):
            if other.id not in ego.route_lane_ids:
                continue
            s, offset = other.locate(ego.centre.x_m, ego.centre.y_m)
            mine, _ = other.locate(driver.pose.x_m, driver.pose.y_m)
            ahead = mine - s - (driver.length_m + ego.shape.length_m) / 2.0
            closing = driver.speed_mps - ego.speed_mps
            low, high = CUT_IN_CLOSING_MPS
            if (
                abs(offset) < 1.0
                and CUT_IN_AHEAD_M[0] <= ahead <= CUT_IN_AHEAD_M[1]
                and low <= closing <= high
                and ego.speed_mps > 2.0
                and other.length_m - mine > 15.0
            ):
                driver.cut_in_s = None
                self._change(driver, other)
                return

    def _try_change(self, driver: _Driver, lane: Lane, users: _Users) -> bool:
        s, _ = lane.locate(driver.pose.x_m, driver.pose.y_m)
        x, y, _ = lane.place(s)
        off = math.hypot(x - driver.pose.x_m, y - driver.pose.y_m)
        if off > lane.width_m + 0.8 or not 2.0 < s < lane.length_m - 2.0:
            return False
        tight = 0.5 if driver.waited_s > DEADLOCK_S else 1.0
        before = list(self._graph.lanes_before(lane))[:1]
        track = Track((*before, lane, *self._graph.next_lanes(lane)[:1]))
        mine = s + (track.starts_m[1] if before else 0.0)
        for k, name in enumerate(users.names):
            if name == driver.id:
                continue
            if np.hypot(*(users.points[k, 4] - (driver.pose.x_m, driver.pose.y_m))) > 50.0:
                continue
            along, offset = project(track.points, track.s_m, users.points[k])
            if not (np.abs(offset) < driver.width_m / 2.0 + 0.4).any():
                continue
            if along[4] >= mine:
                room = along.min() - mine - driver.length_m / 2.0
                closing = max(0.0, driver.speed_mps - float(users.speed_mps[k]))
                needed = 3.0 + tight * (0.5 * driver.speed_mps + 2.0 * closing)
            else:
                room = mine - driver.length_m / 2.0 - along.max()
                closing = max(0.0, float(users.speed_mps[k]) - driver.speed_mps)
                needed = 3.0 + tight * (0.6 * float(users.speed_mps[k]) + 2.5 * closing)
            if room < needed and 0.0 < along[4] < track.length_m - 0.1:
                return False
        self._change(driver, lane)
        return True

    def _change(self, driver: _Driver, lane: Lane) -> None:
        """Belong to the other lane from now on, and move over."""
        s, offset = lane.locate(driver.pose.x_m, driver.pose.y_m)
        driver.track, driver.s_m = Track((lane,)), s
        driver.offset_m, driver.wanted_offset_m = offset, 0.0
        self._extend(driver)

    # -- moving --------------------------------------------------------------------------------

    def _extend(self, driver: _Driver) -> None:
        """Drop lanes behind and choose lanes ahead."""
        track = driver.track
        lanes, s = list(track.lanes), driver.s_m
        while len(lanes) > 1 and s > lanes[0].length_m:
            s -= lanes.pop(0).length_m
        while sum(lane.length_m for lane in lanes) - s < TRACK_M:
            following = self._graph.next_lanes(lanes[-1])
            if not following:
                break
            planned = [lane for lane in following if lane.id in driver.plan]
            choices = planned or self._fitting(lanes[-1], following)
            lanes.append(choices[int(driver.rng.integers(len(choices)))])
        if tuple(lanes) != track.lanes:
            driver.track, driver.s_m = Track(tuple(lanes)), s

    def _fitting(self, lane: Lane, following: tuple[Lane, ...]) -> list[Lane]:
        """Turn left from the left lane only, right and out of a circle from the right one."""
        last = len(self._graph.roads[lane.road]) - 1
        fitting = []
        for other in following:
            turned = float(other.yaw_rad[-1] - other.yaw_rad[0])
            after = self._graph.next_lanes(other)
            if other.kind == 'junction':
                wrong = (turned > TURN_RAD and lane.index > 0) or (
                    turned < -TURN_RAD and lane.index < last
                )
            else:
                circling = lane.kind == 'roundabout' and any(n.kind == 'roundabout' for n in after)
                wrong = lane.kind == 'roundabout' and not circling and lane.index < last
            if not wrong:
                fitting.append(other)
        return fitting or list(following)

    def _move(self, driver: _Driver, acceleration: float, dt_s: float) -> None:
        before = driver.speed_mps
        driver.speed_mps = max(0.0, before + acceleration * dt_s)
        driver.s_m += (before + driver.speed_mps) / 2.0 * dt_s
        driver.s_m = min(driver.s_m, driver.track.length_m)
        driver.driven_s += dt_s
        if driver.speed_mps < STANDING_MPS:
            driver.waited_s += dt_s
        elif driver.speed_mps > CREEPING_MPS:
            driver.waited_s = 0.0
            self._ignores.pop(driver.id, None)
        self._script(driver, dt_s)
        if driver.speed_mps > 0.5:
            most = CHANGE_MPS * dt_s
            step = driver.wanted_offset_m - driver.offset_m
            driver.offset_m += max(-most, min(most, step))
        driver.update_pose(dt_s)

    def _script(self, driver: _Driver, dt_s: float) -> None:
        """Start and end the braking of a lead car."""
        if driver.braking is not None:
            strength, left_s = driver.braking
            if driver.speed_mps < 0.1:
                left_s -= dt_s
            driver.braking = (strength, left_s) if left_s > 0.0 else None
        elif driver.brakes and driver.driven_s >= driver.brakes[0]:
            driver.brakes.pop(0)
            if driver.track.lanes[0].kind in ('straight', 'curve') and driver.speed_mps > 3.0:
                strength = float(driver.rng.uniform(3.0, 4.5))
                driver.braking = (strength, float(driver.rng.uniform(1.0, 3.0)))

    def _leave_and_enter(self, ego: EgoMotion) -> None:
        for driver in list(self._drivers):
            if driver.s_m > driver.track.length_m - 2.0 and not self._ends_here(
                driver.track.lanes[-1]
            ):
                self._drivers.remove(driver)
                self._absent.append(driver)
        for driver in list(self._absent):
            lane = self._entries[int(driver.rng.integers(len(self._entries)))]
            x, y, _ = lane.place(3.0)
            far = math.hypot(x - ego.pose.x_m, y - ego.pose.y_m) > NEW_FAR_M
            if far and not self._is_taken(x, y, 20.0):
                self._absent.remove(driver)
                driver.track, driver.s_m = Track((lane,)), 3.0
                driver.offset_m, driver.plan, driver.brakes = 0.0, (), []
                driver.waited_s, driver.braking = 0.0, None
                driver.speed_mps = 0.5 * driver.factor * lane.speed_limit_mps
                self._extend(driver)
                driver.update_pose(0.0)
                self._drivers.append(driver)
        self._drivers.sort(key=lambda d: d.id)


def _outline(pose: Pose, length_m: float, width_m: float) -> FloatArray:
    """Return corners and middle ``(5, 2)`` x, y [m]."""
    corners = corners_of(pose, -length_m / 2, length_m / 2, width_m)
    return np.vstack([corners, (pose.x_m, pose.y_m)])


def _shift_past(offset_m: FloatArray, width_m: float) -> float:
    """Return how far to move to pass what lies at these offsets with some room; 0 if free."""
    needed = width_m / 2.0 + BAND_M + 0.1
    if offset_m[4] < 0.0:
        return max(0.0, float(offset_m.max()) + needed)
    return min(0.0, float(offset_m.min()) - needed)


def _is_thing(actor: Actor) -> bool:
    return actor.kind in (ActorKind.CONE, ActorKind.BARRIER, ActorKind.WARNING)
