"""The path follower as a lifecycle node: path and odometry in, controls out.

A timer of ROS time asks for controls; with ``on_odometry`` each odometry message does, so that
controls are a function of messages and their stamps alone, as a simulator in lock-step needs. The
control itself is :class:`~emma_planner.control.following.Following`; this node converts, publishes
and says in /diagnostics what is wrong. When it is deactivated or told to stop it sends a last
control, which stops the car.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions

from emma_planner.config import ConfigError
from emma_planner.control.config import FollowerConfig
from emma_planner.control.control import Control
from emma_planner.control.following import Following, Mode
from emma_planner.control.timed_path import PathError
from emma_planner.ros.control_messages import (
    ControlMessages,
    ControlTypeError,
    control_class,
    path_of,
    state_of,
)
from emma_planner.ros.conversions import diagnostics_message
from emma_planner.ros.follow_diagnostics import FollowCounters, follow_status
from emma_planner.ros.managed_node import ManagedNode, logged, not_for_ros
from emma_planner.ros.messages import RclpyMessages, message_class
from emma_planner.ros.parameters import read_parameters
from emma_planner.ros.run_node import run

HEARTBEAT_S = 1.0
LAST_WORD_S = 1.0
"""Longest wait for the last control to arrive."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)
LATCHED_QOS = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
EGO_QOS = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE_QOS = QoSProfile(depth=10)


class FollowerNode(ManagedNode):
    """Follows the last path and publishes controls.

    :raises ConfigError: a parameter is unknown, of the wrong type or out of range
    """

    # made on configure
    _messages: ControlMessages
    # made on activate
    _following: Following
    _counters: FollowCounters

    def __init__(self, **options: Any) -> None:
        super().__init__('follower', FollowerConfig, **options)
        self._config = FollowerConfig()
        self._is_active = False
        self._frame_id = ''
        self._ego_mps = 0.0
        self._control: Control | None = None
        self._mode: Mode | None = None
        self._early_path: Any = None

    # life cycle

    @logged
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read parameters, find the message of the control, create publishers."""
        self._config = read_parameters(self, FollowerConfig)
        try:
            control = control_class(self._config.control_type, message_class)
        except ControlTypeError as err:
            self.get_logger().error(str(err))
            return TransitionCallbackReturn.FAILURE
        for name, topic, kind in (
            ('control', self._config.control_topic, control),
            ('path_taken', 'path_taken', message_class('std_msgs/msg/Header')),
            (
                'diagnostics',
                '/diagnostics',
                message_class('diagnostic_msgs/msg/DiagnosticArray'),
            ),
        ):
            self._outputs[name] = self.create_lifecycle_publisher(kind, topic, RELIABLE_QOS)
        return super().on_configure(state)

    @logged
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Create subscriptions and timers; begin with nothing known."""
        super().on_activate(state)
        config = self._config
        self._following = Following(config)
        self._messages = ControlMessages(RclpyMessages(), config)
        self._counters = FollowCounters()
        self._frame_id, self._ego_mps = '', 0.0
        self._control = self._mode = self._early_path = None
        self._is_active = True
        # in lock-step a lost message would never be answered
        ego_qos = QoSProfile(depth=EGO_QOS.depth) if config.on_odometry else EGO_QOS
        for kind, topic, callback, qos in (
            ('nav_msgs/msg/Path', config.path_topic, self._on_path, LATCHED_QOS),
            ('nav_msgs/msg/Odometry', config.odometry_topic, self._on_odometry, ego_qos),
        ):
            self._inlets.append(
                self.create_subscription(message_class(kind), topic, callback, qos)
            )
        if not config.on_odometry:
            self._own_timers.append(
                self.create_timer(1.0 / config.control_rate_hz, self._on_timer)
            )
        self._own_timers.append(
            self.create_timer(HEARTBEAT_S, self._publish_diagnostics, clock=self._steady_clock)
        )
        return TransitionCallbackReturn.SUCCESS

    # inputs

    def _on_path(self, message: Any) -> None:
        self._counters.paths += 1
        if not self._frame_id:
            self._early_path = message  # which frame it should be in is not known yet
        else:
            self._take_path(message)

    def _take_path(self, message: Any) -> None:
        try:
            self._following.take_path(path_of(message, self._frame_id))
        except PathError as err:
            self._counters.refused += 1
            self._counters.refusal = str(err)
            self._warn(f'path refused: {err}')
            self._publish_diagnostics()
        else:
            self._counters.refusal = ''
        self._outputs['path_taken'].publish(message.header)

    def _on_odometry(self, message: Any) -> None:
        self._counters.odometry += 1
        try:
            state = state_of(message, self._config.base_offset_m)
        except ValueError as err:
            self._counters.bad_odometry = str(err)
            self._warn(f'odometry refused: {err}')
            return
        self._counters.bad_odometry = ''
        self._frame_id, self._ego_mps = message.header.frame_id, state.speed_mps
        if self._early_path is not None:
            message, self._early_path = self._early_path, None
            self._take_path(message)
        self._following.observe(state)
        if self._config.on_odometry:
            self._publish_control(state.stamp_ns)

    def _on_timer(self) -> None:
        now_ns = self._now_ns()
        if now_ns:  # else /clock has not come yet
            self._publish_control(now_ns)

    # outputs

    def _publish_control(self, now_ns: int) -> None:
        self._control = self._following.control(now_ns)
        self._counters.controls += 1
        self._send(self._control, now_ns)
        if self._following.mode is not self._mode:
            self._mode = self._following.mode
            self._publish_diagnostics()

    def _send(self, control: Control, now_ns: int) -> None:
        self._outputs['control'].publish(self._messages.message(control, now_ns, self._ego_mps))

    def _publish_diagnostics(self) -> None:
        config = self._config
        status = follow_status(
            self._following,
            self._control,
            self._counters,
            name=self.get_name(),
            path_topic=config.path_topic,
            odometry_topic=config.odometry_topic,
            path_timeout_s=config.path_timeout_s,
        )
        now_ns = self._now_ns()
        self._outputs['diagnostics'].publish(
            diagnostics_message(RclpyMessages(), [status], now_ns, self.get_name())
        )

    # tear-down

    def close(self) -> bool:
        """Stop the car and stop working, whatever the state."""
        self._stop()
        return True

    def _stop(self) -> None:
        """Send a control that stops the car, when nothing can send another one any more."""
        super()._stop()
        if self._is_active:
            self._is_active = False
            if self.context.ok():
                self._send(self._following.last_stop(), self._now_ns())
                self._outputs['control'].wait_for_all_acked(Duration(seconds=LAST_WORD_S))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is told to stop.

    :returns: 0 stopped, 1 could not start
    """
    argv = sys.argv if arguments is None else ['follower_node', *arguments]
    try:
        _parser().parse_args(not_for_ros(argv))
        # rclpy's own handlers would end the context before the last control is sent
        rclpy.init(args=argv, signal_handler_options=SignalHandlerOptions.NO)
        node = FollowerNode()
    except (ConfigError, RuntimeError) as err:  # RCLError: arguments or parameter file
        print(f'follower_node: {err}', file=sys.stderr)
        rclpy.try_shutdown()
        return 1
    before = [(number, signal.signal(number, signal.default_int_handler)) for number in SIGNALS]
    try:
        return run(node)
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog='follower_node',
        description='The path follower as a lifecycle node. Parameters (config/follower.yaml '
        'lists them) come after --ros-args: -p NAME:=VALUE, --params-file YAML, -r FROM:=TO.',
    )


if __name__ == '__main__':
    sys.exit(main())
