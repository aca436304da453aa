"""Roads with two directions made by hand: an avenue, and a crossing of three or four roads."""

from __future__ import annotations

from functools import cache

import numpy as np

from emma_planner.simulation.observation import Route
from emma_planner.simulation.roads.road_graph import Lane, RoadGraph
from emma_planner.simulation.roads.route import LaneStep, plan_route
from emma_planner.simulation.scenario import Scenario, Weather

WIDTH_M = 3.5
INNER_M = 16.0
"""From the middle of a crossing to its stop lines, nearly."""


@cache
def avenue(*kinds_and_lengths: tuple[str, float], lanes: int = 1) -> RoadGraph:
    """Roads of any kind in a row along x, both directions; forward from node 0 to 1, 2, ..."""
    found, x = [], 0.0
    for k, (kind, length) in enumerate(kinds_and_lengths):
        ends = np.array([x, 0.0]), np.array([x + length, 0.0])
        found += _road(f'{k}', f'{k + 1}', *ends, lanes, kind, k)
        found += _road(f'-{k + 1}', f'-{k}', *ends[::-1], lanes, kind, k)
        x += length
    return RoadGraph(found)


@cache
def crossing(arms: int = 4, lanes: int = 1, length_m: float = 80.0) -> RoadGraph:
    """Roads from the east, north, west (and south) that meet at the origin in block 1.

    Roads ``in0`` to ``at0`` lead to the crossing, ``off0`` to ``out0`` away from it.
    """
    found: list[Lane] = []
    outward = [np.array([np.cos(a), np.sin(a)]) for a in np.arange(arms) * np.pi / 2]
    for k, out in enumerate(outward):
        found += _road(f'in{k}', f'at{k}', (INNER_M + length_m) * out, INNER_M * out, lanes)
        found += _road(f'off{k}', f'out{k}', INNER_M * out, (INNER_M + length_m) * out, lanes)
    roads = RoadGraph(found).roads
    for k in range(arms):
        for other in range(arms):
            if other == k:
                continue
            for index in range(lanes):
                start = roads[f'in{k}', f'at{k}'][index].points[-1]
                end = roads[f'off{other}', f'out{other}'][index].points[0]
                found.append(_lane(f'at{k}', f'off{other}', index, start, end, 'junction', 1))
    return RoadGraph(found)


@cache
def way(graph: RoadGraph, start: str, end: str) -> tuple[Route, tuple[LaneStep, ...]]:
    """The route from the start of one lane to the end of another."""
    return plan_route(graph, graph.lanes[start], 3.0, graph.lanes[end])


def scenario(seed: int = 0, **features: int) -> Scenario:
    """A quiet scenario with some features."""
    counts = dict.fromkeys(
        ('pedestrians', 'parked_cars', 'broken_down', 'cut_ins', 'braking_leads'), 0
    )
    return Scenario(
        name='town',
        seed=seed,
        blocks='S',
        lane_count=1,
        traffic_density=0.0,
        lights=True,
        weather=Weather(),
        **(counts | features),
    )


def _road(
    start: str,
    end: str,
    first: np.ndarray,
    last: np.ndarray,
    lanes: int,
    kind: str = 'straight',
    block: int = 0,
) -> list[Lane]:
    along = (last - first) / np.hypot(*(last - first))
    right = np.array([along[1], -along[0]])
    offsets = [(k + 0.5) * WIDTH_M * right for k in range(lanes)]
    return [
        _lane(start, end, k, first + off, last + off, kind, block, edge=k == lanes - 1)
        for k, off in enumerate(offsets)
    ]


def _lane(
    start: str,
    end: str,
    index: int,
    first: np.ndarray,
    last: np.ndarray,
    kind: str,
    block: int,
    edge: bool = True,
) -> Lane:
    count = max(2, round(float(np.hypot(*(last - first)))) + 1)
    return Lane(
        id=f'{start}~{end}~{index}',
        road=(start, end),
        index=index,
        points=np.linspace(first, last, count),
        width_m=WIDTH_M,
        kind=kind,
        block=block,
        left_line='solid' if index == 0 else 'broken',
        right_line='edge' if edge else 'broken',
        speed_limit_mps=8.33 if kind == 'junction' else 13.89,
    )
