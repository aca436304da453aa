"""Places along the route and beside it: s along, d to the left, for many points at once.

The frame covers the route around the ego, and a straight line before its start and beyond its end.
Pure geometry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.observation import Actor, Route, VehicleShape
from emma_planner.simulation.roads.boxes import corners_of

BEHIND_M = 60.0
AHEAD_M = 140.0
STEP_M = 1.0
SMOOTH_M = 5
"""Curvature is averaged over so many metres."""


@dataclass(frozen=True, eq=False)
class RouteFrame:
    """The route around the ego, resampled to a point a metre.

    :param route: the ego's
    :param around_s_m: the ego's place on it
    :param s_m: ``(N,)`` distance along the route; negative before its start
    :param points: ``(N, 2)`` x, y [m], map
    :param yaw_rad: ``(N,)`` not wrapped
    :param curvature_1pm: ``(N,)`` left positive
    :param left_m: ``(N,)`` room to the left of the line
    :param right_m: ``(N,)`` and to the right
    :param limit_mps: ``(N,)`` posted speed
    """

    route: Route
    around_s_m: float
    s_m: FloatArray = field(init=False)
    points: FloatArray = field(init=False)
    yaw_rad: FloatArray = field(init=False)
    curvature_1pm: FloatArray = field(init=False)
    left_m: FloatArray = field(init=False)
    right_m: FloatArray = field(init=False)
    limit_mps: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        route, first = self.route, math.floor(self.around_s_m - BEHIND_M)
        s_m = first + np.arange(0.0, BEHIND_M + AHEAD_M + 1.0, STEP_M)
        points = np.column_stack([np.interp(s_m, route.s_m, route.points[:, k]) for k in (0, 1)])
        for end, beyond in ((0, s_m < 0.0), (-1, s_m > route.s_m[-1])):
            step = (
                route.points[1] - route.points[0]
                if end == 0
                else np.diff(route.points[-2:], axis=0)[0]
            )
            away = (s_m - route.s_m[end])[beyond, None]
            points[beyond] = route.points[end] + away * step / np.hypot(*step)
        steps = np.gradient(points, axis=0)
        yaw = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
        curvature = np.convolve(
            np.pad(np.gradient(yaw, s_m), SMOOTH_M // 2, mode='edge'),
            np.full(SMOOTH_M, 1.0 / SMOOTH_M),
            mode='valid',
        )
        values = {
            's_m': s_m,
            'points': points,
            'yaw_rad': yaw,
            'curvature_1pm': curvature,
            'left_m': np.interp(s_m, route.s_m, route.left_m),
            'right_m': np.interp(s_m, route.s_m, route.right_m),
            'limit_mps': np.interp(s_m, route.s_m, route.speed_limits_mps),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def locate(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Project points onto the route.

        :param points: ``(P, 2)`` x, y [m]
        :returns: ``(P,)`` distance along and ``(P,)`` beside, left positive [m]
        """
        squared = (points[:, 0, None] - self.points[:, 0]) ** 2
        squared += (points[:, 1, None] - self.points[:, 1]) ** 2
        nearest = np.argmin(squared, axis=1)
        away = points - self.points[nearest]
        cos, sin = np.cos(self.yaw_rad[nearest]), np.sin(self.yaw_rad[nearest])
        along = cos * away[:, 0] + sin * away[:, 1]
        inner = (nearest > 0) & (nearest < len(self.s_m) - 1)
        along = np.where(inner, np.clip(along, -STEP_M, STEP_M), along)
        return self.s_m[nearest] + along, cos * away[:, 1] - sin * away[:, 0]

    def yaw_at(self, s_m: FloatArray) -> FloatArray:
        """Direction of the route at distances along it [rad]."""
        yaw: FloatArray = np.interp(s_m, self.s_m, self.yaw_rad)
        return yaw

    def at(self, s_m: float, values: FloatArray) -> float:
        """Look one of the frame's columns up at a distance along the route."""
        return float(np.interp(s_m, self.s_m, values))


@dataclass(frozen=True, eq=False)
class Ego:
    """The ego on the route.

    :param s_m: base_link along the route
    :param d_m: and beside it, left positive
    :param scale: of gaps wanted of others, below 1 for who has waited long
    """

    s_m: float
    d_m: float
    speed_mps: float
    vehicle: VehicleShape
    scale: float


def corners(actor: Actor) -> FloatArray:
    """Corners ``(4, 2)`` x, y [m] of an actor's footprint."""
    half = actor.length_m / 2
    return corners_of(actor.pose, -half, half, actor.width_m)
