"""``emma replay``: every bad input ends in one line that says what was needed and found."""

from __future__ import annotations

import ctypes
import os
import pty
import re
import resource
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import synthetic_bags as bags
from command_replay.replay_results import metrics, records

from emma_planner import command_replay
from emma_planner.cli import main
from emma_planner.recordings.bags import BagReader

BASELINE = ('--planner', 'constant-action')
RECORDED = Path(__file__).parents[3] / 'shared' / 'data' / 'rosbag2_kitti_0005_mcap'


# what goes well


@pytest.mark.parametrize('storage', bags.FORMATS)
def test_a_table_shows_how_the_recording_was_planned(tmp_path, emma, storage):
    bag = bags.write_bag(tmp_path / 'drive', bags.drive(), storage)
    status, table, lines = emma(bag, *BASELINE, quiet=False)
    assert (status, lines) == (0, [])
    assert 'planner   constant-action' in table
    assert f'image: {bags.IMAGE}, odometry: /odom, camera_info: {bags.CAMERA_INFO}' in table
    assert 'windows   5 with 5 s of history and of future, 5 with a trajectory' in table
    assert re.search(r'ticks +24\n', table)
    assert re.search(r'valid +15   100.0 %', table)
    assert 'half-acceleration' in table
    assert f'metrics   {tmp_path / "out" / "metrics.json"}' in table
    assert max(map(len, table.splitlines()[3:-3])) <= 100


def test_quiet_prints_nothing(bag, emma):
    assert emma(bag, *BASELINE) == (0, '', [])


def test_an_untrained_model_is_called_so(bag, emma):
    options = ('--model', 'untrained', '--set', 'num_threads=1', '--set', 'reason_tokens=2')
    status, table, lines = emma(bag, *options, quiet=False)
    assert (status, lines) == (0, [])
    assert 'planner   untrained:' in table


def test_the_same_seed_gives_the_same_plans(bag, emma, tmp_path):
    # a picture that is known to nobody: without its own plan nothing is drawn
    options = ['--set', 'num_threads=1', '--set', 'temperature=1.0', '--set', 'reason_tokens=4']
    options += ['--set', 'unknown_scene=model']
    runs = []
    for name, seed in (('a', '1'), ('b', '1'), ('c', '2')):
        assert emma(bag, *options, '--seed', seed, out=tmp_path / name)[0] == 0
        runs.append([record['replies'] for record in records(tmp_path / name)])
    assert runs[0] == runs[1] != runs[2]


def test_files_and_options_go_over_presets(bag, emma, tmp_path):
    config = tmp_path / 'my.yaml'
    config.write_text('planner: constant-velocity\nrate_hz: 1.0\ndefault_command: turn left\n')
    assert emma(bag, '--config', str(config), *BASELINE, '--set', 'rate_hz=4')[0] == 0
    done = records(tmp_path / 'out')
    assert {record['model'] for record in done} == {'constant-action'}
    assert {record['command'] for record in done} == {'turn left'}
    assert done[1]['tick_ns'] - done[0]['tick_ns'] == 250_000_000


def test_the_output_folder_has_a_default(bag, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(['replay', str(bag), '--quiet', *BASELINE]) == 0
    assert capsys.readouterr().err == ''
    assert (tmp_path / 'out' / 'replay-drive' / 'metrics.json').exists()


def test_a_terminal_sees_progress(bag, tmp_path):
    seen, end = pty.openpty()
    command = [sys.executable, '-m', 'emma_planner.cli', 'replay', str(bag), *BASELINE]
    command += ['--out', str(tmp_path / 'out')]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=end)
    os.close(end)
    text = _read_to_end(seen)
    assert process.wait() == 0
    assert 'drive [#' in text
    assert '100 %' in text


def _read_to_end(terminal):
    parts = []
    with suppress(OSError):  # the other end is closed
        while part := os.read(terminal, 4096):
            parts.append(part)
    os.close(terminal)
    return b''.join(parts).decode()


# the recording


def test_a_missing_bag_is_named(tmp_path, fails):
    assert fails(tmp_path / 'no.mcap') == f'{tmp_path}/no.mcap: need a bag, no such file or folder'


@pytest.mark.parametrize('storage', bags.FORMATS)
@pytest.mark.parametrize('content', [b'', b'garbage' * 999], ids=['empty', 'garbage'])
def test_a_file_that_is_no_bag_is_named(tmp_path, fails, storage, content):
    bag = bags.write_bag(tmp_path / 'drive', bags.drive(duration_s=0.5), storage)
    bags.file_of(bag).write_bytes(content)
    assert fails(bag, *BASELINE).startswith(f'{bag}: need a readable bag, got: ')
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('share', [0.3, 0.6, 0.95])
def test_a_truncated_bag_keeps_the_plans_before_the_cut(tmp_path, fails, share):
    filler = [
        bags.string_sample('/filler', 'x' * 300_000, bags.START_NS + k * 500_000_000)
        for k in range(24)
    ]
    samples = sorted([*bags.drive(), *filler], key=lambda sample: sample.log_ns)
    bag = bags.write_bag(tmp_path / 'drive', samples)
    whole = bags.file_of(bag).read_bytes()
    bags.file_of(bag).write_bytes(whole[: int(share * len(whole))])
    text = fails(bag, *BASELINE)
    kept = records(tmp_path / 'out')
    assert re.fullmatch(
        rf'{bag}: cut off after \d+ messages, got: File end magic is invalid; '
        rf'kept {len(kept)} ticks in {tmp_path}/out',
        text,
    )
    assert 24 * share - 5 <= len(kept) <= 24 * share
    assert metrics(tmp_path / 'out')['complete'] is False
    assert metrics(tmp_path / 'out')['counts']['ticks'] == len(kept)
    with BagReader(tmp_path / 'out' / 'replay') as reader:
        assert len(list(reader.messages({'/planner/path'}))) == len(kept)


@pytest.mark.parametrize('storage', bags.FORMATS)
def test_a_message_that_is_none_keeps_the_plans_before_it(tmp_path, fails, storage):
    bad_ns = bags.START_NS + 7_000_000_000
    samples = [
        *bags.drive(),
        bags.bytes_sample(bags.ODOMETRY, 'nav_msgs/msg/Odometry', bad_ns, b'\x00' * 9),
    ]
    samples.sort(key=lambda sample: sample.log_ns)
    bag = bags.write_bag(tmp_path / 'drive', samples, storage)
    assert fails(bag, *BASELINE) == (
        '/odom: need a nav_msgs/msg/Odometry, got 9 bytes that are none; '
        f'kept 14 ticks in {tmp_path}/out'
    )
    assert len(records(tmp_path / 'out')) == 14


def test_a_bag_without_messages_is_said_to_hold_none(tmp_path, fails):
    bag = bags.write_bag(tmp_path / 'drive', [])
    assert fails(bag) == f'{bag}: need messages, the bag holds none'


def test_a_bag_without_camera_lists_what_there_is(tmp_path, fails):
    bag = bags.write_bag(tmp_path / 'drive', bags.drive(image='', duration_s=1.0))
    assert fails(bag, *BASELINE) == (
        'need a camera (sensor_msgs/msg/Image or sensor_msgs/msg/CompressedImage), '
        'the recording has /odom (nav_msgs/msg/Odometry)'
    )


def test_a_bag_without_ego_motion_lists_what_there_is(tmp_path, fails):
    bag = bags.write_bag(tmp_path / 'drive', bags.drive(ego=(), duration_s=1.0))
    text = fails(bag, *BASELINE)
    assert text.startswith('need ego motion (nav_msgs/msg/Odometry or ')
    assert f'the recording has {bags.CAMERA_INFO} (' in text


def test_a_topic_that_is_not_there_is_named_with_those_that_are(bag, fails):
    assert fails(bag, *BASELINE, '--set', 'odometry_topic=/ego') == (
        'need topic /ego (odometry_topic, twist_topic, pose_topic), '
        'the recording has /odom (nav_msgs/msg/Odometry)'
    )
    assert fails(bag, *BASELINE, '--set', 'compressed_topic=/rear') == (
        f'need topic /rear (compressed_topic, image_topic), the recording has {bags.IMAGE}'
    )


def test_a_bag_shorter_than_5_s_says_what_is_missing(tmp_path, fails):
    bag = bags.write_bag(tmp_path / 'drive', bags.drive(duration_s=3.0))
    text = fails(bag, *BASELINE)
    assert text.startswith(
        f'{bag}: no tick could be planned; last: short_history: need 4.5 s of ego poses, got 2.'
    )
    assert metrics(tmp_path / 'out')['counts']['no_input'] == {'short_history': 6}


def test_a_bag_between_two_ticks_has_none(tmp_path, fails):
    bag = bags.write_bag(tmp_path / 'drive', bags.drive(duration_s=0.2))
    assert fails(bag, *BASELINE) == f'{bag}: need one tick at least, got none'
    # nothing is in the way of a second try
    assert not list((tmp_path / 'out').iterdir())


# the options


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        (['--set', 'rate_hx=3'], "options: unknown key 'rate_hx'; nearest is rate_hz"),
        (['--set', 'odometry=/a'], 'nearest is odometry_topic'),
        (['--set', 'rate_hz'], "--set: need KEY=VALUE, got 'rate_hz'"),
        (['--set', 'rate_hz=fast'], "options: rate_hz: need float, got 'fast'"),
        (['--set', 'rate_hz=1000'], 'options: rate_hz: need 0.1 to 50 Hz, got 1000.0'),
        (['--set', 'rate_hz=[1'], "--set rate_hz: need a YAML value, got '[1'"),
        (['--set', '=3'], "unknown key ''"),
        (['--planner', 'me'], 'planner: need one of mllm, constant-action, constant-velocity'),
        (['--preset', 'mars'], "argument --preset: invalid choice: 'mars' (choose from "),
        (['--seed', '-1'], 'options: seed: need 0 to 2147483647, got -1'),
        (['--seed', 'x'], "argument --seed: invalid int value: 'x'"),
        (['--config', '/no/such.yaml'], '/no/such.yaml: need a readable YAML file, got No such'),
        (['--rate', '2'], '--rate: need --live, got a replay in lock-step, which is not timed'),
        (['--live', '--rate', '0'], 'argument --rate: need a number above 0, got 0'),
        (['--live', '--rate', 'nan'], 'argument --rate: need a number above 0, got nan'),
        (['--live', '--rate', 'x'], 'argument --rate: need a number above 0, got x'),
        (['--live', '--every-image'], '--every-image: need a replay in lock-step, got --live'),
        (['--what'], 'unrecognized arguments: --what'),
    ],
)
def test_a_wrong_option_is_wrong_usage(bag, tmp_path, emma, options, said):
    status, _, (line,) = emma(bag, *options)
    assert status == 2
    assert line.startswith('emma')
    assert said in line
    assert not (tmp_path / 'out').exists()


def test_an_unknown_key_of_a_file_is_named_with_the_file(bag, tmp_path, fails):
    config = tmp_path / 'my.yaml'
    config.write_text('rate_hz: 2.0\nreason_token: 3\n')
    assert fails(bag, '--config', str(config), status=2) == (
        f"{config}: unknown key 'reason_token'; nearest is reason_tokens"
    )


@pytest.mark.parametrize('arguments', [[], ['fly']])
def test_without_a_command_one_line_says_so(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('emma')
    assert '--help' in line


# the output


def test_without_a_bag_the_shipped_recording_is_planned(tmp_path, capsys):
    out = tmp_path / 'out'
    assert main(['replay', '--planner', 'half-acceleration', '--out', str(out)]) == 0
    table = capsys.readouterr().out
    assert '/camera/image/compressed' in table
    valid = [record for record in records(out) if record['reason'] is None]
    assert len(valid) == 60  # 30 s at 2 Hz


def test_results_are_not_overwritten_unless_told(bag, tmp_path, emma, fails):
    assert emma(bag, *BASELINE)[0] == 0
    before = (tmp_path / 'out' / 'plans.jsonl').read_text()
    assert fails(bag, '--planner', 'constant-velocity') == (
        f'{tmp_path}/out: need a folder without results, got plans.jsonl; '
        'name another --out or give --overwrite'
    )
    assert (tmp_path / 'out' / 'plans.jsonl').read_text() == before
    assert emma(bag, '--planner', 'constant-velocity', '--overwrite')[0] == 0
    assert (tmp_path / 'out' / 'plans.jsonl').read_text() != before


def test_a_folder_that_cannot_be_made_is_named(bag, tmp_path, fails):
    (tmp_path / 'file').touch()
    out = tmp_path / 'file' / 'out'
    assert fails(bag, *BASELINE, out=out) == f'{out}: need a writable folder, got Not a directory'


@contextmanager
def permissions_hold():
    """Root writes wherever it likes (CAP_DAC_OVERRIDE); here it does not, and reads what it owns.

    Another user could not read a checkout that is root's alone.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread
    before = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 of them
    if libc.capget(header, before) != 0:
        raise OSError(ctypes.get_errno(), 'capget')
    less = (ctypes.c_uint32 * 6)(*before)
    less[0] &= ~(1 << 1)
    if libc.capset(header, less) != 0:
        raise OSError(ctypes.get_errno(), 'capset')
    try:
        yield
    finally:
        libc.capset(header, before)


@pytest.fixture
def closed(tmp_path):
    """A folder with a bag, where nothing may be written."""
    bags.write_bag(tmp_path / 'drive', bags.drive(duration_s=1.0))
    (tmp_path / 'out').mkdir()
    folders = (tmp_path, tmp_path / 'drive', tmp_path / 'out')
    for path in folders:
        path.chmod(0o555)
    with permissions_hold():
        yield tmp_path
    for path in folders:
        path.chmod(0o755)


@pytest.mark.parametrize('name', ['out', 'out/new'])
def test_a_folder_without_write_permission_is_named(fails, closed, name):
    out = closed / name
    text = fails(closed / 'drive', *BASELINE, out=out)
    assert text.startswith(f'{out}')
    assert text.endswith('got Permission denied')


def test_a_full_disk_keeps_what_was_written(bag, tmp_path):
    """A limit on the size of files stands for it."""
    command = [sys.executable, '-m', 'emma_planner.cli', 'replay', str(bag), *BASELINE]
    done = subprocess.run(
        [*command, '--quiet', '--out', str(tmp_path / 'out')],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith('emma replay: ')
    assert 'File too large' in line
    assert (tmp_path / 'out' / 'plans.jsonl').stat().st_size > 10_000


def test_results_that_would_be_overwritten_are_said_before_a_model_is_loaded(
    bag, tmp_path, fails, monkeypatch
):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'plans.jsonl').write_text('kept')
    monkeypatch.setattr(command_replay, 'build_planner', lambda config: pytest.fail('loaded'))
    assert 'need a folder without results, got plans.jsonl' in fails(bag)
    assert (tmp_path / 'out' / 'plans.jsonl').read_text() == 'kept'


# the recorded drive


@pytest.mark.recorded
@pytest.mark.slow
@pytest.mark.parametrize('action_format', ['text', 'tokens'])
def test_every_window_of_the_recorded_drive_is_planned(emma, tmp_path, action_format):
    if not RECORDED.exists():
        pytest.skip(f'needs {RECORDED}')
    options = ('--set', f'action_format={action_format}', '--set', 'reason_tokens=2')
    status, _, lines = emma(RECORDED, *options, '--set', 'num_threads=1', '--no-overlay')
    assert (status, lines) == (0, [])
    found = metrics(tmp_path / 'out')
    assert found['windows']['complete'] == found['windows']['planned'] == 13
    assert found['planner']['unplanned'] == 0
    rejected = found['counts']['rejected']
    assert not set(rejected) & {'format', 'length', 'model_error', 'timeout'}
    assert found['counts']['no_input'] == {'short_history': 9}
    texts = [record for record in records(tmp_path / 'out') if record['history']]
    assert len(texts) == 23
    assert all(len(record['speeds_mps']) == 10 for record in texts)
