"""Houses, trees and fences along the roads, so that the scene is not empty.

In: the lanes of a map. Out: what stands where. Nothing stands on or near a lane, and no house at a
junction, where it could hide a traffic light.
"""

from __future__ import annotations

import math

import numpy as np

from emma_planner.planning.types import Pose
from emma_planner.simulation.appearance import FOOTPRINTS_M, Standing
from emma_planner.simulation.road_edges import RoadEdges
from emma_planner.simulation.road_graph import Lane, RoadGraph

MAX_ITEMS = 150
SPACING_M = 14.0
GAP_SHARE = 0.3
"""Places left empty."""
CLEAR_M = 4.0
"""Between any lane and what stands beside it."""
JUNCTION_CLEAR_M = 15.0
FARTHEST_M = 22.0
SHARES = {'house': 0.3, 'tree': 0.5, 'fence': 0.2}


def place_roadside(graph: RoadGraph, seed: int) -> tuple[Standing, ...]:
    """Return what stands along the roads of a map, the same for the same seed."""
    rng = np.random.default_rng((seed, 4))
    edges = RoadEdges(graph)
    inside = [lane.points for lane in graph.lanes.values() if lane.kind == 'junction']
    junctions = np.concatenate(inside) if inside else np.zeros((0, 2))
    items: list[Standing] = []
    for _, lane in sorted(graph.lanes.items()):
        if lane.index != len(graph.roads[lane.road]) - 1 or lane.kind == 'junction':
            continue
        for s in np.arange(float(rng.uniform(2.0, SPACING_M)), lane.length_m, SPACING_M):
            item = _draw(lane, float(s), rng)
            if item is not None and _is_clear(item, items, edges, junctions):
                items.append(item)
    keep = rng.permutation(len(items))[:MAX_ITEMS]
    return tuple(items[int(k)] for k in sorted(keep))


def _draw(lane: Lane, s_m: float, rng: np.random.Generator) -> Standing | None:
    share = float(rng.random())
    name = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    length, width = FOOTPRINTS_M[name]
    least = CLEAR_M + (0.5 if name == 'fence' else max(length, width) / 2.0)
    away = lane.width_m / 2.0 + float(rng.uniform(least, max(least + 1.0, FARTHEST_M)))
    if name == 'fence':
        away = lane.width_m / 2.0 + CLEAR_M + 0.6
    x, y, yaw = lane.place(s_m, -away)
    # fronts of houses look at the road, fences run along it
    turned = yaw + (math.pi / 2.0 if name == 'house' else 0.0)
    if share < GAP_SHARE:
        return None
    return Standing(name, Pose(x, y, turned), int(rng.integers(1000)))


def _is_clear(
    item: Standing, others: list[Standing], edges: RoadEdges, junctions: np.ndarray
) -> bool:
    place = np.array([item.pose.x_m, item.pose.y_m])
    radius = max(FOOTPRINTS_M[item.model]) / 2.0 if item.model != 'fence' else 2.0
    if edges.clearance(place[None])[0] < CLEAR_M + (0.0 if item.model == 'fence' else radius):
        return False
    near = np.hypot(*(junctions - place).T) if len(junctions) else np.array([np.inf])
    if item.model == 'house' and near.min() < JUNCTION_CLEAR_M + radius:
        return False
    return all(
        math.dist((o.pose.x_m, o.pose.y_m), (item.pose.x_m, item.pose.y_m))
        > radius + max(FOOTPRINTS_M[o.model]) / 2.0
        for o in others
    )
