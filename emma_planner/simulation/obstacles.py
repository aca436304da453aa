"""Cars that stand for the whole drive, and what warns of them.

In: map, route and scenario. Out: obstacles where a careful driver gets past: parked cars only where
the lane leaves room, broken-down cars only where there is a second lane and a view. Where no place
fits there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emma_planner.planning.types import FloatArray, Pose
from emma_planner.simulation.observation import Actor, ActorKind, Route
from emma_planner.simulation.road_edges import RoadEdges
from emma_planner.simulation.road_graph import RoadGraph
from emma_planner.simulation.route import FOLLOW, LaneStep
from emma_planner.simulation.scenario import Scenario

FROM_START_M = 40.0
TO_END_M = 30.0
CAR_M = (4.6, 1.85, 1.5)
CONE_M = (0.35, 0.35, 0.7)
WARNING_M = (0.3, 0.6, 0.6)
PROTRUSION_M = (0.2, 0.65)
"""How far a parked car stands in the lane: an ego of 1.9 m passes within 3.5 m."""
PARKED_KINDS = ('straight', 'curve')
"""Not beside a ramp, whose traffic could not join."""
PARKED_CLEAR_M = 15.0
"""Between a parked car and junctions, ramps and lane changes."""
VIEW_M = 40.0
AFTER_M = 25.0
"""Before and after a broken-down car the road leads on without junction or change."""
APART_M = 25.0
TRIANGLE_M = 15.0
CONES_M = ((11.0, 0.5), (8.0, -0.5), (5.0, -1.3))
"""Cones before a broken-down car: how far, and how far left of the middle of the lane."""


@dataclass(frozen=True)
class Obstacle:
    """Something that stands on the road.

    :param pose: middle of its footprint
    :param size_m: length, width, height
    """

    id: str
    kind: ActorKind
    pose: Pose
    size_m: tuple[float, float, float]

    def to_actor(self) -> Actor:
        """Return it as others see it."""
        length, width, height = self.size_m
        return Actor(
            self.id,
            self.kind,
            self.pose,
            0.0,
            length,
            width,
            height,
            parked=True,
            path=np.zeros((0, 2)),
        )


def place_obstacles(
    graph: RoadGraph, route: Route, steps: tuple[LaneStep, ...], scenario: Scenario
) -> tuple[Obstacle, ...]:
    """Return the standing cars of a scenario along the route.

    :param steps: lanes of the route
    """
    rng = np.random.default_rng((scenario.seed, 3))
    taken: list[float] = []
    found: list[Obstacle] = []
    for k in range(scenario.broken_down):
        places = _places(route, steps, VIEW_M, AFTER_M, PARKED_KINDS, taken)
        places = [s for s in places if _lanes_at(graph, steps, s) >= 2]
        if places:
            s = places[int(rng.integers(len(places)))]
            taken.append(s)
            found += _broken_down(route, s, k)
    edges = RoadEdges(graph)
    for k in range(scenario.parked_cars):
        clear = PARKED_CLEAR_M
        places = _places(route, steps, clear, clear, PARKED_KINDS, taken)
        if places:
            s = places[int(rng.integers(len(places)))]
            taken.append(s)
            out = float(rng.uniform(*PROTRUSION_M))
            found += _parked(route, s, out, edges, f'parked-{k}')
    return tuple(found)


def _places(
    route: Route,
    steps: tuple[LaneStep, ...],
    before_m: float,
    after_m: float,
    kinds: tuple[str, ...],
    taken: list[float],
) -> list[float]:
    """Distances along the route with plain road before and after."""
    plain = np.array(
        [
            any(
                span.start_s_m <= s <= span.end_s_m
                and span.kind in kinds
                and span.command == FOLLOW
                for span in route.spans
            )
            for s in route.s_m
        ]
    )
    found = []
    for s in np.arange(FROM_START_M, route.length_m - TO_END_M, 3.0).tolist():
        around = (route.s_m >= s - before_m) & (route.s_m <= s + after_m)
        if plain[around].all() and all(abs(s - other) > APART_M + 15.0 for other in taken):
            found.append(s)
    return found


def _lanes_at(graph: RoadGraph, steps: tuple[LaneStep, ...], s_m: float) -> int:
    """Fewest lanes side by side around a place on the route."""
    counts = [
        len(graph.roads[step.lane.road])
        for step in steps
        if step.start_s_m < s_m + AFTER_M
        and step.start_s_m + step.leave_m - step.enter_m > s_m - VIEW_M
    ]
    return min(counts, default=0)


def _broken_down(route: Route, s_m: float, number: int) -> list[Obstacle]:
    name = f'broken-down-{number}'
    found = [Obstacle(name, ActorKind.VEHICLE, _pose(route, s_m, 0.0), CAR_M)]
    found.append(
        Obstacle(
            f'{name}-warning', ActorKind.WARNING, _pose(route, s_m - TRIANGLE_M, -0.6), WARNING_M
        )
    )
    for k, (before, left) in enumerate(CONES_M):
        pose = _pose(route, s_m - before, left)
        found.append(Obstacle(f'{name}-cone-{k}', ActorKind.CONE, pose, CONE_M))
    return found


def _parked(route: Route, s_m: float, out_m: float, edges: RoadEdges, name: str) -> list[Obstacle]:
    """Return a car at the right edge, none where other lanes are near there."""
    right = float(np.interp(s_m, route.s_m, route.right_m))
    pose = _pose(route, s_m, -(right + CAR_M[1] / 2.0 - out_m))
    beyond = _pose(route, s_m, -(right + CAR_M[1] + 1.0))
    place: FloatArray = np.array([[beyond.x_m, beyond.y_m]])
    if edges.clearance(place)[0] < 0.8:
        return []
    return [Obstacle(name, ActorKind.VEHICLE, pose, CAR_M)]


def _pose(route: Route, s_m: float, left_m: float) -> Pose:
    """Return a place beside the route, along its direction."""
    x, y = (float(np.interp(s_m, route.s_m, route.points[:, k])) for k in (0, 1))
    ends = [
        [float(np.interp(s, route.s_m, route.points[:, k])) for k in (0, 1)]
        for s in (s_m - 1.0, s_m + 1.0)
    ]
    yaw = float(np.arctan2(ends[1][1] - ends[0][1], ends[1][0] - ends[0][0]))
    return Pose(x - left_m * float(np.sin(yaw)), y + left_m * float(np.cos(yaw)), yaw)
