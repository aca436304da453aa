"""Traffic lights: who gets green, for how long, and where the heads hang."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from simulation.roads_by_hand import junction
from simulation.town_by_hand import avenue, crossing

from emma_planner.simulation.observation import LightState
from emma_planner.simulation.population.signals import (
    ALL_RED_S,
    LONGEST_WAIT_S,
    SHORTEST_GREEN_S,
    YELLOW_S,
    TrafficSignals,
)
from emma_planner.simulation.roads.road_edges import RoadEdges
from emma_planner.simulation.roads.road_graph import RoadGraph, RoadId

DT_S = 0.1
SEEDS = range(4)
CAMERA_M = 1.5
"""Height of the ego's camera, and how far it is behind the front bumper."""
HALF_VIEW = np.array([1.0, 180.0 / 320.0])
"""Tangents of half the angle of view, 640 x 360 and 90 degrees wide."""


def roads_in(arms: int) -> tuple[RoadId, ...]:
    return tuple((f'in{k}', f'at{k}') for k in range(arms))


def lane_of(road: RoadId) -> str:
    return f'{road[0]}~{road[1]}~0'


def course(
    graph: RoadGraph, seed: int, occupied: tuple[RoadId, ...], seconds: float, arms: int = 4
) -> list[tuple[LightState | None, ...]]:
    """What all approaches show at every step."""
    signals = TrafficSignals(graph, seed, enabled=True)
    shown = []
    for _ in range(round(seconds / DT_S)):
        signals.step(DT_S, occupied)
        shown.append(tuple(signals.state(lane_of(road)) for road in roads_in(arms)))
    return shown


@pytest.mark.parametrize('arms', [3, 4])
@pytest.mark.parametrize('seed', SEEDS)
def test_one_approach_at_most_is_not_red(arms: int, seed: int) -> None:
    for states in course(crossing(arms), seed, roads_in(arms), 120.0, arms):
        assert sum(state is not LightState.RED for state in states) <= 1


@pytest.mark.parametrize('seed', SEEDS)
def test_green_turns_yellow_then_all_red_then_green(seed: int) -> None:
    shown = course(crossing(), seed, roads_in(4), 120.0)
    phases = [
        next((s for s in states if s is not LightState.RED), LightState.RED) for states in shown
    ]
    order = {
        LightState.GREEN: LightState.YELLOW,
        LightState.YELLOW: LightState.RED,
        LightState.RED: LightState.GREEN,
    }
    lasts = {LightState.YELLOW: YELLOW_S, LightState.RED: ALL_RED_S}
    changes = [k for k in range(1, len(phases)) if phases[k] is not phases[k - 1]]
    assert len(changes) > 15
    for k, after in pairwise(changes):
        assert phases[after] is order[phases[k]]
        if phases[k] in lasts:
            assert (after - k) * DT_S == pytest.approx(lasts[phases[k]])


@pytest.mark.parametrize('arms', [3, 4])
@pytest.mark.parametrize('seed', SEEDS)
def test_nobody_waits_longer_than_the_longest_wait(arms: int, seed: int) -> None:
    shown = course(crossing(arms), seed, roads_in(arms), 200.0, arms)
    for k in range(arms):
        green = [i for i, states in enumerate(shown) if states[k] is LightState.GREEN]
        gaps = np.diff([0, *green, len(shown)]) * DT_S
        assert gaps.max() <= LONGEST_WAIT_S + 1.0


@pytest.mark.parametrize('seed', SEEDS)
def test_the_approaches_share_the_green_when_all_are_full(seed: int) -> None:
    shown = course(crossing(), seed, roads_in(4), 400.0)
    greens = [sum(states[k] is LightState.GREEN for states in shown) for k in range(4)]
    assert min(greens) > 0.8 * max(greens)


@pytest.mark.parametrize('seed', SEEDS)
def test_who_comes_alone_waits_for_one_change_only(seed: int) -> None:
    for k, road in enumerate(roads_in(4)):
        shown = course(crossing(), seed, (road,), 20.0)
        first = next(i for i, states in enumerate(shown) if states[k] is LightState.GREEN)
        assert (first + 1) * DT_S <= SHORTEST_GREEN_S + YELLOW_S + ALL_RED_S + 2 * DT_S
        assert all(states[k] is LightState.GREEN for states in shown[first:])


@pytest.mark.parametrize('seed', SEEDS)
def test_without_demand_the_lights_rest(seed: int) -> None:
    assert len(set(course(crossing(), seed, (), 60.0))) == 1


def test_who_has_waited_longest_is_next() -> None:
    signals = TrafficSignals(crossing(), 0, enabled=True)
    roads = roads_in(4)
    now = next(r for r in roads if signals.state(lane_of(r)) is LightState.GREEN)
    early, late = [road for road in roads if road != now][:2][::-1]
    served = []
    for step in range(400):
        signals.step(DT_S, (now, early) if step < 5 else (now, early, late))
        for road in (early, late):
            if signals.state(lane_of(road)) is LightState.GREEN and road not in served:
                served.append(road)
    assert served == [early, late]


@pytest.mark.parametrize('speed_mps', np.arange(1.0, 14.0, 0.5))
def test_at_yellow_one_can_stop_comfortably_or_pass(speed_mps: float) -> None:
    needs_m = 0.5 * speed_mps + speed_mps**2 / (2 * 3.0)
    passes_m = speed_mps * YELLOW_S
    assert passes_m >= needs_m


@pytest.mark.parametrize('seed', SEEDS)
def test_lights_stop_traffic_unless_they_are_green(seed: int) -> None:
    signals = TrafficSignals(crossing(lanes=2), seed, enabled=True)
    for _ in range(300):
        signals.step(DT_S, roads_in(4))
        for road in roads_in(4):
            for lane in (f'{road[0]}~{road[1]}~0', f'{road[0]}~{road[1]}~1'):
                assert signals.stops(lane) is (signals.state(lane) is not LightState.GREEN)


def test_lanes_that_lead_to_no_junction_have_no_light() -> None:
    signals = TrafficSignals(crossing(), 0, enabled=True)
    assert signals.state('off0~out0~0') is None
    assert not signals.stops('off0~out0~0')
    assert not signals.stops('at0~off1~0')
    assert TrafficSignals(avenue(('straight', 100.0)), 0, enabled=True).heads == ()


def test_a_junction_with_one_approach_has_no_lights() -> None:
    assert TrafficSignals(junction(), 0, enabled=True).heads == ()


def test_disabled_lights_are_not_there() -> None:
    signals = TrafficSignals(crossing(), 0, enabled=False)
    signals.step(DT_S, roads_in(4))
    assert signals.heads == ()
    assert signals.state('in0~at0~0') is None
    assert signals.lights_of_route([('in0~at0~0', 80.0)]) == ()


def test_an_unknown_lane_is_refused() -> None:
    with pytest.raises(KeyError, match='nowhere'):
        TrafficSignals(crossing(), 0, enabled=True).state('nowhere')


def test_the_seed_decides_who_starts_with_green() -> None:
    first = [course(crossing(), seed, (), DT_S)[0] for seed in range(20)]
    assert len(set(first)) == 4
    assert course(crossing(), 3, roads_in(4), 60.0) == course(crossing(), 3, roads_in(4), 60.0)


def test_lights_of_a_route_are_one_for_each_approach_with_the_line_before_its_end() -> None:
    signals = TrafficSignals(crossing(lanes=2), 0, enabled=True)
    ends = [
        ('in0~at0~0', 77.0),
        ('in0~at0~1', 77.5),
        ('at0~off2~1', 110.0),
        ('off2~out2~1', 190.0),
    ]
    (light,) = signals.lights_of_route(ends)
    assert light.stop_s_m == pytest.approx(76.5)
    assert light.state is signals.state('in0~at0~0')
    assert np.cos(light.pose.yaw_rad) == pytest.approx(1.0)  # shines east, at traffic from there


@pytest.mark.parametrize('arms', [3, 4])
@pytest.mark.parametrize('lanes', [1, 2, 3])
def test_heads_show_what_rules_their_road_from_poles_off_the_road(arms: int, lanes: int) -> None:
    graph = crossing(arms, lanes)
    signals = TrafficSignals(graph, 1, enabled=True)
    heads = signals.heads
    assert [head.road for head in heads] == [r for r in roads_in(arms) for _ in range(2)]
    assert len({head.id for head in heads}) == len(heads)
    assert RoadEdges(graph).clearance(np.array([head.pole for head in heads])).min() > 0.5
    assert all(head.state is signals.state(lane_of(head.road)) for head in heads)


@pytest.mark.parametrize('arms', [3, 4])
@pytest.mark.parametrize('lanes', [1, 2, 3])
def test_a_camera_sees_a_head_from_50_m_to_the_stop_line(arms: int, lanes: int) -> None:
    graph = crossing(arms, lanes)
    heads = TrafficSignals(graph, 0, enabled=True).heads
    for road in roads_in(arms):
        for lane in graph.roads[road]:
            for away_m in np.arange(0.0, 51.0, 2.0):
                x, y, yaw = lane.place(lane.length_m - 1.0 - away_m - CAMERA_M)
                seen = 0
                for head in (head for head in heads if head.road == road):
                    apart = np.array([head.pose.x_m - x, head.pose.y_m - y])
                    ahead = apart @ (np.cos(yaw), np.sin(yaw))
                    aside = apart @ (-np.sin(yaw), np.cos(yaw))
                    ratios = np.array([abs(aside), head.height_m + 0.5 - CAMERA_M]) / ahead
                    faces = np.cos(head.pose.yaw_rad - yaw) < -0.9
                    seen += bool(ahead > 0 and faces and (ratios < 0.95 * HALF_VIEW).all())
                assert seen > 0, (road, lane.id, away_m)
