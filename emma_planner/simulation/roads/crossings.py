"""Where people on foot cross a route, and where they stay beside it. Drawn once for a drive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emma_planner.planning.kinematics import wrap_angle
from emma_planner.planning.types import FloatArray
from emma_planner.simulation.observation import Route
from emma_planner.simulation.roads.polyline import way_along
from emma_planner.simulation.roads.road_edges import RoadEdges
from emma_planner.simulation.roads.road_graph import RoadGraph
from emma_planner.simulation.roads.streets import beside, route_yaw, street_places
from emma_planner.simulation.scenario import Scenario

START_KEEP_M = 40.0
END_KEEP_M = 15.0
JUNCTION_KEEP_M = 16.0
"""From stop lines, roundabouts, ramps; 15 m and the spacing of a route's points."""
APART_M = 30.0
MOST_TRIES = 100
KERB_M = 1.5
"""Who will cross waits this far from the road's edge."""
BEYOND_M = 3.0
"""And walks on this far beyond the other edge."""
WIDEST_ROAD_M = 25.0
SPEEDS_MPS = (1.0, 1.6)
MARGINS_M = (2.0, 15.0)
"""Who crosses does so at the ego's stopping distance and this much more."""
STROLL_M = 40.0
PAVEMENT_M = (1.2, 2.5)
OFF_ROAD_M = 0.7
"""Nobody waits nearer to any lane than this."""


@dataclass(frozen=True)
class Crossing:
    """Somebody's straight way across the road.

    :param route_s_m: where it meets the route
    :param start: x, y [m]
    :param kerb_m: from start to the edge of the road
    :param length_m: of the whole way
    :param speed_mps: when walking
    :param margin_m: wanted of the ego's distance beyond what it needs to stop
    """

    route_s_m: float
    start: tuple[float, float]
    yaw_rad: float
    kerb_m: float
    length_m: float
    speed_mps: float
    hesitates: bool
    margin_m: float

    def place(self, s_m: float) -> tuple[float, float]:
        """Return x, y after some of the way."""
        x, y = self.start
        return x + s_m * float(np.cos(self.yaw_rad)), y + s_m * float(np.sin(self.yaw_rad))


@dataclass(frozen=True, eq=False)
class Stroll:
    """Somebody's way along the pavement.

    :param route_s_m: where it starts, beside the route
    :param points: ``(N, 2)`` x, y [m], with ``s_m`` along them
    :param speed_mps: 0 for who only stands
    """

    route_s_m: float
    points: FloatArray
    s_m: FloatArray
    speed_mps: float

    def place(self, s_m: float) -> tuple[float, float, float]:
        """Return x, y, yaw after some of the way."""
        x, y = (float(np.interp(s_m, self.s_m, self.points[:, k])) for k in (0, 1))
        k = min(int(np.searchsorted(self.s_m, s_m, side='right')), len(self.s_m) - 1)
        step = self.points[k] - self.points[k - 1]
        return x, y, float(np.arctan2(step[1], step[0]))


def find_crossings(graph: RoadGraph, route: Route, scenario: Scenario) -> tuple[Crossing, ...]:
    """Return where people cross, as many as the scenario says or as there is room for."""
    rng = np.random.default_rng((scenario.seed, 2))
    edges = RoadEdges(graph)
    found: list[Crossing] = []
    places = [
        k
        for k in street_places(route, before_m=JUNCTION_KEEP_M, after_m=JUNCTION_KEEP_M)
        if START_KEEP_M <= route.s_m[k] <= route.length_m - END_KEEP_M
    ]
    for k in rng.permutation(places)[:MOST_TRIES]:
        if len(found) == scenario.pedestrians:
            break
        s = float(route.s_m[k])
        if any(abs(s - other.route_s_m) < APART_M for other in found):
            continue
        crossing = _crossing(route, int(k), edges, rng)
        if crossing is not None:
            found.append(crossing)
    return tuple(sorted(found, key=lambda crossing: crossing.route_s_m))


def find_strolls(graph: RoadGraph, route: Route, scenario: Scenario) -> tuple[Stroll, ...]:
    """Return who stays on the pavement: as many as the scenario says who cross."""
    rng = np.random.default_rng((scenario.seed, 3))
    edges = RoadEdges(graph)
    found: list[Stroll] = []
    places = street_places(route, before_m=5.0, after_m=5.0)
    for k in rng.permutation(places)[:MOST_TRIES]:
        if len(found) == scenario.pedestrians:
            break
        stroll = _stroll(route, int(k), edges, rng)
        if stroll is not None:
            found.append(stroll)
    return tuple(found)


def _crossing(route: Route, k: int, edges: RoadEdges, rng: np.random.Generator) -> Crossing | None:
    """Return a way across the road at a point of the route, None when there is no room."""
    x, y = route.points[k]
    along = route_yaw(route, k)
    left_m, right_m = edges.across(x, y, along)
    from_right = bool(rng.random() < 0.5)
    yaw = along + (np.pi / 2 if from_right else -np.pi / 2)
    before, after = (right_m, left_m) if from_right else (left_m, right_m)
    length = KERB_M + before + after + BEYOND_M
    start = (
        float(x - (before + KERB_M) * np.cos(yaw)),
        float(y - (before + KERB_M) * np.sin(yaw)),
    )
    crossing = Crossing(
        route_s_m=float(route.s_m[k]),
        start=start,
        yaw_rad=float(wrap_angle(yaw)),
        kerb_m=KERB_M,
        length_m=length,
        speed_mps=float(rng.uniform(*SPEEDS_MPS)),
        hesitates=bool(rng.random() < 0.5),
        margin_m=float(rng.uniform(*MARGINS_M)),
    )
    ends = np.array([crossing.place(0.0), crossing.place(length)])
    fits = before + after < WIDEST_ROAD_M and (edges.clearance(ends) > OFF_ROAD_M).all()
    return crossing if fits else None


def _stroll(route: Route, k: int, edges: RoadEdges, rng: np.random.Generator) -> Stroll | None:
    """Return a way along the pavement, None when there is no room."""
    x, y = route.points[k]
    left_m, right_m = edges.across(x, y, route_yaw(route, k))
    on_left, backwards, walks = rng.random(3) < 0.5
    offset = float(rng.uniform(*PAVEMENT_M))
    offset = left_m + offset if on_left else -right_m - offset
    step = -1 if backwards else 1
    places = range(k, int(np.clip(k + step * STROLL_M, -1, len(route.s_m))), step)
    points = np.array([beside(route, j, offset) for j in places])
    clear = edges.clearance(points) > OFF_ROAD_M
    count = len(points) if clear.all() else int(np.argmin(clear))
    speed = float(rng.uniform(*SPEEDS_MPS)) if walks else 0.0
    if count < 3:
        return None
    points = points[:count]
    s_m = way_along(points)
    return Stroll(float(route.s_m[k]), points, s_m, speed)
