"""What happened in one drive: the record that scores, tables and films are made from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.observation import VehicleShape
from emma_planner.simulation.scenario import Scenario


class End(str, Enum):
    """Why a drive ended."""

    ARRIVED = 'arrived'
    BLOCKED = 'blocked'
    DEVIATED = 'deviated'
    TIMEOUT = 'timeout'
    PLANNER_LOST = 'planner_lost'
    INTERRUPTED = 'interrupted'


class InfractionKind(str, Enum):
    """Infractions by class, as the CARLA leaderboard names them."""

    COLLISION_PEDESTRIAN = 'collision_pedestrian'
    COLLISION_VEHICLE = 'collision_vehicle'
    COLLISION_STATIC = 'collision_static'
    RED_LIGHT = 'red_light'
    STOP_SIGN = 'stop_sign'
    YIELD = 'yield'
    OFF_ROAD = 'off_road'
    DEVIATION = 'deviation'
    BLOCKED = 'blocked'
    TIMEOUT = 'timeout'
    SCENARIO_TIMEOUT = 'scenario_timeout'


@dataclass(frozen=True)
class Infraction:
    """One infraction.

    :param at_fault: the ego caused it (moved into what it hit; NAVSIM's and alpasim's sense)
    :param detail: one line for people
    :param ego_stood: a collision while the ego stood, which the CARLA leaderboard does not count
    """

    kind: InfractionKind
    time_s: float
    route_s_m: float
    x_m: float
    y_m: float
    at_fault: bool
    actor: str
    detail: str
    ego_stood: bool = False


@dataclass(frozen=True, eq=False)
class DriveRecord:
    """One drive, sampled at every step of the world.

    :param step_s: time between samples [s]
    :param poses: ``(N, 3)`` ego base_link x [m], y [m], yaw [rad], map
    :param speeds_mps: ``(N,)`` along body x
    :param yaw_rates_radps: ``(N,)`` left positive
    :param route_s_m: ``(N,)`` place along the route
    :param on_road: ``(N,)`` 1 where the whole ego was on drivable surface
    :param in_lane: ``(N,)`` 1 where base_link was on a lane of the ego's direction
    :param time_to_collision_s: ``(N,)`` at constant speeds, inf when nothing is in the way
    :param nearby_speeds_mps: ``(N,)`` mean speed of traffic around, NaN without
    :param route_length_m: start to destination
    :param end: why it ended
    :param detail: one line for people
    """

    scenario: Scenario
    vehicle: VehicleShape
    planner: str
    step_s: float
    poses: FloatArray
    speeds_mps: FloatArray
    yaw_rates_radps: FloatArray
    route_s_m: FloatArray
    on_road: FloatArray
    in_lane: FloatArray
    time_to_collision_s: FloatArray
    nearby_speeds_mps: FloatArray
    route_length_m: float
    infractions: tuple[Infraction, ...]
    end: End
    detail: str

    @property
    def seconds(self) -> float:
        """Simulated time driven [s]."""
        return (len(self.poses) - 1) * self.step_s
