"""Small road graphs made by hand."""

from __future__ import annotations

import numpy as np

from emma_planner.simulation.roads.road_graph import Lane, RoadGraph

WIDTH_M = 3.5


def straight(
    start: str,
    end: str,
    at: tuple[float, float],
    length_m: float,
    *,
    yaw_rad: float = 0.0,
    lanes: int = 1,
    kind: str = 'straight',
    block: int = 0,
) -> list[Lane]:
    """Lanes side by side; ``at`` is where the leftmost one begins."""
    along = np.array([np.cos(yaw_rad), np.sin(yaw_rad)])
    right = np.array([np.sin(yaw_rad), -np.cos(yaw_rad)])
    s = np.linspace(0.0, length_m, int(length_m) + 1)[:, None]
    return [
        _lane(start, end, k, np.array(at) + s * along + k * WIDTH_M * right, kind, block)
        for k in range(lanes)
    ]


def arc(
    start: str,
    end: str,
    at: tuple[float, float],
    radius_m: float,
    angle_rad: float,
    *,
    yaw_rad: float = 0.0,
    kind: str = 'curve',
    block: int = 0,
) -> Lane:
    """One lane on a circle; a positive angle turns left."""
    s = np.linspace(0.0, abs(angle_rad), max(2, int(radius_m * abs(angle_rad)) + 1))
    side = np.sign(angle_rad)
    x = radius_m * np.sin(s)
    y = side * radius_m * (1.0 - np.cos(s))
    cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
    points = np.column_stack([at[0] + cos * x - sin * y, at[1] + sin * x + cos * y])
    return _lane(start, end, 0, points, kind, block)


def _lane(start: str, end: str, index: int, points: np.ndarray, kind: str, block: int) -> Lane:
    return Lane(
        id=f'{start}~{end}~{index}',
        road=(start, end),
        index=index,
        points=points,
        width_m=WIDTH_M,
        kind=kind,
        block=block,
        left_line='solid' if index == 0 else 'broken',
        right_line='edge',
        speed_limit_mps=8.33 if kind == 'junction' else 13.89,
    )


def two_lane_road(*lengths_m: float) -> RoadGraph:
    """Two lanes along x, in as many roads as lengths: nodes a, b, c, ..."""
    lanes, x = [], 0.0
    for k, length in enumerate(lengths_m):
        lanes += straight(chr(97 + k), chr(98 + k), (x, 0.0), length, lanes=2, block=k)
        x += length
    return RoadGraph(lanes)


def junction() -> RoadGraph:
    """A road along x that ends in a junction: left, straight on, right; and one across."""
    lanes = straight('a', 'b', (0.0, 0.0), 50.0)
    lanes.append(arc('b', 'left', (50.0, 0.0), 15.0, np.pi / 2, kind='junction', block=1))
    lanes += straight('b', 'on', (50.0, 0.0), 30.0, kind='junction', block=1)
    lanes.append(arc('b', 'right', (50.0, 0.0), 10.0, -np.pi / 2, kind='junction', block=1))
    lanes += straight('left', 'l', (65.0, 15.0), 40.0, yaw_rad=np.pi / 2, block=1)
    lanes += straight('on', 'o', (80.0, 0.0), 40.0, block=1)
    lanes += straight('right', 'r', (60.0, -10.0), 40.0, yaw_rad=-np.pi / 2, block=1)
    lanes += straight(
        'x', 'left', (65.0, -20.0), 35.0, yaw_rad=np.pi / 2, kind='junction', block=1
    )
    return RoadGraph(lanes)


def roundabout() -> RoadGraph:
    """A road along x into a circle with three exits, driven to the left.

    Nodes: ``a b`` the road, ``i0`` in the circle; before exit ``k`` comes node ``o<k>``, behind it
    ``i<k+1>`` where the next road would come in; the exits are ``o<k> e<k> x<k>``.
    """
    lanes = straight('a', 'b', (0.0, 0.0), 50.0)
    x, y, yaw = 50.0, 0.0, 0.0

    def bend(start: str, end: str, radius_m: float, angle_rad: float) -> None:
        nonlocal x, y, yaw
        lane = arc(
            start,
            end,
            (x, y),
            radius_m,
            angle_rad,
            yaw_rad=yaw,
            kind='roundabout',
            block=1,
        )
        lanes.append(lane)
        (x, y), yaw = lane.points[-1], yaw + angle_rad

    bend('b', 'i0', 12.0, -0.8)
    for k in range(3):
        bend(f'i{k}', f'o{k}', 20.0, 0.9)
        inside = x, y, yaw
        bend(f'o{k}', f'e{k}', 12.0, -1.0)
        lanes += straight(f'e{k}', f'x{k}', (x, y), 30.0, yaw_rad=yaw, block=2)
        x, y, yaw = inside
        if k < 2:
            bend(f'o{k}', f'i{k + 1}', 20.0, 0.6)
    return RoadGraph(lanes)
