"""Play a recording over DDS with ``/clock``, and record what a planner answers.

Raw bytes go from the bag to the publishers and from the subscriptions to the bag: no message is
decoded on the way. ``/clock`` carries the time of recording at a chosen rate: a message is sent
before the clock has reached its time. Where the planner's period is known, the clock stops at each
tick for a moment, so that what was recorded up to the tick, and nothing else, has arrived.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.utilities import remove_ros_args

from emma_planner.arguments import positive_number
from emma_planner.planning.types import NS_PER_S
from emma_planner.recordings.bags import MAX_SILENCE_NS, BagError, BagReader
from emma_planner.recordings.topics import COMMAND_TYPE, EGO_TYPES, IMAGE_TYPES
from emma_planner.ros.conversions import time_message
from emma_planner.ros.messages import RclpyMessages, message_class

CLOCK_PERIOD_S = 0.01
"""``/clock`` is published this often in steady time, and with every message."""
GUARD_S = 0.02
"""The clock stops for this long before and after a tick."""
GUARD_SHARE = 0.2
"""... but for no more than this share of the time between ticks."""
WAIT_PERIOD_S = 0.1
CLOCK_TYPE = 'rosgraph_msgs/msg/Clock'
CLOCK_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED_QOS = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class BagPlayer:
    """Publishes a recording's messages and ``/clock`` in the time of recording.

    :param node: publishers are made on it
    :param reader: an opened recording
    :param topics: topic in the recording to topic to publish on; others are not played
    :param rate: times real time
    :param period_ns: of the planner's ticks [ns]; 0 where it is not known
    """

    def __init__(
        self,
        node: Node,
        reader: BagReader,
        topics: Mapping[str, str],
        rate: float,
        period_ns: int = 0,
    ) -> None:
        self.now_ns = reader.start_ns
        """Time of recording that has been reached [ns]."""
        self._reader = reader
        self._rate = rate
        self._period_ns = period_ns
        self._guard_s = min(GUARD_S, GUARD_SHARE * period_ns / NS_PER_S / rate)
        self._begin_s = 0.0
        """Steady time at which the start of the recording was played, less what was skipped."""
        self._make = RclpyMessages()
        self._clock = node.create_publisher(message_class(CLOCK_TYPE), '/clock', CLOCK_QOS)
        kinds, latched = reader.topics, reader.latched
        self._publishers = {
            topic: node.create_publisher(
                message_class(kinds[topic]), name, _qos(kinds[topic], latched=topic in latched)
            )
            for topic, name in topics.items()
        }

    def subscribers(self) -> dict[str, int]:
        """Topic in the recording to the number of its subscribers now."""
        return {
            topic: publisher.get_subscription_count()
            for topic, publisher in self._publishers.items()
        }

    def play(self, wait: Callable[[float], None]) -> None:
        """Publish all messages once.

        :param wait: called with seconds to spend; spins or sleeps
        :raises BagError: damaged in the middle; all messages before have been published
        """
        self._begin_s = time.perf_counter()
        self.publish_clock(self._reader.start_ns - 1)
        for message in self._reader.messages(set(self._publishers)):
            self._run_clock_until(message.log_ns - 1, wait)
            self._publishers[message.topic].publish(self._reader.to_cdr(message))
        self._run_clock_until(self._reader.end_ns, wait)

    def publish_clock(self, now_ns: int) -> None:
        """Publish ``/clock``."""
        self.now_ns = now_ns
        clock = message_class(CLOCK_TYPE)(clock=time_message(self._make, now_ns))
        self._clock.publish(clock)

    def _run_clock_until(self, until_ns: int, wait: Callable[[float], None]) -> None:
        if (silence_ns := until_ns - self.now_ns) > MAX_SILENCE_NS:
            self._begin_s -= silence_ns / NS_PER_S / self._rate
            self.publish_clock(until_ns)
        while self._period_ns and (tick_ns := self._tick_after(self.now_ns)) <= until_ns:
            self._advance(tick_ns - 1, wait)
            wait(self._guard_s)
            self.publish_clock(tick_ns)
            wait(self._guard_s)
        self._advance(until_ns, wait)

    def _tick_after(self, time_ns: int) -> int:
        return (time_ns // self._period_ns + 1) * self._period_ns

    def _advance(self, until_ns: int, wait: Callable[[float], None]) -> None:
        """Let the clock run, and leave it at ``until_ns``."""
        origin_ns = self._reader.start_ns
        due_s = self._begin_s + (until_ns - origin_ns) / NS_PER_S / self._rate
        while (left_s := due_s - time.perf_counter()) > 0.0:
            wait(min(left_s, CLOCK_PERIOD_S))
            played_s = (time.perf_counter() - self._begin_s) * self._rate
            self.publish_clock(min(origin_ns + round(played_s * NS_PER_S), until_ns))
        if until_ns > self.now_ns:
            self.publish_clock(until_ns)


def _qos(type_name: str, *, latched: bool) -> QoSProfile:
    # reliable serves best-effort subscriptions too and loses no image that is waited for;
    # transient local serves volatile ones too, and the route command's asks for it
    if latched or type_name == COMMAND_TYPE:
        return QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    return QoSProfile(depth=10 if type_name in IMAGE_TYPES else 100)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play a bag: ``bag_player BAG [--rate FACTOR] [--loop] [--wait-for TOPIC]``.

    :returns: 0 played, 1 the bag cannot be played
    """
    argv = sys.argv if arguments is None else ['bag_player', *arguments]
    options = _parser().parse_args(remove_ros_args(argv)[1:])
    rclpy.init(args=argv)
    node = rclpy.create_node('bag_player')
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        with BagReader(options.bag) as reader:
            topics = {topic: topic for topic in reader.topics if _is_known(reader.topics[topic])}
            reader.follow_stamps(
                {t for t, kind in reader.topics.items() if kind in EGO_TYPES.values()}
            )
            player = BagPlayer(node, reader, topics, options.rate)
            if options.wait_for not in (None, *topics):
                raise BagError(f'{options.bag}: need topic {options.wait_for} to wait for')
            while options.wait_for and not player.subscribers()[options.wait_for]:
                executor.spin_once(timeout_sec=WAIT_PERIOD_S)
            # subscribers that are there already need a moment to find the publishers
            spin_for(executor, options.delay)
            length_s = (reader.end_ns - reader.start_ns) / NS_PER_S
            print(f'bag_player: {options.bag}, {length_s:.1f} s, {len(topics)} topics', flush=True)
            while True:
                player.play(lambda seconds: executor.spin_once(timeout_sec=seconds))
                if not options.loop:
                    return 0
    except BagError as err:
        print(f'bag_player: {err}', file=sys.stderr)
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()


def spin_for(executor: SingleThreadedExecutor, seconds: float) -> None:
    """Let callbacks run for a while."""
    end_s = time.perf_counter() + seconds
    while (left_s := end_s - time.perf_counter()) > 0.0:
        executor.spin_once(timeout_sec=left_s)


def _is_known(type_name: str) -> bool:
    try:
        message_class(type_name)
    except (ImportError, AttributeError):
        return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='bag_player', description='Play a bag with /clock.')
    parser.add_argument('bag', type=Path, help='bag folder or file')
    parser.add_argument('--rate', type=positive_number, default=1.0, help='times real time')
    parser.add_argument(
        '--delay', type=float, default=1.0, metavar='S', help='before it begins (default 1 s)'
    )
    parser.add_argument('--wait-for', metavar='TOPIC', help='begin when someone subscribes to it')
    parser.add_argument('--loop', action='store_true', help='start again at the end')
    return parser


if __name__ == '__main__':
    sys.exit(main())
