"""A made-up place to look at: a bend with two lanes, cars, a pedestrian, a light and a plan."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from emma_planner.planning.types import Pose
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
from emma_planner.simulation.roads.road_map import LaneLine, LineKind, RoadMap

LANE_M = 3.5
VEHICLE = VehicleShape(4.5, 1.85, 1.5, 2.7, 0.9, 3.6)
START_NS = 1_000_000_000
LENGTH_M = 200.0


def place(s_m: float, d_m: float = 0.0, curvature: float = 0.01) -> Pose:
    """A pose beside the centre line, which starts at the origin and bends with one curvature."""
    yaw = curvature * s_m
    if curvature:
        x, y = math.sin(yaw) / curvature, (1.0 - math.cos(yaw)) / curvature
    else:
        x, y = s_m, 0.0
    return Pose(x - d_m * math.sin(yaw), y + d_m * math.cos(yaw), yaw)


def line(d_m: float, curvature: float = 0.01) -> np.ndarray:
    """``(N, 2)`` a line at a distance from the route."""
    places = (place(s, d_m, curvature) for s in np.arange(-60.0, LENGTH_M + 60.0, 1.0))
    return np.array([(pose.x_m, pose.y_m) for pose in places])


def roads(curvature: float = 0.01) -> RoadMap:
    """Two lanes in the ego's direction, the route in the right one, and one against it."""
    edges = [line((k - 0.5) * LANE_M, curvature) for k in range(4)]
    kinds = (LineKind.SOLID, LineKind.BROKEN, LineKind.YELLOW, LineKind.SOLID)
    return RoadMap(
        tuple(np.vstack([edges[k], edges[k + 1][::-1]]) for k in range(3)),
        tuple(LaneLine(edge, kind) for edge, kind in zip(edges, kinds, strict=True)),
    )


def route(curvature: float = 0.01) -> Route:
    s_m = np.arange(0.0, LENGTH_M + 1.0)
    poses = [place(s, 0.0, curvature) for s in s_m]
    return Route(
        points=np.array([(pose.x_m, pose.y_m) for pose in poses]),
        s_m=s_m,
        left_m=np.full(len(s_m), 1.5 * LANE_M),
        right_m=np.full(len(s_m), 0.5 * LANE_M),
        speed_limits_mps=np.full(len(s_m), 13.9),
        lane_width_m=LANE_M,
        spans=(RouteSpan(0.0, LENGTH_M, 'curve', 'follow lane'),),
    )


def actor(
    name: str, pose: Pose, kind: ActorKind = ActorKind.VEHICLE, *, parked: bool = False
) -> Actor:
    size = {
        ActorKind.VEHICLE: (4.5, 1.8),
        ActorKind.PEDESTRIAN: (0.5, 0.5),
        ActorKind.CYCLIST: (1.8, 0.6),
        ActorKind.BARRIER: (0.5, 2.0),
    }.get(kind, (0.5, 0.5))
    return Actor(name, kind, pose, 0.0 if parked else 6.0, *size, 1.5, parked, np.empty((0, 2)))


def observation(
    s_m: float = 30.0,
    *,
    curvature: float = 0.01,
    actors: tuple[Actor, ...] = (),
    lights: tuple[Light, ...] = (),
    contacts: tuple[str, ...] = (),
    image: np.ndarray | None = None,
    time_s: float = 0.0,
) -> Observation:
    """The ego on its route, in a place that is otherwise empty."""
    truth = Truth(
        route=route(curvature),
        route_s_m=s_m,
        route_d_m=0.0,
        lane=LaneTruth(1, 2, LANE_M, 0.0, 0.0, True, True),
        actors=actors,
        lights=lights,
        contacts=contacts,
        nearby_speed_mps=math.nan,
    )
    pose = place(s_m, 0.0, curvature)
    stamp_ns = START_NS + round(time_s * 1e9)
    return Observation(stamp_ns, pose, 8.0, 8.0 * curvature, 'follow lane', image, False, truth)


def busy(s_m: float = 30.0, **changes: object) -> Observation:
    """Everything there is at once."""
    oncoming = place(s_m + 34.0, 2 * LANE_M)
    actors = (
        actor('lead', place(s_m + 18.0)),
        actor('left', place(s_m + 6.0, LANE_M)),
        actor('behind', place(s_m - 12.0, LANE_M)),
        actor('far', place(s_m + 30.0, LANE_M)),
        actor('oncoming', replace(oncoming, yaw_rad=oncoming.yaw_rad + math.pi)),
        actor('parked', place(s_m + 9.0, -LANE_M / 2 - 0.6), parked=True),
        actor('walker', place(s_m + 25.0, -2.6), ActorKind.PEDESTRIAN),
        actor('rider', place(s_m + 13.0, -1.4), ActorKind.CYCLIST),
        actor('cone', place(s_m - 3.0, -1.9), ActorKind.CONE),
        actor('triangle', place(s_m - 6.0, -1.9), ActorKind.WARNING),
        actor('barrier', place(s_m - 9.0, -2.4), ActorKind.BARRIER),
    )
    light = Light('light', LightState.RED, s_m + 27.0, place(s_m + 40.0, -3.0))
    return observation(s_m, actors=actors, lights=(light,), **changes)  # type: ignore[arg-type]


def plan_map(s_m: float = 30.0, step_m: float = 3.0, curvature: float = 0.01) -> np.ndarray:
    """``(11, 3)`` a plan along the route, from the ego on."""
    return np.array([place(s_m + k * step_m, 0.0, curvature).as_array() for k in range(11)])


def driven(s_m: float = 30.0, curvature: float = 0.01) -> np.ndarray:
    return np.array([place(s, 0.0, curvature).as_array() for s in np.arange(0.0, s_m + 0.1)])
