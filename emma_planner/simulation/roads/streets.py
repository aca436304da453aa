"""Which parts of a route are plain street: straight or gently curved, far from junctions."""

from __future__ import annotations

import numpy as np

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.observation import Route
from emma_planner.simulation.roads.route import FOLLOW

STREET_KINDS = ('straight', 'curve')
GENTLE_1PM = 1 / 40
"""Sharper bends hide what is behind them."""


def street_places(route: Route, before_m: float, after_m: float) -> list[int]:
    """Return indices of the route's points with nothing but street around them.

    :param before_m: length of street wanted ahead of the point, before the next junction,
        roundabout, ramp, lane change or sharp bend
    :param after_m: and behind it, after the last one
    """
    plain = np.zeros(len(route.s_m), dtype=bool)
    for span in route.spans:
        if span.kind in STREET_KINDS and span.command == FOLLOW:
            plain |= (route.s_m >= span.start_s_m) & (route.s_m <= span.end_s_m)
    plain &= np.abs(route_curvature(route)) <= GENTLE_1PM
    other = route.s_m[~plain]
    if not len(other):
        return list(range(len(route.s_m)))
    ahead = other[None, :] - route.s_m[:, None]
    blocked = ((ahead < before_m) & (ahead > -after_m)).any(axis=1)
    return [int(k) for k in np.flatnonzero(plain & ~blocked)]


def route_yaw(route: Route, k: int) -> float:
    """Return the direction of the route at one of its points [rad]."""
    first, last = max(k - 1, 0), min(k + 1, len(route.points) - 1)
    step = route.points[last] - route.points[first]
    return float(np.arctan2(step[1], step[0]))


def beside(route: Route, k: int, offset_m: float) -> tuple[float, float]:
    """Return x, y beside a point of the route, offset to the left."""
    yaw = route_yaw(route, k)
    x, y = route.points[k]
    return float(x - offset_m * np.sin(yaw)), float(y + offset_m * np.cos(yaw))


def route_curvature(route: Route) -> FloatArray:
    """Return ``(N,)`` curvature of the route [1/m], left positive."""
    yaw = np.unwrap([route_yaw(route, k) for k in range(len(route.points))])
    curvature: FloatArray = np.gradient(yaw, route.s_m)
    return curvature
