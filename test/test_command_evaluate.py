"""``emma evaluate``, ``emma ablate``: the same figures however they run, and bad input."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import synthetic_bags as bags
from evaluation.test_predictions import prediction, straight
from runs.sources_by_hand import dataset

from emma_planner import command_evaluate
from emma_planner.cli import main
from emma_planner.evaluation.predictions import header_line, to_json_line

BASELINE = ('--planner', 'constant-action')


@pytest.fixture
def emma(capsys):
    """Run a command; give its status, stdout and lines on stderr."""

    def run(*options):
        try:
            status = main([str(option) for option in options])
        except SystemExit as err:
            status = err.code
        written = capsys.readouterr()
        return status, written.out, written.err.splitlines()

    return run


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return dataset(tmp_path_factory.mktemp('evaluate') / 'set')


def metrics(folder):
    return json.loads((folder / 'metrics.json').read_text())


def predictions(path, *items, name='theirs'):
    lines = [header_line(name, {}), *map(to_json_line, items)]
    path.write_text('\n'.join(lines) + '\n')
    return path


def test_a_data_set_is_planned_and_scored(data, tmp_path, emma):
    status, out, err = emma('evaluate', data, *BASELINE, '--out', tmp_path / 'run')
    assert (status, err) == (0, [])
    assert 'half-acceleration' in out
    (run,) = metrics(tmp_path / 'run')['runs']
    assert run['planner']['name'] == 'constant-action'
    assert run['planner']['n'] == 12
    own, baseline = run['planner'], run['baselines']['constant-action']
    assert own['ade_m']['mean'] == pytest.approx(baseline['ade_m']['mean'], abs=1e-4)
    assert own['miss_rate'] == baseline['miss_rate']
    assert len(list((tmp_path / 'run/scenes').glob('*.jsonl'))) == 3
    assert metrics(tmp_path / 'run')['complete']


def test_a_recording_is_scored_to_its_end(tmp_path, emma):
    bag = bags.write_bag(tmp_path / 'bag', bags.drive(duration_s=12.0))
    status, out, _ = emma('evaluate', bag, *BASELINE, '--out', tmp_path / 'run')
    assert status == 0
    assert 'scored to the end of a shorter recording' in out
    (run,) = metrics(tmp_path / 'run')['runs']
    assert run['planner']['short'] > 0
    assert run['planner']['ade_m']['mean'] < 0.05  # a steady circle


@pytest.mark.parametrize(
    'many',
    [('--workers', '1'), ('--workers', '2'), ('--workers', '2', '--ray', 'local')],
    ids=['1', '2', 'ray'],
)
def test_more_workers_and_rescoring_give_the_same_figures(data, tmp_path, emma, many):
    if '--ray' in many:
        pytest.importorskip('ray')
    for name, options in (('one', ()), ('more', many)):
        assert emma('evaluate', data, *BASELINE, *options, '--out', tmp_path / name)[0] == 0
    assert metrics(tmp_path / 'one') == metrics(tmp_path / 'more')
    assert emma('evaluate', tmp_path / 'one', '--out', tmp_path / 'again')[0] == 0
    assert metrics(tmp_path / 'again')['runs'] == metrics(tmp_path / 'one')['runs']


def test_a_run_that_was_cut_off_goes_on(data, tmp_path, emma, monkeypatch):
    whole, cut, planned = tmp_path / 'whole', tmp_path / 'cut', []
    assert emma('evaluate', data, *BASELINE, '--out', whole)[0] == 0

    def fails(run, tasks, **_):
        for number, task in enumerate(tasks):
            if number == 2:
                raise KeyboardInterrupt
            planned.append(task.scene)
            yield number, run(task)

    monkeypatch.setattr(command_evaluate, 'fan_out', fails)
    status, _, (line,) = emma('evaluate', data, *BASELINE, '--out', cut)
    assert status == 1
    assert 'interrupted; results in' in line
    assert not metrics(cut)['complete']
    assert metrics(cut)['runs'][0]['planner']['n'] == 8
    assert emma('evaluate', data, *BASELINE, '--out', cut)[0] == 0
    assert planned == ['drive-0', 'drive-1', 'drive-2']
    assert metrics(cut) == metrics(whole)


def test_another_run_is_not_gone_on_with(data, tmp_path, emma):
    out = tmp_path / 'run'
    assert emma('evaluate', data, *BASELINE, '--out', out)[0] == 0
    other = ('evaluate', data, '--planner', 'constant-velocity', '--out', out)
    status, _, (line,) = emma(*other)
    assert status == 1
    assert 'need the run that was begun here, got another config_hash, planner' in line
    assert emma(*other, '--overwrite')[0] == 0
    assert metrics(out)['runs'][0]['planner']['name'] == 'constant-velocity'


def test_results_of_several_planners_stand_side_by_side(tmp_path, emma):
    one = predictions(tmp_path / 'one.jsonl', prediction(poses=straight(6.0)), name='one')
    two = predictions(tmp_path / 'two.jsonl', prediction(), prediction(stamp_ns=8), name='two')
    status, out, _ = emma('evaluate', one, two, '--out', tmp_path / 'run')
    assert status == 0
    assert re.search(r'^one .*', out, re.MULTILINE)
    assert [run['planner']['name'] for run in metrics(tmp_path / 'run')['runs']] == ['one', 'two']
    assert metrics(tmp_path / 'run')['runs'][0]['planner']['ade_m']['mean'] == 0.0


def test_a_plan_log_is_scored_against_its_recording(tmp_path, emma):
    bag = bags.write_bag(tmp_path / 'bag', bags.drive(duration_s=12.0))
    assert emma('replay', bag, *BASELINE, '--out', tmp_path / 'replay', '--quiet')[0] == 0
    log = tmp_path / 'replay/plans.jsonl'
    assert emma('evaluate', log, '--truth', bag, '--out', tmp_path / 'run')[0] == 0
    (run,) = metrics(tmp_path / 'run')['runs']
    replayed = json.loads((tmp_path / 'replay/metrics.json').read_text())
    assert run['planner']['ade_m']['mean'] == replayed['planner']['ade_m']['mean']
    assert run['baselines'].keys() == replayed['baselines'].keys()
    status, _, (line,) = emma('evaluate', log, '--out', tmp_path / 'other')
    assert status == 1
    assert 'need the recording for the truth: --truth BAG' in line


def test_a_failed_plan_is_counted_and_its_words_too(tmp_path, emma):
    items = [prediction(), prediction(stamp_ns=8, poses=None, reason='format')]
    file = predictions(tmp_path / 'p.jsonl', *items)
    assert emma('evaluate', file, '--out', tmp_path / 'run')[0] == 0
    (run,) = metrics(tmp_path / 'run')['runs']
    assert run['rejected'] == {'format': 1}
    assert run['planner']['unplanned'] == 1
    assert run['words']['light']['n'] == 2


def _nan(path):
    line = json.dumps({'poses': [[float('nan'), 0.0]], 'truth': [[1.0, 0.0]]})
    path.write_text(to_json_line(prediction()) + '\n' + line + '\n')


def _twice(path):
    predictions(path, prediction(), prediction())


def _empty(path):
    path.write_text(header_line('x', {}) + '\n')


def _mixed(path):
    other = header_line('x', {}).replace('"version": 1', '"version": 2')
    path.write_text(other + '\n' + to_json_line(prediction()) + '\n')


def _short(path):
    predictions(path, prediction(truth=np.full((10, 3), np.nan)))


@pytest.mark.parametrize(
    ('make', 'message', 'is_scored'),
    [
        (_nan, 'need finite predictions, got 1 that are not, counted as failed', True),
        (_twice, 'need each stamp once in a scene, got 1 again, all scored', True),
        (_empty, 'need a prediction at least, got none', False),
        (_mixed, 'need emma_planner/predictions version 1, got emma_planner/predictions', False),
    ],
)
def test_what_is_wrong_with_predictions_is_said_and_the_rest_scored(
    tmp_path, emma, make, message, is_scored
):
    make(tmp_path / 'p.jsonl')
    status, _, lines = emma('evaluate', tmp_path / 'p.jsonl', '--out', tmp_path / 'run')
    assert status == 1
    assert message in lines[-1]
    assert len(lines) == 1
    assert (tmp_path / 'run/metrics.json').exists() == is_scored


def test_windows_without_any_truth_are_counted(tmp_path, emma):
    _short(tmp_path / 'p.jsonl')
    status, out, _ = emma('evaluate', tmp_path / 'p.jsonl', '--out', tmp_path / 'run')
    assert status == 0
    assert '1 without ground truth' in out


@pytest.mark.parametrize(
    ('options', 'status', 'message'),
    [
        (('evaluate', '/no/such'), 1, 'need a data set, a nuScenes folder or a bag, got none'),
        (('evaluate',), 2, 'required: INPUT'),
        (('evaluate', 'SET', '--set', 'variant=fgo:1'), 2, "variant, got 'fgo'; nearest is fog"),
        (('evaluate', 'SET', '--cameras', '2'), 2, '--cameras: invalid choice: 2'),
        (('ablate', 'SET', '--variants', 'image_blnk'), 2, "got 'image_blnk'; nearest is"),
        (('ablate', 'SET', '--variants', 'ablation'), 2, 'nearest set is ablations'),
        (('ablate', 'SET', '--variants', 'histroy_steps=1'), 2, 'nearest is history_steps'),
        (('ablate', 'SET', '--variants', 'fog'), 2, 'fog: need a severity of 1 to 5'),
        (('ablate', 'SET', '--sets', '/no/file'), 2, 'need sets of variants'),
    ],
)
def test_wrong_usage_is_one_line(data, tmp_path, emma, options, status, message):
    options = [str(data) if option == 'SET' else option for option in options]
    found, _, lines = emma(*options, *BASELINE, '--out', tmp_path / 'run')
    assert found == status
    assert message in lines[-1]
    assert len(lines) == 1


def test_results_and_windows_are_not_mixed(data, tmp_path, emma):
    file = predictions(tmp_path / 'p.jsonl', prediction())
    status, _, (line,) = emma('evaluate', file, data, '--out', tmp_path / 'run')
    assert status == 2
    assert 'need results alone or none' in line


def test_variants_stand_beside_the_base_with_what_they_change(data, tmp_path, emma):
    variants = 'history_zero,image_blank,odometry_bias:*,use_reasoning=false'
    status, out, err = emma(
        'ablate', data, *BASELINE, '--variants', variants, '--out', tmp_path / 'run'
    )
    assert (status, err) == (0, [])
    found = json.loads((tmp_path / 'run/ablations.json').read_text())
    rows = {row['name']: row for row in found['variants']}
    assert len(rows) == 8
    assert rows['image_blank']['ade_m']['change']['mean'] == 0.0  # a baseline is blind
    assert rows['image_blank']['kind'] == 'masked'
    assert rows['use_reasoning=false']['kind'] == 'real'
    assert rows['history_zero']['ade_m']['change']['mean'] > 3.0
    biases = [rows[f'odometry_bias:{k}']['ade_m']['after'] for k in range(1, 6)]
    assert len(set(biases)) == 5
    assert 'history_zero' in out
    assert found['base']['planner']['n'] == 12
    assert (tmp_path / 'run/history_zero/metrics.json').exists()


def test_variants_of_a_recording_are_paired_window_by_window(tmp_path, emma):
    bag = bags.write_bag(tmp_path / 'bag', bags.drive(duration_s=14.0))
    status, _, _ = emma(
        'ablate', bag, *BASELINE, '--variants', 'history_zero', '--out', tmp_path / 'run'
    )
    assert status == 0
    (row,) = json.loads((tmp_path / 'run/ablations.json').read_text())['variants']
    assert row['ade_m']['change']['n'] > 5
    assert row['ade_m']['change']['low'] > 5.0


def test_a_set_of_ones_own_is_taken(data, tmp_path, emma):
    sets = tmp_path / 'sets.yaml'
    sets.write_text('mine: [image_blank, "noise:2+blur:1"]\n')
    options = ('--sets', sets, '--variants', 'mine', '--out', tmp_path / 'run')
    assert emma('ablate', data, *BASELINE, *options)[0] == 0
    found = json.loads((tmp_path / 'run/ablations.json').read_text())
    assert [row['name'] for row in found['variants']] == ['image_blank', 'noise:2+blur:1']


@pytest.mark.sim
def test_variants_are_driven_scenario_by_scenario(tmp_path, emma):
    pytest.importorskip('metadrive')
    options = ('--drive', 'val:0-1', '--set', 'deadline_s=1.0', '--density', '0', '--camera')
    status, out, err = emma(
        'ablate', *options, '64x36', *BASELINE, '--variants', 'history_zero', '--out',
        tmp_path / 'run',
    )  # fmt: skip
    assert (status, err) == (0, [])
    found = json.loads((tmp_path / 'run/ablations.json').read_text())
    assert found['base']['planner'] is None
    assert found['base']['driving_score']['n'] == 2
    (row,) = found['variants']
    assert row['driving_score']['change']['mean'] == 0.0  # it stands, told or not
    assert row['ade_m'] is None
    assert (tmp_path / 'run/drives/history_zero/scores.json').exists()
    assert 'score' in out


def test_nothing_to_plan_and_nothing_to_drive_is_said(tmp_path, emma):
    status, _, (line,) = emma('ablate', *BASELINE, '--out', tmp_path)
    assert status == 2
    assert 'need an INPUT or --drive, got none' in line
    status, _, (line,) = emma('ablate', '--drive', '0-3', '--out', tmp_path)
    assert status == 2
    assert 'need SPLIT:A-B, as val:0-9, got 0-3' in line


def test_where_a_planner_looks_is_drawn(data, tmp_path, emma):
    options = ('--kinds', 'occlusion', '--windows', '2', '--out', tmp_path / 'run')
    status, out, _ = emma('saliency', data, *BASELINE, *options)
    assert status == 0
    found = json.loads((tmp_path / 'run/saliency.json').read_text())
    assert len(found['pictures']) == 2
    assert np.array(found['pictures'][0]['heat']).shape == (6, 11)
    assert not np.any(found['pictures'][0]['heat'])  # a baseline looks at nothing
    assert (tmp_path / 'run' / found['pictures'][0]['picture']).exists()
    assert '2 pictures' in out
    page = tmp_path / 'page.html'
    assert emma('report', tmp_path / 'run', '--out', page)[0] == 0
    assert 'Where it looks: constant-action' in page.read_text()


@pytest.mark.parametrize(
    ('kinds', 'status', 'message'),
    [
        ('gradient', 1, 'gradient: need a model in this process, got a baseline or a server'),
        ('attention', 1, 'attention: need a model in this process, got a baseline or a server'),
        ('look', 2, '--kinds: need occlusion, gradient, attention, got look'),
    ],
)
def test_a_kind_of_saliency_that_cannot_be_is_said(data, tmp_path, emma, kinds, status, message):
    found, _, (line,) = emma(
        'saliency', data, *BASELINE, '--kinds', kinds, '--out', tmp_path / 'run'
    )
    assert found == status
    assert message in line
