"""Standing cars: never more than said, and never where an ego cannot pass."""

from __future__ import annotations

import numpy as np
import pytest
from simulation.town_by_hand import WIDTH_M, avenue, crossing, scenario, way

from emma_planner.simulation.observation import Actor, ActorKind
from emma_planner.simulation.population.obstacles import place_obstacles

SEEDS = range(10)
EGO_WIDTH_M = 1.9


def standing(lanes: int, seed: int, lane: int = -1, **features: int) -> list[Actor]:
    """What stands on 400 m of street along x, with the route in one lane."""
    graph = avenue(('straight', 400.0), lanes=lanes)
    name = f'0~1~{lane % lanes}'
    route, steps = way(graph, name, name)
    placed = place_obstacles(graph, route, steps, scenario(seed, **features))
    return [obstacle.to_actor() for obstacle in placed]


def own_cars(actors: list[Actor], name: str) -> list[Actor]:
    """Cars of the ego's direction."""
    return [a for a in actors if a.kind is ActorKind.VEHICLE and a.id.startswith(name)]


@pytest.mark.parametrize('seed', SEEDS)
def test_nothing_stands_unless_the_scenario_says(seed: int) -> None:
    assert standing(2, seed) == []


@pytest.mark.parametrize('seed', SEEDS)
def test_as_many_cars_stand_as_the_scenario_says(seed: int) -> None:
    actors = standing(2, seed, parked_cars=3, broken_down=1)
    parked = [a for a in own_cars(actors, 'parked') if abs(a.pose.yaw_rad) < 0.5]
    assert 1 <= len(parked) <= 3
    assert len(own_cars(actors, 'broken-down')) == 1
    assert all(actor.parked and actor.speed_mps == 0.0 for actor in actors)
    assert len({actor.id for actor in actors}) == len(actors)


@pytest.mark.parametrize('seed', SEEDS)
def test_an_ego_passes_parked_cars_within_its_only_lane(seed: int) -> None:
    for car in own_cars(standing(1, seed, parked_cars=3), 'parked'):
        inner = WIDTH_M - (abs(car.pose.y_m) - car.width_m / 2)  # of the lane that it takes
        assert 0.15 <= inner <= 1.0
        assert WIDTH_M - inner - EGO_WIDTH_M >= 2 * 0.4


@pytest.mark.parametrize('seed', SEEDS)
def test_a_car_breaks_down_only_where_there_is_a_second_lane(seed: int) -> None:
    assert standing(1, seed, broken_down=1) == []


@pytest.mark.parametrize('seed', SEEDS)
@pytest.mark.parametrize('lanes', [2, 3])
def test_a_broken_down_car_is_warned_of_and_leaves_the_lane_beside_it_free(
    seed: int, lanes: int
) -> None:
    actors = standing(lanes, seed, broken_down=1)
    (car,) = own_cars(actors, 'broken-down')
    lane = int(-car.pose.y_m // WIDTH_M)
    assert abs(car.pose.y_m + (lane + 0.5) * WIDTH_M) < 0.1
    kinds = [actor.kind for actor in actors]
    assert kinds.count(ActorKind.WARNING) == 1
    assert kinds.count(ActorKind.CONE) == 3
    for actor in actors:
        away = actor.pose.y_m + (lane + 0.5) * WIDTH_M
        assert abs(away) + actor.width_m / 2 <= WIDTH_M / 2
        assert actor.pose.x_m <= car.pose.x_m
    warning = next(actor for actor in actors if actor.kind is ActorKind.WARNING)
    assert 14.0 <= car.pose.x_m - warning.pose.x_m <= 18.0


@pytest.mark.parametrize('seed', SEEDS)
def test_cars_stand_apart_and_far_from_start_and_destination(seed: int) -> None:
    actors = standing(2, seed, parked_cars=3, broken_down=1)
    cars = [a for a in actors if a.kind is ActorKind.VEHICLE and abs(a.pose.yaw_rad) < 0.5]
    x = sorted(car.pose.x_m for car in cars)
    assert x[0] >= 43.0
    assert x[-1] <= 400.0 - 30.0
    assert min(np.diff(x), default=100.0) >= 20.0


@pytest.mark.parametrize('kind', ['junction', 'roundabout', 'merge', 'split'])
@pytest.mark.parametrize('seed', SEEDS)
def test_no_car_parks_at_anything_but_a_street(kind: str, seed: int) -> None:
    graph = avenue(('straight', 100.0), (kind, 80.0), ('straight', 120.0), lanes=2)
    route, steps = way(graph, '0~1~1', '2~3~1')
    placed = place_obstacles(graph, route, steps, scenario(seed, parked_cars=3, broken_down=1))
    for actor in (obstacle.to_actor() for obstacle in placed):
        assert actor.pose.x_m <= 95.0 or actor.pose.x_m >= 185.0


def test_where_no_place_fits_there_is_nothing() -> None:
    graph = crossing(lanes=2, length_m=30.0)
    route, steps = way(graph, 'in0~at0~1', 'off2~out2~1')
    crowded = scenario(0, parked_cars=3, broken_down=1)
    assert place_obstacles(graph, route, steps, crowded) == ()


def test_the_seed_decides_where_they_stand() -> None:
    poses = [
        tuple(a.pose for a in standing(2, seed, parked_cars=3, broken_down=1))
        for seed in (1, 1, 2, 3)
    ]
    assert poses[0] == poses[1]
    assert len(set(poses)) == 3
