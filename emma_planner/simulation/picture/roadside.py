"""Houses, trees and fences along the roads, so that the scene is not empty.

Pure scenery: nobody can hit it, nothing of it hides a traffic light. Knows no road user.
"""

from __future__ import annotations

import numpy as np

from emma_planner.planning.kinematics import wrap_angle
from emma_planner.planning.types import FloatArray, Pose
from emma_planner.simulation.picture.appearance import Standing
from emma_planner.simulation.population.signals import TrafficSignals
from emma_planner.simulation.roads.road_edges import RoadEdges
from emma_planner.simulation.roads.road_graph import Lane, RoadGraph

MOST_ITEMS = 150
SPACING_M = 7.0
"""Along the road."""
LANE_KEEP_M = 4.0
"""From any lane."""
CORNER_KEEP_M = 15.0
"""Houses from the ends of lanes inside junctions."""
SIGHT_M = 60.0
"""A light is seen from this far before its stop line."""
SIGHT_KEEP_M = 1.0
GAP_M = 2.0
"""Between two items."""
VARIANTS = 1000
SHARES = {'house': 0.3, 'tree': 0.55, 'fence': 0.15}
RADII_M = {'house': 6.5, 'tree': 2.1, 'fence': 2.05}
"""Of the circle around each footprint."""
DEPTHS_M = {'house': (5.0, 14.0), 'tree': (4.2, 22.0), 'fence': (4.2, 4.8)}
"""From the road's edge to that circle."""


def place_roadside(graph: RoadGraph, seed: int) -> tuple[Standing, ...]:
    """Return what stands along all roads, at most :data:`MOST_ITEMS`."""
    rng = np.random.default_rng((seed, 5))
    items = _candidates(graph, rng)
    if not items:
        return ()
    places = np.array([[item.pose.x_m, item.pose.y_m] for item in items])
    radii = np.array([RADII_M[item.model] for item in items])
    fits = RoadEdges(graph).clearance(places) >= LANE_KEEP_M + radii
    fits &= _distance_to(_sight_lines(graph), places) >= SIGHT_KEEP_M + radii
    houses = np.array([item.model == 'house' for item in items])
    fits &= ~houses | (_distance_to_points(_corners(graph), places) >= CORNER_KEEP_M + radii)
    chosen: list[int] = []
    for k in np.flatnonzero(fits):
        away = np.hypot(*(places[chosen] - places[k]).T)
        if (away >= radii[chosen] + radii[k] + GAP_M).all():
            chosen.append(int(k))
        if len(chosen) == MOST_ITEMS:
            break
    return tuple(items[k] for k in chosen)


def _candidates(graph: RoadGraph, rng: np.random.Generator) -> list[Standing]:
    """Draw places to the right of every road, in random order."""
    places: list[tuple[Lane, float]] = []
    for road in sorted(graph.roads):
        lane = graph.roads[road][-1]
        if lane.kind != 'junction':
            places += [(lane, s) for s in np.arange(SPACING_M / 2, lane.length_m, SPACING_M)]
    names = list(SHARES)
    items = []
    for k in rng.permutation(len(places)):
        lane, s = places[k]
        name = str(rng.choice(names, p=list(SHARES.values())))
        depth, shift, turn = rng.uniform(size=3)
        variant = int(rng.integers(VARIANTS))
        nearest, farthest = DEPTHS_M[name]
        offset = lane.width_m / 2 + RADII_M[name] + nearest + depth * (farthest - nearest)
        x, y, yaw = lane.place(s + SPACING_M * (shift - 0.5), -offset)
        facing = {'house': yaw + np.pi / 2 + 0.3 * (turn - 0.5), 'tree': 2 * np.pi * turn}
        yaw = facing.get(name, yaw)
        pose = Pose(x, y, float(wrap_angle(yaw)))
        items.append(Standing(name, pose, variant))
    return items


def _sight_lines(graph: RoadGraph) -> FloatArray:
    """Lines ``(N, 2, 2)`` from places on each approach to its traffic lights."""
    lines = []
    for head in TrafficSignals(graph, 0, enabled=True).heads:
        lane = graph.roads[head.road][-1]
        for s in np.arange(max(lane.length_m - SIGHT_M, 0.0), lane.length_m, 5.0):
            lines.append([lane.place(s)[:2], (head.pose.x_m, head.pose.y_m)])
    return np.array(lines, dtype=np.float64).reshape(-1, 2, 2)


def _corners(graph: RoadGraph) -> FloatArray:
    """Ends ``(N, 2)`` of the lanes inside junctions."""
    inside = [lane for lane in graph.lanes.values() if lane.kind == 'junction']
    ends = [lane.points[k] for lane in inside for k in (0, -1)]
    return np.array(ends, dtype=np.float64).reshape(-1, 2)


def _distance_to(lines: FloatArray, points: FloatArray) -> FloatArray:
    """Return ``(N,)`` distance of each point to the nearest line; inf without lines."""
    if not len(lines):
        return np.full(len(points), np.inf)
    start, step = lines[:, 0], lines[:, 1] - lines[:, 0]
    apart = points[:, None, :] - start
    fraction = np.clip((apart * step).sum(axis=2) / (step**2).sum(axis=1), 0.0, 1.0)
    away = apart - fraction[..., None] * step
    distances: FloatArray = np.hypot(away[..., 0], away[..., 1]).min(axis=1)
    return distances


def _distance_to_points(targets: FloatArray, points: FloatArray) -> FloatArray:
    if not len(targets):
        return np.full(len(points), np.inf)
    away = points[:, None, :] - targets
    distances: FloatArray = np.hypot(away[..., 0], away[..., 1]).min(axis=1)
    return distances
