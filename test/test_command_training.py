"""``emma dataset``, ``emma model`` and ``emma train``: what they say and leave behind."""

from __future__ import annotations

import json

import pytest
from synthetic_bags import drive, write_bag
from training.examples_by_hand import record, write_dataset

from emma_planner.cli import main

pytest.importorskip('accelerate')


def _run(*options: object) -> int:
    return main([str(option) for option in options])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('dataset', 'build', '--seeds', '0-1'), 'required: --out'),
        (('dataset', 'build', '--out', 'x'), 'required: --seeds'),
        (('dataset', 'build', '--out', 'x', '--seeds', '0', '--disturbed', '2'), 'from 0 to 1'),
        (('dataset', 'build', '--out', 'x', '--seeds', '0', '--disturbed', 'x'), 'from 0 to 1'),
        (('dataset', 'build', '--out', 'x', '--seeds', '0', '--every', '0'), 'above 0'),
        (('dataset', 'from-bags', '--out', 'x'), 'required: BAG'),
        (('dataset',), 'required: ACTION'),
        (('model',), 'required: ACTION'),
        (('train',), 'required: CONFIG'),
    ],
)
def test_wrong_options_are_one_line_and_exit_code_2(options, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        _run(*options)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('--split', 'vall', '--seeds', '0'), "need a split of train, val, test, got 'vall'"),
        (('--split', 'val', '--seeds', '99-100'), 'val: need seeds below 100, got 100'),
    ],
)
def test_scenarios_that_are_none_are_wrong_usage(options, message, capsys, tmp_path):
    pytest.importorskip('metadrive')
    assert _run('dataset', 'build', *options, '--out', tmp_path / 'set') == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'set').exists()


def test_a_data_set_of_a_recording_is_told(tmp_path, capsys):
    bag = write_bag(tmp_path / 'bag', drive(duration_s=11.0), 'mcap')
    assert _run('dataset', 'from-bags', bag, '--out', tmp_path / 'set') == 0
    assert 'examples in' in capsys.readouterr().out
    assert (tmp_path / 'set/README.md').exists()
    assert _run('dataset', 'from-bags', bag, '--out', tmp_path / 'set') == 1
    assert 'need an empty folder' in capsys.readouterr().err


def test_a_bag_that_is_none_is_named(tmp_path, capsys):
    assert _run('dataset', 'from-bags', tmp_path / 'no', '--out', tmp_path / 'set') == 1
    assert 'emma dataset: ' in capsys.readouterr().err


def test_a_model_is_made_trained_and_exported(tmp_path, capsys):
    assert _run('model', 'init', tmp_path / 'start') == 0
    assert 'parameters in' in capsys.readouterr().out
    assert _run('model', 'init', tmp_path / 'start') == 1
    assert 'need an empty folder' in capsys.readouterr().err
    write_dataset(tmp_path / 'set', [record(k) for k in range(4)])
    config = tmp_path / 'train.yaml'
    config.write_text(
        f'stage: sft\nmodel: {tmp_path / "start"}\ndata: {tmp_path / "set"}\n'
        f'out: {tmp_path / "run"}\nsteps: 9\nbatch: 2\n'
    )
    assert _run('train', config, '--set', 'steps=2') == 0
    assert f'model in {tmp_path / "run/model"}' in capsys.readouterr().out
    assert _run('model', 'export', tmp_path / 'run/model', tmp_path / 'half') == 0
    sizes = [
        (tmp_path / name / 'model.safetensors').stat().st_size for name in ('run/model', 'half')
    ]
    assert sizes[1] == pytest.approx(sizes[0] / 2, rel=0.01)
    assert len(json.loads((tmp_path / 'half/ranking.json').read_text())['weights']) == 6


def test_what_cannot_be_trained_is_one_line(tmp_path, capsys):
    config = tmp_path / 'train.yaml'
    config.write_text('stage: sft\nmodel: no/such/model\ndata: x\nout: y\nsteps: 1\n')
    assert _run('train', config) == 1
    assert _run('train', config, '--set', 'stage=sfd') == 2
    assert _run('train', config, '--set', 'stage') == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3
    assert 'no/such/model' in errors[0]
    assert 'stage: need one of' in errors[1]
