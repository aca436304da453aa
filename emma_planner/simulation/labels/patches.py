"""Dense labels of a picture: what is in every patch of it, and how far away.

The ground truth of one observation in, two small grids out, for pretraining of a vision tower.
Geometry alone: what a house or a car hides is labelled all the same where it stands behind
something that is not labelled; nearer things cover those behind them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from emma_planner.planning.kinematics import to_base
from emma_planner.planning.types import FloatArray
from emma_planner.recordings.dataset import COLUMNS, FAR_M, ROWS, depth_bins
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.expert.frame import RouteFrame
from emma_planner.simulation.observation import Actor, ActorKind, LightState, Observation
from emma_planner.simulation.roads.boxes import corners_of

_CLASS_OF_LIGHT = {LightState.RED: 6, LightState.YELLOW: 7, LightState.GREEN: 8}
HEAD_M = (0.6, 1.2)
"""Width and height of what is labelled of a traffic light."""
NEAREST_M = 0.5

Grid = NDArray[np.uint8]


def patch_labels(now: Observation, camera: CameraSettings) -> tuple[Grid, Grid]:
    """Label the patches of what the camera sees.

    :returns: ``(12, 22)`` numbers of :data:`CLASSES`, ``(12, 22)`` distance bins
    """
    classes = np.zeros((ROWS, COLUMNS), dtype=np.uint8)
    distances = np.full((ROWS, COLUMNS), math.inf)
    _ground(now, camera, classes, distances)
    things = [(*_box_of(actor, now), _class_of(actor)) for actor in now.truth.actors]
    things += [
        (*_head_of(head, now), _CLASS_OF_LIGHT[light.state])
        for light in now.truth.lights
        for head in light.heads_m
    ]
    for points, distance, label in sorted(things, key=lambda thing: -thing[1]):
        part = _patches(points, camera) if distance < FAR_M else None
        if part is not None:
            classes[part], distances[part] = label, distance
    return classes, depth_bins(distances)


def _ground(
    now: Observation, camera: CameraSettings, classes: Grid, distances: FloatArray
) -> None:
    rows = (np.arange(ROWS) + 0.5) * camera.height / ROWS - 0.5
    columns = (np.arange(COLUMNS) + 0.5) * camera.width / COLUMNS - 0.5
    pitch = math.radians(camera.pitch_deg)
    ahead, left, up = camera.position_m
    down = (rows[:, None] - camera.cy) / camera.fy
    drop = math.sin(pitch) + math.cos(pitch) * down
    reach = up / np.where(drop > 1e-3, drop, np.nan)
    x = ahead + reach * (math.cos(pitch) - math.sin(pitch) * down)
    x = np.broadcast_to(x, classes.shape)
    y = left - reach * (columns - camera.cx) / camera.fx
    away = np.hypot(x, y)
    seen = np.isfinite(away) & (away < FAR_M)
    pose, route = now.pose, now.truth.route
    cos, sin = math.cos(pose.yaw_rad), math.sin(pose.yaw_rad)
    places = np.column_stack(
        [
            pose.x_m + cos * x[seen] - sin * y[seen],
            pose.y_m + sin * x[seen] + cos * y[seen],
        ]
    )
    frame = RouteFrame(route, now.truth.route_s_m)
    s, d = frame.locate(places)
    road = (d < np.interp(s, frame.s_m, frame.left_m)) & (
        d > -np.interp(s, frame.s_m, frame.right_m)
    )
    lane = np.abs(d) < route.lane_width_m / 2
    classes[seen] = np.where(lane, 1, np.where(road, 2, 0))
    distances[seen] = away[seen]


def _class_of(actor: Actor) -> int:
    if actor.kind in (ActorKind.PEDESTRIAN, ActorKind.CYCLIST):
        return 4
    return 3 if actor.kind is ActorKind.VEHICLE else 5


def _box_of(actor: Actor, now: Observation) -> tuple[FloatArray, float]:
    """Corners ``(8, 3)`` in base_link, and the distance of the middle."""
    half = actor.length_m / 2
    corners = corners_of(actor.pose, -half, half, actor.width_m)
    flat = to_base(np.column_stack([corners, np.zeros(4)]), now.pose)[:, :2]
    points = np.concatenate(
        [np.column_stack([flat, np.full(4, z)]) for z in (0.0, actor.height_m)]
    )
    return points, float(np.hypot(*flat.mean(axis=0)))


def _head_of(head_m: tuple[float, float, float], now: Observation) -> tuple[FloatArray, float]:
    x, y, _ = to_base(np.array([[head_m[0], head_m[1], 0.0]]), now.pose)[0]
    width, height = HEAD_M
    points = np.array(
        [
            (x, y + side * width / 2, head_m[2] + end * height / 2)
            for side in (-1, 1)
            for end in (-1, 1)
        ]
    )
    return points, math.hypot(x, y)


def _patches(points: FloatArray, camera: CameraSettings) -> tuple[slice, slice] | None:
    """Patches that the outline of points ``(N, 3)`` in base_link covers; None out of view."""
    away = points - camera.position_m
    pitch = math.radians(camera.pitch_deg)
    depth = math.cos(pitch) * away[:, 0] - math.sin(pitch) * away[:, 2]
    if depth.max() < NEAREST_M:
        return None
    depth = np.maximum(depth, NEAREST_M)
    down = -math.sin(pitch) * away[:, 0] - math.cos(pitch) * away[:, 2]
    u = (camera.cx - camera.fx * away[:, 1] / depth + 0.5) / camera.width * COLUMNS
    v = (camera.cy + camera.fy * down / depth + 0.5) / camera.height * ROWS
    if u.max() <= 0.0 or u.min() >= COLUMNS or v.max() <= 0.0 or v.min() >= ROWS:
        return None
    return _span(v, ROWS), _span(u, COLUMNS)


def _span(values: FloatArray, count: int) -> slice:
    """Whole patches whose middle is inside; at least the one in the middle of the span."""
    low, high = float(max(values.min(), 0.0)), float(min(values.max(), count))
    first, last = math.ceil(low - 0.5), math.ceil(high - 0.5)
    if first >= last:
        first = min(int((low + high) / 2), count - 1)
        last = first + 1
    return slice(first, last)
