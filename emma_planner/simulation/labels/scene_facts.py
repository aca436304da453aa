"""What is to be said of a scene: road, light, weather, who matters and why, what the ego intends.

The ground truth of one observation and the expert's facts in; values for wording out. Only what
the front camera can have in its picture is named. Knows no prompts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from emma_planner.planning.bearings import bearing_words
from emma_planner.planning.kinematics import to_base, wrap_angle
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.expert.facts import ExpertFacts
from emma_planner.simulation.expert.frame import RouteFrame
from emma_planner.simulation.expert.speed import Limit
from emma_planner.simulation.observation import (
    Actor,
    ActorKind,
    LightState,
    Observation,
    Route,
    VehicleShape,
)
from emma_planner.simulation.scenario import Weather

SEEN_M = 60.0
"""Lights and objects farther than this are not named."""
MAX_OBJECTS = 3
STANDS_MPS = 0.3
ALONG_RAD = math.radians(45.0)
"""Less from the route's direction is along it."""
BESIDE_M = 5.5
"""The next lane, from the middle of the ego's."""
NARROWS_M = 3.5
PAVEMENT_M = 8.0
ROOM_M = 0.3
DAY_LIGHT, DULL_LIGHT = 0.9, 0.55
"""At least so bright; darker is dusk."""
THICK_FOG_1PM = 0.008


class _Words(str, Enum):
    def __str__(self) -> str:
        return str(self.value)


class Brightness(_Words):
    """How bright it is."""

    DAY = 'bright day'
    DULL = 'dull day'
    DUSK = 'dusk'


class Air(_Words):
    """How clear it is."""

    CLEAR = 'clear'
    LIGHT_FOG = 'light fog'
    THICK_FOG = 'thick fog'


class Activity(_Words):
    """What an object does."""

    STANDS = 'stands'
    PARKED = 'is parked'
    BRAKES = 'brakes'
    DRIVES_LEFT = 'drives from right to left'
    DRIVES_RIGHT = 'drives from left to right'
    DRIVES_AGAINST = 'drives the other way'
    DRIVES_ALONG = 'drives the same way'
    WALKS_LEFT = 'walks from right to left'
    WALKS_RIGHT = 'walks from left to right'
    WALKS_AGAINST = 'walks the other way'
    WALKS_ALONG = 'walks the same way'


class Relevance(_Words):
    """Why an object matters, the most important first."""

    LEAD = 'the ego follows it'
    MAY_CROSS = 'may be in the way of the ego'
    YIELD = 'goes first'
    OBSTACLE = 'stands in the way'
    LIMITS = 'limits the speed'
    ON_THE_WAY = 'is on the way of the ego'
    CROSSES = 'its way crosses the one of the ego'
    MAY_STEP = 'may step onto the road'
    NARROWS = 'narrows the road'
    ONCOMING = 'comes towards the ego'
    BESIDE = 'is beside the way of the ego'


_WHO_LIMITS = {
    Limit.LEAD: Relevance.LEAD,
    Limit.PEDESTRIAN: Relevance.MAY_CROSS,
    Limit.YIELD: Relevance.YIELD,
    Limit.OBSTACLE: Relevance.OBSTACLE,
}
_RANKS = {why: rank for rank, why in enumerate(Relevance)}


@dataclass(frozen=True)
class LightAhead:
    """The next traffic light.

    :param distance_m: from the front bumper to its stop line along the route
    """

    state: LightState
    distance_m: float


@dataclass(frozen=True)
class CriticalObject:
    """Somebody or something that matters for what the ego does.

    :param ahead_m: its middle in base_link, along x
    :param left_m: along y
    :param bearing: ``ahead``, ``ahead left``, ``left``, ``ahead right``, ``right``
    :param action: what it does
    :param why: it matters
    """

    id: str
    kind: ActorKind
    ahead_m: float
    left_m: float
    bearing: str
    speed_mps: float
    action: Activity
    why: Relevance


@dataclass(frozen=True)
class Intent:
    """What the ego does over the next seconds; words of :class:`ExpertFacts`.

    :param limit: what keeps the ego from going faster
    :param object_id: who that is, empty when it is nobody or not in the picture
    :param distance_m: from the front bumper along the route, None without a place
    """

    lateral: str
    longitudinal: str
    limit: str
    object_id: str
    distance_m: float | None


@dataclass(frozen=True)
class SceneFacts:
    """All that is to be said of one instant.

    :param road: kind of lane, see :class:`~emma_planner.simulation.observation.RouteSpan`
    :param lane_index: 0 = leftmost of ``lane_count`` in the ego's direction
    :param command: route command
    :param light: None without one in the next 60 m
    :param weather: in words
    :param objects: the most important first, three at most
    """

    road: str
    lane_index: int
    lane_count: int
    command: str
    light: LightAhead | None
    weather: str
    objects: tuple[CriticalObject, ...]
    intent: Intent

    def __post_init__(self) -> None:
        if not 0 <= self.lane_index < self.lane_count:
            raise ValueError(f'need a lane of 0 to {self.lane_count - 1}, got {self.lane_index}')
        if len(self.objects) > MAX_OBJECTS:
            raise ValueError(f'need {MAX_OBJECTS} objects at most, got {len(self.objects)}')


def scene_facts(
    now: Observation,
    expert: ExpertFacts,
    weather: Weather,
    camera: CameraSettings,
    vehicle: VehicleShape,
) -> SceneFacts:
    """Say what is to be said of an instant.

    :param expert: why the ego drives as it does, planned for this instant
    """
    objects = _objects(now, expert, camera)
    lane = now.truth.lane
    named = {thing.id for thing in objects}
    return SceneFacts(
        road=_road(now.truth.route, now.truth.route_s_m),
        lane_index=lane.index,
        lane_count=lane.count,
        command=now.command,
        light=_light(now, vehicle),
        weather=weather_words(weather),
        objects=objects,
        intent=Intent(
            lateral=expert.lateral,
            longitudinal=expert.longitudinal,
            limit=expert.limit.value,
            object_id=expert.actor if expert.actor in named else '',
            distance_m=expert.distance_m if math.isfinite(expert.distance_m) else None,
        ),
    )


def weather_words(weather: Weather) -> str:
    """Say how bright and how clear it is."""
    if weather.light >= DAY_LIGHT:
        light = Brightness.DAY
    else:
        light = Brightness.DULL if weather.light >= DULL_LIGHT else Brightness.DUSK
    if weather.fog == 0.0:
        return f'{light}, {Air.CLEAR}'
    return f'{light}, {Air.THICK_FOG if weather.fog >= THICK_FOG_1PM else Air.LIGHT_FOG}'


def _road(route: Route, s_m: float) -> str:
    for span in route.spans:
        if s_m < span.end_s_m:
            return span.kind
    return route.spans[-1].kind


def _light(now: Observation, vehicle: VehicleShape) -> LightAhead | None:
    front = now.truth.route_s_m + vehicle.front_overhang_m
    ahead = [light for light in now.truth.lights if 0.0 <= light.stop_s_m - front <= SEEN_M]
    if not ahead:
        return None
    nearest = min(ahead, key=lambda light: light.stop_s_m)
    return LightAhead(nearest.state, nearest.stop_s_m - front)


def _objects(
    now: Observation, expert: ExpertFacts, camera: CameraSettings
) -> tuple[CriticalObject, ...]:
    frame = RouteFrame(now.truth.route, now.truth.route_s_m)
    found = []
    for actor in now.truth.actors:
        ahead, left = _in_base(now, actor)
        away = math.hypot(ahead, left)
        if away > SEEN_M or not _is_in_view(ahead, left, camera):
            continue
        place = _Place.of(frame, actor)
        why = (
            _WHO_LIMITS.get(expert.limit, Relevance.LIMITS)
            if actor.id == expert.actor
            else _why(place, actor, frame, now.truth.route_s_m)
        )
        if why is not None:
            action = _action(place, actor)
            bearing = bearing_words(ahead, left)
            thing = CriticalObject(
                actor.id, actor.kind, ahead, left, bearing, actor.speed_mps, action, why
            )
            found.append((_RANKS[why], away, actor.id, thing))
    return tuple(thing for *_, thing in sorted(found, key=lambda row: row[:3])[:MAX_OBJECTS])


@dataclass(frozen=True)
class _Place:
    """An actor in the route's frame.

    :param turned_rad: its direction against the route's there, -pi ... pi
    """

    s_m: float
    d_m: float
    turned_rad: float

    @classmethod
    def of(cls, frame: RouteFrame, actor: Actor) -> _Place:
        s_m, d_m = frame.locate(np.array([[actor.pose.x_m, actor.pose.y_m]]))
        turned = actor.pose.yaw_rad - float(frame.yaw_at(s_m)[0])
        turned = wrap_angle(turned)
        return cls(float(s_m[0]), float(d_m[0]), turned)


def _in_base(now: Observation, actor: Actor) -> tuple[float, float]:
    x, y, _ = to_base(actor.pose.as_array()[None], now.pose)[0].tolist()
    return x, y


def _is_in_view(ahead_m: float, left_m: float, camera: CameraSettings) -> bool:
    x, y, _ = camera.position_m
    half = math.tan(math.radians(camera.fov_deg) / 2.0)
    return ahead_m > x and abs(left_m - y) <= half * (ahead_m - x)


def _why(place: _Place, actor: Actor, frame: RouteFrame, ego_s_m: float) -> Relevance | None:
    """None for who does not matter."""
    if place.s_m <= ego_s_m:
        return None
    aside = abs(place.d_m)
    half = frame.route.lane_width_m / 2.0
    across = abs(math.sin(place.turned_rad)) * actor.length_m / 2.0
    across += abs(math.cos(place.turned_rad)) * actor.width_m / 2.0
    moves = actor.speed_mps > STANDS_MPS
    oncoming = abs(place.turned_rad) > math.pi - ALONG_RAD
    walks = actor.kind is ActorKind.PEDESTRIAN
    drives = actor.kind is ActorKind.VEHICLE and not actor.parked
    rules = (
        (aside - across < half - ROOM_M, Relevance.ON_THE_WAY),
        (moves and _crosses(actor, frame, ego_s_m, half), Relevance.CROSSES),
        (walks and aside < PAVEMENT_M, Relevance.MAY_STEP),
        (not walks and not drives and aside < NARROWS_M, Relevance.NARROWS),
        (drives and aside < BESIDE_M and oncoming, Relevance.ONCOMING),
        (drives and aside < BESIDE_M, Relevance.BESIDE),
    )
    return next((why for holds, why in rules if holds), None)


def _crosses(actor: Actor, frame: RouteFrame, ego_s_m: float, half_m: float) -> bool:
    if not len(actor.path):
        return False
    s_m, d_m = frame.locate(actor.path)
    return bool(((np.abs(d_m) < half_m) & (s_m > ego_s_m)).any())


def _action(place: _Place, actor: Actor) -> Activity:
    moves = actor.kind in (ActorKind.VEHICLE, ActorKind.PEDESTRIAN, ActorKind.CYCLIST)
    if moves and actor.parked:
        return Activity.PARKED
    if not moves or actor.speed_mps < STANDS_MPS:
        return Activity.STANDS
    if abs(place.turned_rad) < ALONG_RAD:
        if actor.brake_lights:
            return Activity.BRAKES
        walks, drives = Activity.WALKS_ALONG, Activity.DRIVES_ALONG
    elif abs(place.turned_rad) > math.pi - ALONG_RAD:
        walks, drives = Activity.WALKS_AGAINST, Activity.DRIVES_AGAINST
    elif place.turned_rad > 0.0:
        walks, drives = Activity.WALKS_LEFT, Activity.DRIVES_LEFT
    else:
        walks, drives = Activity.WALKS_RIGHT, Activity.DRIVES_RIGHT
    return walks if actor.kind is ActorKind.PEDESTRIAN else drives
