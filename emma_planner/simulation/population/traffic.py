"""Cars that share the road with the ego: they follow lanes, keep gaps, stop at lights and yield.

Kinematic and deterministic: the same scenario and the same ego motion give the same traffic. In:
where the ego is, lights, obstacles and pedestrians. Out: where every car is. Knows no simulator.
"""

from __future__ import annotations

import math

from emma_planner.simulation.observation import Actor, ActorKind
from emma_planner.simulation.population.approaches import Approaches
from emma_planner.simulation.population.cars import Car, CarState, EgoMotion
from emma_planner.simulation.population.lane_choice import LaneChoice
from emma_planner.simulation.population.priority import STANDING_MPS, rank_of
from emma_planner.simulation.population.road_users import look, road_users
from emma_planner.simulation.population.signals import Signals
from emma_planner.simulation.population.spawning import Spawning
from emma_planner.simulation.population.speed_choice import SpeedChoice
from emma_planner.simulation.roads.road_graph import RoadGraph
from emma_planner.simulation.scenario import Scenario


class Traffic:
    """All cars of one drive.

    :param ego: at the start
    """

    def __init__(self, graph: RoadGraph, scenario: Scenario, ego: EgoMotion) -> None:
        self._graph = graph
        self._ranks = {name: rank_of(lane, graph) for name, lane in graph.lanes.items()}
        self._lane_choice = LaneChoice(graph, self._ranks)
        self._speed_choice = SpeedChoice(graph, self._ranks)
        self._spawning = Spawning(graph, scenario, ego, self._lane_choice)
        self._cars = list(self._spawning.cars)
        self._absent: list[CarState] = []
        self._ego_waited_s = 0.0
        self._fresh = True

    @property
    def cars(self) -> tuple[Car, ...]:
        """All cars on the map."""
        return tuple(car.now() for car in self._cars)

    def actors(self) -> tuple[Actor, ...]:
        """All cars with where they will go over the next 40 m."""
        return tuple(car.to_actor() for car in self._cars)

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
        for car in self._cars:
            self._lane_choice.extend(car)
        users = road_users(ego, self._cars, obstacles)
        approaches = Approaches(self._graph, self._ranks, self._cars, ego, self._ego_waited_s)
        wanted = []
        for car in self._cars:
            seen = look(car, users)
            if self._lane_choice.steer(car, ego, users, seen):
                seen = look(car, users)
            choice = self._speed_choice.acceleration(car, users, seen, approaches, signals)
            wanted.append(choice)
        for car, acceleration in zip(self._cars, wanted, strict=True):
            car.move(acceleration, dt_s)
        self._leave_and_enter(ego)

    def _make_room(self, obstacles: tuple[Actor, ...]) -> None:
        """Take cars away that would start in or right behind an obstacle."""
        for car in list(self._cars):
            if any(
                math.hypot(car.pose.x_m - o.pose.x_m, car.pose.y_m - o.pose.y_m) < 9.0
                for o in obstacles
                if o.kind is not ActorKind.PEDESTRIAN
            ):
                self._cars.remove(car)
                self._absent.append(car)

    def _leave_and_enter(self, ego: EgoMotion) -> None:
        for car in list(self._cars):
            last = car.track.lanes[-1]
            if car.s_m > car.track.length_m - 2.0 and not self._graph.ends_here(last):
                self._cars.remove(car)
                self._absent.append(car)
        for car in list(self._absent):
            if self._spawning.come_back(car, self._cars, ego):
                self._absent.remove(car)
                self._cars.append(car)
        self._cars.sort(key=lambda car: car.id)
