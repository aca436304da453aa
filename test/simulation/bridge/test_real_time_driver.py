"""In real time the world goes on: the newest control counts, and its age."""

from __future__ import annotations

import itertools
import math
from contextlib import suppress
from typing import Any

import pytest
from simulation.drives_by_hand import CAR, START_NS, STEP_NS, observation
from simulation.nodes_by_hand import CAMERA, Nodes, Trip

from emma_planner.control.control import Control
from emma_planner.control.timed_path import PathError
from emma_planner.ros.control_messages import CONTROL_TYPES, path_of
from emma_planner.ros.conversions import stamp_of
from emma_planner.ros.world_port import FOLLOWER, PLANNER
from emma_planner.ros.world_voice import WorldVoice
from emma_planner.simulation.bridge.real_time_driver import Pace, RealTimeDriver
from emma_planner.simulation.bridge.remote_driver import Team
from emma_planner.simulation.config import REAL_TIME, SimulationConfig
from emma_planner.simulation.drives.drivers import DriverLostError

BEGIN_NS = START_NS + 50 * STEP_NS


class Road:
    """Nodes that answer in time, a real-time driver among them, and its car."""

    def __init__(self, **parameters: Any) -> None:
        self.nodes = Nodes()
        self.nodes.outputs['odometry/control'].react = lambda message: None
        self.nodes.outputs['odometry'].react = self._on_odometry
        self.nodes.overhear = self._on_path
        config = SimulationConfig(mode=REAL_TIME, **parameters)
        team = Team('nobody', config, lambda record: None)
        self.driver = RealTimeDriver(self.nodes, WorldVoice(self.nodes, CAMERA), CAR, team)
        self.trip = Trip(self.driver)

    def _on_odometry(self, message: Any) -> None:
        self.nodes._odometry = message
        self.nodes._follow(message)

    def _on_path(self, message: Any) -> None:
        with suppress(PathError):
            self.nodes.following.take_path(path_of(message, 'map'))

    def go(self, seconds: float) -> Road:
        self.trip.go(seconds)
        return self


def clock_ns(message: Any) -> int:
    return int(message.clock.sec * 10**9 + message.clock.nanosec)


@pytest.mark.parametrize('factor', [0.5, 1.0, 4.0])
def test_simulated_time_passes_at_its_factor(factor):
    road = Road(real_time_factor=factor).go(1.0)
    begin_s = road.nodes.now_s
    road.go(4.0)
    assert road.nodes.now_s - begin_s == pytest.approx(4.0 / factor, rel=0.03)


def test_the_clock_goes_on_between_steps_and_never_back():
    road = Road().go(6.0)
    times = [clock_ns(message) for message in road.nodes.outputs['/clock'].sent]
    times = times[times.index(START_NS + STEP_NS) :]
    assert times == sorted(times)
    assert len(times) > 5 * 50
    assert max(b - a for a, b in itertools.pairwise(times)) < 50_000_000


def test_a_world_that_is_too_slow_does_not_hurry_afterwards():
    nodes = Nodes()
    pace = Pace(nodes, WorldVoice(nodes, CAMERA), 1.0)
    pace.wait(START_NS)
    nodes.now_s += 3.0
    begin_s = nodes.now_s
    for k in range(1, 11):
        pace.wait(START_NS + k * STEP_NS)
    assert nodes.now_s - begin_s == pytest.approx(0.9, abs=0.02)
    assert pace.late_s == pytest.approx(2.9, abs=0.02)


@pytest.mark.parametrize(('rate_hz', 'steps'), [(10.0, 1), (5.0, 2), (2.0, 5)])
def test_pictures_come_at_the_cameras_rate(rate_hz, steps):
    road = Road(image_rate_hz=rate_hz).go(8.0)
    stamps = [stamp_of(message.header) for message in road.nodes.outputs['image'].sent]
    assert stamps[0] == BEGIN_NS
    assert {b - a for a, b in itertools.pairwise(stamps)} == {steps * STEP_NS}


def test_the_car_drives_as_the_newest_control_says():
    road = Road().go(7.0)
    make = road.nodes.make
    for speed in (1.0, 2.0):
        message = make(CONTROL_TYPES['array'], data=make.floats([0.0, speed, 0.5]))
        road.nodes.outputs['odometry'].react = lambda m: setattr(road.nodes, '_odometry', m)
        road.nodes.answer('control', message)
    road.go(0.1)
    assert road.trip.controls[-1] == Control(0.0, 2.0, 0.5)


def test_without_controls_for_half_a_second_the_car_is_stopped():
    road = Road(answer_timeout_s=60.0).go(9.0)
    assert road.trip.now.speed_mps > 4.0
    last = road.trip.controls[-1]
    road.nodes.silence(FOLLOWER)
    road.go(0.4)
    assert road.trip.controls[-4:] == [last] * 4
    road.go(8.0)
    assert road.trip.now.speed_mps == 0.0
    assert min(c.acceleration_mps2 for c in road.trip.controls) > -2.5


@pytest.mark.parametrize(('role', 'what'), [(PLANNER, 'path'), (FOLLOWER, 'control')])
def test_who_is_silent_is_lost_in_the_end(role, what):
    road = Road(answer_timeout_s=2.0).go(9.0)
    road.nodes.silence(role)
    with pytest.raises(
        DriverLostError, match=f'no {what} from the {role} for 2.[01] s, since 1[01].'
    ):
        road.go(30.0)
    assert road.trip.now.speed_mps < 0.05


def test_a_process_that_ended_is_lost_at_once():
    road = Road().go(9.0)
    road.nodes.dead = 'planner_node ended by SIGKILL'
    with pytest.raises(DriverLostError, match=r'planner_node ended by SIGKILL, since 9\.0 s'):
        road.go(30.0)


def test_a_path_with_nan_is_said_and_counts_as_a_sign_of_life():
    road = Road(answer_timeout_s=2.0).go(7.0)

    def spoil(path: Any) -> Any:
        path.poses[0].pose.position.x = math.nan
        return path

    road.nodes.spoil['path'] = spoil
    road.go(5.0)
    assert 'path refused: pose 0' in road.nodes.errors()


def test_what_is_sensed_has_the_stamp_of_the_clock():
    road = Road().go(1.0)
    odometry = road.nodes.outputs['odometry'].sent
    assert [stamp_of(m.header) for m in odometry] == [
        observation(0.1 * k).stamp_ns for k in range(10)
    ]
