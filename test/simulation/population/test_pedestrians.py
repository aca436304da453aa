"""People on foot: they cross the whole road, and never before an ego that could not stop."""

from __future__ import annotations

import numpy as np
import pytest
from simulation.town_by_hand import WIDTH_M, avenue, crossing, scenario, way

from emma_planner.planning.types import Pose
from emma_planner.simulation.observation import ActorKind, Route
from emma_planner.simulation.population.pedestrians import (
    Pedestrian,
    Pedestrians,
    stopping_distance,
)
from emma_planner.simulation.roads.crossings import find_crossings, find_strolls
from emma_planner.simulation.roads.road_edges import RoadEdges
from emma_planner.simulation.roads.road_graph import RoadGraph

DT_S = 0.1
FRONT_M = 3.6
REAR_M = 0.9
HALF_M = 0.35
SEEDS = range(8)
LIMIT_MPS = 13.89
FAR = Pose(-500.0, -500.0, 0.0)


def street(lanes: int = 1, length_m: float = 300.0) -> tuple[RoadGraph, Route]:
    graph = avenue(('straight', length_m), lanes=lanes)
    return graph, way(graph, f'0~1~{lanes - 1}', f'0~1~{lanes - 1}')[0]


def ego_at(route: Route, s_m: float) -> Pose:
    """On a route along x, before its start too."""
    x, y = route.points[0]
    return Pose(float(x) + s_m, float(y), 0.0)


def on_road(walker: Pedestrian, lanes: int = 1) -> bool:
    return walker.crosses and abs(walker.pose.y_m) < lanes * WIDTH_M


def gap_m(walker: Pedestrian, route: Route, s_m: float) -> float:
    """From the ego's front to somebody's side."""
    return walker.pose.x_m - HALF_M - ego_at(route, s_m).x_m - FRONT_M


@pytest.mark.parametrize('seed', SEEDS)
@pytest.mark.parametrize('lanes', [1, 2, 3])
def test_an_ego_at_the_speed_limit_can_stop_short_of_whoever_steps_out(
    seed: int, lanes: int
) -> None:
    graph, route = street(lanes)
    people = Pedestrians(graph, route, scenario(seed, pedestrians=1))
    s, speed, seen_s = -100.0, LIMIT_MPS, None
    for step in range(1500):
        s += speed * DT_S
        people.step(DT_S, s, speed, ego_at(route, s))
        walker = people.pedestrians[0]
        if seen_s is None and on_road(walker, lanes):
            seen_s = step * DT_S
        if seen_s is not None and step * DT_S >= seen_s + 0.3:
            speed = max(speed - 3.0 * DT_S, 0.0)
        if speed == 0.0:
            break
    assert seen_s is not None
    assert gap_m(walker, route, s) >= 2.0


@pytest.mark.parametrize('seed', range(20))
def test_nobody_steps_out_when_the_ego_is_nearer_than_its_stopping_distance(seed: int) -> None:
    graph, route = street()
    people = Pedestrians(graph, route, scenario(seed, pedestrians=2))
    rng = np.random.default_rng(seed)
    s, speed, wanted = 0.0, 5.0, 5.0
    was_off = dict.fromkeys(range(len(people.pedestrians)), True)
    while s < route.length_m:
        if rng.random() < 0.05:
            wanted = float(rng.uniform(1.0, 16.0))
        speed += float(np.clip(wanted - speed, -4.0 * DT_S, 3.0 * DT_S))
        s += speed * DT_S
        people.step(DT_S, s, speed, ego_at(route, s))
        for k, walker in enumerate(people.pedestrians):
            gap = gap_m(walker, route, s)
            if on_road(walker) and was_off[k] and gap > -(FRONT_M + REAR_M + 1.0):
                assert gap >= stopping_distance(speed) - 1e-6
            was_off[k] = not on_road(walker)


@pytest.mark.parametrize('seed', SEEDS)
@pytest.mark.parametrize('stop_m', [1.2, 3.0, 10.0])
def test_whoever_wants_gets_across_before_an_ego_that_waits(seed: int, stop_m: float) -> None:
    graph, route = street(lanes=2)
    people = Pedestrians(graph, route, scenario(seed, pedestrians=1))
    at = find_crossings(graph, route, scenario(seed, pedestrians=1))[0].route_s_m
    s = at - HALF_M - 0.2 - FRONT_M - stop_m
    for _ in range(500):
        people.step(DT_S, s, 0.0, ego_at(route, s))
    walker = people.pedestrians[0]
    assert abs(walker.pose.y_m) > 2 * WIDTH_M + 2.9
    assert walker.speed_mps == 0.0
    assert len(walker.path) == 0


def test_nobody_starts_while_the_ego_is_far() -> None:
    graph, route = street()
    people = Pedestrians(graph, route, scenario(0, pedestrians=1))
    before = people.pedestrians
    for _ in range(100):
        people.step(DT_S, -300.0, LIMIT_MPS, FAR)
    assert [p.pose for p in people.pedestrians] == [p.pose for p in before]


@pytest.mark.parametrize('seed', SEEDS)
def test_some_hesitate_at_the_kerb_for_a_second(seed: int) -> None:
    graph, route = street()
    drawn = scenario(seed, pedestrians=1)
    hesitates = find_crossings(graph, route, drawn)[0].hesitates
    people = Pedestrians(graph, route, drawn)
    s = find_crossings(graph, route, drawn)[0].route_s_m - 9.0 - FRONT_M
    speeds = []
    for _ in range(200):
        people.step(DT_S, s, 0.0, FAR)
        speeds.append(people.pedestrians[0].speed_mps)
    walking = np.flatnonzero(speeds)
    stood = int((np.diff(walking) - 1).max())
    assert (stood * DT_S >= 0.8) if hesitates else stood == 0


def test_half_hesitate_and_they_come_from_both_sides() -> None:
    graph, route = street()
    drawn = [find_crossings(graph, route, scenario(seed, pedestrians=1))[0] for seed in range(60)]
    assert 15 < sum(crossing.hesitates for crossing in drawn) < 45
    assert 15 < sum(crossing.yaw_rad > 0 for crossing in drawn) < 45


@pytest.mark.parametrize('seed', SEEDS)
def test_who_crosses_waits_for_an_ego_that_stands_in_the_way(seed: int) -> None:
    graph, route = street()
    drawn = scenario(seed, pedestrians=1)
    at = find_crossings(graph, route, drawn)[0].route_s_m
    people = Pedestrians(graph, route, drawn)
    s = at - 10.0 - FRONT_M
    while not on_road(people.pedestrians[0]):
        people.step(DT_S, s, 0.0, ego_at(route, s))
    ego = ego_at(route, at - 1.0)
    for _ in range(300):
        people.step(DT_S, at - 1.0, 0.0, ego)
        assert abs(people.pedestrians[0].pose.y_m - ego.y_m) > 0.95 + HALF_M
    assert people.pedestrians[0].speed_mps == 0.0


@pytest.mark.parametrize('lanes', [1, 2, 3])
@pytest.mark.parametrize('seed', SEEDS)
def test_crossings_lead_over_the_whole_road_and_are_apart(lanes: int, seed: int) -> None:
    graph, route = street(lanes)
    found = find_crossings(graph, route, scenario(seed, pedestrians=3))
    assert len(found) == 3
    places = [crossing.route_s_m for crossing in found]
    assert min(np.diff(places)) >= 30.0
    assert places[0] >= 40.0
    for walk in found:
        start, end = walk.place(0.0), walk.place(walk.length_m)
        side = 1.0 if walk.yaw_rad > 0 else -1.0
        assert start[1] * side == pytest.approx(-(lanes * WIDTH_M + 1.5), abs=0.05)
        assert end[1] * side == pytest.approx(lanes * WIDTH_M + 3.0, abs=0.05)
        assert 1.0 <= walk.speed_mps <= 1.6


@pytest.mark.parametrize('kind', ['junction', 'roundabout', 'ramp', 'merge', 'split'])
def test_nobody_crosses_near_anything_but_a_street(kind: str) -> None:
    graph = avenue(('straight', 120.0), (kind, 80.0), ('straight', 120.0))
    route, _ = way(graph, '0~1~0', '2~3~0')
    for seed in range(30):
        for walk in find_crossings(graph, route, scenario(seed, pedestrians=2)):
            x, _ = walk.place(0.0)
            assert x <= 105.0 or x >= 215.0


def test_where_there_is_no_room_nobody_crosses() -> None:
    graph, route = street(length_m=60.0)
    assert find_crossings(graph, route, scenario(0, pedestrians=2)) == ()
    graph, route = street(lanes=5)
    assert find_crossings(graph, route, scenario(0, pedestrians=2)) == ()


def test_nobody_is_there_unless_the_scenario_says() -> None:
    graph, route = street()
    assert Pedestrians(graph, route, scenario(0)).pedestrians == ()


@pytest.mark.parametrize('seed', SEEDS)
def test_bystanders_never_come_on_a_lane(seed: int) -> None:
    graph = crossing(lanes=2)
    route, _ = way(graph, 'in0~at0~1', 'off2~out2~1')
    assert len(find_strolls(graph, route, scenario(seed, pedestrians=3))) == 3
    people = Pedestrians(graph, route, scenario(seed, pedestrians=3))
    edges = RoadEdges(graph)
    moved = set()
    for s in np.arange(0.0, route.length_m, 0.4):
        people.step(DT_S, s, 4.0, FAR)
        beside = [p for p in people.pedestrians if not p.crosses]
        moved |= {p.id for p in beside if p.speed_mps}
        assert edges.clearance(np.array([[p.pose.x_m, p.pose.y_m] for p in beside])).min() > 0.5
    assert moved <= {p.id for p in beside}


def test_some_bystanders_walk_and_some_stand() -> None:
    graph, route = street()
    strolls = [find_strolls(graph, route, scenario(seed, pedestrians=1))[0] for seed in range(60)]
    assert 15 < sum(stroll.speed_mps > 0 for stroll in strolls) < 45


def test_a_pedestrian_is_an_actor_with_its_way_ahead() -> None:
    graph, route = street()
    people = Pedestrians(graph, route, scenario(1, pedestrians=2))
    actors = [walker.to_actor() for walker in people.pedestrians]
    assert [actor.id for actor in actors] == [f'pedestrian-{k}' for k in range(4)]
    assert {actor.kind for actor in actors} == {ActorKind.PEDESTRIAN}
    way_ahead = actors[0].path
    assert way_ahead[0] == pytest.approx((actors[0].pose.x_m, actors[0].pose.y_m))
    assert np.sign(way_ahead[-1, 1]) == -np.sign(way_ahead[0, 1])


def test_the_same_seed_gives_the_same_walks() -> None:
    graph, route = street()
    walks = []
    for _ in range(2):
        people = Pedestrians(graph, route, scenario(5, pedestrians=2))
        for s in np.arange(0.0, 250.0, 1.0):
            people.step(DT_S, s, 10.0, ego_at(route, s))
        walks.append([walker.pose for walker in people.pedestrians])
    assert walks[0] == walks[1]
