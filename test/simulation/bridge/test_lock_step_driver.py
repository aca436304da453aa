"""In lock-step every answer is waited for, known by its stamp, and missed when it is lost."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from simulation.drives_by_hand import CAR, START_NS, STEP_NS
from simulation.nodes_by_hand import CAMERA, Nodes, Trip

from emma_planner.control.control import Control
from emma_planner.ros.conversions import stamp_of
from emma_planner.ros.world_port import FOLLOWER, PLANNER
from emma_planner.ros.world_voice import WorldVoice
from emma_planner.simulation.bridge.lock_step_driver import LockStepDriver
from emma_planner.simulation.bridge.remote_driver import BridgeError, Record, Team
from emma_planner.simulation.config import LOCK_STEP, SimulationConfig
from emma_planner.simulation.drives.drivers import DriverLostError

BEGIN_NS = START_NS + 50 * STEP_NS


class Loop:
    """Nodes, a lock-step driver among them, and its car."""

    def __init__(self, **parameters: Any) -> None:
        self.nodes = Nodes()
        self.records: list[Record] = []
        config = SimulationConfig(mode=LOCK_STEP, **parameters)
        team = Team('nobody', config, self.records.append)
        self.driver = LockStepDriver(self.nodes, WorldVoice(self.nodes, CAMERA), CAR, team)
        self.trip = Trip(self.driver)

    def go(self, seconds: float, each: Any = None) -> Loop:
        self.trip.go(seconds, each)
        return self

    def sent(self, topic: str) -> list[Any]:
        return self.nodes.outputs[topic].sent

    @property
    def speed_mps(self) -> float:
        return self.trip.now.speed_mps


def nan_pose(path: Any) -> Any:
    path.poses[3].pose.position.x = math.nan
    return path


def nan_control(control: Any) -> Any:
    control.data = np.array([math.nan, 0.0, 0.0])
    return control


# answers


def test_pictures_are_shown_at_the_planners_rate_from_the_beginning():
    loop = Loop().go(8.0)
    stamps = [stamp_of(message.header) for message in loop.sent('image')]
    assert stamps == [BEGIN_NS + k * 5 * STEP_NS for k in range(6)]
    assert loop.speed_mps == pytest.approx(5.0, abs=1.0)
    assert len(loop.records) == 6
    assert loop.driver.name == 'straight-on'
    assert loop.driver.shown.reasoning.intent == 'go on'


def test_the_controls_are_the_followers_one_for_each_step():
    loop = Loop().go(8.0)
    assert len(loop.trip.controls) == 80
    assert loop.trip.controls[-30:] == loop.nodes.controls[-30:]


def test_pictures_wait_until_the_last_plan_is_there():
    loop = Loop(latency_s=0.7).go(7.5)
    stamps = [stamp_of(message.header) for message in loop.sent('image')]
    assert [(stamp - BEGIN_NS) // STEP_NS for stamp in stamps] == [0, 7, 14, 21]


@pytest.mark.parametrize(('latency_s', 'steps'), [(0.0, 0), (0.3, 3), (-1.0, 3)])
def test_a_path_takes_effect_when_its_latency_has_passed(latency_s, steps):
    loop = Loop(latency_s=latency_s)
    effective: dict[int, int] = {}

    def watch(now: Any) -> None:
        for message in loop.sent('path/effective'):
            effective.setdefault(stamp_of(message.header), now.stamp_ns - STEP_NS)

    loop.go(6.0, watch)
    assert effective[BEGIN_NS] == BEGIN_NS + steps * STEP_NS  # 250 ms are over at the third step


def test_poses_that_have_passed_when_a_path_takes_effect_are_left_out():
    loop = Loop(latency_s=1.2).go(6.5)
    (path,) = loop.sent('path/effective')
    assert stamp_of(path.poses[0].header) == BEGIN_NS + 15 * STEP_NS
    assert len(path.poses) == 8


def test_the_compressed_picture_comes_after_the_plan_so_that_it_is_not_planned_instead():
    loop = Loop()
    shown: list[tuple[int, int]] = []
    compressed = loop.nodes.outputs['image/compressed']
    compressed.react = lambda message: shown.append((len(loop.sent('image')), len(answered)))
    answered: list[Any] = []
    loop.nodes.spoil['path'] = lambda path: (answered.append(path), path)[1]
    loop.go(6.0)
    assert shown == [(1, 1), (2, 2)]


def test_a_planner_that_takes_compressed_pictures_alone_gets_them():
    loop = Loop()
    loop.nodes.outputs['image'].listeners = 0
    loop.nodes.outputs['image/compressed'].react = loop.nodes._plan
    loop.go(6.0)
    assert len(loop.sent('image/compressed')) == 2
    assert loop.sent('image') == []


def test_an_answer_for_an_earlier_picture_is_no_answer():
    loop = Loop().go(6.0)
    old = loop.nodes.inbox
    loop.nodes.spoil['path'] = lambda path: None
    loop.nodes.plan(BEGIN_NS)  # another plan of the first picture
    loop.nodes.spoil.clear()
    loop.go(1.0)
    assert not old.paths


# what cannot be used


def test_a_path_with_nan_is_refused_and_the_last_one_kept_until_it_is_old():
    loop = Loop().go(7.0)
    loop.nodes.spoil['path'] = nan_pose
    loop.go(0.9)
    assert 'path refused: pose 3: need finite x, y, yaw' in loop.nodes.errors()
    assert loop.speed_mps > 4.0
    loop.go(2.0)
    assert loop.speed_mps < 3.0
    assert min(c.acceleration_mps2 for c in loop.trip.controls) > -2.5
    del loop.nodes.spoil['path']
    loop.go(3.0)
    assert loop.speed_mps > 4.0


def test_a_control_with_nan_is_refused_and_the_last_one_kept_for_half_a_second():
    loop = Loop().go(8.0)
    good = loop.trip.controls[-1]
    loop.nodes.spoil['control'] = nan_control
    loop.go(0.4)
    assert loop.trip.controls[-4:] == [good] * 4
    assert 'control refused: need a finite control' in loop.nodes.errors()
    loop.go(5.0)
    assert loop.speed_mps == 0.0
    assert any('need a usable control each 0.5 s' in text for _, text in loop.nodes.said)
    assert min(c.acceleration_mps2 for c in loop.trip.controls) > -2.5
    del loop.nodes.spoil['control']
    loop.go(5.0)
    assert loop.speed_mps > 4.0


def test_a_line_that_is_no_plan_log_ends_lock_step_aloud():
    loop = Loop().go(5.0)
    loop.nodes.spoil['reasoning'] = lambda line: SimpleNamespace(data='{"stamp_ns": 1}')
    with pytest.raises(
        BridgeError, match="need a line of the plan log, got KeyError: 'latency_ms'"
    ):
        loop.go(0.1)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (('"go on"', '"go on"'), None),
        (
            ('"follow lane"', '"turn left"'),
            "need a plan for 'follow lane', got one for 'turn left'",
        ),
        (('"ego_pose": [', '"ego_pose": [1'), 'one that is off by'),
        (('"stamp_ns": 6', '"stamp_ns": 9'), 'need an answer for 6'),
    ],
)
def test_a_plan_from_something_else_ends_lock_step_aloud(change, message):
    loop = Loop().go(5.0)
    loop.nodes.spoil['reasoning'] = lambda line: SimpleNamespace(data=line.data.replace(*change))
    if message is None:
        loop.go(1.0)
        return
    with pytest.raises(BridgeError, match=message):
        loop.go(1.0)


# loss


@pytest.mark.parametrize('role', [PLANNER, FOLLOWER])
def test_who_is_silent_is_lost_and_the_car_is_stopped_gently(role):
    loop = Loop().go({PLANNER: 9.0, FOLLOWER: 9.1}[role])
    assert loop.speed_mps > 4.5
    loop.nodes.silence(role)
    before = len(loop.trip.controls)
    with pytest.raises(DriverLostError) as caught:
        loop.go(30.0)
    what = {PLANNER: 'path', FOLLOWER: 'control'}[role]
    assert f'no {what} and no sign of life from the {role} for 5.0 s' in str(caught.value)
    assert 'since 9.' in str(caught.value)
    assert loop.speed_mps < 0.05
    assert min(c.acceleration_mps2 for c in loop.trip.controls[before:]) > -2.5
    assert 'stopping' in loop.nodes.errors()


def test_a_planner_that_takes_long_and_says_so_is_waited_for():
    loop = Loop()
    loop.nodes.takes_s = 60.0
    loop.go(6.0)
    assert len(loop.records) == 2


def test_a_planner_that_lives_but_never_answers_is_lost_in_the_end():
    loop = Loop(plan_timeout_s=20.0).go(9.0)
    loop.nodes.spoil['path'] = lambda path: None
    with pytest.raises(
        DriverLostError, match=r'no path from the planner within 20 s, since 9\.0 s'
    ):
        loop.go(30.0)
    assert loop.speed_mps < 0.05


def test_a_process_that_ended_is_not_waited_for():
    loop = Loop().go(9.0)
    loop.nodes.silence(PLANNER)
    loop.nodes.dead = 'planner_node ended by SIGKILL'
    begin_s = loop.nodes.now_s
    with pytest.raises(DriverLostError, match=r'planner_node ended by SIGKILL, since 9\.0 s'):
        loop.go(30.0)
    assert loop.nodes.now_s - begin_s < 1.0


def test_a_control_that_nobody_asked_for_is_a_follower_lost():
    loop = Loop().go(9.0)
    loop.nodes.answer('control', SimpleNamespace(data=[0.0, 0.0, -2.0]))
    with pytest.raises(DriverLostError, match='1 more on control than odometry'):
        loop.go(30.0)
    assert loop.speed_mps < 0.05


# the start


@pytest.mark.parametrize(
    ('deaf', 'mute', 'message'),
    [
        (('odometry/control',), (), 'within 3 s: nobody listens to odometry/control'),
        (('image', 'image/compressed'), ('path',), 'listens to image; nobody publishes path'),
        ((), ('control',), 'nobody publishes control'),
    ],
)
def test_who_does_not_come_is_named_by_topic(deaf, mute, message):
    loop = Loop(start_timeout_s=3.0)
    for topic in deaf:
        loop.nodes.outputs[topic].listeners = 0
    for topic in mute:
        loop.nodes.speakers[topic] = 0
    with pytest.raises(BridgeError, match=message):
        loop.go(0.1)


@pytest.mark.parametrize('topic', ['/clock', 'path', 'control'])
def test_a_second_node_on_a_topic_is_named(topic):
    loop = Loop()
    loop.nodes.speakers[topic] = 2
    with pytest.raises(BridgeError, match=f'need one node that publishes {topic}, got 2'):
        loop.go(0.1)


def test_a_follower_that_answers_no_odometry_is_told_how():
    loop = Loop(start_timeout_s=3.0)
    loop.nodes.silence(FOLLOWER)
    with pytest.raises(BridgeError, match='needs a follower with on_odometry'):
        loop.go(0.1)


def test_a_process_that_ends_at_the_start_is_named():
    loop = Loop()
    loop.nodes.speakers['path'] = 0
    loop.nodes.dead = 'planner_node ended with status 1'
    with pytest.raises(BridgeError, match='ended with status 1 before the drive began'):
        loop.go(0.1)


def test_the_first_answers_of_the_follower_may_be_lost():
    loop = Loop()
    lost: list[Any] = []

    def lose_three(message: Any) -> Any:
        lost.append(message)
        return None if len(lost) <= 3 else message

    loop.nodes.spoil['control'] = lose_three
    loop.go(8.0)
    assert loop.trip.controls[-30:] == loop.nodes.controls[-30:]
    assert isinstance(loop.trip.controls[0], Control)
