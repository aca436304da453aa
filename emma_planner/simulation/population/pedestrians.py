"""People on foot: some cross the route, some stay on the pavement.

In: the ego's place and speed. Out: where everybody is. Nobody steps in front of an ego that could
not stop comfortably any more. Knows no cars but the ego and no pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emma_planner.planning.types import FloatArray, Pose
from emma_planner.simulation.observation import Actor, ActorKind, Route
from emma_planner.simulation.roads.crossings import Crossing, Stroll, find_crossings, find_strolls
from emma_planner.simulation.roads.road_graph import RoadGraph
from emma_planner.simulation.scenario import Scenario

SIZE_M = 0.7
HEIGHT_M = 1.75
HESITATION_S = 1.0
EGO_FRONT_M = 3.8
"""Base_link to the front bumper, and a little more."""
EGO_REAR_M = 1.1
EGO_HALF_WIDTH_M = 1.0
BRAKING_MPS2 = 2.5
REACTION_S = 1.0
KEEP_M = 8.0
"""Between the ego's front and who crosses, once the ego stands."""
STANDING_MPS = 0.3
STANDING_KEEP_M = 1.0
PATIENCE_S = 1.0
"""An ego that has stood so long lets people pass, nearer than :data:`KEEP_M` too."""
NEAR_EGO_M = 80.0
"""Who strolls starts when the ego is this near."""
LOOK_AHEAD_M = 1.5
"""Who walks waits for an ego that stands in the way, this far ahead."""


@dataclass(frozen=True, eq=False)
class Pedestrian:
    """Somebody on foot, now.

    :param path: ``(N, 2)`` [m] the straight way ahead, empty when there is none
    :param crosses: the route, sooner or later or in the past
    """

    id: str
    pose: Pose
    speed_mps: float
    path: FloatArray
    crosses: bool

    def to_actor(self) -> Actor:
        """Return what others see."""
        return Actor(
            id=self.id,
            kind=ActorKind.PEDESTRIAN,
            pose=self.pose,
            speed_mps=self.speed_mps,
            length_m=SIZE_M,
            width_m=SIZE_M,
            height_m=HEIGHT_M,
            parked=False,
            path=self.path,
        )


def stopping_distance(speed_mps: float) -> float:
    """Distance [m] that an ego needs to stop comfortably before somebody, with room to spare."""
    speed = max(speed_mps, 0.0)
    return speed**2 / (2 * BRAKING_MPS2) + REACTION_S * speed + KEEP_M


class Pedestrians:
    """All people on foot of one drive.

    :param route: the ego's
    """

    def __init__(self, graph: RoadGraph, route: Route, scenario: Scenario) -> None:
        crossings = find_crossings(graph, route, scenario)
        strolls = find_strolls(graph, route, scenario)
        self._crossers = [
            _Crosser(f'pedestrian-{k}', crossing) for k, crossing in enumerate(crossings)
        ]
        self._strollers = [
            _Stroller(f'pedestrian-{len(crossings) + k}', stroll)
            for k, stroll in enumerate(strolls)
        ]

    @property
    def pedestrians(self) -> tuple[Pedestrian, ...]:
        """Everybody, those who cross first."""
        crossers = tuple(crosser.now() for crosser in self._crossers)
        return crossers + tuple(stroller.now() for stroller in self._strollers)

    def step(
        self, dt_s: float, ego_route_s_m: float, ego_speed_mps: float, ego_pose: Pose
    ) -> None:
        """Let time pass.

        :param ego_route_s_m: base_link along the route
        :param ego_pose: base_link
        """
        for crosser in self._crossers:
            crosser.step(dt_s, ego_route_s_m, ego_speed_mps, ego_pose)
        for stroller in self._strollers:
            stroller.step(dt_s, ego_route_s_m, ego_pose)


class _Crosser:
    """Waits beside the road, walks to the kerb, looks, crosses, walks on a little and stands.

    :param crossing: where and how
    """

    def __init__(self, name: str, crossing: Crossing) -> None:
        self._name = name
        self._crossing = crossing
        self._s_m = 0.0
        self._speed_mps = 0.0
        self._started = False
        self._on_road = False
        self._looked_s = 0.0
        self._ego_stood_s = 0.0

    def now(self) -> Pedestrian:
        crossing = self._crossing
        left = np.arange(self._s_m, crossing.length_m, 1.0)
        ahead = np.append(left, crossing.length_m) if len(left) else np.zeros(0)
        path = np.array([crossing.place(s) for s in ahead]).reshape(-1, 2)
        x, y = crossing.place(self._s_m)
        pose = Pose(x, y, crossing.yaw_rad)
        return Pedestrian(self._name, pose, self._speed_mps, path, crosses=True)

    def step(self, dt_s: float, ego_s_m: float, ego_speed_mps: float, ego: Pose) -> None:
        stands = abs(ego_speed_mps) < STANDING_MPS
        self._ego_stood_s = self._ego_stood_s + dt_s if stands else 0.0
        gap = self._crossing.route_s_m - SIZE_M / 2 - ego_s_m - EGO_FRONT_M
        self._started = self._started or self._wants(gap, ego_speed_mps)
        self._speed_mps = 0.0
        if not self._started or self._s_m >= self._crossing.length_m:
            return
        stride = self._crossing.speed_mps * dt_s
        if not self._on_road and self._s_m + stride > self._crossing.kerb_m:
            self._looked_s += dt_s
            long_enough = not self._crossing.hesitates or self._looked_s >= HESITATION_S
            self._on_road = long_enough and self._may_step(gap, ego_speed_mps)
            if not self._on_road:
                return
        if _in_the_way(self.now().pose, ego):
            return
        self._s_m = min(self._s_m + stride, self._crossing.length_m)
        self._speed_mps = self._crossing.speed_mps

    def _wants(self, gap_m: float, speed_mps: float) -> bool:
        """Whether an ego that goes on like this is just far enough once the kerb is reached."""
        crossing = self._crossing
        until_s = crossing.kerb_m / crossing.speed_mps
        until_s += HESITATION_S if crossing.hesitates else 0.0
        gap = gap_m - max(speed_mps, 0.0) * until_s
        return gap < stopping_distance(speed_mps) + crossing.margin_m

    def _may_step(self, gap_m: float, speed_mps: float) -> bool:
        passed = gap_m < -(EGO_FRONT_M + EGO_REAR_M + SIZE_M + 1.0)
        waits = self._ego_stood_s >= PATIENCE_S and gap_m >= STANDING_KEEP_M
        return passed or waits or gap_m >= stopping_distance(speed_mps)


class _Stroller:
    """Stands on the pavement or walks along it.

    :param stroll: where and how
    """

    def __init__(self, name: str, stroll: Stroll) -> None:
        self._name = name
        self._stroll = stroll
        self._s_m = 0.0
        self._speed_mps = 0.0

    def now(self) -> Pedestrian:
        stroll = self._stroll
        x, y, yaw = stroll.place(self._s_m)
        ahead = stroll.points[stroll.s_m > self._s_m]
        path = np.vstack([[x, y], ahead]) if stroll.speed_mps and len(ahead) else np.zeros((0, 2))
        return Pedestrian(self._name, Pose(x, y, yaw), self._speed_mps, path, crosses=False)

    def step(self, dt_s: float, ego_s_m: float, ego: Pose) -> None:
        stroll = self._stroll
        near = abs(stroll.route_s_m - ego_s_m) < NEAR_EGO_M
        arrived = self._s_m >= stroll.s_m[-1]
        blocked = _in_the_way(self.now().pose, ego)
        self._speed_mps = 0.0 if arrived or blocked or not near else stroll.speed_mps
        self._s_m = min(self._s_m + self._speed_mps * dt_s, float(stroll.s_m[-1]))


def _in_the_way(walker: Pose, ego: Pose) -> bool:
    """Whether the ego's footprint covers a part of the next strides of somebody."""
    strides = np.linspace(0.0, LOOK_AHEAD_M + SIZE_M / 2, 8)
    away_x = walker.x_m + strides * np.cos(walker.yaw_rad) - ego.x_m
    away_y = walker.y_m + strides * np.sin(walker.yaw_rad) - ego.y_m
    cos, sin = np.cos(ego.yaw_rad), np.sin(ego.yaw_rad)
    along, aside = cos * away_x + sin * away_y, cos * away_y - sin * away_x
    half = SIZE_M / 2
    inside = (along > -EGO_REAR_M - half) & (along < EGO_FRONT_M + half)
    return bool((inside & (np.abs(aside) < EGO_HALF_WIDTH_M + half)).any())
