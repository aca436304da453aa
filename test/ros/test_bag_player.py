"""The player sends a bag in order, with a clock that never runs ahead of the messages."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
import synthetic_bags as bags
from synthetic_bags import COMMAND, IMAGE, ODOMETRY

pytest.importorskip('rclpy')

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from emma_planner.recordings.bags import BagError, BagReader
from emma_planner.ros.bag_player import BagPlayer
from emma_planner.ros.conversions import stamp_of
from emma_planner.ros.messages import message_class

pytestmark = pytest.mark.ros
PERIOD_NS = 500_000_000
CLOCK = '/clock'
DELAY_NS = 3_000_000


class Listener:
    """Hears a player on the same node."""

    def __init__(self, context):
        self.node = rclpy.create_node('listener', context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.heard = []
        self._hear(
            Clock,
            CLOCK,
            lambda m: m.clock.sec * 10**9 + m.clock.nanosec,
            depth=1000,
            reliability=ReliabilityPolicy.BEST_EFFORT,
        )

    def hear_stamps(self, type_name, topic):
        self._hear(message_class(type_name), topic, lambda m: stamp_of(m.header))

    def hear_text(self, topic, **qos):
        self._hear(message_class('std_msgs/msg/String'), topic, lambda m: m.data, **qos)

    def _hear(self, kind, topic, read, depth=1000, **qos):
        def note(message):
            self.heard.append((topic, read(message)))

        self.node.create_subscription(kind, topic, note, QoSProfile(depth=depth, **qos))

    def wait(self, seconds):
        end_s = time.perf_counter() + seconds
        while (left_s := end_s - time.perf_counter()) > 0.0:
            self.executor.spin_once(timeout_sec=left_s)

    def play(self, player):
        end_s = time.perf_counter() + 20.0
        while not all(player.subscribers().values()):
            assert time.perf_counter() < end_s
            self.wait(0.02)
        player.play(self.wait)
        self.wait(0.3)

    def of(self, topic):
        return [value for name, value in self.heard if name == topic]


@pytest.fixture
def listener():
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    made = Listener(context)
    yield made
    made.executor.shutdown()
    made.node.destroy_node()
    context.try_shutdown()


@pytest.fixture
def drive(tmp_path):
    samples = bags.drive(duration_s=2.0, delay_ns=DELAY_NS)
    with BagReader(bags.write_bag(tmp_path / 'drive', samples)) as reader:
        yield reader


def player(listener, reader, rate=4.0, topics=(ODOMETRY, IMAGE), **more):
    names = {topic: topic for topic in topics}
    for topic in topics:
        if reader.topics[topic] != 'std_msgs/msg/String':
            listener.hear_stamps(reader.topics[topic], topic)
    return BagPlayer(listener.node, reader, names, rate, **more)


def logs(topic, samples=None):
    samples = samples or bags.drive(duration_s=2.0, delay_ns=DELAY_NS)
    return [sample.log_ns for sample in samples if sample.topic == topic]


def test_every_message_is_sent_in_order(listener, drive):
    listener.play(player(listener, drive))
    for topic in (ODOMETRY, IMAGE):
        assert listener.of(topic) == [log_ns - DELAY_NS for log_ns in logs(topic)]


def test_the_clock_runs_from_the_first_message_to_the_last(listener, drive):
    listener.play(player(listener, drive))
    clock = listener.of(CLOCK)
    assert clock == sorted(clock)
    assert clock[0] <= drive.start_ns
    assert clock[-1] == drive.end_ns
    assert len(clock) > 40


def test_the_rate_is_kept(listener, drive):
    made = player(listener, drive, rate=8.0)
    while not all(made.subscribers().values()):
        listener.wait(0.02)
    begin_s = time.perf_counter()
    made.play(listener.wait)
    assert 0.24 < time.perf_counter() - begin_s < 1.8


def test_at_a_tick_all_up_to_it_and_nothing_else_has_been_sent(listener, tmp_path):
    """Messages a nanosecond before, at, and a nanosecond after each tick."""
    first = (bags.START_NS // PERIOD_NS + 1) * PERIOD_NS
    ticks = [first + k * PERIOD_NS for k in range(4)]
    samples = [
        bags.ego_sample(ODOMETRY, tick + offset, bags.circle()(0.0), tick + offset)
        for tick in ticks
        for offset in (-1, 0, 1)
    ]
    samples.insert(0, bags.ego_sample(ODOMETRY, 1, bags.circle()(0.0), first - 10**8))
    samples.append(bags.ego_sample(ODOMETRY, 1, bags.circle()(0.0), ticks[-1] + 10**8))
    with BagReader(bags.write_bag(tmp_path / 'drive', samples)) as reader:
        listener.play(player(listener, reader, topics=[ODOMETRY], period_ns=PERIOD_NS))
    for tick in ticks:
        at = listener.heard.index((CLOCK, tick))
        before = [v for name, v in listener.heard[:at] if name == ODOMETRY]
        after = [v for name, v in listener.heard[at:] if name == ODOMETRY]
        assert max(before) == tick
        assert tick + 1 in after


def test_a_command_reaches_who_comes_later(listener, tmp_path):
    samples = bags.drive(duration_s=1.0)
    samples.insert(0, bags.string_sample(COMMAND, 'turn left', samples[0].log_ns))
    with BagReader(bags.write_bag(tmp_path / 'drive', samples)) as reader:
        made = player(listener, reader, topics=[ODOMETRY, COMMAND])
        made.play(listener.wait)
        # as the planner node asks for it
        listener.hear_text(COMMAND, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        end_s = time.perf_counter() + 10.0
        while not listener.of(COMMAND):
            assert time.perf_counter() < end_s
            listener.wait(0.05)
    assert listener.of(COMMAND) == ['turn left']


def test_a_rosbag1_is_sent_in_the_layout_of_ros_2(listener, tmp_path):
    samples = bags.drive(duration_s=1.0)
    with BagReader(bags.write_bag(tmp_path / 'drive', samples, 'rosbag1')) as reader:
        listener.play(player(listener, reader))
    for topic in (ODOMETRY, IMAGE):
        assert listener.of(topic) == [n - DELAY_NS for n in logs(topic, samples)]


def test_half_a_century_of_silence_is_skipped(listener, tmp_path):
    early = bags.ego_sample(ODOMETRY, 1_000, bags.circle()(0.0), 1_000)
    samples = [early, *bags.drive(duration_s=0.5)]
    with BagReader(bags.write_bag(tmp_path / 'drive', samples)) as reader:
        begin_s = time.perf_counter()
        listener.play(player(listener, reader, period_ns=PERIOD_NS))
        assert time.perf_counter() - begin_s < 10.0
        assert listener.of(CLOCK)[-1] == reader.end_ns
    assert len(listener.of(ODOMETRY)) == 11


def test_playing_again_sets_the_clock_back(listener, drive):
    made = player(listener, drive, rate=8.0)
    listener.play(made)
    count = len(listener.heard)
    listener.play(made)
    again = [value for name, value in listener.heard[count:] if name == CLOCK]
    assert again[0] == drive.start_ns - 1
    assert len(listener.of(ODOMETRY)) == 2 * len(logs(ODOMETRY))


def test_bad_bytes_end_it_after_the_messages_before(listener, tmp_path):
    samples = bags.drive(duration_s=1.0)
    bad = bags.bytes_sample(ODOMETRY, 'nav_msgs/msg/Odometry', samples[-1].log_ns + 1, b'\x01')
    bag = bags.write_bag(tmp_path / 'drive', [*samples, bad], 'rosbag1')
    with BagReader(bag) as reader:
        made = player(listener, reader, topics=[ODOMETRY])
        with pytest.raises(BagError, match='got 1 bytes that are none'):
            listener.play(made)
        listener.wait(0.3)
    assert len(listener.of(ODOMETRY)) == 20


def bag_player(*arguments):
    return subprocess.run(
        [sys.executable, '-m', 'emma_planner.ros.bag_player', *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_plays_a_bag_to_its_end(tmp_path):
    bag = bags.write_bag(tmp_path / 'drive', bags.drive(duration_s=1.0))
    done = bag_player(bag, '--rate', '4')
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f'bag_player: {bag}, 0.9 s, 3 topics\n',
        '',
    )


def test_the_command_says_in_one_line_what_is_wrong(tmp_path):
    done = bag_player(tmp_path / 'no')
    assert done.returncode == 1
    said = f'bag_player: {tmp_path}/no: need a bag, no such file or folder\n'
    assert done.stderr == said
