"""The follower node over real DDS: paths and odometry in, controls and diagnostics out."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')
import rclpy
from lifecycle_msgs.srv import ChangeState
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile

from emma_planner.control.config import FollowerConfig
from emma_planner.control.control import Control
from emma_planner.control.following import Following
from emma_planner.planning.fallback import DrivenPath, Source
from emma_planner.ros import conversions
from emma_planner.ros.control_messages import control_of, path_of, state_of
from emma_planner.ros.follower_node import FollowerNode, main
from emma_planner.ros.messages import RclpyMessages, message_class

pytestmark = pytest.mark.ros
WAIT_S = 30.0
T0_NS = 1_700_000_000_000_000_000
MAKE = RclpyMessages()
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
LISTENED = {
    'control': 'std_msgs/msg/Float64MultiArray',
    'path_taken': 'std_msgs/msg/Header',
    '/diagnostics': 'diagnostic_msgs/msg/DiagnosticArray',
}
SPEED_MPS = 8.0


def nanoseconds(time_s: float) -> int:
    return T0_NS + round(time_s * 1e9)


def path_message(t0_s: float, frame_id: str = 'map', count: int = 10) -> Any:
    """A circle of 40 m, planned at a time after T0."""
    times = [t0_s + 0.5 * (k + 1) for k in range(count)]
    angles = [SPEED_MPS * time / 40.0 for time in times]
    poses = np.array([[40 * np.sin(a), 40 * (1 - np.cos(a)), a] for a in angles]).reshape(-1, 3)
    stamps = tuple(map(nanoseconds, times))
    driven = DrivenPath(Source.PLAN, frame_id, stamps, poses, np.full(count, SPEED_MPS))
    return conversions.path_message(MAKE, driven, nanoseconds(t0_s))


def odometry_message(time_s: float, frame_id: str = 'map', **position: float) -> Any:
    angle = SPEED_MPS * time_s / 40.0
    message = message_class('nav_msgs/msg/Odometry')()
    message.header = conversions.header_message(MAKE, nanoseconds(time_s), frame_id)
    message.pose.pose.position.x = position.get('x', float(40 * np.sin(angle)))
    message.pose.pose.position.y = float(40 * (1 - np.cos(angle)))
    message.pose.pose.orientation.z = float(np.sin(angle / 2.0))
    message.pose.pose.orientation.w = float(np.cos(angle / 2.0))
    message.twist.twist.linear.x = SPEED_MPS
    return message


class Street:
    """A follower node, spun in a thread, with a planner and a car that the test plays."""

    def __init__(self, **parameters: Any) -> None:
        self.received: dict[str, list[Any]] = defaultdict(list)
        self.context = Context()
        rclpy.init(context=self.context)
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        self.node = FollowerNode(context=self.context, parameter_overrides=overrides)
        self._node_executor = SingleThreadedExecutor(context=self.context)
        self._node_executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin)
        self.tester = rclpy.create_node('tester', context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.tester)
        for name, kind in LISTENED.items():
            self.tester.create_subscription(
                message_class(kind), name, self.received[name].append, QoSProfile(depth=200)
            )
        self.path = self.tester.create_publisher(
            message_class('nav_msgs/msg/Path'), 'path', LATCHED
        )
        self.odometry = self.tester.create_publisher(
            message_class('nav_msgs/msg/Odometry'), 'odometry', QoSProfile(depth=50)
        )
        self._change = self.tester.create_client(ChangeState, 'follower/change_state')
        self._thread.start()

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._node_executor.spin()

    def close(self) -> None:
        self._node_executor.shutdown()
        self._thread.join(WAIT_S)
        self.node.close()
        self._executor.shutdown()
        self.node.destroy_node()
        self.tester.destroy_node()
        self.context.try_shutdown()
        self.context.destroy()

    def wait(self, condition: Callable[[], Any], what: str) -> None:
        end_s = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < end_s, f'waited {WAIT_S:g} s for {what}'
            self._executor.spin_once(timeout_sec=0.01)

    def change(self, transition: str) -> bool:
        assert self._change.wait_for_service(WAIT_S)
        request = ChangeState.Request()
        request.transition.label = transition
        future = self._change.call_async(request)
        self.wait(future.done, f'the reply to {transition}')
        return bool(future.result().success)

    def start(self) -> Street:
        assert self.change('configure')
        assert self.change('activate')
        for publisher in (self.path, self.odometry):
            self.wait(publisher.get_subscription_count, 'the node to listen')
        for output in self.node._outputs.values():
            self.wait(output.get_subscription_count, 'the node to be heard')
        for inlet in self.node._inlets:
            self.wait(inlet.get_publisher_count, 'the node to know who speaks')
        return self

    def plan(self, message: Any) -> None:
        """Send a path and wait until the node has it."""
        before = len(self.received['path_taken'])
        self.path.publish(message)
        self.wait(lambda: len(self.received['path_taken']) > before, 'path_taken')

    def drive(self, message: Any) -> Control:
        """Send odometry, in lock-step, and return the control for it."""
        before = len(self.received['control'])
        self.odometry.publish(message)
        self.wait(lambda: len(self.received['control']) > before, 'a control')
        return control_of(self.received['control'][before])

    def statuses(self) -> list[Any]:
        return [status for array in self.received['/diagnostics'] for status in array.status]

    def wait_status(self, level: bytes, text: str) -> Any:
        def found() -> list[Any]:
            return [s for s in self.statuses() if s.level == level and text in s.message]

        self.wait(found, f'a status with {text!r}')
        return found()[-1]


@pytest.fixture
def make_street() -> Iterator[Callable[..., Street]]:
    streets = []

    def make(**parameters: Any) -> Street:
        streets.append(Street(**parameters))
        return streets[-1]

    yield make
    for street in streets:
        street.close()


def test_in_lock_step_the_node_gives_the_very_controls_of_the_closed_loop(make_street):
    street, following = make_street(on_odometry=True).start(), Following(FollowerConfig())
    # the first odometry tells the node the frame of paths
    for k in range(25):
        message = odometry_message(0.1 * k)
        following.observe(state_of(message, 0.0))
        expected = following.control()
        assert street.drive(message) == expected
        if k % 5 == 0:
            path = path_message(0.1 * k)
            following.take_path(path_of(path, 'map'))
            street.plan(path)
    assert expected.steering_angle_rad == pytest.approx(np.arctan(2.8 / 40.0), rel=0.05)
    assert len(street.received['control']) == 25
    stamps = [h.stamp.sec * 10**9 + h.stamp.nanosec for h in street.received['path_taken']]
    assert stamps == [nanoseconds(0.5 * k) for k in range(5)]


def test_without_a_path_for_a_second_the_car_is_stopped_with_a_warning(make_street):
    street = make_street(on_odometry=True).start()
    street.drive(odometry_message(0.0))
    street.plan(path_message(0.0))
    for k in range(1, 20):
        control = street.drive(odometry_message(0.1 * k))
    assert control.acceleration_mps2 == -2.0
    status = street.wait_status(b'\x01', 'need a path every 1 s on path')
    assert status.name == 'follower: control'


def test_a_bad_path_is_said_and_the_last_one_followed_until_it_is_old(make_street):
    street = make_street(on_odometry=True).start()
    street.drive(odometry_message(0.0))
    street.plan(path_message(0.0))
    bad = path_message(0.2)
    bad.poses[3].pose.position.x = float('nan')
    street.plan(bad)
    street.wait_status(b'\x02', 'path refused: pose 3: need finite x, y, yaw, got [nan')
    assert street.drive(odometry_message(0.1)).steering_angle_rad > 0.05
    street.plan(path_message(0.1, frame_id='odom'))
    street.wait_status(b'\x02', "need a path in the odometry's frame 'map', got ['odom']")
    assert abs(street.drive(odometry_message(0.9)).acceleration_mps2) < 0.5
    for k in range(10, 20):
        control = street.drive(odometry_message(0.1 * k))
    assert control.acceleration_mps2 == -2.0


def test_a_path_before_any_odometry_is_followed_once_that_comes(make_street):
    street = make_street(on_odometry=True).start()
    street.path.publish(path_message(0.0))
    street.wait(lambda: street.node._counters.paths, 'the path')
    assert street.drive(odometry_message(0.0)).steering_angle_rad > 0.0
    street.wait(lambda: street.received['path_taken'], 'path_taken')


def test_an_empty_path_stops_the_car(make_street):
    street = make_street(on_odometry=True).start()
    street.drive(odometry_message(0.0))
    street.plan(path_message(0.0))
    street.drive(odometry_message(0.1))
    street.plan(path_message(0.1, count=0))
    assert street.drive(odometry_message(0.2)).acceleration_mps2 < 0.0
    street.wait_status(b'\x01', 'got an empty path')


def test_odometry_that_is_not_finite_is_said_and_not_used(make_street):
    street = make_street(on_odometry=True).start()
    street.drive(odometry_message(0.0))
    street.odometry.publish(odometry_message(0.1, x=float('nan')))
    street.wait_status(b'\x02', 'odometry refused: need a finite pose')
    assert len(street.received['control']) == 1
    street.drive(odometry_message(0.2))


def test_at_a_fixed_rate_controls_come_without_being_asked_for(make_street):
    street = make_street(control_rate_hz=50.0).start()
    street.wait(lambda: len(street.received['control']) >= 10, 'ten controls')
    street.wait_status(b'\x02', 'need odometry on odometry')
    assert control_of(street.received['control'][-1]).speed_mps == 0.0


def test_deactivation_leaves_a_control_that_stops_and_nothing_else(make_street):
    street = make_street(on_odometry=True)
    before = (len(list(street.node.publishers)), len(list(street.node.subscriptions)))
    street.start()
    street.drive(odometry_message(0.0))
    street.plan(path_message(0.0))
    moving = street.drive(odometry_message(0.1))
    assert moving.acceleration_mps2 > -1.0
    assert street.change('deactivate')
    street.wait(lambda: len(street.received['control']) == 3, 'the last control')
    last = control_of(street.received['control'][-1])
    assert last == Control(moving.steering_angle_rad, 0.0, -2.0)
    assert street.change('cleanup')
    assert before == (
        len(list(street.node.publishers)),
        len(list(street.node.subscriptions)),
    )
    street.start()
    street.drive(odometry_message(5.0))


@pytest.mark.parametrize(('control_type', 'package'), [('carla', 'carla_msgs')])
def test_a_missing_message_package_fails_configure_with_its_name(
    make_street, capfd, control_type, package
):
    with suppress(ImportError):
        __import__(package)
        pytest.skip(f'{package} is installed')
    assert not make_street(control_type=control_type).change('configure')
    end_s = time.monotonic() + WAIT_S
    output = ''
    while f'need package {package}' not in output:
        assert time.monotonic() < end_s, output
        output += ''.join(capfd.readouterr())


def test_an_unknown_parameter_is_named_with_the_nearest(capfd):
    assert main(['--ros-args', '-p', 'path_timeout:=3.0']) == 1
    assert "unknown key 'path_timeout'; nearest is path_timeout_s" in capfd.readouterr().err


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_process_told_to_stop_leaves_a_control_that_stops(number):
    context = Context()
    rclpy.init(context=context)
    tester = rclpy.create_node('listener', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(tester)
    got: list[Any] = []
    kind = message_class('std_msgs/msg/Float64MultiArray')
    tester.create_subscription(kind, 'control', got.append, QoSProfile(depth=50))
    command = [sys.executable, '-m', 'emma_planner.ros.follower_node']
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        _spin_until(executor, lambda: len(got) > 3)
        process.send_signal(number)
        _spin_until(executor, lambda: process.poll() is not None)
        assert process.returncode == 0
        count = -1
        while count != len(got):
            count = len(got)
            executor.spin_once(timeout_sec=0.3)
        assert control_of(got[-1]) == Control(0.0, 0.0, -2.0)
    finally:
        process.kill()
        process.wait()
        executor.shutdown()
        tester.destroy_node()
        context.try_shutdown()
        context.destroy()


def _spin_until(executor: SingleThreadedExecutor, condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end_s
        executor.spin_once(timeout_sec=0.05)
