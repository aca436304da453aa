"""Observations and records of drives that never took place, for tests of the rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from emma_planner.planning.types import Pose
from emma_planner.simulation.drive import DriveRecord, End, Infraction, InfractionKind
from emma_planner.simulation.observation import (
    Actor,
    ActorKind,
    LaneTruth,
    Light,
    LightState,
    Observation,
    Route,
    RouteSpan,
    Truth,
    VehicleShape,
)
from emma_planner.simulation.scenario import Scenario, scenario_of

CAR = VehicleShape(
    length_m=4.5,
    width_m=1.8,
    height_m=1.5,
    wheelbase_m=2.6,
    rear_overhang_m=0.9,
    front_overhang_m=3.6,
)
START_NS = 1_000_000_000
STEP_NS = 100_000_000
LANE = LaneTruth(
    index=0,
    count=1,
    width_m=3.5,
    offset_m=0.0,
    heading_error_rad=0.0,
    on_road=True,
    in_lane=True,
)


def scenario(name: str = 'val-000', **changes: Any) -> Scenario:
    return replace(scenario_of('val', 0), name=name, **changes)


def actor(
    x_m: float,
    y_m: float = 0.0,
    *,
    name: str = 'other',
    kind: ActorKind = ActorKind.VEHICLE,
    yaw_rad: float = 0.0,
    speed_mps: float = 0.0,
    length_m: float = 4.5,
    width_m: float = 1.8,
) -> Actor:
    return Actor(
        id=name,
        kind=kind,
        pose=Pose(x_m, y_m, yaw_rad),
        speed_mps=speed_mps,
        length_m=length_m,
        width_m=width_m,
        height_m=1.5,
        parked=False,
        path=np.zeros((0, 2)),
    )


def light(stop_s_m: float, state: LightState, name: str = 'light') -> Light:
    return Light(id=name, state=state, stop_s_m=stop_s_m, pose=Pose(stop_s_m, 0.0, math.pi))


def route(length_m: float = 1000.0, kind: str = 'straight') -> Route:
    s = np.linspace(0.0, length_m, 2)
    return Route(
        points=np.stack([s, np.zeros(2)], axis=1),
        s_m=s,
        left_m=np.full(2, 5.0),
        right_m=np.full(2, 1.75),
        speed_limits_mps=np.full(2, 14.0),
        lane_width_m=3.5,
        spans=(RouteSpan(0.0, length_m, kind, 'follow lane'),),
    )


def observation(
    time_s: float = 0.0,
    s_m: float = 0.0,
    *,
    speed_mps: float = 5.0,
    yaw_rad: float = 0.0,
    d_m: float = 0.0,
    lane: LaneTruth = LANE,
    actors: Sequence[Actor] = (),
    lights: Sequence[Light] = (),
    contacts: Sequence[str] = (),
    arrived: bool = False,
    span: str = 'straight',
) -> Observation:
    """The ego on a straight route along x, base_link at ``s_m``."""
    return Observation(
        stamp_ns=START_NS + round(time_s * 10) * STEP_NS,
        pose=Pose(s_m, d_m, yaw_rad),
        speed_mps=speed_mps,
        yaw_rate_radps=0.0,
        command='follow lane',
        image=None,
        arrived=arrived,
        truth=Truth(
            route=route(kind=span),
            route_s_m=s_m,
            route_d_m=d_m,
            lane=lane,
            actors=tuple(actors),
            lights=tuple(lights),
            contacts=tuple(contacts),
            nearby_speed_mps=math.nan,
        ),
    )


def infraction(kind: InfractionKind, *, at_fault: bool = True, stood: bool = False) -> Infraction:
    return Infraction(
        kind=kind,
        time_s=1.0,
        route_s_m=10.0,
        x_m=10.0,
        y_m=0.0,
        at_fault=at_fault,
        actor='other',
        detail='by hand',
        ego_stood=stood,
    )


def record(
    *kinds: InfractionKind | Infraction, name: str = 'val-000', num: int = 201, **changes: Any
) -> DriveRecord:
    """A straight drive at 10 m/s over a route of 200 m, with these infractions and changes."""
    s = np.arange(num) * 1.0
    values: dict[str, Any] = {
        'scenario': scenario(name),
        'vehicle': CAR,
        'planner': 'by hand',
        'step_s': 0.1,
        'poses': np.stack([s, np.zeros(num), np.zeros(num)], axis=1),
        'speeds_mps': np.full(num, 10.0),
        'yaw_rates_radps': np.zeros(num),
        'route_s_m': s,
        'on_road': np.ones(num),
        'in_lane': np.ones(num),
        'time_to_collision_s': np.full(num, np.inf),
        'nearby_speeds_mps': np.full(num, np.nan),
        'route_length_m': 200.0,
        'infractions': tuple(
            infraction(kind) if isinstance(kind, InfractionKind) else kind for kind in kinds
        ),
        'end': End.ARRIVED,
        'detail': '',
    }
    return DriveRecord(**{**values, **changes})
