"""Everybody else on the road: cars, pedestrians, lights and obstacles, moved in one order.

Pure and deterministic: the same scenario and the same ego motion give the same scene. Knows no
simulator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emma_planner.planning.kinematics import wrap_angle
from emma_planner.planning.types import FloatArray, Pose
from emma_planner.simulation.observation import Actor, Light, Route, VehicleShape
from emma_planner.simulation.population.cars import Car, EgoMotion
from emma_planner.simulation.population.obstacles import Obstacle, place_obstacles
from emma_planner.simulation.population.pedestrians import Pedestrian, Pedestrians
from emma_planner.simulation.population.signals import SignalHead, TrafficSignals
from emma_planner.simulation.population.traffic import Traffic
from emma_planner.simulation.roads.polyline import project
from emma_planner.simulation.roads.road_graph import RoadGraph, RoadId
from emma_planner.simulation.roads.route import LaneStep
from emma_planner.simulation.scenario import Scenario

DEMAND_M = 45.0
"""Who is this near to a stop line asks for green."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where a drive takes place.

    :param steps: lanes of the route, in order
    """

    graph: RoadGraph
    route: Route
    steps: tuple[LaneStep, ...]

    @property
    def lane_ids(self) -> tuple[str, ...]:
        """Ids of the route's lanes, in order, each once."""
        return tuple(dict.fromkeys(step.lane.id for step in self.steps))


class Population:
    """All other road users of one drive.

    :param ego: base_link at the start
    """

    def __init__(self, scenario: Scenario, place: Place, ego: Pose, shape: VehicleShape) -> None:
        self._place = place
        self._shape = shape
        self._signals = TrafficSignals(place.graph, scenario.seed, enabled=scenario.lights)
        self._pedestrians = Pedestrians(place.graph, place.route, scenario)
        self.obstacles: tuple[Obstacle, ...] = place_obstacles(
            place.graph, place.route, place.steps, scenario
        )
        self._standing = tuple(obstacle.to_actor() for obstacle in self.obstacles)
        self._traffic = Traffic(place.graph, scenario, self._motion(ego, 0.0))
        ends = {}
        for step in place.steps:
            ends[step.lane.id] = step.start_s_m + step.lane.length_m - step.enter_m
        self._lane_ends = tuple(ends.items())

    @property
    def cars(self) -> tuple[Car, ...]:
        """Moving cars."""
        return self._traffic.cars

    @property
    def pedestrians(self) -> tuple[Pedestrian, ...]:
        """People on foot."""
        return self._pedestrians.pedestrians

    @property
    def heads(self) -> tuple[SignalHead, ...]:
        """All traffic lights."""
        return self._signals.heads

    def step(self, dt_s: float, ego: Pose, speed_mps: float, route_s_m: float) -> None:
        """Let time pass for everybody.

        :param ego: base_link
        :param route_s_m: its place along the route
        """
        motion = self._motion(ego, speed_mps)
        self._signals.step(dt_s, self._demand(ego))
        self._pedestrians.step(dt_s, route_s_m, speed_mps, ego)
        walking = tuple(pedestrian.to_actor() for pedestrian in self.pedestrians)
        self._traffic.step(dt_s, motion, self._signals, self._standing + walking)

    def actors(self) -> tuple[Actor, ...]:
        """Everybody and everything that can be hit, in a fixed order."""
        moving = self._traffic.actors()
        walking = tuple(pedestrian.to_actor() for pedestrian in self.pedestrians)
        return moving + walking + self._standing

    def lights(self) -> tuple[Light, ...]:
        """Lights that rule the route, in order."""
        return self._signals.lights_of_route(self._lane_ends)

    def _motion(self, ego: Pose, speed_mps: float) -> EgoMotion:
        return EgoMotion(ego, speed_mps, self._shape, self._place.lane_ids)

    def _demand(self, ego: Pose) -> tuple[RoadId, ...]:
        """Roads with somebody near their end."""
        users = [ego, *(car.pose for car in self.cars)]
        places = np.array([[pose.x_m, pose.y_m] for pose in users])
        yaw_rad = np.array([pose.yaw_rad for pose in users])
        roads = []
        for head in self._signals.heads:
            lane = self._place.graph.roads[head.road][0]
            end = lane.points[-1]
            near = np.hypot(*(places - end).T) < DEMAND_M
            if near.any() and self._drive_on(head.road, places[near], yaw_rad[near]):
                roads.append(head.road)
        return tuple(dict.fromkeys(roads))

    def _drive_on(self, road: RoadId, places: FloatArray, yaw_rad: FloatArray) -> bool:
        """Whether anybody at these places drives on a road."""
        for lane in self._place.graph.roads[road]:
            s, offset = project(lane.points, lane.s_m, places)
            turned = np.abs(wrap_angle(np.interp(s, lane.s_m, lane.yaw_rad) - yaw_rad))
            is_inside = (s > 0.0) & (s < lane.length_m) & (np.abs(offset) < lane.width_m / 2)
            if (is_inside & (turned < np.pi / 4)).any():
                return True
        return False
