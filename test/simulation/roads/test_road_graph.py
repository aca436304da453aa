"""Lanes and how they join."""

import numpy as np
import pytest
from simulation.roads_by_hand import arc, junction, straight, two_lane_road

from emma_planner.simulation.roads.road_graph import Lane, RoadGraph, locate
from emma_planner.simulation.roads.road_map import LineKind, road_map_of


def test_a_lane_ends_where_the_next_begins():
    graph = two_lane_road(40.0, 30.0)
    first = graph.lanes['a~b~1']
    assert [lane.id for lane in graph.next_lanes(first)] == ['b~c~1']
    assert [lane.id for lane in graph.lanes_before(graph.lanes['b~c~1'])] == ['a~b~1']


def test_a_lane_joins_only_what_begins_at_its_end():
    graph = RoadGraph(straight('a', 'b', (0.0, 0.0), 40.0) + straight('b', 'c', (42.0, 0.0), 30.0))
    assert graph.next_lanes(graph.lanes['a~b~0']) == ()


def test_lanes_beside_are_of_the_same_road():
    graph = RoadGraph(straight('a', 'b', (0.0, 0.0), 40.0, lanes=3))
    beside = [lane.index for lane in graph.beside(graph.lanes['a~b~1'])]
    assert beside == [0, 2]
    assert [lane.index for lane in graph.beside(graph.lanes['a~b~0'])] == [1]


def test_a_place_on_a_lane_is_found_again():
    lane = arc('a', 'b', (3.0, 4.0), 30.0, 1.2, yaw_rad=0.4)
    for s, offset in ((5.0, 1.5), (20.0, -2.0), (33.0, 0.0)):
        x, y, _ = lane.place(s, offset)
        found_s, found_offset = lane.locate(x, y)
        assert found_s == pytest.approx(s, abs=0.1)
        assert found_offset == pytest.approx(offset, abs=0.02)


def test_left_of_a_lane_is_positive():
    lane = straight('a', 'b', (0.0, 0.0), 40.0)[0]
    assert lane.locate(10.0, 1.0) == pytest.approx((10.0, 1.0))
    assert lane.locate(10.0, -1.0) == pytest.approx((10.0, -1.0))


def test_a_point_beyond_the_end_is_projected_onto_the_end():
    points = np.array([[0.0, 0.0], [10.0, 0.0]])
    assert locate(points, np.array([0.0, 10.0]), 14.0, 3.0)[0] == pytest.approx(10.0)


def test_the_yaw_of_a_circle_turns_with_it():
    lane = arc('a', 'b', (0.0, 0.0), 20.0, np.pi / 2)
    assert lane.yaw_rad[0] == pytest.approx(0.0, abs=0.05)
    assert lane.yaw_rad[-1] == pytest.approx(np.pi / 2, abs=0.05)
    assert lane.length_m == pytest.approx(20.0 * np.pi / 2, rel=1e-3)


def test_crossing_lanes_conflict_where_they_cross_and_know_it_of_each_other():
    graph = junction()
    (mine,) = [c for c in graph.conflicts['b~on~0'] if c.other == 'x~left~0']
    assert mine.enter_m < 15.0 < mine.leave_m
    assert mine.other_enter_m < 20.0 < mine.other_leave_m
    (theirs,) = [c for c in graph.conflicts['x~left~0'] if c.other == 'b~on~0']
    assert (theirs.enter_m, theirs.other_leave_m) == (mine.other_enter_m, mine.leave_m)


def test_lanes_that_follow_each_other_or_lie_side_by_side_do_not_conflict():
    graph = two_lane_road(40.0, 30.0)
    assert not any(graph.conflicts.values())


def test_the_nearest_lane_leads_the_same_way():
    there = straight('a', 'b', (0.0, 0.0), 40.0)
    back = straight('b', 'a', (40.0, 3.5), 40.0, yaw_rad=np.pi)
    graph = RoadGraph(there + back)
    assert graph.nearest(20.0, 3.0, 0.0).id == 'a~b~0'
    assert graph.nearest(20.0, 1.0, np.pi).id == 'b~a~0'


def test_a_lane_of_one_point_is_refused():
    with pytest.raises(ValueError, match='two points'):
        Lane('x', ('a', 'b'), 0, np.zeros((1, 2)), 3.5, 'straight', 0, 'none', 'none', 10.0)


def test_the_line_between_two_lanes_is_drawn_once():
    lines = road_map_of(RoadGraph(straight('a', 'b', (0.0, 0.0), 40.0, lanes=2))).lines
    kinds = [line.kind for line in lines]
    assert kinds.count(LineKind.BROKEN) == 0  # the right lane's left line is its neighbour's
    assert len(lines) == 3


def test_the_outline_of_a_lane_is_as_wide_as_the_lane():
    (outline,) = road_map_of(RoadGraph(straight('a', 'b', (0.0, 0.0), 40.0))).lanes
    assert np.ptp(outline[:, 1]) == pytest.approx(3.5)
    assert np.ptp(outline[:, 0]) == pytest.approx(40.0)
