"""The world: one interface to the simulator.

``reset(scenario)`` and ``step(control)`` give an :class:`Observation`: the front camera, the ego's
motion, the route command, and the ground truth. The map, the physics of the ego and the pictures
are MetaDrive's; everybody else is moved by :class:`Population`. One world per process: the
simulator's engine is a singleton.
"""

from __future__ import annotations

import numpy as np

from emma_planner.control.control import Control
from emma_planner.planning.kinematics import wrap_angle
from emma_planner.planning.types import NS_PER_S, ByteArray, Pose
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.engine.adaptation import AdaptationError
from emma_planner.simulation.engine.bodies import (
    STEP_S,
    SUBSTEPS,
    ActorBodies,
    EgoBody,
)
from emma_planner.simulation.engine.env import make_env, reset_env
from emma_planner.simulation.engine.roads import read_roads
from emma_planner.simulation.observation import (
    Actor,
    ActorKind,
    LaneTruth,
    Observation,
    Route,
    Truth,
    VehicleShape,
)
from emma_planner.simulation.picture.appearance import Standing
from emma_planner.simulation.picture.rasterizer import RenderingError
from emma_planner.simulation.picture.roadside import place_roadside
from emma_planner.simulation.picture.scene import Scene
from emma_planner.simulation.population.population import Place, Population
from emma_planner.simulation.roads.road_graph import Lane, locate
from emma_planner.simulation.roads.road_map import RoadMap, road_map_of
from emma_planner.simulation.roads.route import command_at, exits_of, plan_route
from emma_planner.simulation.roads.surface import RoadSurface, footprint
from emma_planner.simulation.scenario import Scenario

__all__ = ['STEP_S', 'World', 'WorldError']

START_NS = 1_000_000_000
"""Simulated time at the start; ROS takes a clock of 0 for unset."""
STEP_NS = round(STEP_S * NS_PER_S)
BEGIN_NS = START_NS + 5 * NS_PER_S
"""Until then the ego stands and everybody waits: planners need 4.5 s of history."""
SETTLE_STEPS = 20
"""The car drops onto its springs first."""
HORIZON_M = 120.0
"""Actors farther than this are not told."""
NEARBY_M = 40.0
HOLD = Control(steering_angle_rad=0.0, speed_mps=0.0, acceleration_mps2=-3.0)
ARRIVAL_M = 0.5


class WorldError(Exception):
    """The simulator cannot run here, or is not used as it must be."""


class RoadError(WorldError):
    """A scenario whose road cannot be built; others can."""


class World:
    """A road with others on it, and the ego to drive.

    :param camera: front camera, None for a world without pictures
    :raises WorldError: the simulator is not installed, of another version, or cannot render here
    """

    _open = False

    def __init__(self, camera: CameraSettings | None = None) -> None:
        if World._open:
            raise WorldError('need one world per process, got a second one before close()')
        try:
            self._env = make_env(camera)
            self._scene = None if camera is None else Scene(camera)
        except (AdaptationError, RenderingError) as err:
            raise WorldError(str(err)) from err
        World._open = True
        self.camera = camera
        self._bodies: ActorBodies | None = None

    @property
    def vehicle(self) -> VehicleShape:
        """Size of the ego."""
        return self._ego.shape

    @property
    def roads(self) -> RoadMap:
        """Lanes and lines, to draw."""
        return self._road_map

    @property
    def place(self) -> Place:
        """Lanes and route of this drive."""
        return self._place

    def reset(self, scenario: Scenario, *, render: bool = False) -> Observation:
        """Build a scenario's world and return what is seen at its start.

        :raises RoadError: the simulator cannot build it
        """
        self._clear()
        rng = np.random.default_rng(scenario.seed)
        lane = int(rng.integers(scenario.lane_count))
        try:
            vehicle = reset_env(
                self._env, scenario.seed, scenario.blocks, scenario.lane_count, lane
            )
        except AdaptationError as err:
            self._env.close()  # with the blocks that are left over
            self._env = make_env(self.camera)
            raise RoadError(f'{scenario.name}: {err}') from err
        self._ego = EgoBody(vehicle)
        self._place = self._build_place(rng)
        self._surface = RoadSurface(self._place.graph)
        self._road_map = road_map_of(self._place.graph)
        self._bodies = ActorBodies(self._env.engine)
        self._time_ns = START_NS
        self._route_s_m = 0.0
        self._settle()
        pose, _, _ = self._ego.motion()
        self._population = Population(scenario, self._place, pose, self.vehicle)
        self._actors = self._population.actors()
        self._bodies.place(self._actors)
        self._bodies.advance(1.0)
        if self._scene is not None:
            self._scene.reset(self._road_map, scenario.weather, self._roadside(scenario))
        return self._observe(render=render)

    def step(self, control: Control, *, render: bool = False) -> Observation:
        """Drive for one step of :data:`STEP_S`; before :data:`BEGIN_NS` the brakes hold.

        :param render: whether the camera is looked at
        """
        if self._bodies is None:
            raise WorldError('need reset() before step()')
        if self._time_ns < BEGIN_NS:
            control = HOLD
        else:
            pose, speed, _ = self._ego.motion()
            self._population.step(STEP_S, pose, speed, self._route_s_m)
        self._actors = self._population.actors()
        self._bodies.place(self._actors)
        self._ego.drive(control)
        for k in range(SUBSTEPS):
            self._bodies.advance((k + 1) / SUBSTEPS)
            self._env.engine.step_physics_world()
        self._time_ns += STEP_NS
        return self._observe(render=render)

    def close(self) -> None:
        """Free the simulator."""
        if World._open:
            self._clear()
            if self._scene is not None:
                self._scene.close()
            self._env.close()
            World._open = False

    def _clear(self) -> None:
        if self._bodies is not None:
            self._bodies.clear()
            self._bodies = None

    def _settle(self) -> None:
        self._ego.drive(HOLD)
        for _ in range(SETTLE_STEPS * SUBSTEPS):
            self._env.engine.step_physics_world()

    def _build_place(self, rng: np.random.Generator) -> Place:
        graph = read_roads(self._env.current_map)
        pose, _, _ = self._ego.motion()
        start = graph.nearest(pose.x_m, pose.y_m, pose.yaw_rad)
        exits = exits_of(graph, start)
        end = exits[int(rng.integers(len(exits)))]
        s, _ = start.locate(pose.x_m, pose.y_m)
        route, steps = plan_route(graph, start, s, end)
        return Place(graph, route, steps)

    def _roadside(self, scenario: Scenario) -> tuple[Standing, ...]:
        return place_roadside(self._place.graph, scenario.seed) if scenario.roadside else ()

    def _observe(self, *, render: bool) -> Observation:
        pose, speed, yaw_rate = self._ego.motion()
        route = self._place.route
        self._route_s_m, offset = _locate(route, pose, self._route_s_m)
        return Observation(
            stamp_ns=self._time_ns,
            pose=pose,
            speed_mps=speed,
            yaw_rate_radps=yaw_rate,
            command=command_at(route, self._route_s_m, offset),
            image=self._picture(pose) if render else None,
            arrived=self._arrived(offset),
            truth=self._truth(pose, offset),
        )

    def _arrived(self, offset_m: float) -> bool:
        route = self._place.route
        on_route = -route.right_m[-1] <= offset_m <= route.left_m[-1]
        return bool(on_route and self._route_s_m >= route.length_m - ARRIVAL_M)

    def _truth(self, pose: Pose, offset_m: float) -> Truth:
        assert self._bodies is not None
        near = tuple(
            actor
            for actor in self._actors
            if np.hypot(actor.pose.x_m - pose.x_m, actor.pose.y_m - pose.y_m) < HORIZON_M
        )
        lane, road = self._lane(pose)
        return Truth(
            route=self._place.route,
            route_s_m=self._route_s_m,
            route_d_m=offset_m,
            lane=lane,
            actors=near,
            lights=self._population.lights(),
            contacts=self._bodies.touching(self._ego.node),
            nearby_speed_mps=_nearby_speed(pose, near, road),
        )

    def _lane(self, pose: Pose) -> tuple[LaneTruth, tuple[Lane, ...]]:
        """Return the ego's place on its road, and the lanes of that."""
        lane, s, offset, on_lane = self._surface.lane_at(pose)
        road = self._place.graph.roads[lane.road]
        truth = LaneTruth(
            index=lane.index,
            count=len(road),
            width_m=lane.width_m,
            offset_m=offset,
            heading_error_rad=float(wrap_angle(pose.yaw_rad - lane.place(s)[2])),
            on_road=self._surface.on_road(footprint(pose, self.vehicle)),
            in_lane=on_lane,
        )
        return truth, road

    def _picture(self, pose: Pose) -> ByteArray:
        if self._scene is None:
            raise WorldError('need a world with a camera to render, got one without')
        return self._scene.render(pose, self._actors, self._population.heads)


def _locate(route: Route, pose: Pose, last_s_m: float) -> tuple[float, float]:
    """Project onto the route near where the ego was: the route may cross itself."""
    first, last = np.searchsorted(route.s_m, (last_s_m - 10.0, last_s_m + 30.0))
    window = slice(max(0, int(first) - 1), int(last) + 2)
    return locate(route.points[window], route.s_m[window], pose.x_m, pose.y_m)


def _nearby_speed(pose: Pose, actors: tuple[Actor, ...], road: tuple[Lane, ...]) -> float:
    """Mean speed of cars in traffic near the ego on its own road [m/s], NaN without any.

    Who has passed the light that the ego waits at is on another road: traffic around the ego is
    what has the same road before it.

    :param road: lanes of the ego's direction, side by side
    """
    speeds = [
        actor.speed_mps
        for actor in actors
        if actor.kind is ActorKind.VEHICLE
        and not actor.parked
        and np.hypot(actor.pose.x_m - pose.x_m, actor.pose.y_m - pose.y_m) < NEARBY_M
        and np.cos(actor.pose.yaw_rad - pose.yaw_rad) > np.cos(np.pi / 4)
        and any(_is_on(lane, actor.pose) for lane in road)
    ]
    return float(np.mean(speeds)) if speeds else float('nan')


def _is_on(lane: Lane, pose: Pose) -> bool:
    s, offset = lane.locate(pose.x_m, pose.y_m)
    return 0.0 < s < lane.length_m and abs(offset) <= lane.width_m / 2.0
