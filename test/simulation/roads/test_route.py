"""The ego's way over the lanes."""

import itertools

import numpy as np
import pytest
from simulation.roads_by_hand import junction, roundabout, straight, two_lane_road

from emma_planner.simulation.roads.road_graph import RoadGraph, RouteError
from emma_planner.simulation.roads.route import (
    ANNOUNCE_M,
    END_MARGIN_M,
    command_at,
    exits_of,
    plan_route,
)


def _plan(graph, start, end, start_m=5.0):
    return plan_route(graph, graph.lanes[start], start_m, graph.lanes[end])


def test_a_route_straight_on_stays_in_its_lane():
    route, steps = _plan(two_lane_road(60.0, 40.0), 'a~b~0', 'b~c~0')
    assert np.abs(route.points[:, 1]).max() < 1e-9
    assert route.length_m == pytest.approx(95.0 - END_MARGIN_M)
    assert [step.lane.id for step in steps] == ['a~b~0', 'b~c~0']
    assert steps[1].start_s_m == pytest.approx(55.0)


def test_points_lie_a_metre_apart_and_distances_are_true():
    route, _ = _plan(junction(), 'a~b~0', 'left~l~0')
    steps = np.hypot(*np.diff(route.points, axis=0).T)
    assert steps.max() < 1.1
    assert np.diff(route.s_m) == pytest.approx(steps, abs=0.02)


def test_a_lane_change_leads_smoothly_into_the_other_lane():
    route, steps = _plan(two_lane_road(80.0, 40.0), 'a~b~0', 'b~c~1')
    y = route.points[:, 1]
    assert y[0] == pytest.approx(0.0)
    assert y[-1] == pytest.approx(-3.5)
    assert (np.diff(y) <= 1e-9).all()
    heading = np.arctan2(*np.diff(route.points, axis=0).T[::-1])
    assert np.abs(np.diff(heading)).max() < 0.03
    assert [step.lane.id for step in steps][-1] == 'b~c~1'


def test_two_changes_on_one_road_both_find_room():
    graph = RoadGraph(straight('a', 'b', (0.0, 0.0), 100.0, lanes=3))
    route, _ = _plan(graph, 'a~b~0', 'a~b~2')
    assert route.points[-1, 1] == pytest.approx(-7.0)


def test_room_is_told_to_both_sides_also_during_a_change():
    route, _ = _plan(two_lane_road(80.0, 40.0), 'a~b~0', 'b~c~1')
    left_edge = route.points[:, 1] + route.left_m
    right_edge = route.points[:, 1] - route.right_m
    assert left_edge == pytest.approx(np.full(len(left_edge), 1.75), abs=0.05)
    assert right_edge == pytest.approx(np.full(len(right_edge), -5.25), abs=0.05)


@pytest.mark.parametrize(
    ('end', 'command'),
    [('left~l~0', 'turn left'), ('on~o~0', 'go straight'), ('right~r~0', 'turn right')],
)
def test_a_turn_is_commanded_before_it_comes(end, command):
    route, _ = _plan(junction(), 'a~b~0', end)
    assert command_at(route, 45.0 - ANNOUNCE_M - 1.0, 0.0) == 'follow lane'
    assert command_at(route, 45.0 - ANNOUNCE_M + 1.0, 0.0) == command
    assert command_at(route, 50.0, 0.0) == command
    assert command_at(route, route.length_m - 1.0, 0.0) == 'follow lane'


@pytest.mark.parametrize('exit_', [0, 1, 2])
def test_in_a_roundabout_it_is_commanded_at_each_exit_whether_it_is_the_one(exit_):
    route, steps = _plan(roundabout(), 'a~b~0', f'e{exit_}~x{exit_}~0')
    entered = [step for step in steps if step.lane.kind == 'roundabout']
    passed = [step for step in entered if step.lane.id.startswith('o')][:-1]
    assert len(passed) == exit_
    for step in passed:  # at the mouth of an exit, and up to the end of it
        for part in (0.01, 0.5, 0.99):
            s_m = step.start_s_m + part * step.lane.length_m
            assert command_at(route, s_m, 0.0) == 'go straight'
    mouth = entered[-1]
    assert mouth.lane.id == f'o{exit_}~e{exit_}~0'
    told_m = entered[-2].start_s_m
    assert command_at(route, told_m + 1.0, 0.0) == 'turn right'
    assert command_at(route, mouth.start_s_m + 1.0, 0.0) == 'turn right'
    first = 'go straight' if exit_ else 'turn right'
    assert command_at(route, 45.0 - ANNOUNCE_M + 1.0, 0.0) == first
    assert command_at(route, route.length_m - 1.0, 0.0) == 'follow lane'


def test_a_lane_change_is_commanded_by_its_side():
    route, _ = _plan(two_lane_road(80.0, 40.0), 'a~b~0', 'b~c~1')
    assert command_at(route, 10.0, 0.0) == 'change lane right'
    route, _ = _plan(two_lane_road(80.0, 40.0), 'a~b~1', 'b~c~0')
    assert command_at(route, 10.0, 0.0) == 'change lane left'


def _change_right():
    route, _ = _plan(two_lane_road(80.0, 40.0), 'a~b~0', 'b~c~1')
    (change,) = (span for span in route.spans if span.command == 'change lane right')
    return route, change


def test_a_lane_change_is_commanded_until_the_ego_is_over_the_line():
    route, change = _change_right()
    half = 0.5 * (change.start_s_m + change.end_s_m)
    assert command_at(route, half - 1.0, 0.0) == 'change lane right'
    assert command_at(route, half + 1.0, 0.0) == 'follow lane'


def test_who_has_changed_before_the_route_does_follows_the_lane():
    route, change = _change_right()
    assert command_at(route, change.start_s_m - 5.0, -3.5) == 'follow lane'


def test_who_has_not_changed_yet_is_told_to_after_the_route_has():
    route, change = _change_right()
    assert command_at(route, change.end_s_m + 5.0, 3.5) == 'change lane right'


@pytest.mark.parametrize(
    ('d_m', 'command'), [(3.5, 'change lane right'), (-2.0, 'change lane left')]
)
def test_who_is_in_another_lane_than_the_route_is_told_to_come_back(d_m, command):
    route, _ = _plan(two_lane_road(80.0, 40.0), 'a~b~0', 'b~c~0')
    assert command_at(route, 10.0, d_m) == command
    assert command_at(route, 10.0, 0.4 * d_m) == 'follow lane'


def test_before_a_turn_who_is_in_another_lane_changes_first_and_within_it_turns():
    route, _ = _plan(junction(), 'a~b~0', 'left~l~0')
    assert command_at(route, 45.0 - 10.0, -3.5) == 'change lane left'
    assert command_at(route, 50.0, -3.5) == 'turn left'


def test_spans_cover_the_route_without_gaps():
    route, _ = _plan(junction(), 'a~b~0', 'left~l~0')
    assert route.spans[0].start_s_m == 0.0
    assert route.spans[-1].end_s_m == pytest.approx(route.length_m)
    for one, two in itertools.pairwise(route.spans):
        assert one.end_s_m == pytest.approx(two.start_s_m)
    assert [span.kind for span in route.spans] == ['straight', 'junction', 'straight']


def test_the_speed_limit_of_a_junction_holds_inside_it():
    route, _ = _plan(junction(), 'a~b~0', 'on~o~0')
    assert route.speed_limits_mps[10] == pytest.approx(13.89)
    assert route.speed_limits_mps[60] == pytest.approx(8.33)


def test_no_way_is_an_error_that_names_both_ends():
    graph = junction()
    with pytest.raises(RouteError, match=r'from left~l~0 to a~b~0'):
        _plan(graph, 'left~l~0', 'a~b~0')


def test_exits_are_the_ends_that_can_be_reached():
    graph = junction()
    found = {lane.id for lane in exits_of(graph, graph.lanes['a~b~0'])}
    assert found == {'left~l~0', 'on~o~0', 'right~r~0'}


def test_a_map_without_a_way_out_is_an_error():
    loop = straight('a', 'b', (0.0, 0.0), 40.0) + straight(
        'b', 'a', (40.0, 0.0), 40.0, yaw_rad=np.pi
    )
    graph = RoadGraph(loop)
    with pytest.raises(RouteError, match='way out'):
        exits_of(graph, graph.lanes['a~b~0'])


def test_lanes_too_short_for_a_change_are_not_changed_on():
    graph = RoadGraph(straight('a', 'b', (0.0, 0.0), 12.0, lanes=2))
    with pytest.raises(RouteError, match='got none'):
        _plan(graph, 'a~b~0', 'a~b~1', 1.0)
