"""Who will be in the ego's way: leaders ahead, and where other ways cross or join its own.

In: the route frame, the ego's line in it, other road users. Out: where they are on that line and
when. Decides nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.expert.frame import RouteFrame, corners
from emma_planner.simulation.observation import Actor, ActorKind, VehicleShape

MARGIN_M = 0.3
"""Room kept beside whoever moves."""
WALK_MARGIN_M = 0.9
SAME_WAY_COS = math.cos(math.radians(50.0))
LOOK_S = 6.0
LOOK_MIN_M = 12.0
SAMPLE_M = 1.5
STANDS_MPS = 0.3
STARTS_MPS = 3.0
START_MPS2 = 1.2
"""Who is slower than the first may come faster than at constant speed, with the second."""
FAR_M = 30.0

WALKERS = (ActorKind.PEDESTRIAN, ActorKind.CYCLIST)


@dataclass(frozen=True)
class Leader:
    """Somebody ahead on the ego's line.

    :param rear_s_m: nearest end, distance along the route
    :param speed_mps: along the route
    """

    actor: Actor
    rear_s_m: float
    front_s_m: float
    speed_mps: float


@dataclass(frozen=True)
class Conflict:
    """Somebody's way meets the ego's line.

    :param from_s_m: where it begins along the route, the other's size included
    :param to_s_m: where it ends; inf where both go on together
    :param enter_s: from now until the other is there; 0 when it is there already
    :param leave_s: until it has gone; inf where both go on together
    :param place_s_m: for who joins, where it would be on the ego's line now
    :param beside: joins from a lane beside the ego's
    """

    actor: Actor
    from_s_m: float
    to_s_m: float
    enter_s: float
    leave_s: float
    place_s_m: float
    joins: bool
    beside: bool


@dataclass(frozen=True, eq=False)
class Line:
    """The ego's line beside the route, and how wide the ego is on it.

    :param offset_m: ``(N,)`` of base_link at the frame's places, left positive
    :param left_m: ``(N,)`` from base_link to the left side of what the ego sweeps
    :param right_m: ``(N,)`` and to the right side
    """

    frame: RouteFrame
    offset_m: FloatArray
    left_m: FloatArray
    right_m: FloatArray

    @classmethod
    def of(cls, frame: RouteFrame, offset_m: FloatArray, vehicle: VehicleShape) -> Line:
        """Sweep the ego along offsets: in bends its front swings out."""
        swing = 0.5 * frame.curvature_1pm * vehicle.front_overhang_m**2
        half = 0.5 * vehicle.width_m
        return cls(frame, offset_m, half + np.maximum(-swing, 0.0), half + np.maximum(swing, 0.0))

    def aside(self, s_m: FloatArray, d_m: FloatArray) -> FloatArray:
        """Gap from what the ego sweeps to points: positive outside, negative inside."""
        offset = np.interp(s_m, self.frame.s_m, self.offset_m)
        left = np.interp(s_m, self.frame.s_m, self.left_m)
        right = np.interp(s_m, self.frame.s_m, self.right_m)
        gap: FloatArray = np.maximum(d_m - offset - left, offset - d_m - right)
        return gap


def meet(
    line: Line, actors: tuple[Actor, ...], ego_s_m: float, vehicle: VehicleShape
) -> tuple[tuple[Leader, ...], tuple[Conflict, ...]]:
    """Find who is on the line ahead of the ego, and who comes onto it."""
    leaders, conflicts = [], []
    middle_s = ego_s_m + 0.5 * vehicle.wheelbase_m
    for actor in actors:
        leader = _leader(line, actor, middle_s)
        if leader is not None:
            leaders.append(leader)
        elif not actor.parked and actor.kind in (ActorKind.VEHICLE, *WALKERS):
            conflicts += _conflicts(line, actor, ego_s_m, vehicle)
    return tuple(leaders), tuple(conflicts)


def _leader(line: Line, actor: Actor, middle_s_m: float) -> Leader | None:
    s_m, d_m = line.frame.locate(corners(actor))
    if s_m.max() < middle_s_m or np.abs(d_m).min() > FAR_M:
        return None
    turned = actor.pose.yaw_rad - float(line.frame.yaw_at(s_m.mean()))
    along = math.cos(turned)
    walks = actor.kind in WALKERS
    if walks or (along < SAME_WAY_COS and abs(actor.speed_mps) > STANDS_MPS):
        return None
    if not _covers(line, s_m, d_m, 0.0 if actor.parked else MARGIN_M):
        return None
    speed = 0.0 if actor.parked else max(actor.speed_mps * along, 0.0)
    return Leader(actor, float(s_m.min()), float(s_m.max()), speed)


def _covers(line: Line, s_m: FloatArray, d_m: FloatArray, margin_m: float) -> bool:
    """Whether a footprint reaches into what the ego sweeps."""
    ring = np.array([0, 1, 2, 3, 0])
    parts = np.linspace(0.0, 1.0, 5)[None, :]
    s = (s_m[ring][:-1, None] * (1.0 - parts) + s_m[ring][1:, None] * parts).ravel()
    d = (d_m[ring][:-1, None] * (1.0 - parts) + d_m[ring][1:, None] * parts).ravel()
    if (line.aside(s, d) < margin_m).any():
        return True
    offset = np.interp(s_m.mean(), line.frame.s_m, line.offset_m)
    return bool(d.min() < offset < d.max())


def way_of(actor: Actor) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Where somebody will go.

    :returns: distances ``(M,)`` [m], points ``(M, 2)`` and directions ``(M,)`` [rad]
    """
    reach = max(LOOK_MIN_M, LOOK_S * abs(actor.speed_mps))
    if actor.kind in WALKERS:
        reach = max(10.0, LOOK_S * abs(actor.speed_mps))
    here = np.array([[actor.pose.x_m, actor.pose.y_m]])
    if len(actor.path) >= 2:
        # its first point may lie a little behind
        ahead = np.vstack([here, actor.path[1:]])
        steps = np.diff(ahead, axis=0)
        lengths = np.hypot(steps[:, 0], steps[:, 1])
        keep = np.concatenate([[True], lengths > 1e-3])
        ahead = ahead[keep]
        u = np.concatenate([[0.0], np.cumsum(lengths[keep[1:]])])
        wanted = np.arange(0.0, min(reach, float(u[-1])) + 1e-6, SAMPLE_M)
        points = np.column_stack([np.interp(wanted, u, ahead[:, k]) for k in (0, 1)])
        if len(wanted) < 2:
            return wanted, points, np.full(len(wanted), actor.pose.yaw_rad)
        step = np.gradient(points, axis=0)
        yaw = np.arctan2(step[:, 1], step[:, 0])
        yaw[0] = actor.pose.yaw_rad
        return wanted, points, yaw
    reach = LOOK_S * abs(actor.speed_mps)
    wanted = np.arange(0.0, reach + 1e-6, SAMPLE_M)
    direction = np.array([math.cos(actor.pose.yaw_rad), math.sin(actor.pose.yaw_rad)])
    return wanted, here + wanted[:, None] * direction, np.full(len(wanted), actor.pose.yaw_rad)


def _conflicts(line: Line, actor: Actor, ego_s_m: float, vehicle: VehicleShape) -> list[Conflict]:
    u, points, yaw = way_of(actor)
    s_m, d_m = line.frame.locate(points)
    along = np.cos(yaw - line.frame.yaw_at(s_m))
    half_l, half_w = 0.5 * actor.length_m, 0.5 * actor.width_m
    aside = np.sqrt(np.maximum(1.0 - along**2, 0.0))
    reach_d = aside * half_l + np.abs(along) * half_w
    reach_s = np.abs(along) * half_l + aside * half_w
    margin = WALK_MARGIN_M if actor.kind in WALKERS else MARGIN_M
    inside = line.aside(s_m, d_m) < reach_d + margin
    inside &= (s_m + reach_s > ego_s_m - vehicle.rear_overhang_m) & (np.abs(d_m) < FAR_M)
    found = []
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(int), [0]])))
    for first, last in zip(edges[::2], edges[1::2] - 1, strict=True):
        ends_inside = last == len(u) - 1 and u[-1] > 0.0
        joins = bool(ends_inside and along[last] > SAME_WAY_COS and actor.kind not in WALKERS)
        enter, leave = _times(actor, float(u[first]), float(u[last]) + SAMPLE_M)
        d0 = float(d_m[0] - np.interp(s_m[0], line.frame.s_m, line.offset_m))
        found.append(
            Conflict(
                actor=actor,
                from_s_m=float((s_m - reach_s)[first : last + 1].min()),
                to_s_m=math.inf if joins else float((s_m + reach_s)[first : last + 1].max()),
                enter_s=0.0 if first == 0 else enter,
                leave_s=math.inf if joins else leave,
                place_s_m=float(s_m[first] - u[first]),
                joins=joins,
                beside=bool(along[0] > 0.9 and abs(d0) < 1.6 * line.frame.route.lane_width_m),
            )
        )
    return found


def _times(actor: Actor, enter_m: float, leave_m: float) -> tuple[float, float]:
    """Earliest time to a place ahead, latest to another [s]."""
    speed = max(abs(actor.speed_mps), 0.0)
    if actor.kind in WALKERS:
        pace = speed if speed > 0.2 else 1.3
        return enter_m / pace, leave_m / pace
    leave = leave_m / speed if speed > STANDS_MPS else math.inf
    if speed >= STARTS_MPS:
        return enter_m / speed, leave
    enter = (math.sqrt(speed**2 + 2.0 * START_MPS2 * enter_m) - speed) / START_MPS2
    leave = (math.sqrt(speed**2 + 2.0 * START_MPS2 * leave_m) - speed) / START_MPS2
    return enter, leave
