"""Samples agree with the drive that they come from."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from emma_planner.assemble import planner_of_process
from emma_planner.config import PlannerConfig
from emma_planner.planning.kinematics import integrate, to_frame
from emma_planner.planning.types import DT_NS, DT_S, NS_PER_S, NUM_HISTORY, EgoHistory, Pose
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.scenario import scenario_of

pytest.importorskip('metadrive')

from emma_planner.simulation.drives.drive_task import world_of_process
from emma_planner.simulation.drives.drivers import ExpertDriver
from emma_planner.simulation.labels.pilot import HELP_S, STUCK_S, Pilot
from emma_planner.simulation.labels.samples import (
    CollectTask,
    Sample,
    collect_samples,
    collect_task,
    to_record,
    trajectory_of,
)
from emma_planner.simulation.observation import Observation
from emma_planner.simulation.world import BEGIN_NS

CAMERA = CameraSettings(width=160, height=90)
SCENARIO = replace(scenario_of('train', 5), blocks='XC', time_limit_s=40.0, lights=True)


@dataclass(frozen=True, eq=False)
class Told:
    samples: list[Sample]
    drive: dict[int, Observation]

    def pose(self, stamp_ns: int) -> Pose:
        return self.drive[stamp_ns].pose


@pytest.fixture(scope='module')
def told():
    """Samples of a drive, and the same drive seen by itself."""
    world = world_of_process(CAMERA)
    samples = list(collect_samples(world, SCENARIO))
    seen = world.reset(SCENARIO)
    driver, drive = ExpertDriver(world.vehicle), {seen.stamp_ns: seen}
    last_ns = samples[-1].stamp_ns + 5 * NS_PER_S
    while seen.stamp_ns < last_ns:
        seen = world.step(driver.control(seen))
        drive[seen.stamp_ns] = seen
    return Told(samples, drive)


pytestmark = pytest.mark.sim


def test_there_is_a_sample_every_half_second_from_the_start_to_5_s_before_the_end(told):
    stamps = [sample.stamp_ns for sample in told.samples]
    assert stamps[0] == BEGIN_NS
    assert set(np.diff(stamps)) == {DT_NS}
    driven_s = (stamps[-1] - BEGIN_NS) / NS_PER_S
    assert driven_s > 20.0
    assert driven_s <= SCENARIO.time_limit_s - 5.0 + 0.1


def test_poses_are_the_driven_ones(told):
    for sample in told.samples:
        poses = to_frame(sample.future.poses, sample.history.ego_pose)
        driven = [told.pose(sample.stamp_ns + k * DT_NS).as_array() for k in range(1, 11)]
        assert np.abs(poses[:, :2] - np.array(driven)[:, :2]).max() < 1e-6


def test_actions_lead_along_the_driven_poses(told):
    moving = 0
    for sample in told.samples:
        future = sample.future
        poses = integrate(future.speeds_mps, future.curvatures_1pm)
        # tyres slip: in a bend at 2 m/s² the car moves 0.6 degrees beside where it points
        way_m = np.abs(future.speeds_mps).sum() * DT_S
        assert np.hypot(*(poses - future.poses)[:, :2].T).max() < 0.02 * way_m + 0.01
        moving += future.speeds_mps.max() > 3.0
    assert moving > 20


def test_curvatures_are_those_of_a_car(told):
    assert max(np.abs(sample.future.curvatures_1pm).max() for sample in told.samples) < 0.25


def test_history_is_what_was_driven_before_and_nothing_later(told):
    for sample in told.samples:
        stamps = sample.stamp_ns - np.arange(NUM_HISTORY - 1, -1, -1) * DT_NS
        speeds = [told.drive[int(stamp)].speed_mps for stamp in stamps]
        assert np.abs(sample.history.speeds_mps - speeds).max() < 1e-6
        assert sample.history.ego_pose == told.pose(sample.stamp_ns)


def test_the_stated_light_is_the_true_one(told):
    stated = 0
    for sample in told.samples:
        light, seen = sample.facts.light, told.drive[sample.stamp_ns]
        front = seen.truth.route_s_m + world_of_process(CAMERA).vehicle.front_overhang_m
        ahead = [x for x in seen.truth.lights if 0.0 <= x.stop_s_m - front <= 60.0]
        assert (light is None) == (not ahead)
        if light is not None:
            stated += 1
            assert light.state is ahead[0].state
            assert light.distance_m == pytest.approx(ahead[0].stop_s_m - front)
    assert stated > 5


def test_the_command_and_the_lane_are_those_of_the_moment(told):
    for sample in told.samples:
        seen = told.drive[sample.stamp_ns]
        assert sample.command == seen.command
        assert sample.facts.lane_index == seen.truth.lane.index
        assert sample.facts.lane_count == seen.truth.lane.count


def test_objects_are_where_the_truth_says(told):
    named = [(sample, thing) for sample in told.samples for thing in sample.facts.objects]
    assert named
    for sample, thing in named:
        actor = told.drive[sample.stamp_ns].truth.actor(thing.id)
        assert actor is not None
        place = to_frame(np.array([[thing.ahead_m, thing.left_m, 0.0]]), sample.history.ego_pose)
        assert place[0, :2] == pytest.approx([actor.pose.x_m, actor.pose.y_m])
        assert thing.speed_mps == actor.speed_mps


def test_what_the_ego_intends_is_what_it_then_does(told):
    for sample in told.samples:
        if sample.facts.intent.longitudinal == 'wait':
            assert sample.future.speeds_mps[0] < 0.5
        if sample.facts.intent.lateral.startswith('turn'):
            turned = sample.future.poses[-1, 2]
            assert turned * (1 if 'left' in sample.facts.intent.lateral else -1) > -0.35


def test_the_picture_is_of_the_camera_s_size(told):
    for sample in (told.samples[0], told.samples[-1]):
        image = cv2.imdecode(np.frombuffer(sample.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (CAMERA.height, CAMERA.width, 3)


def _same(one: list[Sample], other: list[Sample]) -> bool:
    return [to_record(sample) for sample in one] == [to_record(sample) for sample in other] and [
        sample.jpeg for sample in one
    ] == [sample.jpeg for sample in other]


def test_the_same_scenario_gives_the_same_samples_after_others_too(told):
    short = replace(SCENARIO, time_limit_s=15.0)
    first = collect_task(CollectTask(short, CAMERA))
    collect_task(CollectTask(replace(scenario_of('train', 6), time_limit_s=8.0), CAMERA))
    assert _same(first, collect_task(CollectTask(short, CAMERA)))
    assert first
    assert _same(first, told.samples[: len(first)])


def test_another_period_gives_other_instants(told):
    short = replace(SCENARIO, time_limit_s=8.0)
    samples = collect_task(CollectTask(short, CAMERA, every_s=0.2))
    assert set(np.diff([sample.stamp_ns for sample in samples])) == {200_000_000}


def test_a_record_is_plain_json_without_the_picture(told):
    sample = told.samples[len(told.samples) // 2]
    record = json.loads(json.dumps(to_record(sample), allow_nan=False))
    assert record['future']['poses'] == sample.future.poses.tolist()
    assert record['planned']['poses'] == sample.planned.poses.tolist()
    assert record['history']['speeds_mps'] == sample.history.speeds_mps.tolist()
    assert record['facts']['command'] == record['command']
    assert 'jpeg' not in record


def test_a_car_that_only_rocks_on_its_springs_has_no_curvature():
    rocking = np.tile([[1e-6, 0.0, 1e-4], [0.0, 0.0, 0.0]], (5, 1))
    assert trajectory_of(rocking).curvatures_1pm.tolist() == [0.0] * 10


def test_a_circle_has_its_curvature():
    poses = integrate(np.full(10, 5.0), np.full(10, 0.05), DT_S)
    assert trajectory_of(poses).curvatures_1pm == pytest.approx(np.full(10, 0.05))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'scenario': ''}, 'need a scenario and a command'),
        ({'stamp_ns': 1}, 'need history up to 1 ns'),
        ({'jpeg': b'PNG'}, 'need a JPEG picture, got bytes 50 4e 47'),
        ({'jpeg': b''}, 'got bytes none'),
        ({'command': 'fly'}, "need facts for 'fly'"),
    ],
)
def test_a_sample_that_cannot_be_is_refused(told, change, message):
    with pytest.raises(ValueError, match=message):
        replace(told.samples[0], **change)


@pytest.mark.parametrize('every_s', [0.0, -0.5, 0.25, 0.01])
def test_a_period_between_the_steps_is_refused(every_s):
    with pytest.raises(ValueError, match=r'need a period of n x 0\.1 s'):
        next(collect_samples(world_of_process(CAMERA), SCENARIO, every_s))


class _Blind:
    camera = None


def test_a_world_without_a_camera_is_refused():
    with pytest.raises(ValueError, match='need a world with a camera'):
        next(collect_samples(_Blind(), SCENARIO))


def test_who_drives_in_the_experts_place_is_told_what_it_would_have_done():
    """A planner that never starts meets standstill until it is helped, then its own rolling on."""
    scenario = replace(
        scenario_of('train', 0), blocks='SSS', time_limit_s=24.0, traffic_density=0.0
    )
    pilot = PlannerConfig(planner='constant-action')
    samples = collect_task(CollectTask(scenario, CAMERA, 0.5, pilot=pilot))
    speeds = np.array([sample.history.speeds_mps[-1] for sample in samples])
    times_s = np.array([sample.stamp_ns for sample in samples]) / 1e9
    waiting = times_s < times_s[0] + STUCK_S
    assert waiting.sum() >= 5
    assert (abs(speeds[waiting]) < 0.1).all()
    assert all(sample.future.speeds_mps[-1] > 3.0 for sample in samples[: waiting.sum()])
    helped_s = times_s[0] + STUCK_S + HELP_S
    on_its_own = speeds[times_s > helped_s + 0.5]
    assert len(on_its_own) >= 4
    assert on_its_own.min() > 2.0
    assert np.diff(on_its_own).max() < 0.05  # it rolls on as it was left
    would = np.array([s.future.speeds_mps[-1] for s in samples])[times_s > helped_s + 0.5]
    assert (would > on_its_own + 1.0).all()
    # nobody waits for a future that was not driven: the last instant is one to learn from, too
    assert times_s[-1] > BEGIN_NS / NS_PER_S + scenario.time_limit_s - 1.0
    for sample in samples:
        assert sample.planned is sample.future


def test_whom_the_expert_cannot_bring_away_is_given_up():
    world = world_of_process(CAMERA)
    now = world.reset(replace(SCENARIO, traffic_density=0.0))
    driver = ExpertDriver(world.vehicle)
    pilot = Pilot(planner_of_process(PlannerConfig(planner='constant-action')), world.vehicle)
    driver.control(now)
    history = EgoHistory(now.stamp_ns, np.zeros(10), np.zeros(10), now.pose, 'map')
    pilot.plan(np.zeros((4, 4, 3), np.uint8), history, now.command)
    helped = []
    for tenths in range(round(10 * (STUCK_S + HELP_S)) + 1):  # it stands where it stood
        later = replace(now, stamp_ns=now.stamp_ns + tenths * 100_000_000)
        assert not pilot.is_lost(later)
        helped.append(pilot.is_helped(later, driver.plan))
    assert sum(helped) == pytest.approx(10 * HELP_S, abs=1)
    assert not helped[-1]
    assert pilot.is_lost(later)


def test_a_pilot_that_rolls_back_goes_on_with_its_last_path():
    world = world_of_process(CAMERA)
    now = world.reset(replace(SCENARIO, traffic_density=0.0))
    pilot = Pilot(planner_of_process(PlannerConfig(planner='constant-action')), world.vehicle)
    history = EgoHistory(now.stamp_ns, np.full(10, -0.6), np.zeros(10), now.pose, 'map')
    pilot.plan(np.zeros((4, 4, 3), np.uint8), history, now.command)
    assert pilot.control(now).speed_mps == 0.0


def test_what_is_planned_is_known_at_that_instant_and_what_is_driven_later(told):
    apart = []
    for sample in told.samples:
        gap = np.hypot(*(sample.planned.poses - sample.future.poses)[:, :2].T)
        assert gap[0] < 0.3  # the next half second goes as planned
        apart.append(gap[-1])
    assert max(apart) > 1.0
    assert np.median(apart) < 2.0


def test_a_push_takes_the_car_off_and_the_expert_says_how_it_comes_back():
    scenario = replace(SCENARIO, blocks='SSS', traffic_density=0.0, pedestrians=0)
    calm, pushed = (
        collect_task(CollectTask(scenario, CAMERA, 1.0, is_disturbed=is_disturbed))
        for is_disturbed in (False, True)
    )
    places = [[s.history.ego_pose.y_m for s in samples] for samples in (calm, pushed)]
    assert np.ptp(places[1]) > np.ptp(places[0]) + 0.05
    assert [s.stamp_ns for s in pushed] == sorted(s.stamp_ns for s in pushed)
