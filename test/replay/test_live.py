"""Live replay over DDS gives the plans of the lock-step, and keeps what it has when cut short."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import synthetic_bags as bags

from emma_planner.cli import main
from emma_planner.config import PlannerConfig
from emma_planner.recordings.bags import BagReader
from emma_planner.recordings.topics import InputTopics
from emma_planner.replay.live import last_line, topics_in_config
from emma_planner.ros.node_process import STOP_LIMIT_S

pytestmark = pytest.mark.ros
pytest.importorskip('rclpy')

RECORDED = Path(__file__).parents[3] / 'shared' / 'data' / 'rosbag2_kitti_0005_mcap'
BASELINE = ('--planner', 'constant-action')
UNTRAINED = ('--set', 'num_threads=1', '--set', 'reason_tokens=4', '--set', 'deadline_s=60')


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    samples = bags.drive(duration_s=8.0)
    return bags.write_bag(tmp_path_factory.mktemp('live') / 'drive', samples)


def start(bag, out, *options):
    command = [sys.executable, '-m', 'emma_planner.cli', 'replay', str(bag), '--live', '--quiet']
    command += ['--out', str(out), *options]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def replay_live(bag, out, *options):
    """Run to the end; returns the status and the lines on stderr."""
    process = start(bag, out, *options)
    _, stderr = process.communicate(timeout=120)
    return process.returncode, stderr.splitlines()


def records(out):
    lines = (out / 'plans.jsonl').read_text().splitlines()
    return [json.loads(line) for line in lines[1:]]


def children(pid):
    """Processes that a process has started."""
    found = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            text = stat.read_text()
        except OSError:
            continue  # ended meanwhile
        if int(text.rpartition(')')[2].split()[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def wait_for(condition, limit_s=60.0):
    end_s = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < end_s, 'waited too long'
        time.sleep(0.05)
    return value


def has_lines(out, count):
    path = out / 'plans.jsonl'
    return path.exists() and len(path.read_bytes().splitlines()) > count


def assert_same_plans(live, lockstep):
    """The same poses for every stamp in common, and nearly all stamps in common."""
    one, other = (
        {record['stamp_ns']: record for record in side if record['history'] is not None}
        for side in (live, lockstep)
    )
    common = set(one) & set(other)
    assert len(common) >= 0.8 * len(other)
    for stamp_ns in common:
        ours, theirs = one[stamp_ns], other[stamp_ns]
        assert ours['reason'] == theirs['reason']
        assert ours['replies'] == theirs['replies']
        assert ours['command'] == theirs['command']
        np.testing.assert_allclose(ours['poses'], theirs['poses'], rtol=0.0, atol=1e-6)


@pytest.mark.parametrize(
    ('options', 'rate'), [(BASELINE, '2'), (UNTRAINED, '1')], ids=['baseline', 'model']
)
def test_live_and_lockstep_give_the_same_plans(bag, tmp_path, options, rate):
    live, lockstep = tmp_path / 'live', tmp_path / 'lockstep'
    assert replay_live(bag, live, '--rate', rate, *options) == (0, [])
    assert main(['replay', str(bag), '--quiet', '--out', str(lockstep), *options]) == 0
    assert_same_plans(records(live), records(lockstep))
    metrics = json.loads((live / 'metrics.json').read_text())
    assert metrics['live'] is True
    assert metrics['complete'] is True
    header = json.loads((live / 'plans.jsonl').read_text().splitlines()[0])
    assert header['config_hash'] == metrics['config_hash']


def test_a_rosbag1_on_the_tick_with_commands_does_too(tmp_path):
    """Times of a simulator: every message at a whole tenth of a second, some on the tick."""
    begin_ns = bags.START_NS - 251_000_000
    samples = bags.drive(duration_s=8.0, start_ns=begin_ns, delay_ns=0)
    for time_s, text in ((0.0, 'turn left'), (6.26, 'turn right')):
        samples.append(bags.string_sample('/command', text, begin_ns + round(time_s * 1e9)))
    samples.sort(key=lambda sample: sample.log_ns)
    bag = bags.write_bag(tmp_path / 'drive', samples, 'rosbag1')
    live, lockstep = tmp_path / 'live', tmp_path / 'lockstep'
    assert replay_live(bag, live, '--rate', '2', *BASELINE) == (0, [])
    assert main(['replay', str(bag), '--quiet', '--out', str(lockstep), *BASELINE]) == 0
    assert_same_plans(records(live), records(lockstep))
    assert all(record['tick_ns'] == record['stamp_ns'] for record in records(live)[1:])
    said = {record['command'] for record in records(live)}
    assert {'turn left', 'turn right'} <= said


@pytest.mark.recorded
@pytest.mark.slow
def test_the_recorded_drive_gives_the_same_plans_live(tmp_path):
    if not RECORDED.exists():
        pytest.skip(f'needs {RECORDED}')
    live, lockstep = tmp_path / 'live', tmp_path / 'lockstep'
    assert replay_live(RECORDED, live, '--rate', '2', *BASELINE) == (0, [])
    assert main(['replay', str(RECORDED), '--quiet', '--out', str(lockstep), *BASELINE]) == 0
    assert_same_plans(records(live), records(lockstep))


def test_what_the_node_publishes_is_recorded(bag, tmp_path):
    assert replay_live(bag, tmp_path, '--rate', '4', *BASELINE) == (0, [])
    with BagReader(tmp_path / 'replay') as reader:
        topics = reader.topics
        paths = [message.decode() for message in reader.messages({'/planner/path'})]
        assert reader.latched == {'/planner/path', '/planner/target_speed'}
    assert {
        '/planner/path',
        '/planner/target_speed',
        '/planner/reasoning',
        '/planner/markers',
        '/planner/overlay/compressed',
        '/diagnostics',
    } <= set(topics)
    stamps = {record['stamp_ns'] for record in records(tmp_path)}
    assert stamps & {p.header.stamp.sec * 10**9 + p.header.stamp.nanosec for p in paths}


def test_a_node_that_is_killed_leaves_what_it_has_planned(bag, tmp_path):
    process = start(bag, tmp_path, *BASELINE)
    wait_for(lambda: has_lines(tmp_path, 5))
    (node,) = children(process.pid)
    os.kill(node, signal.SIGKILL)
    _, stderr = process.communicate(timeout=60)
    kept = len(records(tmp_path))
    assert process.returncode == 1
    assert stderr.splitlines() == [
        'emma replay: the planner node ended in the middle of the recording by SIGKILL, '
        f'see {tmp_path / "planner.log"}; kept {kept} ticks in {tmp_path}'
    ]
    assert 5 <= kept < 16
    assert json.loads((tmp_path / 'metrics.json').read_text())['complete'] is False
    with BagReader(tmp_path / 'replay') as reader:
        assert len(list(reader.messages({'/planner/reasoning'}))) == kept


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_has_been_planned_and_ends_the_node(bag, tmp_path, ctrl_c, number):
    process = start(bag, tmp_path, *BASELINE)
    wait_for(lambda: has_lines(tmp_path, 3))
    nodes = children(process.pid)
    process.send_signal(number)
    told_s = time.monotonic()
    _, stderr = process.communicate(timeout=60)
    assert time.monotonic() - told_s < STOP_LIMIT_S  # asked to end, not killed
    kept = len(records(tmp_path))
    assert process.returncode == 1
    assert stderr.splitlines() == [
        f'emma replay: {bag}: interrupted; kept {kept} ticks in {tmp_path}'
    ]
    assert nodes
    assert not any(Path(f'/proc/{node}').exists() for node in nodes)


def test_a_node_that_cannot_start_says_why(bag, tmp_path):
    status, (line,) = replay_live(bag, tmp_path / 'out', '--model', '/no/such/model')
    assert status == 1
    assert line.startswith('emma replay: the planner node ended before it became active: ')
    assert line.endswith('/no/such/model: need a model folder or a hub id, got no such folder')
    # nothing is in the way of a second try
    assert {path.name for path in (tmp_path / 'out').iterdir()} == {'planner.log', 'planner.yaml'}


def test_a_damaged_bag_keeps_the_plans_before_the_damage(tmp_path):
    samples = bags.drive(duration_s=8.0)
    bad = bags.bytes_sample(
        bags.ODOMETRY, 'nav_msgs/msg/Odometry', bags.START_NS + 7_000_000_000, b'\x00' * 9
    )
    samples = sorted([*samples, bad], key=lambda sample: sample.log_ns)
    bag = bags.write_bag(tmp_path / 'drive', samples, 'rosbag1')
    status, (line,) = replay_live(bag, tmp_path / 'out', '--rate', '4', *BASELINE)
    assert status == 1
    assert '/odom: need a nav_msgs/msg/Odometry, got 9 bytes that are none; kept 1' in line
    assert len(records(tmp_path / 'out')) >= 10


def test_another_replay_on_the_same_domain_is_not_mixed_in(bag, tmp_path):
    import rclpy
    from rosgraph_msgs.msg import Clock

    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    rival = rclpy.create_node('rival', context=context)
    rival.create_publisher(Clock, '/clock', 1)
    try:
        status, lines = replay_live(bag, tmp_path, *BASELINE)
    finally:
        rival.destroy_node()
        context.try_shutdown()
    assert status == 1
    (line,) = lines
    # seen before the first message, or a little later
    assert line.startswith(
        'emma replay: need the only /clock and planner of the ROS domain, others are running; '
        'stop them or set another ROS_DOMAIN_ID'
    )


def test_without_ros_the_line_says_what_to_install(bag, tmp_path):
    code = (
        'import sys; sys.modules["rclpy"] = None; from emma_planner.cli import main; '
        f'sys.exit(main(["replay", {str(bag)!r}, "--live", "--out", {str(tmp_path)!r}]))'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith('emma replay: need ROS 2 for a live replay, got ')
    assert "pip install 'emma_planner[ros]'" in line


def test_the_node_is_given_the_topics_of_the_recording():
    topics = InputTopics('cam', {'twist': 'v', 'pose': '/p'}, '/info', 'cmd')
    raw = topics_in_config(PlannerConfig(), topics, 'sensor_msgs/msg/Image')
    assert (raw.image_topic, raw.compressed_topic) == ('/cam', 'image/compressed')
    assert (raw.twist_topic, raw.pose_topic) == ('/v', '/p')
    assert (raw.camera_info_topic, raw.command_topic) == ('/info', '/cmd')
    packed = topics_in_config(PlannerConfig(), topics, 'sensor_msgs/msg/CompressedImage')
    assert (packed.image_topic, packed.compressed_topic) == ('image', '/cam')


def test_the_last_words_of_a_node_are_the_last_line_that_says_something(tmp_path):
    log = tmp_path / 'planner.log'
    log.write_bytes(b'loading\n  failed: \xff  \n\n')
    assert last_line(log) == 'failed: \ufffd'
    log.write_text('\n')
    assert last_line(log) == 'it said nothing'
