"""The simulator's map as lanes of our own. Knows MetaDrive's road network by duck typing only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.roads.road_graph import Lane, RoadGraph

SPACING_M = 1.0
KINDS = {
    'S': 'straight',
    'C': 'curve',
    'O': 'roundabout',
    'X': 'junction',
    'T': 'junction',
    'r': 'ramp',
    'R': 'ramp',
    'y': 'merge',
    'Y': 'split',
}
"""Block letter to kind of road."""
JUNCTION_SURFACE = 'LANE_SURFACE_UNSTRUCTURE'
"""Type of the lanes inside a junction; its arms are plain streets."""

SPEED_LIMITS_MPS = {'junction': 8.33, 'roundabout': 8.33, 'ramp': 11.11}
DEFAULT_SPEED_LIMIT_MPS = 13.89
"""50 km/h; the simulator's maps post none."""


def read_roads(road_map: Any) -> RoadGraph:
    """Return all lanes of a generated map.

    :param road_map: ``metadrive.component.map.pg_map.PGMap``
    """
    lanes = []
    for start, ends in road_map.road_network.graph.items():
        for end, side_by_side in ends.items():
            if 'decoration' not in start:
                lanes += [_lane(start, end, k, lane) for k, lane in enumerate(side_by_side)]
    return RoadGraph(lanes)


def _lane(start: str, end: str, index: int, lane: Any) -> Lane:
    letter, block = _block(start, end)
    kind = KINDS.get(letter, 'straight')
    straight = type(lane).__name__ == 'StraightLane'
    junction = str(lane.metadrive_type) == JUNCTION_SURFACE
    if kind == 'junction' and not junction:
        kind = 'straight'
    if kind == 'roundabout' and straight:
        kind = 'straight'
    return Lane(
        id=f'{start}~{end}~{index}',
        road=(start, end),
        index=index,
        points=_points(lane),
        width_m=float(lane.width_at(0.0)),
        kind=kind,
        block=block,
        left_line=_line(lane.line_types[0]),
        right_line=_line(lane.line_types[1]),
        speed_limit_mps=SPEED_LIMITS_MPS.get(kind, DEFAULT_SPEED_LIMIT_MPS),
    )


def _block(start: str, end: str) -> tuple[str, int]:
    """Read letter and number of the block out of node names such as ``-2X1_0_`` or ``>>>``."""
    for node in sorted((start, end), key=_number, reverse=True):
        name = node.lstrip('-')
        if name[:1].isdigit():
            digits = len(name) - len(name.lstrip('0123456789'))
            return name[digits], int(name[:digits])
    return 'S', 0


def _number(node: str) -> int:
    name = node.lstrip('-')
    digits = len(name) - len(name.lstrip('0123456789'))
    return int(name[:digits]) if digits else 0


def _points(lane: Any) -> FloatArray:
    count = max(2, math.ceil(float(lane.length) / SPACING_M) + 1)
    places = np.linspace(0.0, float(lane.length), count)
    return np.array([np.asarray(lane.position(s, 0.0), dtype=np.float64) for s in places])


def _line(kind: Any) -> str:
    name = str(kind)
    if 'BROKEN' in name:
        return 'broken'
    if 'SOLID' in name:
        return 'solid'
    if 'BOUNDARY' in name or 'EDGE' in name:
        return 'edge'
    return 'none'
