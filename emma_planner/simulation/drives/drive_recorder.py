"""Collects a drive step by step into its record."""

from __future__ import annotations

import math

import numpy as np

from emma_planner.planning.types import NS_PER_S
from emma_planner.simulation.drive import DriveRecord, End
from emma_planner.simulation.observation import Observation, VehicleShape
from emma_planner.simulation.scenario import Scenario
from emma_planner.simulation.scoring.encounters import time_to_collision
from emma_planner.simulation.scoring.infractions import InfractionMonitor


class DriveRecorder:
    """What happened so far.

    :param planner: name of what drives
    """

    def __init__(self, scenario: Scenario, vehicle: VehicleShape, planner: str) -> None:
        self.monitor = InfractionMonitor(scenario, vehicle)
        self._scenario = scenario
        self._vehicle = vehicle
        self._planner = planner
        self._samples: list[tuple[float, ...]] = []
        self._stamps_ns: list[int] = []
        self._route_length_m = math.nan

    def add(self, observation: Observation) -> None:
        """Take the next step."""
        self.monitor.observe(observation)
        truth, pose = observation.truth, observation.pose
        self._route_length_m = truth.route.length_m
        self._stamps_ns.append(observation.stamp_ns)
        self._samples.append(
            (
                pose.x_m,
                pose.y_m,
                pose.yaw_rad,
                observation.speed_mps,
                observation.yaw_rate_radps,
                truth.route_s_m,
                float(truth.lane.on_road),
                float(truth.lane.in_lane),
                time_to_collision(observation, self._vehicle),
                truth.nearby_speed_mps,
            )
        )

    def record(self, end: End, detail: str) -> DriveRecord:
        """Return the record of what was driven.

        :param end: why it is over
        """
        table = np.array(self._samples, dtype=np.float64).reshape(len(self._samples), 10)
        step_s = (
            (self._stamps_ns[-1] - self._stamps_ns[0]) / NS_PER_S / (len(self._stamps_ns) - 1)
            if len(self._stamps_ns) > 1
            else 0.0
        )
        return DriveRecord(
            scenario=self._scenario,
            vehicle=self._vehicle,
            planner=self._planner,
            step_s=step_s,
            poses=table[:, :3],
            speeds_mps=table[:, 3],
            yaw_rates_radps=table[:, 4],
            route_s_m=table[:, 5],
            on_road=table[:, 6],
            in_lane=table[:, 7],
            time_to_collision_s=table[:, 8],
            nearby_speeds_mps=table[:, 9],
            route_length_m=self._route_length_m,
            infractions=self.monitor.infractions,
            end=end,
            detail=detail,
        )
