"""What a replay leaves: a bag with every topic, pictures that decode, metrics without NaN."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import synthetic_bags as bags

from emma_planner.cli import main
from emma_planner.recordings.bags import BagReader, BagWriter
from emma_planner.recordings.plan_log import read_plan_log
from emma_planner.replay.outputs import (
    LATCHED,
    BagOutputs,
    OutputError,
    output_paths,
    prepare_folder,
    remove_results,
)
from emma_planner.ros.conversions import image_message
from emma_planner.ros.images import to_rgb

TOPICS = {
    '/planner/path': 'nav_msgs/msg/Path',
    '/planner/target_speed': 'std_msgs/msg/Float64',
    '/planner/reasoning': 'std_msgs/msg/String',
    '/planner/markers': 'visualization_msgs/msg/MarkerArray',
    '/planner/overlay/compressed': 'sensor_msgs/msg/CompressedImage',
    '/diagnostics': 'diagnostic_msgs/msg/DiagnosticArray',
}


@pytest.fixture(scope='module')
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp('outputs')
    bag = bags.write_bag(folder / 'drive', bags.drive())
    options = ['--planner', 'constant-action', '--quiet', '--set', 'target_speed_unit=kmh']
    assert main(['replay', str(bag), '--out', str(folder / 'out'), *options]) == 0
    return folder / 'out'


@pytest.fixture(scope='module')
def records(out):
    return list(read_plan_log(out / 'plans.jsonl')[1])


@pytest.fixture(scope='module')
def messages(out):
    with BagReader(out / 'replay') as reader:
        found = {topic: [] for topic in reader.topics}
        for message in reader.messages():
            found[message.topic].append((message.log_ns, message.decode()))
    return found


def stamp(header):
    return header.stamp.sec * 10**9 + header.stamp.nanosec


def test_every_topic_is_there_with_its_type(out):
    with BagReader(out / 'replay') as reader:
        assert reader.topics == TOPICS
        assert reader.latched == set(LATCHED) == {'/planner/path', '/planner/target_speed'}


def test_every_tick_is_recorded_at_its_time(messages, records):
    ticks = [record['tick_ns'] for record in records]
    for topic in set(TOPICS) - {'/planner/overlay/compressed'}:
        assert [log_ns for log_ns, _ in messages[topic]] == ticks


def test_headers_carry_the_stamp_of_the_image(messages, records):
    stamps = [record['stamp_ns'] for record in records]
    assert [stamp(path.header) for _, path in messages['/planner/path']] == stamps
    marked = [stamp(array.markers[0].header) for _, array in messages['/planner/markers']]
    assert marked == stamps
    planned = [record['stamp_ns'] for record in records if record['history']]
    drawn = [stamp(image.header) for _, image in messages['/planner/overlay/compressed']]
    assert drawn == planned


def test_the_path_is_the_plan_still_ahead_in_the_frame_of_the_odometry(messages, records):
    for record, (tick_ns, path) in zip(records, messages['/planner/path'], strict=True):
        if record['reason'] is not None:
            continue
        assert path.header.frame_id == 'odom'
        points = [(pose.pose.position.x, pose.pose.position.y) for pose in path.poses]
        ahead = [pose[:2] for k, pose in enumerate(record['poses'], start=1)]
        np.testing.assert_allclose(points, ahead[-len(points) :])
        times = [stamp(pose.header) for pose in path.poses]
        assert all(time > tick_ns for time in times)
        assert times[-1] == record['stamp_ns'] + 5_000_000_000


def test_the_target_speed_is_in_the_unit_asked_for(messages):
    assert messages['/planner/target_speed'][-1][1].data == pytest.approx(8.0 * 3.6)


def test_reasoning_is_the_line_of_the_plan_log(messages, records):
    said = [json.loads(text.data) for _, text in messages['/planner/reasoning']]
    assert said == records


def test_pictures_decode_and_are_drawn_on(messages):
    pictures = messages['/planner/overlay/compressed']
    assert len(pictures) == 15
    for _, image in pictures:
        assert image.format == 'jpeg'
        assert image.header.frame_id == 'camera_front_optical'
        picture = cv2.imdecode(np.asarray(image.data), cv2.IMREAD_COLOR)
        assert picture.shape == (bags.HEIGHT, bags.WIDTH, 3)
        plain = cv2.imdecode(np.frombuffer(bags.jpeg(0), np.uint8), cv2.IMREAD_COLOR)
        assert (picture != plain).any()


def test_pictures_keep_their_colours(tmp_path):
    red = np.zeros((16, 32, 3), dtype=np.uint8)
    red[..., 0] = 200
    with BagWriter(tmp_path / 'out') as writer:
        outputs = BagOutputs(writer, overlay=True)
        outputs.topics['overlay'].publish(image_message(writer.make, red, 5, 'front'))
    with BagReader(tmp_path / 'out') as reader:
        (message,) = reader.messages()
        np.testing.assert_allclose(to_rgb(message.decode()).astype(int), red, atol=8)


def test_diagnostics_say_why_there_is_no_plan(messages, records):
    for record, (_, array) in zip(records, messages['/diagnostics'], strict=True):
        assert len(array.status) == 4
        said = ' '.join(status.message for status in array.status)
        assert (record['reason'] is None) == ('short_history' not in said)


def test_metrics_hold_what_was_run_and_how_it_scored(out):
    metrics = json.loads((out / 'metrics.json').read_text(), parse_constant=pytest.fail)
    assert metrics['model'] == metrics['planner']['name'] == 'constant-action'
    assert metrics['bag'] == 'drive'
    assert metrics['live'] is False
    assert metrics['complete'] is True
    assert len(metrics['config_hash']) == 12
    assert metrics['counts'] == {
        'ticks': 24,
        'missed': 0,
        'no_input': {'short_history': 9},
        'plans': 15,
        'valid': 15,
        'rejected': {},
        'driven': {'plan': 15, 'none': 9},
    }
    assert set(metrics['baselines']) == {
        'constant-action',
        'constant-velocity',
        'half-acceleration',
    }
    for convention in ('at_horizon', 'averaged', 'window'):
        assert metrics['planner']['l2_m'][convention]['3s']['mean'] < 1e-3
    assert metrics['windows'] == {'complete': 5, 'planned': 5}


def test_the_header_of_the_plan_log_names_what_was_run(out):
    header, _ = read_plan_log(out / 'plans.jsonl')
    assert (header.planner, header.model, header.source) == ('constant-action',) * 2 + ('drive',)
    assert header.config_hash == json.loads((out / 'metrics.json').read_text())['config_hash']


def test_pictures_are_left_out_when_not_wanted(tmp_path):
    bag = bags.write_bag(tmp_path / 'drive', bags.drive(duration_s=6.0))
    options = ['--planner', 'constant-action', '--quiet', '--no-overlay']
    assert main(['replay', str(bag), '--out', str(tmp_path / 'out'), *options]) == 0
    with BagReader(tmp_path / 'out' / 'replay') as reader:
        assert '/planner/overlay/compressed' not in reader.topics


def test_results_are_kept_unless_told_otherwise(tmp_path):
    folder = tmp_path / 'deep' / 'out'
    prepare_folder(folder, overwrite=False)
    prepare_folder(folder, overwrite=False)  # empty: nothing to lose
    (folder / 'notes.txt').write_text('mine')
    for path in output_paths(folder).values():
        path.write_text('old')
        with pytest.raises(OutputError, match=f'got {path.name}; name another --out or give'):
            prepare_folder(folder, overwrite=False)
        assert path.read_text() == 'old'
        prepare_folder(folder, overwrite=True)
        assert not path.exists()
    assert (folder / 'notes.txt').read_text() == 'mine'


def test_only_results_are_removed(tmp_path):
    (tmp_path / 'replay').mkdir()
    (tmp_path / 'replay' / 'replay.mcap').write_text('old')
    (tmp_path / 'photo.jpg').touch()
    remove_results(tmp_path)
    remove_results(tmp_path / 'not there')
    assert [path.name for path in tmp_path.iterdir()] == ['photo.jpg']


def test_a_folder_below_a_file_cannot_be_made(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(OutputError, match='file/out: need a writable folder, got Not a directory'):
        prepare_folder(tmp_path / 'file' / 'out', overwrite=False)
