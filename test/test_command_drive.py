"""``emma drive``: options, results, and what is kept when something fails."""

from __future__ import annotations

import json

import pytest

from emma_planner import cli
from emma_planner.recordings.plan_log import read_plan_log

pytest.importorskip('metadrive')

from emma_planner.recordings.bags import BagReader

pytestmark = pytest.mark.sim


SHORT = ('--time-limit', '6')


def _drive(*options: str) -> int:
    return cli.main(['drive', '--camera', '160x90', *options])


def test_list_shows_the_scenarios_of_a_split(capsys):
    assert _drive('--list', '--split', 'test', '--seeds', '0-2,7') == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [
        'test-000',
        'test-001',
        'test-002',
        'test-007',
    ]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('--split', 'vall'), "need a split of train, val, test, got 'vall'"),
        (('--seeds', '98-120'), 'val: need a seed of 0 to 99, got 100'),
        (('--density', '7'), 'need a traffic density of 0 to 1, got 7'),
        (('--planner', 'nobody'), 'planner: need one of mllm, constant-action'),
        (('--set', 'rate_hz=0'), 'rate_hz'),
        (('--ros', '--planner', 'expert'), '--ros: need a planner and one worker, got expert'),
        (('--ros', '--workers', '2'), 'need a planner and one worker, got more than one worker'),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(options, message, capsys, tmp_path):
    assert _drive('--out', str(tmp_path), *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        (('--seeds', '5-3'), 'need a range upwards'),
        (('--seeds', 'all'), 'need numbers as 0-49 or 3,7,10-12, got all'),
        (('--camera', 'big'), 'need a size as 640x360, got big'),
        (('--latency', '-1'), "need seconds from 0 to 60 or 'measured', got -1"),
        (('--workers', '0'), 'need a whole number above 0, got 0'),
    ],
)
def test_options_that_are_no_values_are_named(option, message, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(['drive', f'{option[0]}={option[1]}'])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_a_drive_leaves_a_bag_a_plan_log_and_scores(tmp_path, capsys):
    out = tmp_path / 'out'
    assert _drive('--planner', 'half-acceleration', '--seeds', '0', *SHORT, '--out', str(out)) == 0
    scores = json.loads((out / 'scores.json').read_text())
    assert scores['num_drives'] == 1
    assert scores['complete'] is True
    assert scores['drives'][0]['scenario'] == 'val-000'
    assert {'driving_score', 'success_rate', 'route_completion', 'off_road_rate'} <= set(scores)
    header, records = read_plan_log(out / 'val-000/plans.jsonl')
    assert header.planner == 'half-acceleration'
    plans = list(records)
    assert len(plans) == 12  # 6 s at 2 Hz
    assert all(plan['reason'] is None for plan in plans)
    with BagReader(out / 'val-000/drive') as bag:
        topics = {topic: bag.topics[topic] for topic in bag.topics}
        assert {'/camera/image/compressed', '/odometry', '/control', '/planner/path'} <= set(
            topics
        )
    assert 'val-000' in capsys.readouterr().out


def test_results_of_an_earlier_run_are_kept_unless_told_otherwise(tmp_path, capsys):
    options = ('--planner', 'expert', '--seeds', '1', *SHORT, '--out', str(tmp_path), '--quiet')
    assert _drive(*options) == 0
    assert _drive(*options) == 1
    assert 'need a folder without results' in capsys.readouterr().err
    assert _drive(*options, '--overwrite') == 0


def test_a_run_that_was_cut_off_goes_on_and_drives_no_more_than_is_left(tmp_path):
    options = ('--planner', 'expert', *SHORT, '--quiet')
    whole, cut = tmp_path / 'whole', tmp_path / 'cut'
    assert _drive(*options, '--seeds', '0-1', '--out', str(whole)) == 0
    assert _drive(*options, '--seeds', '0', '--out', str(cut)) == 0
    # as it is left where the second drive is under way
    path, log = cut / 'scores.json', cut / 'val-000/plans.jsonl'
    path.write_text(path.read_text().replace('"complete": true', '"complete": false'))
    (cut / 'val-001/drive').mkdir(parents=True)
    driven_ns = log.stat().st_mtime_ns
    assert _drive(*options, '--seeds', '0-1', '--out', str(cut)) == 0
    assert log.stat().st_mtime_ns == driven_ns
    assert path.read_text() == (whole / 'scores.json').read_text()


def test_drives_of_another_density_are_not_mixed(tmp_path, capsys):
    options = ('--planner', 'expert', *SHORT, '--out', str(tmp_path), '--quiet')
    assert _drive(*options, '--seeds', '0') == 0
    assert _drive(*options, '--seeds', '0-1', '--density', '0.3') == 1
    assert 'need the drives that were begun here, got another density' in capsys.readouterr().err


def test_a_drive_that_was_cut_off_is_overwritten_and_nothing_else_is(tmp_path, capsys):
    cut, other = tmp_path / 'val-007/drive', tmp_path / 'recording/drive'
    cut.mkdir(parents=True)
    other.mkdir(parents=True)
    options = ('--planner', 'expert', '--seeds', '1', *SHORT, '--out', str(tmp_path), '--quiet')
    assert _drive(*options) == 1
    assert 'need a folder without results' in capsys.readouterr().err
    assert _drive(*options, '--overwrite') == 0
    assert not cut.exists()
    assert other.exists()


def test_latency_passes_as_simulated_time_before_a_path_is_followed(tmp_path):
    plans = {}
    for latency in ('0', '1.5'):
        out = tmp_path / latency
        options = ('--seeds', '2', *SHORT, '--latency', latency, '--out', str(out), '--quiet')
        assert _drive('--planner', 'half-acceleration', *options) == 0
        _, records = read_plan_log(out / 'val-002/plans.jsonl')
        plans[latency] = len(list(records))
    assert plans['0'] == 12
    assert plans['1.5'] == 3  # one every 1.5 s: the planner is busy in between


@pytest.mark.slow
@pytest.mark.parametrize('many', [('--workers', '2'), ('--workers', '2', '--ray', 'local')])
def test_workers_do_not_change_the_results(tmp_path, many):
    if '--ray' in many:
        pytest.importorskip('ray')
    drives = []
    for name, workers in (('one', ()), ('many', many)):
        options = ('--seeds', '2-3', *SHORT, *workers, '--out', str(tmp_path / name), '--quiet')
        assert _drive('--planner', 'expert', '--density', '0.05', *options) == 0
        drives.append(json.loads((tmp_path / name / 'scores.json').read_text())['drives'])
    assert drives[0] == drives[1]


@pytest.mark.slow
def test_a_film_is_written_on_request(tmp_path):
    options = ('--seeds', '2', *SHORT, '--film', 'webp', '--out', str(tmp_path), '--quiet')
    assert _drive('--planner', 'expert', *options) == 0
    assert (tmp_path / 'val-002/film.webp').read_bytes()[:4] == b'RIFF'


@pytest.mark.ros
@pytest.mark.slow
def test_over_ros_the_scores_are_the_same(tmp_path):
    pytest.importorskip('rclpy')
    for name, options in (('alone', ()), ('nodes', ('--ros',))):
        assert _drive(
            '--planner', 'constant-action', '--seeds', '0-1', *SHORT, '--quiet', *options,
            '--out', str(tmp_path / name),
        ) == 0  # fmt: skip
    alone, nodes = (
        json.loads((tmp_path / n / 'scores.json').read_text()) for n in ('alone', 'nodes')
    )
    assert alone == nodes
    for name in ('alone', 'nodes'):
        _, plans = read_plan_log(tmp_path / name / 'val-000' / 'plans.jsonl')
        assert [plan['stamp_ns'] for plan in plans][:3] == [6 * 10**9, 65 * 10**8, 7 * 10**9]
    assert (tmp_path / 'nodes/planner_node.log').exists()
