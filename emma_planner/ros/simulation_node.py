"""A simulated world as a ROS node: camera, odometry, clock and route command out, controls in.

The node is only the world's place among the nodes: publishers, subscriptions, spinning. When the
world moves is for the drivers to say (:mod:`~emma_planner.simulation.bridge.lock_step_driver`,
:mod:`~emma_planner.simulation.bridge.real_time_driver`). Drives, files and scores are those of
``emma drive``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions

from emma_planner.command_options import interrupted_once
from emma_planner.config import ConfigError
from emma_planner.replay.outputs import NAMESPACE
from emma_planner.ros.control_messages import ControlTypeError, control_class
from emma_planner.ros.conversions import Status, diagnostics_message, printable
from emma_planner.ros.managed_node import LOG_EVERY_S, not_for_ros
from emma_planner.ros.messages import RclpyMessages, message_class
from emma_planner.ros.parameters import declare_parameters, read_parameters
from emma_planner.ros.world_port import FOLLOWER, PLANNER, Inbox
from emma_planner.simulation.config import EXPERT, SimulationConfig

HEARTBEAT_S = 1.0
RECEIVED_S = 1.0
"""Longest wait for a message to reach those who listen reliably."""
RELIABLE_QOS = QoSProfile(depth=10)
MANY_QOS = QoSProfile(depth=100)
LATCHED_QOS = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
CLOCK_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
DIAGNOSTICS = '/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray'
OUTPUTS = {
    'image': ('sensor_msgs/msg/Image', RELIABLE_QOS),
    'image/compressed': ('sensor_msgs/msg/CompressedImage', RELIABLE_QOS),
    'camera_info': ('sensor_msgs/msg/CameraInfo', RELIABLE_QOS),
    'odometry': ('nav_msgs/msg/Odometry', MANY_QOS),
    'odometry/control': ('nav_msgs/msg/Odometry', RELIABLE_QOS),
    'path/effective': ('nav_msgs/msg/Path', LATCHED_QOS),
    'command': ('std_msgs/msg/String', LATCHED_QOS),
    '/clock': ('rosgraph_msgs/msg/Clock', CLOCK_QOS),
    '/tf': ('tf2_msgs/msg/TFMessage', MANY_QOS),
    '/tf_static': ('tf2_msgs/msg/TFMessage', LATCHED_QOS),
    '/diagnostics': ('diagnostic_msgs/msg/DiagnosticArray', RELIABLE_QOS),
}
RECORDED = {
    'path': ('nav_msgs/msg/Path', LATCHED_QOS),
    'reasoning': ('std_msgs/msg/String', MANY_QOS),
    'target_speed': ('std_msgs/msg/Float64', LATCHED_QOS),
    'markers': ('visualization_msgs/msg/MarkerArray', MANY_QOS),
}
"""What the planner says, kept in the bag as it is."""
Record = Callable[[str, str, bytes], None]


class SimulationNode(Node):  # type: ignore[misc]
    """The world's port: see :class:`~emma_planner.ros.world_port.WorldPort`.

    :raises ConfigError: a parameter is unknown, of the wrong type or out of range
    :raises ControlTypeError: the message of ``control_type`` is not installed
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('simulation', **options)
        given = {name: value.value for name, value in self._parameter_overrides.items()}
        declare_parameters(self, SimulationConfig, given)
        self.config = read_parameters(self, SimulationConfig)
        self.make = RclpyMessages()
        self.outputs: dict[str, Any] = {}
        names = {PLANNER: self.config.planner_name, FOLLOWER: self.config.follower_name}
        self.inbox = Inbox(names)
        self.record: Record | None = None
        """Takes topic, type and bytes of what is kept in the bag."""
        self.find_dead: Callable[[], str] = str
        self.doing = 'waiting'
        self._steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._said_s = 0.0
        self._own_executor = SingleThreadedExecutor(context=self.context)
        self._own_executor.add_node(self)
        self._create_outputs()
        self._create_inlets()
        self.create_timer(HEARTBEAT_S, self._beat, clock=self._steady_clock)

    def _create_outputs(self) -> None:
        outputs = dict(OUTPUTS)
        if self.config.driver == EXPERT:
            outputs['path'] = ('nav_msgs/msg/Path', LATCHED_QOS)
        missing: dict[str, list[str]] = {}
        for topic, (kind, qos) in outputs.items():
            try:
                self.outputs[topic] = self.create_publisher(message_class(kind), topic, qos)
            except ImportError:
                missing.setdefault(kind.split('/')[0], []).append(topic)
        for package, topics in missing.items():
            self.get_logger().info(f'without {package}, {", ".join(topics)} are not published')

    def _create_inlets(self) -> None:
        inbox, config = self.inbox, self.config
        takers = {'path': inbox.on_path, 'reasoning': inbox.on_reasoning}
        if config.driver == EXPERT:
            return
        for topic, (kind, qos) in RECORDED.items():
            take = self._recording(topic, kind, takers.get(topic))
            self.create_subscription(message_class(kind), topic, take, qos, raw=True)
        diagnostics = self._recording(*DIAGNOSTICS, inbox.on_diagnostics)
        self.create_subscription(
            message_class(DIAGNOSTICS[1]), DIAGNOSTICS[0], diagnostics, MANY_QOS, raw=True
        )
        control = control_class(config.control_type, message_class)
        for kind, topic, callback in (
            (control, 'control', inbox.on_control),
            (message_class('std_msgs/msg/Header'), 'path_taken', inbox.on_path_taken),
        ):
            self.create_subscription(kind, topic, self._timed(callback), MANY_QOS)

    def _timed(self, take: Callable[[Any, float], None]) -> Callable[[Any], None]:
        return lambda message: take(message, self.steady_s())

    def _recording(
        self, topic: str, kind: str, take: Callable[[Any, float], None] | None
    ) -> Callable[[bytes], None]:
        name = topic if topic.startswith('/') else f'{NAMESPACE}/{topic}'

        def on_bytes(cdr: bytes) -> None:
            if self.record is not None:
                self.record(name, kind, cdr)
            if take is not None:
                take(deserialize_message(cdr, message_class(kind)), self.steady_s())

        return on_bytes

    # the port

    def spin(self, seconds: float) -> None:
        """Let one callback run, if one comes within this time."""
        self._own_executor.spin_once(timeout_sec=seconds)

    def steady_s(self) -> float:
        """Wall-clock time that never jumps [s]."""
        return time.perf_counter()

    def count_speakers(self, topic: str) -> int:
        """How many nodes publish on a topic."""
        return int(self.count_publishers(topic))

    def wait_until_received(self, topic: str) -> None:
        """Wait until all who listen reliably have it."""
        self.outputs[topic].wait_for_all_acked(Duration(seconds=RECEIVED_S))

    def dead_process(self) -> str:
        """Which process of this world has ended."""
        return self.find_dead()

    def say(self, level: int, text: str) -> None:
        """Report in /diagnostics, and in the log where it is no good news."""
        self._said_s = self.steady_s()
        status = Status(f'{self.get_name()}: world', level, text, (('doing', self.doing),))
        now_ns = int(self.get_clock().now().nanoseconds)
        self.outputs['/diagnostics'].publish(
            diagnostics_message(self.make, [status], now_ns, self.get_name())
        )
        if level:
            self.get_logger().warning(
                printable(text),
                throttle_duration_sec=LOG_EVERY_S,
                throttle_time_source_type=self._steady_clock,
            )

    def _beat(self) -> None:
        if self.steady_s() - self._said_s > HEARTBEAT_S:
            self.say(0, self.doing)

    def close(self) -> None:
        """Destroy the node and what spins it."""
        self._own_executor.shutdown()
        self.destroy_node()


@contextmanager
def opened(config: SimulationConfig) -> Iterator[SimulationNode]:
    """Open a world's node in a process that is no node otherwise."""
    # Ctrl-C stays an exception here: rclpy's own handlers would end the context first
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        values = [Parameter(name, value=value) for name, value in asdict(config).items()]
        node = SimulationNode(parameter_overrides=values)
        try:
            yield node
        finally:
            node.close()
    finally:
        rclpy.try_shutdown()


def main(arguments: Sequence[str] | None = None) -> int:
    """Drive what the parameters say, then end.

    :returns: 0 driven, 1 could not
    """
    argv = sys.argv if arguments is None else ['simulation_node', *arguments]
    node = None
    try:
        _parser().parse_args(not_for_ros(argv))
        # rclpy's own handlers would end the context before the drive is kept
        rclpy.init(args=argv, signal_handler_options=SignalHandlerOptions.NO)
        node = SimulationNode()
        with interrupted_once():
            return _drive(node)
    except (ConfigError, ControlTypeError, RuntimeError) as err:  # RCLError: arguments
        print(f'simulation_node: {err}', file=sys.stderr)
        return 1
    finally:
        if node is not None:
            node.close()
        rclpy.try_shutdown()


def _drive(node: SimulationNode) -> int:
    from emma_planner.simulation.bridge.node_drives import drive_node

    return drive_node(node, node.config)


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog='simulation_node',
        description='A world to drive in, as a node. Parameters (config/simulation.yaml lists '
        'them) come after --ros-args: -p NAME:=VALUE, --params-file YAML, -r FROM:=TO.',
    )


if __name__ == '__main__':
    sys.exit(main())
