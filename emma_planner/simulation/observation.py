"""What a world tells after every step: sensors, and the ground truth that only experts may see.

Everything is in the world's ``map`` frame, REP-103 axes. The ego's base_link is the middle of the
rear axle on the ground, where curvature = yaw rate / speed holds for a car that does not slip.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from emma_planner.planning.types import ByteArray, FloatArray, Pose


class ActorKind(str, Enum):
    """Classes of things that can be hit."""

    VEHICLE = 'vehicle'
    PEDESTRIAN = 'pedestrian'
    CYCLIST = 'cyclist'
    CONE = 'cone'
    BARRIER = 'barrier'
    WARNING = 'warning'


class LightState(str, Enum):
    """What a traffic light shows."""

    RED = 'red'
    YELLOW = 'yellow'
    GREEN = 'green'


@dataclass(frozen=True)
class VehicleShape:
    """The ego vehicle.

    :param wheelbase_m: rear to front axle
    :param rear_overhang_m: base_link to the rear bumper
    :param front_overhang_m: base_link to the front bumper, the wheelbase included
    """

    length_m: float
    width_m: float
    height_m: float
    wheelbase_m: float
    rear_overhang_m: float
    front_overhang_m: float


@dataclass(frozen=True)
class Actor:
    """Another road user or an obstacle.

    :param pose: middle of the footprint
    :param speed_mps: along its own x
    :param parked: stands for the whole drive (parked, broken down)
    :param path: ``(N, 2)`` [m] where its route leads over the next metres; empty if nowhere or
        unknown
    :param brake_lights: they are lit
    :param indicator: ``left`` or ``right`` while that one is lit; it blinks
    """

    id: str
    kind: ActorKind
    pose: Pose
    speed_mps: float
    length_m: float
    width_m: float
    height_m: float
    parked: bool
    path: FloatArray
    brake_lights: bool = False
    indicator: str = ''


@dataclass(frozen=True)
class Light:
    """A traffic light that rules the ego's route.

    :param stop_s_m: its stop line, distance along the route [m]
    :param pose: where the first head hangs, facing the ego's approach
    :param heads_m: x, y, z of all heads, map
    """

    id: str
    state: LightState
    stop_s_m: float
    pose: Pose
    heads_m: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True)
class RouteSpan:
    """A part of the route of one kind.

    :param kind: of its lanes, see :class:`~emma_planner.simulation.roads.road_graph.Lane`
    :param command: the route command that holds in it (``follow lane``, ``turn left``, ...)
    """

    start_s_m: float
    end_s_m: float
    kind: str
    command: str


@dataclass(frozen=True, eq=False)
class Route:
    """The ego's way, one centre line from start to destination with its lane changes.

    :param points: ``(N, 2)`` x, y [m], map, about 1 m apart
    :param s_m: ``(N,)`` distance along the points [m]
    :param left_m: ``(N,)`` room for the ego's direction to the left of the line [m]
    :param right_m: ``(N,)`` the same to the right [m]
    :param speed_limits_mps: ``(N,)`` posted
    :param lane_width_m: width of one lane [m]
    """

    points: FloatArray
    s_m: FloatArray
    left_m: FloatArray
    right_m: FloatArray
    speed_limits_mps: FloatArray
    lane_width_m: float
    spans: tuple[RouteSpan, ...]

    @property
    def length_m(self) -> float:
        """From start to destination [m]."""
        return float(self.s_m[-1])


@dataclass(frozen=True)
class LaneTruth:
    """The ego's place on the road.

    :param index: lane of its direction, 0 = leftmost
    :param count: lanes of its direction here
    :param offset_m: base_link from the middle of its lane, left positive
    :param heading_error_rad: ego yaw minus the lane's, left positive
    :param on_road: all of the ego on drivable surface of any direction
    :param in_lane: base_link on a lane of its own direction
    """

    index: int
    count: int
    width_m: float
    offset_m: float
    heading_error_rad: float
    on_road: bool
    in_lane: bool


@dataclass(frozen=True, eq=False)
class Truth:
    """What only experts, labels and scores may look at.

    :param actors: within the world's horizon of the ego
    :param contacts: ids of actors that touch the ego; ``'ground'`` for kerbs, walls, fences
    :param route_s_m: ego base_link along the route [m]
    :param route_d_m: and beside it [m], left positive
    :param nearby_speed_mps: mean speed of traffic near the ego on its own road, NaN when
        there is none
    """

    route: Route
    route_s_m: float
    route_d_m: float
    lane: LaneTruth
    actors: tuple[Actor, ...]
    lights: tuple[Light, ...]
    contacts: tuple[str, ...]
    nearby_speed_mps: float

    def actor(self, actor_id: str) -> Actor | None:
        """Return an actor by its id, None when it is not near."""
        return next((actor for actor in self.actors if actor.id == actor_id), None)


@dataclass(frozen=True, eq=False)
class Observation:
    """The world at one instant.

    :param stamp_ns: simulated time [ns]
    :param pose: ego base_link, map
    :param speed_mps: along body x, negative in reverse
    :param yaw_rate_radps: left positive
    :param command: route command now
    :param image: ``(H, W, 3)`` uint8 RGB of the front camera, None when it was not rendered
    :param arrived: the destination is reached
    """

    stamp_ns: int
    pose: Pose
    speed_mps: float
    yaw_rate_radps: float
    command: str
    image: ByteArray | None
    arrived: bool
    truth: Truth

    def __post_init__(self) -> None:
        if not np.isfinite((self.speed_mps, self.yaw_rate_radps)).all():
            raise ValueError(
                f'need finite ego motion, got {self.speed_mps}, {self.yaw_rate_radps}'
            )
