"""The expert, in scenes made by hand: what it does, and that its facts say so."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from simulation.streets_by_hand import VEHICLE, Street, actor, drive, light

from emma_planner.planning.kinematics import invert, to_base
from emma_planner.planning.types import Pose
from emma_planner.simulation.expert.expert import Expert
from emma_planner.simulation.expert.speed import Limit
from emma_planner.simulation.observation import ActorKind, LightState

FRONT = VEHICLE.front_overhang_m


def _gaps_m(path: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """Distance from points on the outline of the ego at each pose to an upright box."""
    low_x, high_x, low_y, high_y = box
    half = VEHICLE.width_m / 2
    along = np.linspace(-VEHICLE.rear_overhang_m, FRONT, 12)
    outline = np.vstack([np.column_stack([along, np.full(12, side)]) for side in (half, -half)])
    gaps = []
    for x, y, yaw in path:
        points = outline @ np.array(
            [[math.cos(yaw), math.sin(yaw)], [-math.sin(yaw), math.cos(yaw)]]
        )
        dx = np.maximum(np.maximum(low_x - points[:, 0] - x, points[:, 0] + x - high_x), 0.0)
        dy = np.maximum(np.maximum(low_y - points[:, 1] - y, points[:, 1] + y - high_y), 0.0)
        gaps.append(np.hypot(dx, dy).min())
    return np.array(gaps)


def test_a_free_road_is_driven_at_its_speed_limit_in_its_middle():
    done = drive(Street(limit_mps=12.0), seconds=15.0)
    assert done.speeds_mps[-1] == pytest.approx(12.0, abs=0.2)
    assert np.abs(done.path[:, 1]).max() < 0.02
    assert done.plans[-1].facts.limit is Limit.FREE
    assert done.plans[-1].facts.longitudinal == 'keep speed'
    assert done.plans[0].facts.longitudinal == 'accelerate'


@pytest.mark.parametrize('state', [LightState.RED, LightState.YELLOW])
def test_it_stops_with_its_front_short_of_a_light_that_is_not_green(state):
    done = drive(Street(), speed_mps=12.0, seconds=20.0, lights=(light(80.0, state),))
    front = done.path[-1, 0] + FRONT
    assert 78.0 <= front <= 79.0
    assert done.speeds_mps[-1] < 0.05
    assert done.decelerations_mps2.max() < 3.0
    facts = done.plans[-1].facts
    assert facts.limit is Limit.RED_LIGHT
    assert facts.actor == 'light'
    assert facts.longitudinal == 'wait'
    assert facts.distance_m == pytest.approx(80.0 - front, abs=0.01)


def test_it_passes_a_green_light_without_slowing():
    done = drive(Street(), speed_mps=12.0, seconds=8.0, lights=(light(60.0, LightState.GREEN),))
    assert done.path[-1, 0] > 80.0
    assert done.speeds_mps.min() > 11.9


def test_at_yellow_it_goes_on_when_it_could_only_stop_hard():
    near = light(FRONT + 15.0, LightState.YELLOW)
    done = drive(Street(), speed_mps=12.0, seconds=2.5, lights=(near,))
    assert done.path[-1, 0] > 25.0
    far = light(FRONT + 40.0, LightState.YELLOW)
    done = drive(Street(), speed_mps=12.0, seconds=10.0, lights=(far,))
    assert done.path[-1, 0] < 40.0


def test_it_follows_a_slower_car_at_its_speed_and_never_touches_it():
    lead = actor('lead', 35.0, 0.0, speed_mps=6.0)
    done = drive(Street(), speed_mps=12.0, seconds=30.0, actors=(lead,))
    rear = 35.0 + 6.0 * done.times_s - 2.25
    gaps = rear - done.path[:, 0] - FRONT
    assert gaps.min() > 4.0
    assert gaps[-1] < 20.0
    assert done.speeds_mps[-1] == pytest.approx(6.0, abs=0.3)
    assert done.decelerations_mps2.max() < 3.0
    assert done.plans[-1].facts.limit is Limit.LEAD
    assert done.plans[-1].facts.actor == 'lead'


def test_it_waits_behind_a_standing_car():
    done = drive(Street(), speed_mps=12.0, seconds=20.0, actors=(actor('lead', 90.0, 0.0),))
    assert 1.5 < 90.0 - 2.25 - done.path[-1, 0] - FRONT < 5.0
    assert done.speeds_mps[-1] < 0.05


def test_a_car_that_drifts_into_its_lane_slows_it_before_it_is_there():
    way = np.column_stack([np.arange(0.0, 41.0, 2.0), np.maximum(0.0, np.linspace(3.5, -1.0, 21))])
    cutter = actor('cutter', 20.0, 3.5, speed_mps=7.0, path=np.add(way, (20.0, 0.0)))
    plan = Expert(VEHICLE).plan(Street().observation(10.0, 11.0, actors=(cutter,)))
    straight = actor('cutter', 20.0, 3.5, speed_mps=7.0)
    other = Expert(VEHICLE).plan(Street().observation(10.0, 11.0, actors=(straight,)))
    assert plan.speeds_mps[20] < other.speeds_mps[20] - 1.0
    assert plan.facts.actor == 'cutter'


def test_it_lets_a_pedestrian_cross_and_then_drives_on():
    way = np.column_stack([np.full(15, 60.0), np.arange(-5.0, 10.0)])
    walker = actor(
        'walker', 60.0, -5.0, yaw=math.pi / 2, kind=ActorKind.PEDESTRIAN, speed_mps=1.2, path=way
    )
    done = drive(Street(), speed_mps=11.0, seconds=20.0, actors=(walker,))
    y = -5.0 + 1.2 * done.times_s
    front = done.path[:, 0] + FRONT
    in_the_way = np.abs(y) < VEHICLE.width_m / 2 + 0.35
    assert (front[in_the_way] < 60.0 - 2.0).all()
    assert done.path[-1, 0] > 70.0
    assert any(plan.facts.limit is Limit.PEDESTRIAN for plan in done.plans)


def test_a_pedestrian_who_walks_along_the_road_is_passed():
    walker = actor('walker', 60.0, -3.5, kind=ActorKind.PEDESTRIAN, speed_mps=1.2)
    done = drive(Street(), speed_mps=11.0, seconds=6.0, actors=(walker,))
    assert done.speeds_mps.min() > 10.9


@pytest.mark.parametrize('out_m', [0.3, 0.6])
def test_a_parked_car_is_passed_with_room_and_without_leaving_the_road(out_m):
    middle = -1.75 - 0.925 + out_m
    parked = actor('parked', 60.0, middle, parked=True)
    done = drive(Street(), speed_mps=11.0, seconds=15.0, actors=(parked,))
    box = (60.0 - 2.25, 60.0 + 2.25, middle - 0.9, middle + 0.9)
    assert _gaps_m(done.path, box).min() > 0.35
    assert done.path[-1, 0] > 75.0
    assert np.abs(done.path[:, 1]).max() + VEHICLE.width_m / 2 < 1.75 + 0.1
    assert abs(done.path[-1, 1]) < 0.1
    lateral = {plan.facts.lateral for plan in done.plans}
    assert lateral <= {'keep lane', 'pass obstacle left'}


def test_a_broken_down_car_is_passed_over_a_free_lane():
    broken = actor('broken', 80.0, 0.0, parked=True)
    done = drive(Street(left_m=5.25), speed_mps=11.0, seconds=20.0, actors=(broken,))
    assert _gaps_m(done.path, (77.75, 82.25, -0.9, 0.9)).min() > 0.5
    assert done.path[:, 1].max() + VEHICLE.width_m / 2 < 5.25
    assert done.path[-1, 0] > 100.0
    assert 'pass obstacle left' in {plan.facts.lateral for plan in done.plans}


def test_it_waits_behind_a_broken_down_car_while_the_lane_beside_is_taken():
    broken = actor('broken', 60.0, 0.0, parked=True)
    column = tuple(actor(f'car-{k}', -90.0 + 14.0 * k, 3.5, speed_mps=6.0) for k in range(12))
    done = drive(Street(left_m=5.25), speed_mps=8.0, seconds=35.0, actors=(broken, *column))
    last = -90.0 + 6.0 * done.times_s
    waits = (last < 30.0) & (done.times_s > 9.0)
    assert (done.path[waits, 1] < 0.3).all()
    assert (done.path[waits, 0] < 52.0).all()
    assert done.path[-1, 0] > 62.0
    assert any(plan.facts.limit is Limit.OBSTACLE for plan in done.plans)


def test_where_there_is_no_way_past_it_stops():
    broken = actor('broken', 60.0, 0.0, parked=True)
    done = drive(Street(), speed_mps=11.0, seconds=15.0, actors=(broken,))
    assert done.speeds_mps[-1] < 0.05
    assert 1.0 < 57.75 - done.path[-1, 0] - FRONT < 8.0


def test_it_gives_way_to_a_car_that_crosses_and_not_to_one_that_waits():
    way = np.column_stack([np.full(61, 60.0), np.arange(-30.0, 31.0)])
    crosser = actor('crosser', 60.0, -30.0, yaw=math.pi / 2, speed_mps=7.0, path=way)
    street = Street()
    plan = Expert(VEHICLE).plan(street.observation(30.0, 8.0, actors=(crosser,)))
    assert plan.facts.limit is Limit.YIELD
    assert plan.facts.actor == 'crosser'
    ahead = plan.poses[:, 0] + FRONT
    assert (ahead[:30] < 59.0).all()
    waiting = replace(crosser, pose=Pose(60.0, -5.0, math.pi / 2), speed_mps=0.0, path=way[25:])
    plan = Expert(VEHICLE).plan(street.observation(30.0, 8.0, actors=(waiting,)))
    assert plan.facts.limit is Limit.FREE


def test_bends_are_driven_no_faster_than_is_comfortable():
    street = Street(radius_m=20.0)
    done = drive(street, speed_mps=5.0, seconds=8.0)
    assert (done.speeds_mps**2 / 20.0).max() < 2.5
    assert done.speeds_mps[-1] > 5.5
    assert done.plans[-1].facts.limit is Limit.CURVE
    assert np.abs(done.offsets_m).max() < 0.2


def test_a_mirrored_scene_gives_the_mirrored_plan():
    def plan(side: int):
        street = Street(left_m=5.25, right_m=5.25, radius_m=side * 60.0)
        parked = replace(actor('parked', 32.0, 0.0, parked=True), pose=street.place(32.0, side))
        walker = actor(
            'walker', 50.0, side * 6.0, yaw=-side * math.pi / 2, kind=ActorKind.PEDESTRIAN
        )
        seen = street.observation(5.0, 7.0, actors=(parked, walker))
        return Expert(VEHICLE).plan(seen)

    one, other = plan(1), plan(-1)
    assert np.abs(one.poses[:, 1]).max() > 0.5
    assert one.poses * (1.0, -1.0, -1.0) == pytest.approx(other.poses, abs=1e-9)
    assert one.speeds_mps == pytest.approx(other.speeds_mps, abs=1e-9)
    assert {one.facts.lateral, other.facts.lateral} == {
        'pass obstacle left',
        'pass obstacle right',
    }


def test_poses_are_arcs_of_a_bicycle_from_where_the_ego_is():
    seen = Street(radius_m=30.0).observation(10.0, 7.0)
    away = replace(seen, pose=Pose(seen.pose.x_m, seen.pose.y_m + 0.4, seen.pose.yaw_rad - 0.05))
    plan = Expert(VEHICLE).plan(away)
    speeds, curvatures = invert(to_base(plan.poses, away.pose), 0.1)
    mean = (np.concatenate([[7.0], plan.speeds_mps[:-1]]) + plan.speeds_mps) / 2
    assert plan.poses.shape == (50, 3)
    assert plan.speeds_mps.shape == (50,)
    assert speeds == pytest.approx(mean, abs=1e-6)
    limit = math.tan(math.radians(40.0)) / VEHICLE.wheelbase_m
    assert np.abs(curvatures).max() < limit
    assert np.abs(np.diff(curvatures)).max() / 0.1 * VEHICLE.wheelbase_m < 1.0
    assert plan.acceleration_mps2 == pytest.approx((plan.speeds_mps[0] - 7.0) / 0.1)


def test_it_drives_through_the_destination():
    street = Street(length_m=60.0)
    done = drive(street, speed_mps=10.0, seconds=5.0)
    assert done.speeds_mps.min() > 9.9
    assert done.plans[10].facts.limit is Limit.DESTINATION


def test_the_same_observations_give_the_same_plans():
    cars = (actor('lead', 40.0, 0.0, speed_mps=5.0), actor('parked', 90.0, -2.2, parked=True))
    one = drive(Street(), speed_mps=11.0, seconds=6.0, actors=cars)
    other = drive(Street(), speed_mps=11.0, seconds=6.0, actors=cars)
    assert (one.path == other.path).all()


def test_facts_say_what_the_trajectory_does():
    cars = (actor('lead', 60.0, 0.0, speed_mps=0.0),)
    for plan in drive(Street(), seconds=14.0, actors=cars).plans:
        speeds, words = plan.speeds_mps, plan.facts.longitudinal
        if words == 'wait':
            assert speeds.max() < 0.3
        if words == 'stop':
            assert speeds[-1] < 0.3
        if words == 'decelerate':
            assert speeds[29] < speeds[0]
        if words == 'accelerate':
            assert speeds.max() > speeds[0]


def _first_curvature(plan, now) -> float:
    """Of the first 0.1 s [1/m]."""
    return float(to_base(plan.poses[:1], now.pose)[0, 2]) / (0.1 * now.speed_mps)


def test_who_is_not_driven_plans_from_how_the_car_is_seen_to_move():
    """Plans of old would wind up: each step a little nearer to the curvature that is wanted."""
    street = Street()
    driven, watching = Expert(VEHICLE), Expert(VEHICLE)
    for step in range(12):  # the car goes straight on beside its line, whatever is planned
        beside = street.place(10.0 + 0.5 * step, 2.0)
        now = street.observation(0.0, 5.0, pose=beside, time_s=0.1 * step)
        plans = driven.plan(now), watching.plan(now, is_driven=False)
    wound_up, seen = (_first_curvature(plan, now) for plan in plans)
    assert wound_up < 3.0 * seen < 0.0
    fresh = Expert(VEHICLE).plan(now)
    assert np.abs(plans[1].poses - fresh.poses).max() < 0.05


@pytest.mark.parametrize('speed_mps', [4.0, 8.0, 12.0])
@pytest.mark.parametrize('aside_m', [1.0, 3.0])
def test_it_comes_back_to_its_line_without_being_thrown_about(speed_mps, aside_m):
    street = Street(limit_mps=speed_mps)
    now = street.observation(0.0, speed_mps, pose=street.place(10.0, aside_m))
    plan = Expert(VEHICLE).plan(now)
    speeds, curvatures = invert(to_base(plan.poses[4::5], now.pose))
    assert np.abs(speeds**2 * curvatures).max() < 3.5
    assert plan.poses[-1, 1] < 0.45 * aside_m
    assert plan.poses[:, 1].min() > -0.2


def test_who_is_not_driven_sees_the_car_brake():
    street, watching = Street(), Expert(VEHICLE)
    for step in range(4):
        speed = 10.0 - 0.3 * step
        now = street.observation(10.0 + step, speed, time_s=0.1 * step)
        plan = watching.plan(now, is_driven=False)
    assert plan.acceleration_mps2 < -1.0
    assert Expert(VEHICLE).plan(now).acceleration_mps2 > 0.0
