"""Distances to lanes and the width of whole roads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from simulation.town_by_hand import WIDTH_M, avenue, scenario, way

from emma_planner.simulation.roads.crossings import find_crossings
from emma_planner.simulation.roads.road_edges import CHUNK, RoadEdges
from emma_planner.simulation.roads.road_graph import RoadGraph


@pytest.mark.parametrize('lanes', [1, 2, 3])
def test_clearance_is_the_distance_to_the_edge(lanes: int) -> None:
    edges = RoadEdges(avenue(('straight', 100.0), lanes=lanes))
    y = lanes * WIDTH_M + np.array([0.0, 1.0, 7.3])
    clear = edges.clearance(np.column_stack([np.full(3, 50.3), y]))
    assert clear == pytest.approx([0.0, 1.0, 7.3])
    assert edges.clearance(np.array([[50.3, WIDTH_M / 2]]))[0] == pytest.approx(-WIDTH_M / 2)


def test_any_number_of_points_is_answered() -> None:
    edges = RoadEdges(avenue(('straight', 100.0)))
    assert edges.clearance(np.zeros((0, 2))).shape == (0,)
    many = np.tile([50.0, 10.0], (2 * CHUNK + 3, 1))
    assert edges.clearance(many) == pytest.approx(np.full(len(many), 10.0 - WIDTH_M))


@pytest.mark.parametrize('y_m', [-4.0, -1.75, 0.0, 3.0])
def test_left_and_right_add_up_to_the_whole_road(y_m: float) -> None:
    edges = RoadEdges(avenue(('straight', 100.0), lanes=2))
    left, right = edges.across(50.0, y_m, 0.0)
    assert left == pytest.approx(2 * WIDTH_M - y_m, abs=1e-6)
    assert right == pytest.approx(2 * WIDTH_M + y_m, abs=1e-6)
    assert edges.across(50.0, y_m, np.pi) == pytest.approx((right, left), abs=1e-6)


def test_a_place_far_from_any_road_is_refused() -> None:
    with pytest.raises(ValueError, match=r'need a place on a road, got \(500\.0, 0\.0\)'):
        RoadEdges(avenue(('straight', 100.0))).across(500.0, 0.0, 0.0)


@pytest.mark.parametrize('strip_m', [0.4, 3.0])
def test_only_a_narrow_strip_joins_two_roads(strip_m: float) -> None:
    left, _ = RoadEdges(beside_another(strip_m)).across(50.0, 1.0, 0.0)
    both = 3 * WIDTH_M + strip_m
    assert left == pytest.approx((both if strip_m < 1.0 else WIDTH_M) - 1.0, abs=1e-6)


def test_nobody_crosses_onto_another_road() -> None:
    graph = beside_another(strip_m=1.8)
    route, _ = way(graph, '0~1~0', '0~1~0')
    assert find_crossings(graph, route, scenario(0, pedestrians=1)) == ()


def beside_another(strip_m: float) -> RoadGraph:
    """A road with one like it to the left, a strip of grass between."""
    lanes = list(avenue(('straight', 200.0)).lanes.values())
    shift = np.array([0.0, 2 * WIDTH_M + strip_m])
    copies = [
        replace(
            lane,
            id=f'other {lane.id}',
            road=(f'other {lane.road[0]}', f'other {lane.road[1]}'),
            points=lane.points + shift,
        )
        for lane in lanes
    ]
    return RoadGraph(lanes + copies)
