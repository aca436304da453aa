"""What stands on and beside the route: parked and broken-down cars, cones, barriers, warnings.

Placed once for a drive, and only where an ego can pass. Knows no moving road user.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from emma_planner.planning.types import Pose
from emma_planner.simulation.observation import Actor, ActorKind, Route
from emma_planner.simulation.roads.crossings import find_crossings
from emma_planner.simulation.roads.road_edges import RoadEdges
from emma_planner.simulation.roads.road_graph import Lane, RoadGraph
from emma_planner.simulation.roads.route import LaneStep
from emma_planner.simulation.roads.streets import route_yaw, street_places
from emma_planner.simulation.scenario import Scenario

SIZES_M = {
    's': (4.3, 1.7, 1.7),
    'm': (4.6, 1.85, 1.37),
    'l': (4.87, 2.046, 1.85),
    'xl': (5.74, 2.3, 2.8),
    'cone': (0.44, 0.44, 0.75),
    'barrier': (0.6, 2.0, 1.1),
    'warning': (0.4, 0.84, 0.77),
}
"""Length, width and height of each model; cars as MetaDrive's SVehicle ... XLVehicle."""
CARS = ('s', 'm', 'm', 'l')
START_KEEP_M = 40.0
END_KEEP_M = 30.0
CROSSING_KEEP_M = 20.0
"""Nothing hides somebody who crosses, nor stands where they walk."""
JUNCTION_KEEP_M = 12.0
SCENE_KEEP_M = 25.0
"""Free road between one scene and the next."""

EGO_WIDTH_M = 1.9
PASS_M = 0.4
"""Room on both sides of an ego that passes."""
PROTRUSIONS_M = (0.3, 0.9)
BEND_M = 0.06
"""A straight car on the gentlest bend allowed protrudes this much more."""
CAR_HALF_M = 3.0

BEFORE_M = 60.0
AFTER_M = 40.0
"""Street around a broken-down car, for changing lanes and back."""
OWN_LANE_SHARE = 0.7
WARNING_M = 15.0
CONES_M = ((4.0, -1.1), (7.5, 0.0), (11.0, 1.1))
"""Distance before the car's rear, and towards the side that stays shut."""
WORKS_SHARE = 0.3
WORKS_M = (0.0, 5.0, 10.0)
WORKS_ON_LANE_M = 0.5
"""How much of a barrier stands on the lane."""


@dataclass(frozen=True)
class Obstacle:
    """Something that stands for the whole drive.

    :param model: one of :data:`SIZES_M`
    :param pose: middle of the footprint
    """

    id: str
    kind: ActorKind
    model: str
    pose: Pose

    def to_actor(self) -> Actor:
        """Return what others see."""
        length, width, height = SIZES_M[self.model]
        return Actor(
            id=self.id,
            kind=self.kind,
            pose=self.pose,
            speed_mps=0.0,
            length_m=length,
            width_m=width,
            height_m=height,
            parked=True,
            path=np.zeros((0, 2)),
        )


def place_obstacles(
    graph: RoadGraph, route: Route, steps: Sequence[LaneStep], scenario: Scenario
) -> tuple[Obstacle, ...]:
    """Return what stands on the route: at most what the scenario says, less where no place fits.

    Cars parked against the ego's direction and road works at the edge come on top where the
    scenario has parked cars.

    :param steps: lanes of the route, in order
    """
    site = _Site(graph, route, tuple(steps), np.random.default_rng((scenario.seed, 4)))
    for crossing in find_crossings(graph, route, scenario):
        site.reserve(crossing.route_s_m, CROSSING_KEEP_M, CROSSING_KEEP_M)
    for _ in range(scenario.broken_down):
        _break_down(site)
    for _ in range(scenario.parked_cars):
        _park(site)
    if scenario.parked_cars and site.rng.random() < WORKS_SHARE:
        _fence_off(site)
    for _ in range(int(site.rng.integers(scenario.parked_cars + 1))):
        _park_opposite(site)
    return tuple(site.placed)


@dataclass(eq=False)
class _Site:
    """The route while it fills up.

    :param taken: stretches of the route [m] that nothing else may come into
    """

    graph: RoadGraph
    route: Route
    steps: tuple[LaneStep, ...]
    rng: np.random.Generator
    placed: list[Obstacle] = field(default_factory=list)
    taken: list[tuple[float, float]] = field(default_factory=list)

    def reserve(self, s_m: float, before_m: float, after_m: float) -> None:
        self.taken.append((s_m - before_m, s_m + after_m))

    def draw_places(
        self, before_m: float, after_m: float, street_m: tuple[float, float]
    ) -> list[int]:
        """Return points of the route in random order where a scene has room.

        :param before_m: length of the scene up to the point; ``after_m`` beyond it
        :param street_m: plain street wanted before and after the point
        """
        route = self.route
        places = street_places(route, before_m=street_m[1], after_m=street_m[0])
        return [
            int(k)
            for k in self.rng.permutation(places)
            if self._is_free(route.s_m[k] - before_m, route.s_m[k] + after_m)
        ]

    def lane_at(self, k: int) -> Lane:
        """Return the route's lane at one of its points."""
        s = float(self.route.s_m[k])
        last = [step for step in self.steps if step.start_s_m <= s + 1e-9]
        return last[-1].lane if last else self.steps[0].lane

    def add(self, name: str, kind: ActorKind, model: str, pose: Pose) -> None:
        number = sum(other.id.startswith(f'{name}-') for other in self.placed)
        self.placed.append(Obstacle(f'{name}-{number}', kind, model, pose))

    def _is_free(self, first_m: float, last_m: float) -> bool:
        if first_m < START_KEEP_M or last_m > self.route.length_m - END_KEEP_M:
            return False
        return all(last_m <= start or first_m >= end for start, end in self.taken)


def _break_down(site: _Site) -> None:
    """Place a car that stands in a lane, a triangle and cones before it."""
    route, rng = site.route, site.rng
    reach = CAR_HALF_M + WARNING_M + 1.0
    for k in site.draw_places(reach, CAR_HALF_M, (BEFORE_M, AFTER_M)):
        lane = site.lane_at(k)
        lanes = site.graph.roads[lane.road]
        around = (route.s_m >= route.s_m[k] - BEFORE_M) & (route.s_m <= route.s_m[k] + AFTER_M)
        room = (route.left_m + route.right_m)[around]
        if len(lanes) < 2 or room.min() < 2 * lane.width_m - 0.1:
            continue
        if rng.random() >= OWN_LANE_SHARE:
            beside = site.graph.beside(lane)
            lane = beside[int(rng.integers(len(beside)))]
        _scene_of_breakdown(site, k, lane, shut=1.0 if lane.index == 0 else -1.0)
        site.reserve(route.s_m[k], BEFORE_M + SCENE_KEEP_M, AFTER_M)
        return


def _scene_of_breakdown(site: _Site, k: int, lane: Lane, shut: float) -> None:
    """:param shut: 1 where traffic passes on the right and the left side is shut, else -1"""
    x, y = site.route.points[k]
    s, offset = lane.locate(x, y)
    aside = -offset  # from the route to the middle of the lane
    rear = SIZES_M['m'][0] / 2
    turned = float(site.rng.uniform(-0.06, 0.06))
    model = CARS[int(site.rng.integers(len(CARS)))]
    pose = Pose(*lane.place(s))
    site.add(
        'broken-down', ActorKind.VEHICLE, model, Pose(pose.x_m, pose.y_m, pose.yaw_rad + turned)
    )
    for before_m, towards in CONES_M:
        at = _on_route(
            site.route, float(site.route.s_m[k]) - rear - before_m, aside - shut * towards
        )
        site.add('cone', ActorKind.CONE, 'cone', at)
    at = _on_route(site.route, float(site.route.s_m[k]) - rear - WARNING_M, aside)
    site.add('warning', ActorKind.WARNING, 'warning', at)


def _park(site: _Site) -> None:
    """Place a car at the right edge of the road, in part on the rightmost lane."""
    for k in site.draw_places(CAR_HALF_M, CAR_HALF_M, (JUNCTION_KEEP_M, JUNCTION_KEEP_M)):
        lane = site.lane_at(k)
        lanes = site.graph.roads[lane.road]
        most = PROTRUSIONS_M[1]
        if lane is lanes[-1]:
            most = min(most, lane.width_m - EGO_WIDTH_M - 2 * PASS_M - BEND_M)
        if lanes[-1].right_line != 'edge' or most < PROTRUSIONS_M[0]:
            continue
        _stand_at_edge(site, lanes[-1], k, float(site.rng.uniform(PROTRUSIONS_M[0], most)))
        site.reserve(site.route.s_m[k], SCENE_KEEP_M, SCENE_KEEP_M)
        return


def _stand_at_edge(site: _Site, lane: Lane, k: int, protrusion_m: float) -> None:
    model = CARS[int(site.rng.integers(len(CARS)))]
    s, _ = lane.locate(*site.route.points[k])
    offset = lane.width_m / 2 - protrusion_m + SIZES_M[model][1] / 2
    site.add('parked', ActorKind.VEHICLE, model, Pose(*lane.place(s, -offset)))


def _park_opposite(site: _Site) -> None:
    """Place a car at the other edge of the road, facing the ego."""
    edges = RoadEdges(site.graph)
    street = (JUNCTION_KEEP_M, JUNCTION_KEEP_M)
    for k in site.draw_places(CAR_HALF_M, CAR_HALF_M, street)[:50]:
        x, y = site.route.points[k]
        yaw = route_yaw(site.route, k)
        left_m, _ = edges.across(x, y, yaw)
        inside = left_m - 0.5
        lane = site.graph.nearest(x - inside * np.sin(yaw), y + inside * np.cos(yaw), yaw + np.pi)
        s, offset = lane.locate(x - inside * np.sin(yaw), y + inside * np.cos(yaw))
        on_lane = abs(offset) < lane.width_m / 2 and 5.0 < s < lane.length_m - 5.0
        most = lane.width_m - EGO_WIDTH_M - 2 * PASS_M - BEND_M
        if not on_lane or lane.right_line != 'edge' or most < PROTRUSIONS_M[0]:
            continue
        _stand_at_edge(site, lane, k, float(site.rng.uniform(PROTRUSIONS_M[0], most)))
        site.reserve(site.route.s_m[k], SCENE_KEEP_M / 2, SCENE_KEEP_M / 2)
        return


def _fence_off(site: _Site) -> None:
    """Place road works at the right edge: barriers in a row, a cone before each."""
    length = WORKS_M[-1]
    for k in site.draw_places(3.0, length + 3.0, (JUNCTION_KEEP_M, length + JUNCTION_KEEP_M)):
        lane = site.graph.roads[site.lane_at(k).road][-1]
        s, _ = lane.locate(*site.route.points[k])
        if lane.right_line != 'edge' or not 3.0 < s < lane.length_m - length - 3.0:
            continue
        width = SIZES_M['barrier'][1]
        for along in WORKS_M:
            offset = lane.width_m / 2 - WORKS_ON_LANE_M + width / 2
            at = Pose(*lane.place(s + along, -offset))
            site.add('barrier', ActorKind.BARRIER, 'barrier', at)
            at = Pose(*lane.place(s + along - 2.0, -lane.width_m / 2))
            site.add('cone', ActorKind.CONE, 'cone', at)
        site.reserve(site.route.s_m[k], SCENE_KEEP_M, SCENE_KEEP_M + length)
        return


def _on_route(route: Route, s_m: float, offset_m: float) -> Pose:
    """Return a place beside the route, offset to the left."""
    k = int(np.argmin(np.abs(route.s_m - s_m)))
    yaw = route_yaw(route, k)
    x, y = (float(np.interp(s_m, route.s_m, route.points[:, j])) for j in (0, 1))
    return Pose(x - offset_m * float(np.sin(yaw)), y + offset_m * float(np.cos(yaw)), yaw)
