"""Cars on the road: they follow it, stop for what is in the way, and never hit each other."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from simulation.drives_by_hand import CAR
from simulation.roads_by_hand import junction, straight, two_lane_road

from emma_planner.planning.types import Pose
from emma_planner.simulation.observation import Actor, ActorKind, LightState
from emma_planner.simulation.population.cars import BRAKE_LIGHTS_MPS2, SIZES_M, EgoMotion
from emma_planner.simulation.population.priority import STANDING_MPS
from emma_planner.simulation.population.traffic import Traffic
from emma_planner.simulation.roads.road_graph import RoadGraph
from emma_planner.simulation.scenario import scenario_of

QUIET = replace(scenario_of('train', 0), traffic_density=0.0, braking_leads=0, cut_ins=0, seed=7)
AWAY = EgoMotion(Pose(-500.0, -500.0, 0.0), 0.0, CAR, ())
DT_S = 0.1


class Lights:
    """The light at the end of one lane."""

    def __init__(self, lane: str = '', state: LightState = LightState.GREEN) -> None:
        self.lane, self.shows = lane, state

    def state(self, lane_id: str) -> LightState | None:
        return self.shows if lane_id == self.lane else None

    def stops(self, lane_id: str) -> bool:
        return self.state(lane_id) in (LightState.RED, LightState.YELLOW)


def _ego(x: float, speed: float = 0.0, lanes: tuple[str, ...] = (), y: float = 0.0) -> EgoMotion:
    return EgoMotion(Pose(x, y, 0.0), speed, CAR, lanes)


def _run(traffic, seconds, ego=AWAY, lights=None, obstacles=()):
    for _ in range(int(seconds / DT_S)):
        traffic.step(DT_S, ego, lights or Lights(), obstacles)
        yield traffic.cars


def _parked(x: float, y: float = 0.0) -> Actor:
    return Actor(
        'parked', ActorKind.VEHICLE, Pose(x, y, 0.0), 0.0, 4.6, 1.85, 1.5, True, np.zeros((0, 2))
    )


def _walker(x: float, y: float, *to: tuple[float, float]) -> Actor:
    path = np.array([(x, y), *to]) if to else np.zeros((0, 2))
    speed = 1.2 if to else 0.0
    return Actor('p', ActorKind.PEDESTRIAN, Pose(x, y, 1.57), speed, 0.5, 0.5, 1.7, False, path)


def _one_car(graph: RoadGraph, ego: EgoMotion) -> Traffic:
    """Traffic of a single car ahead of the ego: the braking lead, told not to brake."""
    traffic = Traffic(graph, replace(QUIET, braking_leads=1), ego)
    traffic._cars[0].brakes = []
    assert len(traffic.cars) == 1
    return traffic


def _corners(car) -> np.ndarray:
    length, width, _ = SIZES_M[car.model]
    half = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) * (length / 2, width / 2)
    cos, sin = math.cos(car.pose.yaw_rad), math.sin(car.pose.yaw_rad)
    return half @ np.array([[cos, sin], [-sin, cos]]) + (car.pose.x_m, car.pose.y_m)


def _overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Separating axes of two rectangles."""
    for box in (one, other):
        for k in range(2):
            edge = box[k + 1] - box[k]
            normal = np.array([-edge[1], edge[0]])
            a, b = one @ normal, other @ normal
            if a.max() < b.min() or b.max() < a.min():
                return False
    return True


ROAD = RoadGraph(straight('a', 'b', (0.0, 0.0), 300.0) + straight('b', 'c', (300.0, 0.0), 60.0))
LANES = ('a~b~0', 'b~c~0')


def test_a_car_keeps_to_the_middle_of_its_lane_and_below_the_limit():
    for (car,) in _run(_one_car(ROAD, _ego(0.0, lanes=LANES)), 12.0):
        assert car.pose.y_m == pytest.approx(0.0, abs=1e-6)
        assert car.speed_mps <= 13.89


def test_a_red_light_stops_it_before_its_line():
    traffic = _one_car(ROAD, _ego(0.0, lanes=LANES))
    *_, (car,) = _run(traffic, 35.0, lights=Lights('a~b~0', LightState.RED))
    assert car.speed_mps < 0.1
    assert 290.0 < car.pose.x_m + SIZES_M[car.model][0] / 2 < 299.5


def test_a_green_light_lets_it_pass():
    traffic = _one_car(ROAD, _ego(0.0, lanes=LANES))
    reached = [car.pose.x_m for (car,) in _run(traffic, 35.0, lights=Lights('a~b~0'))]
    assert max(reached) > 320.0


def test_it_stops_behind_what_blocks_its_only_lane():
    traffic = _one_car(ROAD, _ego(0.0, lanes=LANES))
    *_, (car,) = _run(traffic, 30.0, obstacles=(_parked(150.0),))
    assert car.speed_mps < 0.1
    assert car.pose.x_m + SIZES_M[car.model][0] / 2 < 150.0 - 2.3


def test_it_passes_what_stands_in_a_part_of_its_lane_with_room():
    traffic = _one_car(ROAD, _ego(0.0, lanes=LANES))
    aside = []
    for (car,) in _run(traffic, 25.0, obstacles=(_parked(150.0, -2.2),)):
        if abs(car.pose.x_m - 150.0) < 4.0:
            aside.append(car.pose.y_m - SIZES_M[car.model][1] / 2 - (-2.2 + 0.925))
    assert aside
    assert min(aside) > 0.2


def test_it_changes_lanes_around_what_blocks_its_lane():
    graph = two_lane_road(300.0, 60.0)
    traffic = _one_car(graph, _ego(0.0, lanes=('a~b~0', 'b~c~0')))
    reached = 0.0
    for (car,) in _run(traffic, 25.0, obstacles=(_parked(150.0),)):
        reached = max(reached, car.pose.x_m)
        boxes = _corners(car), np.array([[152.3, 0.9], [152.3, -0.9], [147.7, -0.9], [147.7, 0.9]])
        assert not _overlap(*boxes)
    assert reached > 200.0


def test_it_waits_for_a_pedestrian_on_its_lane():
    traffic = _one_car(ROAD, _ego(0.0, lanes=LANES))
    *_, (car,) = _run(traffic, 25.0, obstacles=(_walker(150.0, 0.5),))
    assert car.speed_mps < 0.1
    assert car.pose.x_m < 148.0


@pytest.mark.parametrize(('to', 'passes'), [([(150.0, 6.0)], False), ([], True)])
def test_beside_its_lane_it_waits_for_who_walks_and_not_for_who_stands_for_good(to, passes):
    traffic = _one_car(ROAD, _ego(0.0, lanes=LANES))
    *_, (car,) = _run(traffic, 25.0, obstacles=(_walker(150.0, -1.9, *to),))
    assert (car.pose.x_m > 160.0) is passes
    assert (car.speed_mps < 0.1) is not passes


def test_it_stops_behind_the_standing_ego():
    traffic = _one_car(ROAD, _ego(0.0, lanes=LANES))
    *_, (car,) = _run(traffic, 30.0, ego=_ego(200.0, lanes=LANES))
    assert car.speed_mps < 0.1
    assert car.pose.x_m + SIZES_M[car.model][0] / 2 < 200.0 - CAR.rear_overhang_m - 1.0


def test_a_lead_brakes_to_a_stop_and_drives_on():
    traffic = Traffic(ROAD, replace(QUIET, braking_leads=1), _ego(0.0, lanes=LANES))
    speeds = [car.speed_mps for (car,) in _run(traffic, 28.0)]
    stop = speeds.index(min(speeds[80:]))
    assert min(speeds[80:]) < 0.1
    assert max(speeds[:stop]) > 5.0
    assert max(np.diff(speeds) / -DT_S) < 4.6


def test_brake_lights_are_lit_while_a_car_slows_down_and_while_it_stands():
    traffic = Traffic(ROAD, replace(QUIET, braking_leads=1), _ego(0.0, lanes=LANES))
    seen = []
    for (car,) in _run(traffic, 28.0):
        (actor,) = traffic.actors()
        seen.append((car.speed_mps, actor.brake_lights))
    slows = [(after[0] - before[0]) / DT_S for before, after in pairwise(seen)]
    for (speed, is_lit), slow in zip(seen[1:], slows, strict=True):
        assert is_lit == (slow < BRAKE_LIGHTS_MPS2 - 1e-9 or speed < STANDING_MPS)
    assert any(is_lit and speed > 3.0 for speed, is_lit in seen)
    assert any(is_lit and speed == 0.0 for speed, is_lit in seen)
    assert sum(not is_lit for _, is_lit in seen) > 50


def test_no_density_and_no_script_is_no_traffic():
    assert Traffic(ROAD, QUIET, _ego(0.0, lanes=LANES)).cars == ()


def test_density_makes_cars_but_none_next_to_the_ego():
    ego = _ego(0.0, lanes=('a~b~0',))
    traffic = Traffic(two_lane_road(300.0, 60.0), replace(QUIET, traffic_density=0.3), ego)
    assert len(traffic.cars) > 10
    for car in traffic.cars:
        assert math.hypot(car.pose.x_m - ego.centre.x_m, car.pose.y_m) >= 18.0


def test_the_same_seed_is_the_same_traffic_and_another_is_not():
    def hashed(seed):
        scenario = replace(QUIET, traffic_density=0.2, seed=seed)
        traffic = Traffic(junction(), scenario, _ego(0.0, lanes=('a~b~0',)))
        *_, cars = _run(traffic, 10.0)
        return tuple((car.id, car.pose, car.speed_mps) for car in cars)

    assert hashed(1) == hashed(1)
    assert hashed(1) != hashed(2)


def test_an_actor_says_where_its_lanes_lead():
    traffic = _one_car(ROAD, _ego(0.0, lanes=LANES))
    (actor,) = traffic.actors()
    assert actor.path[0] == pytest.approx([actor.pose.x_m, actor.pose.y_m], abs=0.01)
    assert actor.path[-1, 0] - actor.path[0, 0] == pytest.approx(40.0, abs=0.1)


@pytest.mark.parametrize('seed', range(30))
def test_whatever_the_seed_cars_keep_apart_and_below_the_limit_at_a_junction(seed):
    scenario = replace(QUIET, traffic_density=(0.1, 0.2, 0.3)[seed % 3], seed=1000 + seed)
    graph = junction()
    fastest = max(lane.speed_limit_mps for lane in graph.lanes.values())
    before: dict[str, float] = {}
    for step, cars in enumerate(_run(Traffic(graph, scenario, AWAY), 15.0)):
        boxes = [_corners(car) for car in cars]
        for k, one in enumerate(boxes):
            assert not any(_overlap(one, other) for other in boxes[:k]), step
        for car in cars:
            assert 0.0 <= car.speed_mps <= fastest
            assert car.speed_mps - before.get(car.id, car.speed_mps) <= 2.0 * DT_S or step < 2
        before = {car.id: car.speed_mps for car in cars}


@pytest.mark.sim
@pytest.mark.parametrize('number', [1, 4, 5, 10, 15, 21])
def test_cars_on_real_maps_keep_apart_on_their_lanes_and_moving(number):
    pytest.importorskip('metadrive')
    from emma_planner.simulation.engine.env import make_env, reset_env
    from emma_planner.simulation.engine.roads import read_roads
    from emma_planner.simulation.population.signals import TrafficSignals
    from emma_planner.simulation.roads.surface import RoadSurface

    scenario = scenario_of('val', number, 0.1)
    env = make_env(None)
    try:
        reset_env(env, scenario.seed, scenario.blocks, scenario.lane_count, 0)
        graph = read_roads(env.current_map)
    finally:
        env.close()
    traffic = Traffic(graph, replace(scenario, braking_leads=0, cut_ins=0), AWAY)
    signals, surface = TrafficSignals(graph, scenario.seed, scenario.lights), RoadSurface(graph)
    speeds = []
    for step in range(400):
        places = np.array([[car.pose.x_m, car.pose.y_m] for car in traffic.cars])
        near = [
            head.road
            for head in signals.heads
            if np.hypot(*(places - graph.roads[head.road][0].points[-1]).T).min() < 45.0
        ]
        signals.step(DT_S, near)
        traffic.step(DT_S, AWAY, signals, ())
        speeds += [car.speed_mps for car in traffic.cars]
        if step % 5 == 0:
            boxes = [_corners(car) for car in traffic.cars]
            for k, one in enumerate(boxes):
                assert not any(_overlap(one, other) for other in boxes[:k])
            assert surface.on_road(places)
    assert np.mean(speeds) > 2.0
