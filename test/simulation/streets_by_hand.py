"""A street made by hand, and a drive along it by the expert's own trajectories."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from emma_planner.planning.types import Pose
from emma_planner.simulation.expert.expert import Expert, ExpertPlan
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

VEHICLE = VehicleShape(4.5, 1.85, 1.5, 2.7, 0.9, 3.6)
DT_S = 0.1


@dataclass(frozen=True)
class Street:
    """From the origin along x; with a radius, a circle: left, or right where it is negative."""

    length_m: float = 400.0
    left_m: float = 1.75
    right_m: float = 1.75
    limit_mps: float = 12.0
    radius_m: float = math.inf
    spans: tuple[RouteSpan, ...] = ()

    def place(self, s_m: float, d_m: float = 0.0) -> Pose:
        """A pose along the street and beside it."""
        if math.isinf(self.radius_m):
            return Pose(s_m, d_m, 0.0)
        yaw = s_m / self.radius_m
        x = self.radius_m * math.sin(yaw) - d_m * math.sin(yaw)
        y = self.radius_m * (1.0 - math.cos(yaw)) + d_m * math.cos(yaw)
        return Pose(x, y, yaw)

    def locate(self, pose: Pose) -> tuple[float, float]:
        """The inverse of :meth:`place`."""
        if math.isinf(self.radius_m):
            return pose.x_m, pose.y_m
        radius, side = abs(self.radius_m), math.copysign(1.0, self.radius_m)
        x, y = pose.x_m, side * pose.y_m
        angle = math.atan2(x, radius - y)
        if angle < -0.5:
            angle += 2.0 * math.pi
        return radius * angle, side * (radius - math.hypot(x, radius - y))

    @cache  # noqa: B019
    def route(self) -> Route:
        s = np.linspace(0.0, self.length_m, int(self.length_m) + 1)
        places = [self.place(value) for value in s]
        spans = self.spans or (RouteSpan(0.0, self.length_m, 'straight', 'follow lane'),)
        return Route(
            points=np.array([(pose.x_m, pose.y_m) for pose in places]),
            s_m=s,
            left_m=np.full(len(s), self.left_m),
            right_m=np.full(len(s), self.right_m),
            speed_limits_mps=np.full(len(s), self.limit_mps),
            lane_width_m=3.5,
            spans=spans,
        )

    def observation(
        self,
        s_m: float,
        speed_mps: float,
        *,
        pose: Pose | None = None,
        actors: tuple[Actor, ...] = (),
        lights: tuple[Light, ...] = (),
        time_s: float = 0.0,
    ) -> Observation:
        pose = pose or self.place(s_m)
        s, d = self.locate(pose)
        truth = Truth(
            route=self.route(),
            route_s_m=s,
            route_d_m=d,
            lane=LaneTruth(0, 1, 3.5, d, 0.0, True, True),
            actors=actors,
            lights=lights,
            contacts=(),
            nearby_speed_mps=math.nan,
        )
        yaw_rate = speed_mps / self.radius_m
        stamp_ns = round(1e9 * (1.0 + time_s))
        return Observation(stamp_ns, pose, speed_mps, yaw_rate, '', None, False, truth)


@dataclass(frozen=True, eq=False)
class Driven:
    """What happened, every 0.1 s."""

    times_s: np.ndarray
    path: np.ndarray
    speeds_mps: np.ndarray
    offsets_m: np.ndarray
    plans: tuple[ExpertPlan, ...]

    @property
    def decelerations_mps2(self) -> np.ndarray:
        return -np.diff(self.speeds_mps) / DT_S


def drive(
    street: Street,
    *,
    seconds: float,
    speed_mps: float = 0.0,
    actors: tuple[Actor, ...] = (),
    lights: tuple[Light, ...] = (),
) -> Driven:
    """Replan at every step and do the first step of the plan; others keep their speed."""
    expert, pose, speed = Expert(VEHICLE), street.place(0.0), speed_mps
    rows, plans = [], []
    for k in range(round(seconds / DT_S)):
        time_s = k * DT_S
        moved = tuple(_moved(actor, time_s) for actor in actors)
        seen = street.observation(
            0.0, speed, pose=pose, actors=moved, lights=lights, time_s=time_s
        )
        rows.append((time_s, pose.x_m, pose.y_m, pose.yaw_rad, speed, seen.truth.route_d_m))
        plan = expert.plan(seen)
        plans.append(plan)
        pose, speed = Pose(*plan.poses[0].tolist()), float(plan.speeds_mps[0])
    table = np.array(rows)
    return Driven(table[:, 0], table[:, 1:4], table[:, 4], table[:, 5], tuple(plans))


def actor(
    name: str,
    x_m: float,
    y_m: float,
    *,
    yaw: float = 0.0,
    kind: ActorKind = ActorKind.VEHICLE,
    speed_mps: float = 0.0,
    parked: bool = False,
    path: np.ndarray | None = None,
) -> Actor:
    length, width = (4.5, 1.8) if kind is ActorKind.VEHICLE else (0.7, 0.7)
    way = np.zeros((0, 2)) if path is None else path
    return Actor(name, kind, Pose(x_m, y_m, yaw), speed_mps, length, width, 1.5, parked, way)


def light(s_m: float, state: LightState) -> Light:
    return Light('light', state, s_m, Pose(s_m + 20.0, 0.0, math.pi))


def _moved(actor: Actor, time_s: float) -> Actor:
    """Straight on; what is behind drops out of the path."""
    way = actor.speed_mps * time_s
    x = actor.pose.x_m + way * math.cos(actor.pose.yaw_rad)
    y = actor.pose.y_m + way * math.sin(actor.pose.yaw_rad)
    path = actor.path
    if len(path):
        along = (path - (x, y)) @ (math.cos(actor.pose.yaw_rad), math.sin(actor.pose.yaw_rad))
        path = np.vstack([[x, y], path[along > 0.0]])
        path = path if len(path) > 1 else np.zeros((0, 2))
    return replace(actor, pose=Pose(x, y, actor.pose.yaw_rad), path=path)
