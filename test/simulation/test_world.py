"""The world: the ego's physics, what is told of it, and that it is the same every time."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from emma_planner.control.control import Control
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.scenario import Scenario, scenario_of

pytest.importorskip('metadrive')

from emma_planner.simulation.world import BEGIN_NS, START_NS, STEP_NS, World, WorldError

pytestmark = pytest.mark.sim

EMPTY = replace(
    scenario_of('train', 0),
    blocks='SSS',
    lane_count=2,
    traffic_density=0.0,
    pedestrians=0,
    parked_cars=0,
    broken_down=0,
    cut_ins=0,
    braking_leads=0,
)
"""A straight road with nobody on it."""
BUSY = replace(scenario_of('train', 1), blocks='SXC', lane_count=2, traffic_density=0.2)


@pytest.fixture(scope='module')
def world():
    """One world for all tests: there can be only one in a process."""
    world = World(CameraSettings(width=160, height=90))
    yield world
    world.close()


def _go(acceleration: float, steering: float = 0.0) -> Control:
    return Control(steering, 0.0, acceleration)


def _begin(world: World, scenario: Scenario = EMPTY):
    seen = world.reset(scenario)
    while seen.stamp_ns < BEGIN_NS:
        seen = world.step(_go(2.0))
    return seen


def _drive(world: World, scenario: Scenario, steps: int = 120) -> str:
    """Drive along the route without regard for others; hash of all that moved."""
    seen, digest = _begin(world, scenario), hashlib.sha256()
    for _ in range(steps):
        route, s = seen.truth.route, seen.truth.route_s_m + 5.0
        x, y = (np.interp(s, route.s_m, route.points[:, k]) for k in (0, 1))
        bearing = math.atan2(y - seen.pose.y_m, x - seen.pose.x_m) - seen.pose.yaw_rad
        seen = world.step(_go(1.0 if seen.speed_mps < 6.0 else 0.0, math.sin(bearing)))
        poses = [seen.pose, *(actor.pose for actor in seen.truth.actors)]
        digest.update(np.array([pose.as_array() for pose in poses]).tobytes())
    return digest.hexdigest()


def test_time_starts_after_zero_and_goes_on_in_steps(world):
    seen = world.reset(EMPTY)
    assert seen.stamp_ns == START_NS
    assert world.step(_go(0.0)).stamp_ns == START_NS + STEP_NS


def test_the_ego_stands_until_the_drive_begins(world):
    seen = world.reset(EMPTY)
    start = seen.pose
    while seen.stamp_ns < BEGIN_NS:
        seen = world.step(_go(2.0))
        assert abs(seen.speed_mps) < 0.02
    assert seen.pose.x_m == pytest.approx(start.x_m, abs=0.02)


@pytest.mark.parametrize('acceleration', [0.5, 1.5, 2.5])
def test_it_accelerates_as_it_is_told(world, acceleration):
    seen = _begin(world)
    for _ in range(30):
        seen = world.step(_go(acceleration))
    assert seen.speed_mps == pytest.approx(3.0 * acceleration, rel=0.05)


@pytest.mark.parametrize('braking', [1.0, 3.0, 6.0])
def test_it_brakes_as_it_is_told_and_then_stands(world, braking):
    seen = _begin(world)
    while seen.speed_mps < 10.0:
        seen = world.step(_go(2.5))
    before = seen.speed_mps
    for _ in range(10):
        seen = world.step(_go(-braking))
    assert before - seen.speed_mps == pytest.approx(braking, rel=0.1)
    for _ in range(150):
        seen = world.step(_go(-braking))
    assert abs(seen.speed_mps) < 0.05


def test_without_pedals_it_rolls_on(world):
    seen = _begin(world)
    while seen.speed_mps < 8.0:
        seen = world.step(_go(2.5))
    before = seen.speed_mps
    for _ in range(10):
        seen = world.step(_go(0.0))
    assert seen.speed_mps == pytest.approx(before, abs=0.1)


@pytest.mark.parametrize('angle', [0.1, -0.1])
def test_it_drives_the_circle_of_its_bicycle_model_and_left_is_positive(world, angle):
    seen = _begin(world)
    while seen.speed_mps < 4.0:
        seen = world.step(_go(2.0))
    for _ in range(10):
        seen = world.step(_go(0.0, angle))
    curvature = seen.yaw_rate_radps / seen.speed_mps
    assert curvature == pytest.approx(math.tan(angle) / world.vehicle.wheelbase_m, rel=0.06)


def test_base_link_is_the_rear_axle(world):
    seen, shape = world.reset(EMPTY), world.vehicle
    assert shape.length_m == pytest.approx(shape.rear_overhang_m + shape.front_overhang_m)
    assert shape.rear_overhang_m < 1.0 < shape.wheelbase_m < shape.front_overhang_m
    assert seen.truth.route_s_m == pytest.approx(0.0, abs=0.05)
    assert seen.truth.route_d_m == pytest.approx(0.0, abs=0.02)


def test_the_rear_axle_does_not_slip_sideways(world):
    seen = _begin(world)
    while seen.speed_mps < 5.0:
        seen = world.step(_go(2.0))
    for _ in range(5):
        seen = world.step(_go(0.0, 0.15))
    before = seen.pose
    seen = world.step(_go(0.0, 0.15))
    heading = (before.yaw_rad + seen.pose.yaw_rad) / 2.0
    moved = math.atan2(seen.pose.y_m - before.y_m, seen.pose.x_m - before.x_m)
    assert moved == pytest.approx(heading, abs=0.015)


def test_beside_the_road_is_told(world):
    seen = _begin(world)
    assert seen.truth.lane.on_road
    assert seen.truth.lane.in_lane
    while seen.truth.lane.on_road and seen.stamp_ns < BEGIN_NS + 20 * 10**9:
        seen = world.step(_go(1.0 if seen.speed_mps < 4.0 else 0.0, -0.1))
    assert not seen.truth.lane.on_road
    assert seen.truth.route_d_m < -0.2


def test_the_end_of_the_route_is_told(world):
    seen = _begin(world, replace(EMPTY, blocks='S'))
    while not seen.arrived and seen.stamp_ns < BEGIN_NS + 60 * 10**9:
        seen = world.step(_go(2.0 if seen.speed_mps < 10.0 else 0.0))
    assert seen.arrived
    assert seen.truth.route_s_m == pytest.approx(seen.truth.route.length_m, abs=0.6)


def test_a_car_in_the_way_is_touched_and_stops_the_ego(world):
    scenario = next(
        item
        for item in (scenario_of('train', k, 0.0) for k in range(300))
        if item.broken_down and item.lane_count > 1 and item.blocks[0] == 'S'
    )
    world.reset(scenario)
    standing = [actor for actor in world.step(_go(0.0)).truth.actors if actor.parked]
    assert standing
    assert {'vehicle', 'warning', 'cone'} & {actor.kind.value for actor in standing}


def test_the_camera_looks_only_when_asked(world):
    world.reset(EMPTY)
    assert world.step(_go(0.0)).image is None
    image = world.step(_go(0.0), render=True).image
    assert image is not None
    assert (image.shape, image.dtype) == ((90, 160, 3), np.uint8)
    sky, road = image[5:25].mean(axis=(0, 1)), image[75:, 60:100].mean(axis=(0, 1))
    assert sky[2] > sky[0]
    assert np.ptp(road) < 25.0  # asphalt is grey
    assert sky[2] > road[2]


def test_the_same_drive_renders_the_same_picture(world):
    pictures = []
    for _ in range(2):
        _begin(world, BUSY)
        pictures.append(world.step(_go(1.0), render=True).image)
    assert (pictures[0] == pictures[1]).all()


def test_a_seed_gives_the_same_drive_alone_after_others_and_in_another_process(world):
    first = _drive(world, BUSY)
    _drive(world, EMPTY)
    assert _drive(world, BUSY) == first
    code = (
        'import sys; sys.path[:0] = ["test", "test/simulation"]\n'
        'from test_world import BUSY, World, _drive\n'
        'print(_drive(World(), BUSY))'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split()[-1] == first


def test_another_seed_is_another_drive(world):
    other = replace(BUSY, seed=BUSY.seed + 1)
    assert _drive(world, BUSY, 20) != _drive(world, other, 20)


def test_a_second_world_in_a_process_is_refused(world):
    with pytest.raises(WorldError, match='one world per process'):
        World()


def test_a_step_before_a_reset_is_refused(world):
    world._clear()
    with pytest.raises(WorldError, match=r'need reset\(\) before step\(\)'):
        world.step(_go(0.0))


def test_a_map_that_cannot_be_built_is_said_and_the_next_one_is(world):
    wide = replace(EMPTY, blocks='YYYY', lane_count=3)
    with pytest.raises(WorldError, match="need road blocks that fit together, got 'YYYY'"):
        world.reset(wide)
    assert world.reset(EMPTY).stamp_ns == START_NS
