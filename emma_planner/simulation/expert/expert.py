"""A privileged driver: sees the ground truth, and plans the next five seconds.

An observation in, a trajectory out: poses that a bicycle model can drive, and the reasons for
them. Knows no simulator. Deterministic; remembers manoeuvres that have begun, and how long it has
waited.
"""

from __future__ import annotations

import math

import numpy as np

from emma_planner.planning.types import NS_PER_S, FloatArray
from emma_planner.simulation.expert.conflicts import Leader, meet
from emma_planner.simulation.expert.facts import ExpertFacts, ExpertPlan, facts_of
from emma_planner.simulation.expert.frame import Ego, RouteFrame
from emma_planner.simulation.expert.path import ExpertPath, Lateral
from emma_planner.simulation.expert.speed import (
    DT_S,
    Cap,
    Cause,
    Follow,
    Limit,
    Motion,
    Profile,
    drive,
)
from emma_planner.simulation.expert.steering import steer, steerable_mps
from emma_planner.simulation.expert.yielding import Yielding
from emma_planner.simulation.observation import Actor, ActorKind, Observation, VehicleShape

__all__ = ['Expert', 'ExpertFacts', 'ExpertPlan']

NUM_POSES = 50
LOOK_STEPS = 100
LATERAL_MPS2 = 2.0
"""In bends."""
LEAST_CURVATURE_1PM = 1e-3
PATIENCE_S = 8.0
LEAST_SCALE = 0.5
SCALE_PER_S = 0.05
STANDS_MPS = 0.3
MAX_GAP_S = 1.0
"""Memory of motion is older than this no more."""
AHEAD_M = 110.0
HARDEST_MPS2, STRONGEST_MPS2 = 8.0, 3.0
"""Braking and acceleration that a car can be seen to have."""


class Expert:
    """Plans for one drive.

    :param vehicle: the ego
    """

    def __init__(self, vehicle: VehicleShape) -> None:
        self._vehicle = vehicle
        self._path = ExpertPath()
        self._rules = Yielding()
        self._last: tuple[int, Motion, FloatArray] | None = None
        self._seen: tuple[int, float] | None = None
        self._waited_s = 0.0
        self._speeds: dict[str, tuple[int, float, float]] = {}

    def plan(self, observation: Observation, *, is_driven: bool = True) -> ExpertPlan:
        """Return what to do from now on.

        :param is_driven: whether the ego follows these plans; else the plan begins with how the
            ego is seen to move, not with how the last plan would have moved it
        """
        if not is_driven:
            self._last = None
        truth, now_ns = observation.truth, observation.stamp_ns
        frame = RouteFrame(truth.route, truth.route_s_m)
        ego = self._ego(observation)
        actors = tuple(actor for actor in truth.actors if _is_near(actor, observation))
        lateral = self._path.lay(frame, actors, ego)
        leaders, conflicts = meet(lateral.line, actors, ego.s_m, self._vehicle)
        profile = Profile(
            frame.s_m,
            frame.limit_mps,
            [*_bends(lateral, self._vehicle.wheelbase_m), *lateral.caps],
        )
        front = self._vehicle.front_overhang_m
        start = (ego.s_m, ego.speed_mps, self._acceleration(now_ns, ego.speed_mps))
        stops = [
            *lateral.stops,
            *self._rules.at_lights(truth.lights, ego),
            *self._rules.behind_queues(truth.route, truth.lights, leaders, ego),
        ]
        follows = [self._follow(leader, now_ns) for leader in leaders]
        free = drive(start, front, profile, stops, follows, LOOK_STEPS)
        more, joining = self._rules.give_way(truth.route, truth.lights, conflicts, free, ego)
        motion = drive(start, front, profile, [*stops, *more], [*follows, *joining], NUM_POSES)
        poses, curvatures = steer(
            lateral.line,
            observation.pose,
            self._curvature(observation),
            motion,
            ego.speed_mps,
            self._vehicle,
        )
        self._remember(observation, motion, curvatures)
        return ExpertPlan(
            poses=poses,
            speeds_mps=motion.speeds_mps,
            acceleration_mps2=float(motion.accelerations_mps2[0]),
            facts=facts_of(truth.route, lateral, motion, ego),
        )

    def _ego(self, observation: Observation) -> Ego:
        truth = observation.truth
        over = max(self._waited_s - PATIENCE_S, 0.0)
        scale = max(1.0 - SCALE_PER_S * over, LEAST_SCALE)
        if over > 0.0:
            scale = min(scale, 0.9)
        return Ego(
            truth.route_s_m,
            truth.route_d_m,
            max(observation.speed_mps, 0.0),
            self._vehicle,
            scale,
        )

    def _acceleration(self, now_ns: int, speed_mps: float) -> float:
        """What the ego does now, by the last plan."""
        if speed_mps < 0.1:
            return 0.0
        if self._last is None:
            return self._seen_acceleration(now_ns, speed_mps)
        age_s = (now_ns - self._last[0]) / NS_PER_S
        if not 0.0 < age_s <= MAX_GAP_S:
            return 0.0
        k = max(round(age_s / DT_S) - 1, 0)
        return float(self._last[1].accelerations_mps2[k])

    def _seen_acceleration(self, now_ns: int, speed_mps: float) -> float:
        if self._seen is None or not 0 < now_ns - self._seen[0] <= MAX_GAP_S * NS_PER_S:
            return 0.0
        seen = (speed_mps - self._seen[1]) / (now_ns - self._seen[0]) * NS_PER_S
        return min(max(seen, -HARDEST_MPS2), STRONGEST_MPS2)

    def _curvature(self, observation: Observation) -> float:
        """Of the ego's way now [1/m]."""
        if self._last is not None:
            age_s = (observation.stamp_ns - self._last[0]) / NS_PER_S
            if 0.0 < age_s <= MAX_GAP_S:
                return float(self._last[2][max(round(age_s / DT_S) - 1, 0)])
        if observation.speed_mps > 1.0:
            return observation.yaw_rate_radps / observation.speed_mps
        return 0.0

    def _follow(self, leader: Leader, now_ns: int) -> Follow:
        actor = leader.actor
        if actor.kind is not ActorKind.VEHICLE or actor.parked:
            limit, a = Limit.OBSTACLE, 0.0
        else:
            limit, a = Limit.LEAD, self._speeds.get(actor.id, (0, 0.0, 0.0))[2]
        cause = Cause(limit, actor.id, leader.rear_s_m)
        return Follow(leader.rear_s_m, leader.speed_mps, a, cause)

    def _remember(self, observation: Observation, motion: Motion, curvatures: FloatArray) -> None:
        now_ns = observation.stamp_ns
        if self._seen is not None:
            gap_s = min((now_ns - self._seen[0]) / NS_PER_S, MAX_GAP_S)
            waits = observation.speed_mps < STANDS_MPS and motion.cause.limit in (
                Limit.YIELD,
                Limit.OBSTACLE,
                Limit.LEAD,
                Limit.PEDESTRIAN,
            )
            self._waited_s = (
                self._waited_s + gap_s
                if waits
                else (self._waited_s if observation.speed_mps < STANDS_MPS else 0.0)
            )
        self._last = (now_ns, motion, curvatures)
        self._seen = (now_ns, observation.speed_mps)
        speeds = {}
        for actor in observation.truth.actors:
            before = self._speeds.get(actor.id)
            a = 0.0
            if before is not None and now_ns > before[0]:
                gap_s = (now_ns - before[0]) / NS_PER_S
                a = 0.5 * before[2] + 0.5 * (actor.speed_mps - before[1]) / gap_s
            speeds[actor.id] = (
                now_ns,
                actor.speed_mps,
                min(max(a, -HARDEST_MPS2), STRONGEST_MPS2),
            )
        self._speeds = speeds


def _is_near(actor: Actor, observation: Observation) -> bool:
    away = math.hypot(actor.pose.x_m - observation.pose.x_m, actor.pose.y_m - observation.pose.y_m)
    return away < AHEAD_M


def _bends(lateral: Lateral, wheelbase_m: float) -> list[Cap]:
    """Speeds at which bends of the ego's line are comfortable."""
    frame = lateral.line.frame
    bends = np.gradient(np.gradient(lateral.line.offset_m, frame.s_m), frame.s_m)
    curvature = frame.curvature_1pm + bends
    speeds = np.sqrt(LATERAL_MPS2 / np.maximum(np.abs(curvature), LEAST_CURVATURE_1PM))
    speeds = np.minimum(speeds, steerable_mps(np.gradient(curvature, frame.s_m), wheelbase_m))
    slow = np.flatnonzero(speeds < frame.limit_mps)
    return [
        Cap(
            float(frame.s_m[k]),
            float(frame.s_m[k]),
            float(speeds[k]),
            Cause(Limit.CURVE, '', float(frame.s_m[k])),
        )
        for k in slow
    ]
