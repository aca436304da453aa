"""Where cars start, and where those who left the map come back."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from emma_planner.simulation.population.cars import SIZES_M, CarState, EgoMotion
from emma_planner.simulation.population.lane_choice import LaneChoice
from emma_planner.simulation.population.track import Track
from emma_planner.simulation.roads.road_graph import Lane, RoadGraph
from emma_planner.simulation.scenario import Scenario

MAX_CARS = 40
SPACING_M = 12.0
EGO_CLEAR_M = 18.0
NEW_FAR_M = 90.0
"""Who has left the map comes back no nearer to the ego than this."""
LEAD_GAP_M = 22.0


class Spawning:
    """Puts cars onto the map, scripted ones before others.

    :param ego: at the start
    """

    def __init__(
        self, graph: RoadGraph, scenario: Scenario, ego: EgoMotion, lane_choice: LaneChoice
    ) -> None:
        self._graph = graph
        self._lane_choice = lane_choice
        self._rng = np.random.default_rng((scenario.seed, 2))
        self._entries = tuple(
            lane
            for _, lane in sorted(graph.lanes.items())
            if not graph.lanes_before(lane) and lane.length_m > 8.0
        )
        self._cars: list[CarState] = []
        self._spawn_scripted(scenario, ego)
        self._spawn(scenario.traffic_density, ego)

    @property
    def cars(self) -> tuple[CarState, ...]:
        """All cars of the drive."""
        return tuple(self._cars)

    def come_back(self, car: CarState, cars: Iterable[CarState], ego: EgoMotion) -> bool:
        """Put a car that has left onto a lane that comes from outside, if there is room.

        :param cars: on the map now
        """
        lane = self._entries[int(car.rng.integers(len(self._entries)))]
        x, y, _ = lane.place(3.0)
        far = math.hypot(x - ego.pose.x_m, y - ego.pose.y_m) > NEW_FAR_M
        if not far or _is_taken(cars, x, y, 20.0):
            return False
        car.track, car.s_m = Track((lane,)), 3.0
        car.offset_m, car.plan, car.brakes = 0.0, (), []
        car.waited_s, car.braking = 0.0, None
        car.speed_mps = 0.5 * car.factor * lane.speed_limit_mps
        self._lane_choice.extend(car)
        car.update_pose(0.0)
        return True

    def _spawn(self, density: float, ego: EgoMotion) -> None:
        places = [
            (lane, s)
            for _, lane in sorted(self._graph.lanes.items())
            if lane.kind not in ('junction', 'roundabout', 'merge', 'split')
            and self._graph.next_lanes(lane)
            for s in np.arange(6.0, lane.length_m - 8.0, SPACING_M)
        ]
        total = sum(lane.length_m for lane in self._graph.lanes.values())
        count = min(round(density * total / 10.0), MAX_CARS - len(self._cars), len(places))
        for k in self._rng.permutation(len(places))[:count]:
            lane, s = places[int(k)]
            x, y, _ = lane.place(s)
            near_ego = math.hypot(x - ego.centre.x_m, y - ego.centre.y_m) < EGO_CLEAR_M
            if near_ego or _is_taken(self._cars, x, y, SPACING_M):
                continue
            self._add(lane, float(s), speed_share=0.6)

    def _spawn_scripted(self, scenario: Scenario, ego: EgoMotion) -> None:
        if not ego.route_lane_ids:
            return
        start = self._graph.lanes[ego.route_lane_ids[0]]
        s, _ = start.locate(ego.centre.x_m, ego.centre.y_m)
        for k in range(scenario.braking_leads):
            ahead = s + ego.shape.length_m + LEAD_GAP_M * (k + 1)
            car = self._add_ahead(start, ahead, ego.route_lane_ids)
            if car is not None:
                car.factor = float(car.rng.uniform(0.7, 0.9))
                gaps = car.rng.uniform(10.0, 20.0, size=8)
                car.brakes = np.cumsum(gaps).tolist()
        for _ in range(scenario.cut_ins):
            beside = self._graph.beside(start)
            if not beside:
                return
            lane = beside[int(self._rng.integers(len(beside)))]
            ahead = s + ego.shape.length_m + float(self._rng.uniform(8.0, 14.0))
            car = self._add_ahead(lane, ahead, ())
            if car is not None:
                car.cut_in_s = float(car.rng.uniform(2.0, 8.0))

    def _add_ahead(self, lane: Lane, s_m: float, plan: tuple[str, ...]) -> CarState | None:
        """Put a car onto a lane or those that follow it."""
        while s_m > lane.length_m:
            following = self._graph.next_lanes(lane)
            planned = [item for item in following if item.id in plan]
            if not following:
                return None
            s_m -= lane.length_m
            lane = (planned or list(following))[0]
        x, y, _ = lane.place(s_m)
        if _is_taken(self._cars, x, y, 8.0):
            return None
        car = self._add(lane, s_m, speed_share=0.0)
        car.plan = plan
        return car

    def _add(self, lane: Lane, s_m: float, speed_share: float) -> CarState:
        number = len(self._cars)
        rng = np.random.default_rng(self._rng.integers(2**32))
        factor = float(rng.uniform(0.75, 1.0))
        car = CarState(
            id=f'car-{number:02d}',
            model=str(rng.choice(list(SIZES_M), p=(0.3, 0.4, 0.2, 0.1))),
            track=Track((lane,)),
            s_m=s_m,
            speed_mps=speed_share * factor * lane.speed_limit_mps,
            factor=factor,
            rng=rng,
        )
        self._lane_choice.extend(car)
        here = float(np.interp(s_m, car.track.s_m, car.track.speeds_mps))
        car.speed_mps = min(car.speed_mps, 0.8 * here)
        car.update_pose(0.0)
        self._cars.append(car)
        return car


def _is_taken(cars: Iterable[CarState], x_m: float, y_m: float, room_m: float) -> bool:
    return any(math.hypot(car.pose.x_m - x_m, car.pose.y_m - y_m) < room_m for car in cars)
