"""The planner node as its users start and stop it: a process of its own, arguments, signals."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

pytest.importorskip('rclpy')
import rclpy
from lifecycle_msgs.srv import GetState
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from road import T0_NS, image_message, odometry_message

from emma_planner.ros.messages import message_class
from emma_planner.ros.planner_node import main

pytestmark = pytest.mark.ros
REPOSITORY = Path(__file__).parents[2]
START_LIMIT_S = 30.0
STOP_LIMIT_S = 5.0
MODULE = (sys.executable, '-m', 'emma_planner.ros.planner_node')
SLOW = """
import sys, time
from emma_planner.ros import planner_node

class Slow:
    name = 'slow'
    def plan(self, planner_input, time_limit_s=None):
        print('inference begins', flush=True)
        time.sleep(60.0)

planner_node.build_planner = lambda config: Slow()
sys.exit(planner_node.main())
"""
REAL = """
import sys
from emma_planner.ros import planner_node

build = planner_node.build_planner

def build_telling(config):
    planner = build(config)
    plan = planner.plan
    def tell_and_plan(*arguments):
        while True:  # the same inference again and again, so that it never ends
            print('inference begins', flush=True)
            plan(*arguments)
    planner.plan = tell_and_plan
    return planner

planner_node.build_planner = build_telling
sys.exit(planner_node.main())
"""
LOADING = """
import sys, time
from emma_planner.ros import planner_node

def load(config):
    print('loading begins', flush=True)
    time.sleep(2.0)
    return planner_node.build_planner

planner_node.build_planner = load
sys.exit(planner_node.main())
"""
Start = Callable[..., 'Process']


class Process:
    """A planner node in another process; what it says is kept in a file."""

    def __init__(self, folder: Path, command: tuple[str, ...], parameters: dict) -> None:
        arguments = [f'{name}:={value}' for name, value in parameters.items()]
        ros = ['--ros-args', *(word for argument in arguments for word in ('-p', argument))]
        self._output = folder / 'output.txt'
        with self._output.open('wb') as output:
            self.popen = subprocess.Popen(
                [*command, *ros], stdout=output, stderr=subprocess.STDOUT, cwd=REPOSITORY
            )

    def output(self) -> str:
        return self._output.read_text(encoding='utf-8', errors='replace')

    def wait_for(self, text: str) -> None:
        end_s = time.monotonic() + START_LIMIT_S
        while text not in self.output():
            assert self.popen.poll() is None, self.output()
            assert time.monotonic() < end_s, self.output()
            with suppress(subprocess.TimeoutExpired):  # a wait that ends when the process does
                self.popen.wait(0.02)

    def stop(self, number: signal.Signals) -> int:
        """Send a signal; return the exit code."""
        self.popen.send_signal(number)
        return self.popen.wait(STOP_LIMIT_S)

    def stop_impatiently(self, number: signal.Signals) -> int:
        """Send a signal ten times a second until the process ends; return the exit code."""
        end_s = time.monotonic() + STOP_LIMIT_S
        while self.popen.poll() is None:
            assert time.monotonic() < end_s, self.output()
            self.popen.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self.popen.wait(0.1)
        return int(self.popen.returncode)


@pytest.fixture
def start(tmp_path) -> Iterator[Start]:
    """Return a function that starts a planner process; those still there are killed."""
    processes = []

    def run(*command: str, **parameters: object) -> Process:
        processes.append(Process(tmp_path, command or MODULE, parameters))
        return processes[-1]

    yield run
    for process in processes:
        process.popen.kill()
        process.popen.wait()


@pytest.fixture
def peer() -> Iterator[tuple[rclpy.node.Node, SingleThreadedExecutor]]:
    """Another node on the domain of the process, and what spins it."""
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node('peer', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    yield node, executor
    executor.shutdown()
    node.destroy_node()
    context.try_shutdown()
    context.destroy()


@pytest.fixture
def feed(peer) -> Callable[[Process, str], None]:
    """Return a function that sends 5 s of driving and an image until a process says something."""
    node, executor = peer
    qos = QoSProfile(depth=100)
    ego = node.create_publisher(message_class('nav_msgs/msg/Odometry'), 'odometry', qos)
    camera = node.create_publisher(message_class('sensor_msgs/msg/Image'), 'image', qos)

    def publish(process: Process, until: str) -> None:
        end_s = time.monotonic() + START_LIMIT_S
        while until not in process.output():
            assert process.popen.poll() is None, process.output()
            assert time.monotonic() < end_s, process.output()
            now_s = (node.get_clock().now().nanoseconds - T0_NS) / 1e9
            for step in range(48, -1, -1):
                ego.publish(odometry_message(now_s - 0.1 * step, 8.0))
                executor.spin_once(timeout_sec=0.002)
            camera.publish(image_message(now_s))
            tick_s = time.monotonic() + 0.7
            while time.monotonic() < tick_s and until not in process.output():
                executor.spin_once(timeout_sec=0.02)

    return publish


def check_clean(process: Process, code: int) -> None:
    assert code == 0, process.output()
    for word in ('terminate called', 'Traceback', 'Fatal Python error', 'core dumped'):
        assert word not in process.output()


SIGNALS = pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)


@SIGNALS
def test_a_signal_ends_an_idle_node_cleanly(start, number):
    process = start(planner='constant-action')
    process.wait_for('no_image')  # activated by itself, and ticking
    check_clean(process, process.stop(number))


def test_more_interrupts_do_not_cut_the_clean_end_short(start, feed):
    process = start(sys.executable, '-c', SLOW)
    feed(process, 'inference begins')
    check_clean(process, process.stop_impatiently(signal.SIGINT))
    assert 'inference still runs' in process.output()


@SIGNALS
def test_a_signal_in_the_middle_of_an_inference_ends_the_node_cleanly(start, feed, peer, number):
    process = start(sys.executable, '-c', SLOW)
    feed(process, 'inference begins')
    check_clean(process, process.stop(number))
    assert 'inference still runs' in process.output()
    node, executor = peer  # without a goodbye it would be seen until its lease ends, 20 s
    end_s = time.monotonic() + STOP_LIMIT_S
    while 'planner' in node.get_node_names():
        assert time.monotonic() < end_s, 'the node that ended is still seen'
        executor.spin_once(timeout_sec=0.05)


def test_a_signal_in_the_middle_of_a_real_inference_ends_the_node_cleanly(start, feed):
    pytest.importorskip('transformers')
    process = start(sys.executable, '-c', REAL, num_threads=1)
    feed(process, 'inference begins')
    check_clean(process, process.stop(signal.SIGINT))
    assert 'inference still runs' in process.output()


@SIGNALS
def test_a_signal_while_the_model_loads_ends_the_node_cleanly(start, number):
    process = start(sys.executable, '-c', LOADING)
    process.wait_for('loading begins')
    check_clean(process, process.stop(number))


def test_without_autostart_the_node_waits_unconfigured(start, peer):
    node, executor = peer
    process = start(planner='constant-action', autostart='false')
    client = node.create_client(GetState, 'planner/get_state')
    assert client.wait_for_service(START_LIMIT_S)
    for _ in range(10):  # a reply may be lost where this side is not yet known to the other
        future = client.call_async(GetState.Request())
        executor.spin_until_future_complete(future, 1.0)
        if future.done():
            break
    assert future.result().current_state.label == 'unconfigured'
    check_clean(process, process.stop(signal.SIGINT))
    assert 'loading' not in process.output()


# starts that fail: exit code 1 and one clear line


def run_main(capfd, *arguments: str) -> str:
    assert main(['--ros-args', *arguments]) == 1
    assert not rclpy.ok()
    output = ''.join(capfd.readouterr())
    assert 'Traceback' not in output
    return output


def test_an_unknown_parameter_is_named_with_the_nearest(capfd):
    output = run_main(capfd, '-p', 'rate:=3.0')
    assert "planner_node: parameters: unknown key 'rate'; nearest is rate_hz" in output


def test_a_parameter_out_of_range_is_named_with_its_range(capfd):
    assert 'rate_hz: need 0.1 to 50 Hz, got 99.0' in run_main(capfd, '-p', 'rate_hz:=99.0')


def test_a_parameter_file_that_is_not_there_is_named(capfd):
    assert '/nowhere.yaml' in run_main(capfd, '--params-file', '/nowhere.yaml')


def test_an_unreadable_model_folder_is_named(capfd):
    pytest.importorskip('transformers')
    output = run_main(capfd, '-p', 'model:=/no/such/folder')
    assert '/no/such/folder: need a model folder or a hub id' in output


def test_a_bad_topic_name_is_named(capfd):
    output = run_main(capfd, '-p', 'planner:=constant-action', '-p', 'image_topic:=a b')
    assert "'a b'" in output


def test_parameters_of_a_file_may_be_whole_numbers(start, tmp_path):
    path = tmp_path / 'planner.yaml'
    values = {'planner': 'constant-action', 'rate_hz': 20, 'deadline_s': 3}
    path.write_text(yaml.safe_dump({'/**': {'ros__parameters': values}}))
    process = start(*MODULE, '--ros-args', '--params-file', str(path), '--')
    process.wait_for('no_image')
    check_clean(process, process.stop(signal.SIGTERM))


@pytest.mark.parametrize('argument', ['planner:=constant-action', '--what', 'what'])
def test_an_argument_that_is_not_for_ros_is_wrong_usage(capfd, argument):
    with pytest.raises(SystemExit) as caught:
        main([argument])
    assert caught.value.code == 2
    assert argument in capfd.readouterr().err


def test_help_says_where_parameters_go(capfd):
    with pytest.raises(SystemExit) as caught:
        main(['--help'])
    assert caught.value.code == 0
    assert '--ros-args: -p NAME:=VALUE' in capfd.readouterr().out
