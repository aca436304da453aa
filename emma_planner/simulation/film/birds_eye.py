"""One instant of a drive from above: the ego in the lower third, its heading up.

In: an observation with its ground truth and what is known of road, plan and past. Out: a square
RGB picture. Knows no file and no camera.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from emma_planner.planning.kinematics import integrate, invert, to_base, to_frame
from emma_planner.planning.types import DT_S, ByteArray, FloatArray, Pose
from emma_planner.simulation.drive import Infraction
from emma_planner.simulation.film.map_canvas import DARK, DESIGN_PX, MapCanvas
from emma_planner.simulation.observation import (
    Actor,
    ActorKind,
    Light,
    LightState,
    Observation,
    Route,
    VehicleShape,
)
from emma_planner.simulation.roads.boxes import corners_of
from emma_planner.simulation.roads.road_map import LineKind, RoadMap
from emma_planner.visualization.overlay import Colour, time_colour

_ROAD: Colour = (62, 68, 77)
_LINES: dict[LineKind, Colour] = {
    LineKind.BROKEN: (150, 156, 164),
    LineKind.SOLID: (190, 195, 202),
    LineKind.YELLOW: (214, 174, 60),
}
_ROUTE: Colour = (58, 118, 138)
_TRAIL: Colour = (168, 176, 188)
_FALLBACK: Colour = (255, 152, 0)
_EGO: Colour = (255, 255, 255)
_INFRACTION: Colour = (236, 44, 44)
_ACTORS: dict[ActorKind, Colour] = {
    ActorKind.VEHICLE: (178, 156, 255),
    ActorKind.PEDESTRIAN: (255, 96, 176),
    ActorKind.CYCLIST: (255, 168, 222),
    ActorKind.CONE: (255, 124, 44),
    ActorKind.BARRIER: (206, 132, 84),
    ActorKind.WARNING: (255, 84, 60),
}
_PARKED: Colour = (122, 116, 150)
_LIGHTS: dict[LightState, Colour] = {
    LightState.RED: (255, 40, 40),
    LightState.YELLOW: (255, 208, 0),
    LightState.GREEN: (32, 220, 90),
}


def draw_birds_eye(
    observation: Observation,
    vehicle: VehicleShape,
    *,
    roads: RoadMap | None = None,
    plan_map: ArrayLike | None = None,
    plan_valid: bool = True,
    path_driven: ArrayLike | None = None,
    infractions: Sequence[Infraction] = (),
    size_px: int = 360,
    metres: float = 60.0,
) -> ByteArray:
    """Draw an observation from above.

    :param plan_map: ``(N, 3)`` x [m], y [m], yaw [rad], map, 0.5 s apart; the first is where the
        plan starts: the ego at its t0
    :param plan_valid: False for a fallback, which shows in orange
    :param path_driven: ``(M, 2 or 3)`` x [m], y [m], map, up to now
    :param infractions: so far; each is marked at its place
    :param size_px: side of the picture
    :param metres: side of the picture on the ground
    :returns: ``(size_px, size_px, 3)`` uint8 RGB
    """
    canvas = MapCanvas(observation.pose, size_px, metres)
    truth = observation.truth
    if roads is not None:
        _draw_roads(canvas, roads)
    _draw_route(canvas, truth.route, truth.route_s_m)
    for light in truth.lights:
        _draw_light(canvas, light, truth.route)
    if path_driven is not None:
        canvas.line(np.asarray(path_driven, dtype=np.float64)[:, :2], _TRAIL, 1.6)
    if plan_map is not None:
        _draw_plan(canvas, np.asarray(plan_map, dtype=np.float64), plan_valid)
    for actor in truth.actors:
        _draw_actor(canvas, actor, actor.id in truth.contacts)
    _draw_ego(canvas, observation.pose, vehicle)
    for infraction in infractions:
        _draw_infraction(canvas, infraction)
    canvas.scale_bar()
    return canvas.picture()


def _draw_roads(canvas: MapCanvas, roads: RoadMap) -> None:
    for lane in roads.lanes:
        canvas.fill(lane, _ROAD)
    for line in roads.lines:
        for piece in line.painted():
            if canvas.near(piece[[0, -1]]).any() or line.kind != LineKind.BROKEN:
                canvas.line(piece, _LINES[line.kind], 1.0)


def _draw_route(canvas: MapCanvas, route: Route, route_s_m: float) -> None:
    """The way ahead as a band in the middle of the lane, and a chequered line at its end."""
    ahead = canvas.near(route.points) & (route.s_m > route_s_m - canvas.metres_of(DESIGN_PX))
    ahead &= route.s_m < route_s_m + 2.0 * canvas.metres_of(DESIGN_PX)
    if np.count_nonzero(ahead) > 1:
        points = route.points[ahead]
        side = _normals(points) * 0.21 * route.lane_width_m
        quads = np.stack([points[:-1] + side[:-1], points[1:] + side[1:]], axis=1)
        others = np.stack([points[1:] - side[1:], points[:-1] - side[:-1]], axis=1)
        joined = np.diff(route.s_m[ahead]) < 5.0 * np.median(np.diff(route.s_m))
        for quad in np.concatenate([quads, others], axis=1)[joined]:
            canvas.fill(quad, _ROUTE)
    left, right = _across(route, route.length_m)
    marks = np.linspace(left, right, 9)
    for k, (start, end) in enumerate(itertools.pairwise(marks)):
        canvas.line(np.stack([start, end]), _EGO if k % 2 else DARK, 3.0)


def _normals(points: FloatArray) -> FloatArray:
    """Unit vectors to the left of a line, ``(N, 2)``."""
    ahead = np.gradient(points, axis=0)
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    return np.stack([-ahead[:, 1], ahead[:, 0]], axis=-1)


def _across(route: Route, s_m: float) -> tuple[FloatArray, FloatArray]:
    """Left and right edge of the ego's direction at a place of the route."""
    place = float(np.clip(s_m, route.s_m[0], route.s_m[-1]))
    k = int(np.clip(np.searchsorted(route.s_m, place), 1, len(route.s_m) - 1))
    ahead = route.points[k] - route.points[k - 1]
    left = np.array([-ahead[1], ahead[0]]) / max(float(np.linalg.norm(ahead)), 1e-9)
    x, y = (float(np.interp(place, route.s_m, route.points[:, axis])) for axis in (0, 1))
    room_left, room_right = (
        float(np.interp(place, route.s_m, room)) for room in (route.left_m, route.right_m)
    )
    return np.array([x, y]) + left * room_left, np.array([x, y]) - left * room_right


def _draw_light(canvas: MapCanvas, light: Light, route: Route) -> None:
    """The stop line in the light's colour, with a lamp at its right end."""
    left, right = _across(route, light.stop_s_m)
    colour = _LIGHTS[light.state]
    canvas.line(np.stack([left, right]), colour, 2.6)
    canvas.dot(right, DARK, 4.6)
    canvas.dot(right, colour, 3.4)


def _draw_actor(canvas: MapCanvas, actor: Actor, touches_ego: bool) -> None:
    colour = _PARKED if actor.parked and actor.kind == ActorKind.VEHICLE else _ACTORS[actor.kind]
    edge = _INFRACTION if touches_ego else DARK
    centre = actor.pose.as_array()[:2]
    if actor.kind == ActorKind.PEDESTRIAN:
        canvas.dot(centre, edge, 4.2)
        canvas.dot(centre, colour, 3.2)
        return
    length = max(actor.length_m, canvas.metres_of(4.0))
    width = max(actor.width_m, canvas.metres_of(4.0))
    box = corners_of(actor.pose, -length / 2.0, length / 2.0, width)
    canvas.line(box, edge, 2.4, closed=True)
    canvas.fill(box, colour)
    if actor.kind in (ActorKind.VEHICLE, ActorKind.CYCLIST):
        nose = corners_of(actor.pose, 0.18 * length, length / 2.0, 0.0)[[3, 0]]
        canvas.line(nose, DARK, 1.4)


def _draw_plan(canvas: MapCanvas, poses: FloatArray, valid: bool) -> None:
    """The plan along its arcs, in the colours of time, with a dot each 0.5 s."""
    if len(poses) < 2:
        return
    start = Pose(*poses[0].tolist())
    speeds, curvatures = invert(to_base(poses[1:], start))
    fine = integrate(np.repeat(speeds, 5), np.repeat(curvatures, 5), DT_S / 5)
    line = np.vstack([poses[:1, :2], to_frame(fine, start)[:, :2]])
    canvas.line(line, DARK, 5.0)
    for k in range(len(line) - 1, 0, -1):
        colour = time_colour(k / len(line)) if valid else _FALLBACK
        canvas.line(line[k - 1 : k + 1], colour, 3.0)
    for k in range(len(poses) - 1, 0, -1):
        canvas.dot(poses[k, :2], DARK, 3.2)
        canvas.dot(poses[k, :2], time_colour(k / (len(poses) - 1)) if valid else _FALLBACK, 2.5)


def _draw_ego(canvas: MapCanvas, pose: Pose, vehicle: VehicleShape) -> None:
    rear, front, width = -vehicle.rear_overhang_m, vehicle.front_overhang_m, vehicle.width_m
    body = corners_of(pose, rear, front, width)
    canvas.line(body, DARK, 2.8, closed=True)
    canvas.fill(body, _EGO)
    screen = front - 0.30 * vehicle.length_m
    glass = corners_of(pose, screen - 0.14 * vehicle.length_m, screen, 0.72 * width)
    canvas.fill(glass, DARK)


def _draw_infraction(canvas: MapCanvas, infraction: Infraction) -> None:
    """A red disc with a white cross."""
    place = np.array([infraction.x_m, infraction.y_m])
    canvas.dot(place, _EGO, 6.6)
    canvas.dot(place, _INFRACTION, 5.8)
    arm = canvas.metres_of(2.6)
    for slope in (1.0, -1.0):
        ends = np.array([(-arm, -arm * slope), (arm, arm * slope)])
        canvas.line(place + ends, _EGO, 1.6)
