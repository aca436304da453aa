"""Scenery: beside the roads, never on them, never before a traffic light."""

from __future__ import annotations

import numpy as np
import pytest
from simulation.town_by_hand import WIDTH_M, avenue, crossing

from emma_planner.simulation.picture.appearance import FOOTPRINTS_M, Standing, look_beside
from emma_planner.simulation.picture.roadside import place_roadside
from emma_planner.simulation.roads.road_edges import RoadEdges

SEEDS = range(8)
INNER_M = 16.0


def outline(item: Standing) -> np.ndarray:
    """``(N, 2)`` points along the edge of a footprint."""
    length, width = look_beside(item).size_m
    side = np.linspace(-0.5, 0.5, 9)
    half = np.full(9, 0.5)
    rim = np.concatenate(
        [
            np.column_stack(pair)
            for pair in ((side, half), (side, -half), (half, side), (-half, side))
        ]
    ) * (length, width)
    cos, sin = np.cos(item.pose.yaw_rad), np.sin(item.pose.yaw_rad)
    return rim @ np.array([[cos, sin], [-sin, cos]]) + (item.pose.x_m, item.pose.y_m)


@pytest.mark.parametrize('lanes', [1, 3])
@pytest.mark.parametrize('seed', SEEDS)
def test_nothing_stands_on_or_near_a_lane(lanes: int, seed: int) -> None:
    graph = crossing(lanes=lanes)
    edges = RoadEdges(graph)
    items = place_roadside(graph, seed)
    for item in items:
        clear = edges.clearance(outline(item))
        # the ends of a fence may come nearer to a road that crosses
        assert clear.min() >= (1.0 if item.model == 'fence' else 3.5)
        assert clear.max() <= 45.0


@pytest.mark.parametrize('seed', SEEDS)
def test_houses_trees_and_fences_stand_on_both_sides_with_gaps(seed: int) -> None:
    items = place_roadside(avenue(('straight', 400.0)), seed)
    assert {item.model for item in items} == set(FOOTPRINTS_M)
    for side in (1.0, -1.0):
        beside = [item for item in items if item.pose.y_m * side > 0]
        covered = sum(look_beside(item).size_m[item.model == 'house'] for item in beside)
        assert len(beside) >= 8
        assert covered < 0.7 * 400.0


@pytest.mark.parametrize('seed', SEEDS)
def test_no_two_items_overlap(seed: int) -> None:
    items = place_roadside(crossing(lanes=2), seed)
    places = np.array([[item.pose.x_m, item.pose.y_m] for item in items])
    widths = np.array(
        [min(look_beside(item).size_m) if item.model != 'fence' else 0.3 for item in items]
    )
    away = np.hypot(*(places[:, None] - places).transpose(2, 0, 1))
    least = (widths[:, None] + widths) / 2
    assert (away + np.eye(len(items)) * 1e3 >= least).all()


@pytest.mark.parametrize('seed', SEEDS)
def test_houses_face_the_road(seed: int) -> None:
    items = place_roadside(avenue(('straight', 400.0)), seed)
    houses = [item for item in items if item.model == 'house']
    assert houses
    for house in houses:
        assert np.sign(house.pose.y_m) * np.sin(house.pose.yaw_rad) < -0.9


@pytest.mark.parametrize('seed', SEEDS)
def test_no_house_stands_at_a_junction(seed: int) -> None:
    for house in (i for i in place_roadside(crossing(lanes=2), seed) if i.model == 'house'):
        x, y = abs(house.pose.x_m), abs(house.pose.y_m)
        corner = np.hypot(max(x - INNER_M, 0.0), max(y - 2 * WIDTH_M, 0.0))
        other = np.hypot(max(y - INNER_M, 0.0), max(x - 2 * WIDTH_M, 0.0))
        assert min(corner, other) >= 15.0


def test_long_roads_do_not_have_more_than_150_items() -> None:
    assert 100 <= len(place_roadside(avenue(('straight', 3000.0)), 0)) <= 150


def test_the_seed_decides_what_stands_where() -> None:
    graph = crossing()
    assert place_roadside(graph, 1) == place_roadside(graph, 1)
    assert place_roadside(graph, 1) != place_roadside(graph, 2)
