"""Plays a recording to a planner node in another process and records what it publishes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message
from rclpy.signals import SignalHandlerOptions

from emma_planner.recordings.bags import BagError, BagReader, BagWriter
from emma_planner.recordings.topics import InputTopics, absolute
from emma_planner.replay.outputs import BagOutputs
from emma_planner.ros.bag_player import LATCHED_QOS, BagPlayer, spin_for
from emma_planner.ros.messages import message_class

POLL_S = 0.05
QUIET_S = 1.5
"""After the end of the recording: nothing published for this long, or for twice the slowest plan,
is the end."""
MANY_QOS = QoSProfile(depth=100)
STRING_TYPE = 'std_msgs/msg/String'
RECORDED = {
    'path': ('nav_msgs/msg/Path', LATCHED_QOS),
    'target_speed': ('std_msgs/msg/Float64', LATCHED_QOS),
    'markers': ('visualization_msgs/msg/MarkerArray', MANY_QOS),
    '/diagnostics': ('diagnostic_msgs/msg/DiagnosticArray', MANY_QOS),
}


class ReplayNode(Node):  # type: ignore[misc]
    """Publishers of the recording's topics, subscriptions to the planner's.

    :param reader: an opened recording
    :param outputs: topics of ``bag``; the planner's pictures go there as JPEG
    :param bag: opened for writing; gets what the planner publishes at the time of recording
    :param namespace: the planner node's
    :param rate: times real time
    :param period_ns: of the planner's ticks [ns]
    :param on_line: called with each line of ``reasoning``
    """

    def __init__(
        self,
        reader: BagReader,
        topics: InputTopics,
        outputs: BagOutputs,
        bag: BagWriter,
        *,
        namespace: str,
        rate: float,
        period_ns: int,
        on_line: Callable[[str], None],
    ) -> None:
        super().__init__('emma_replay')
        self.heard_s = time.perf_counter()
        """When the planner was last heard [s]."""
        names = {topic: absolute(topic) for topic in topics.names()}
        self.player = BagPlayer(self, reader, names, rate, period_ns)
        self._needed = (topics.image, *topics.ego.values())
        self._outputs = outputs
        self._bag = bag
        self._on_line = on_line
        self._answers = f'{namespace}/reasoning'
        for name, (kind, qos) in RECORDED.items():
            self._record(name if name.startswith('/') else f'{namespace}/{name}', kind, qos)
        string, image = message_class(STRING_TYPE), message_class('sensor_msgs/msg/Image')
        self.create_subscription(string, self._answers, self._on_reasoning, MANY_QOS)
        if outputs.topics['overlay'].get_subscription_count():
            self.create_subscription(image, f'{namespace}/overlay', self._on_overlay, MANY_QOS)

    def is_matched(self) -> bool:
        """Whether the planner listens to camera and ego motion and its answers will be heard."""
        counts = self.player.subscribers()
        return (
            all(counts[topic] > 0 for topic in self._needed)
            and self.count_publishers(self._answers) > 0
        )

    def has_rivals(self) -> bool:
        """Whether somebody else sets the time or plans on the same topics."""
        return any(self.count_publishers(name) > 1 for name in ('/clock', self._answers))

    def _on_reasoning(self, message: Any) -> None:
        self.heard_s = time.perf_counter()
        cdr = serialize_message(message)
        self._bag.write_raw(self._answers, STRING_TYPE, cdr, self.player.now_ns)
        self._on_line(message.data)

    def _on_overlay(self, message: Any) -> None:
        self._outputs.now_ns = self.player.now_ns
        self._outputs.topics['overlay'].publish(message)

    def _record(self, topic: str, kind: str, qos: QoSProfile) -> None:
        def write(cdr: bytes) -> None:
            self._bag.write_raw(topic, kind, cdr, self.player.now_ns)

        self.create_subscription(message_class(kind), topic, write, qos, raw=True)


class Session:
    """Spins a :class:`ReplayNode` through a replay; a context manager.

    :param make_node: makes the node once rclpy is initialised
    :param is_alive: whether the planner's process still runs
    """

    def __init__(
        self, make_node: Callable[[], ReplayNode], *, is_alive: Callable[[], bool]
    ) -> None:
        self._make_node = make_node
        self._is_alive = is_alive

    def __enter__(self) -> Session:
        # Ctrl-C stays an exception here: rclpy's own handlers would end the context first
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        try:
            self.node = self._make_node()
        except BaseException:
            rclpy.try_shutdown()
            raise
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown()

    def wait_for_planner(self, limit_s: float) -> None:
        """Wait until the planner is active.

        :raises BagError: it ended, or did not become active within the time, or another replay
            runs beside this one
        """
        end_s = time.perf_counter() + limit_s
        while not self.node.is_matched():
            if not self._is_alive():
                raise BagError('the planner node ended before it became active')
            if time.perf_counter() > end_s:
                raise BagError(f'need an active planner node within {limit_s:g} s, got none')
            spin_for(self._executor, POLL_S)
        self._check_rivals()

    def play(self, on_progress: Callable[[int], None]) -> None:
        """Play the recording once.

        :param on_progress: called with the time reached [ns]
        :raises BagError: damaged in the middle, the planner ended, or another replay began
        """

        def spend(seconds: float) -> None:
            on_progress(self.node.player.now_ns)
            if not self._is_alive():
                raise BagError('the planner node ended in the middle of the recording')
            self._check_rivals()
            spin_for(self._executor, seconds)

        self.node.player.play(spend)

    def wait_for_quiet(self, slowest_plan_s: Callable[[], float], limit_s: float) -> None:
        """Wait for the plans that are still under way.

        :raises BagError: the planner ended
        """
        end_s = time.perf_counter() + limit_s
        begin_s = time.perf_counter()
        while time.perf_counter() < end_s:
            if not self._is_alive():
                raise BagError('the planner node ended before its last plans')
            spin_for(self._executor, POLL_S)
            quiet_s = time.perf_counter() - max(self.node.heard_s, begin_s)
            if quiet_s > max(QUIET_S, 2.0 * slowest_plan_s()):
                return

    def _check_rivals(self) -> None:
        if self.node.has_rivals():
            raise BagError(
                'need the only /clock and planner of the ROS domain, others are running; '
                'stop them or set another ROS_DOMAIN_ID'
            )
