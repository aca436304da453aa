"""A run is the same for the same seed, goes on where it was, and leaves a model that plans."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from shutil import which

import numpy as np
import pytest
import yaml
from training.examples_by_hand import record, write_dataset
from training.test_small_model import TINY

pytest.importorskip('torch')
pytest.importorskip('accelerate')

import torch
from safetensors.torch import load_file

from emma_planner.assemble import build_planner
from emma_planner.config import PlannerConfig
from emma_planner.models.untrained import build_untrained
from emma_planner.planning.types import CameraFrame, EgoHistory, PlannerInput, Pose
from emma_planner.recordings.dataset import DatasetError
from emma_planner.training.build_model import init_model
from emma_planner.training.finished_model import HEADS
from emma_planner.training.run_state import newest_state
from emma_planner.training.stage import open_stage
from emma_planner.training.train import train
from emma_planner.training.train_config import TrainConfig, TrainError, read_train_config


@pytest.fixture(scope='module')
def start(tmp_path_factory):
    folder = tmp_path_factory.mktemp('start')
    init_model(folder / 'model', replace(TINY, image_px=(192, 352)))
    write_dataset(folder / 'set', [record(k) for k in range(12)])
    return folder


def _config(start: Path, out: Path, **changes) -> TrainConfig:
    values = {
        'stage': 'sft',
        'model': str(start / 'model'),
        'data': (str(start / 'set'),),
        'out': str(out),
        'steps': 6,
        'batch': 4,
        'save_every': 2,
        'log_every': 2,
        'learning_rate': 3e-3,
    }
    return TrainConfig(**{**values, **changes})


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / 'model.safetensors')


def _same(one: Path, other: Path) -> bool:
    a, b = _weights(one), _weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize('stage', ['perception', 'alignment', 'sft'])
def test_it_learns_and_the_same_seed_is_the_same_run(start, tmp_path, stage):
    losses = []
    config = _config(start, tmp_path / 'one', stage=stage, steps=30, save_every=30)
    one = train(config, lambda step, told: losses.append(told['loss']))
    assert losses[-1] < 0.8 * losses[0]
    other = train(replace(config, out=str(tmp_path / 'two')))
    assert _same(one, other)
    assert not _same(one, start / 'model')
    other = train(replace(config, out=str(tmp_path / 'three'), seed=1))
    assert not _same(one, other)


def test_a_run_that_was_cut_off_goes_on_as_if_it_had_not_been(start, tmp_path):
    whole = train(_config(start, tmp_path / 'whole'))
    config = _config(start, tmp_path / 'cut')

    def cut(step, told):
        if step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, cut)
    assert newest_state(tmp_path / 'cut')[0] == 2
    assert not (tmp_path / 'cut/model').exists()
    assert _same(train(config), whole)


def test_a_signal_ends_a_step_and_keeps_its_state(start, tmp_path):
    config = _config(start, tmp_path / 'run', save_every=100, log_every=1)

    def stop(step, told):
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(TrainError, match=r'interrupted after step [34]; run the same command'):
        train(config, stop)
    assert newest_state(tmp_path / 'run')[0] in (3, 4)
    assert _same(train(config), train(_config(start, tmp_path / 'whole', log_every=1)))


def test_a_state_that_was_not_finished_is_not_gone_on_from(start, tmp_path):
    out = tmp_path / 'run'
    (out / '.state').mkdir(parents=True)
    (out / '.state/model.safetensors').write_bytes(b'half')
    assert newest_state(out) is None
    train(_config(start, out))
    assert (out / 'model/model.safetensors').exists()


def test_another_run_in_the_folder_is_refused(start, tmp_path):
    train(_config(start, tmp_path / 'run', steps=2))
    with pytest.raises(TrainError, match='need the run that was begun here'):
        train(_config(start, tmp_path / 'run', steps=3))


def test_the_model_plans_and_says_what_it_was_trained_on(start, tmp_path):
    folder = train(_config(start, tmp_path / 'run'))
    planner = build_planner(PlannerConfig(model=str(folder)))
    assert planner.name == str(folder)  # no longer called untrained
    history = EgoHistory(0, np.full(10, 5.0), np.zeros(10), Pose(0.0, 0.0, 0.0), 'map')
    frame = CameraFrame(0, 'front', np.zeros((36, 64, 3), dtype=np.uint8))
    plan = planner.plan(PlannerInput((frame,), history, 'turn left'))
    assert plan.trajectory is not None
    told = json.loads((folder / 'config.json').read_text())
    assert [item['stage'] for item in told['emma_training']] == ['sft']
    assert 'emma_untrained' not in told
    assert len(json.loads((folder / 'ranking.json').read_text())['weights']) == 6
    lines = (tmp_path / 'run/log.jsonl').read_text().splitlines()
    assert [json.loads(line)['step'] for line in lines] == [2, 4, 6]


def test_half_precision_learns_the_same_task(start, tmp_path):
    losses = []
    config = _config(start, tmp_path / 'run', steps=30, save_every=30, mixed_precision='bf16')
    folder = train(config, lambda step, told: losses.append(told['loss']))
    assert losses[-1] < 0.8 * losses[0]
    kinds = {value.dtype for value in _weights(folder).values()}
    assert kinds == {torch.float32}


@pytest.mark.parametrize(
    'how',
    [
        {'attn_implementation': 'eager'},
        pytest.param(
            {'torch_compile': True},
            marks=pytest.mark.skipif(which('g++') is None, reason='needs a compiler'),
        ),
    ],
)
def test_a_text_model_computed_in_another_way_learns_the_same(start, tmp_path, how):
    losses = {}
    for name, changes in {'plain': {}, 'other': how}.items():
        told = losses.setdefault(name, [])
        config = _config(start, tmp_path / name, log_every=1, **changes)
        folder = train(config, lambda step, values, told=told: told.append(values['loss']))
    assert losses['other'] == pytest.approx(losses['plain'], rel=2e-3)
    assert set(_weights(folder)) == set(_weights(start / 'model'))  # no name says how
    assert '_attn_implementation' not in (folder / 'config.json').read_text()


def test_a_stage_goes_on_with_the_heads_of_the_one_before(start, tmp_path):
    folder = train(_config(start, tmp_path / 'first', stage='perception'))
    kept = torch.load(tmp_path / 'first' / HEADS, weights_only=True)
    assert set(kept) == {'patches', 'motion'}
    stage, _ = open_stage(_config(start, tmp_path / 'second', model=str(folder)), 'cpu')
    for name, head in stage.heads().items():
        weights = head.state_dict()
        assert all(torch.equal(weights[key], value) for key, value in kept[name].items()), name
    without, _ = open_stage(
        _config(start, tmp_path / 'third', model=str(folder), motion_weight=0.0), 'cpu'
    )
    assert set(without.heads()) == {'patches'}
    kept['motion'] = {k: v for k, v in kept['motion'].items() if 'speeds' not in k}
    torch.save(kept, tmp_path / 'first' / HEADS)  # of a stage that had no labels of speed
    later, _ = open_stage(_config(start, tmp_path / 'fourth', model=str(folder)), 'cpu')
    weights = later.heads()['motion'].state_dict()
    assert all(torch.equal(weights[key], value) for key, value in kept['motion'].items())
    assert any('speeds' in key for key in weights)


def test_an_attention_that_is_not_there_is_refused(start, tmp_path):
    with pytest.raises(TrainError, match=r"attn_implementation: need .*, got 'quick'"):
        train(_config(start, tmp_path / 'run', attn_implementation='quick'))


def _torchrun(config: TrainConfig, path: Path) -> subprocess.Popen[str]:
    path.write_text(yaml.safe_dump(json.loads(json.dumps(vars(config)))))
    script = [sys.executable, '-m', 'torch.distributed.run', '--nproc-per-node', '2']
    command = [*script, '--standalone', '-m', 'emma_planner.cli', 'train', str(path)]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_processes_are_one_run(start, tmp_path):
    config = _config(start, tmp_path / 'two')
    ran = _torchrun(config, tmp_path / 'two.yaml')
    out, err = ran.communicate(timeout=300)
    assert ran.returncode == 0, err
    assert out.count('model in') == 1
    lines = [json.loads(line) for line in (tmp_path / 'two/log.jsonl').read_text().splitlines()]
    assert [line['step'] for line in lines] == [2, 4, 6]
    # however much more there is to learn in one half of a batch than in the other
    one = _weights(train(replace(config, out=str(tmp_path / 'one'))))
    _same_to_rounding(_weights(tmp_path / 'two/model'), one, _weights(start / 'model'))


def _finished(config: TrainConfig) -> dict[str, torch.Tensor]:
    """Run it with two processes; return the weights."""
    out = Path(config.out)
    ran = _torchrun(config, out.with_suffix('.yaml'))
    _, err = ran.communicate(timeout=300)
    assert ran.returncode == 0, err
    name = 'adapter_model' if config.lora_rank else 'model'
    return load_file(out / 'model' / f'{name}.safetensors')


@pytest.mark.parametrize(
    'changes',
    [
        {'stage': 'perception'},
        {'stage': 'alignment', 'mixed_precision': 'bf16', 'torch_compile': bool(which('g++'))},
        {'stage': 'sft', 'validate_every': 3, 'validated': 2},
        {'lora_rank': 2},
    ],
    ids=lambda changes: changes.get('stage', 'adapter'),
)
def test_two_processes_with_a_part_each_learn_what_two_with_all_of_it_do(start, tmp_path, changes):
    if 'validated' in changes:
        changes = {**changes, 'validation': (str(start / 'set'),)}
    parts, copies = (
        _config(start, tmp_path / name, sharded=name == 'parts', **changes)
        for name in ('parts', 'copies')
    )
    tolerance = 0.05 if parts.mixed_precision == 'no' else 0.3
    _same_to_rounding(_finished(parts), _finished(copies), _weights(start / 'model'), tolerance)
    told, known = (
        [json.loads(line) for line in (Path(config.out) / 'log.jsonl').read_text().splitlines()]
        for config in (parts, copies)
    )
    assert [line.keys() for line in told] == [line.keys() for line in known]
    losses = [[line['loss'] for line in lines if 'loss' in line] for lines in (told, known)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)


def _same_to_rounding(
    one: dict[str, torch.Tensor],
    two: dict[str, torch.Tensor],
    before: dict[str, torch.Tensor],
    tolerance: float = 0.05,
) -> None:
    assert one.keys() == two.keys()
    moved = 0.0
    for name, value in one.items():
        learned = float((value - before[name]).norm() if name in before else value.norm())
        assert float((two[name] - value).norm()) <= tolerance * learned + 1e-4, name
        moved += learned
    assert moved > 0.1


@pytest.mark.parametrize('stage', ['perception', 'sft'])
def test_a_run_in_parts_that_was_cut_off_goes_on(start, tmp_path, stage):
    changes = {'stage': stage, 'save_every': 1, 'log_every': 1}
    config = _config(start, tmp_path / 'parts', sharded=True, **changes)
    ran = _torchrun(config, tmp_path / 'cut.yaml')
    deadline_s = time.monotonic() + 300.0
    while ran.poll() is None and newest_state(tmp_path / 'parts') is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    ran.send_signal(signal.SIGTERM)
    _, err = ran.communicate(timeout=300)
    assert newest_state(tmp_path / 'parts') is not None, err
    step, state = newest_state(tmp_path / 'parts')
    assert step < config.steps
    sizes = [path.stat().st_size for path in (state / 'shards').glob('*.distcp')]
    assert len(sizes) == 2
    assert max(sizes) < 0.6 * sum(sizes)
    copies = _weights(train(_config(start, tmp_path / 'copies', **changes)))
    _same_to_rounding(_finished(config), copies, _weights(start / 'model'))


def test_parts_need_several_processes_and_no_fp16(start, tmp_path):
    with pytest.raises(TrainError, match=r'sharded: need two processes at least .*, got 1'):
        train(_config(start, tmp_path / 'run', sharded=True))
    assert not (tmp_path / 'run').exists()
    with pytest.raises(TrainError, match='sharded: need mixed_precision no or bf16, got fp16'):
        _config(start, tmp_path / 'run', sharded=True, mixed_precision='fp16')


def test_the_tower_has_no_adapter(start, tmp_path):
    with pytest.raises(TrainError, match='lora_rank: need alignment or sft, got perception'):
        _config(start, tmp_path / 'run', stage='perception', lora_rank=2)


@pytest.mark.parametrize(
    ('stage', 'message'),
    [
        ('perception', 'need a model with a tower of ours .*, got a qwen2_vl'),
        ('alignment', 'contrastive_weight: need a model with vision tower .*, got a qwen2_vl'),
    ],
)
def test_a_model_that_cannot_learn_a_stage_is_refused(start, tmp_path, stage, message):
    build_untrained(tmp_path / 'base', 'qwen2_vl', action_tokens=False)
    with pytest.raises(TrainError, match=message):
        train(_config(start, tmp_path / 'run', stage=stage, model=str(tmp_path / 'base')))


def test_a_picture_that_ends_early_is_named(start, tmp_path):
    write_dataset(tmp_path / 'set', [record(k) for k in range(3)])
    for picture in (tmp_path / 'set/images/00000').iterdir():
        picture.write_bytes(picture.read_bytes()[:60])
    with pytest.raises(DatasetError, match=r'\.jpg: need a whole picture, got'):
        train(_config(start, tmp_path / 'run', data=(str(tmp_path / 'set'),)))


def test_examples_are_planned_while_training(start, tmp_path):
    config = _config(
        start, tmp_path / 'run', validation=(str(start / 'set'),), validate_every=3, validated=2
    )
    train(config)
    lines = [json.loads(line) for line in (tmp_path / 'run/log.jsonl').read_text().splitlines()]
    checks = [line for line in lines if 'validation/ade_m' in line]
    assert [line['step'] for line in checks] == [3, 6]
    assert checks[0]['validation/ade_m'] > 0.0
    assert 0.0 <= checks[0]['validation/failed'] <= 1.0


def test_the_learning_rate_rises_stays_and_falls():
    config = TrainConfig('sft', '', ('x',), '', steps=100, warmup=0.1, cooldown=0.2)
    rates = [config.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(1e-4)
    assert rates[10:80] == [1e-3] * 70
    assert rates[-1] == pytest.approx(5e-5)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('stage: perfection\nmodel: a\ndata: b\nout: c\nsteps: 1', 'stage: need one of'),
        ('stage: sft\nmodel: a\ndata: b\nout: c\nsteps: 0', 'steps: need 1 at least, got 0'),
        ('stage: sft\nmodel: a\ndata: []\nout: c\nsteps: 1', 'data: need a folder'),
        (
            'stage: sft\nmodel: a\ndata: b\nout: c\nsteps: 1e3',
            "steps: need a whole number, got '1e3'",
        ),
        (
            'stage: sft\nmodel: a\ndata: b\nout: c\nsteps: 1\nlearning_rate: 1e-3',
            "learning_rate: need a number, as 1.0e-3, got '1e-3'",
        ),
        (
            'stage: sft\nmodel: a\ndata: b\nout: c\nsteps: 1\nclip: .nan',
            'clip: need a number, as 1.0e-3, got nan',
        ),
        (
            'stage: sft\nmodel: a\ndata: b\nout: c\nsteps: 1\nmixed_precision: half',
            'mixed_precision: need one of no, bf16, fp16',
        ),
        (
            'stage: sft\nmodel: a\ndata: b\nout: c\nsteps: 1\nmistakes: -1.0',
            'mistakes: need 0 or more, got -1.0',
        ),
        (
            'stage: sft\nmodel: a\ndata: b\nout: c\nsteps: 1\nmirrored: 1.5',
            'mirrored: need 0 to 1, got 1.5',
        ),
        (
            'stage: sft\nmodel: a\ndata: b\nout: c\nsteps: 1\nfreeze_tower: 1',
            'freeze_tower: need true or false, got 1',
        ),
        ('stage: sft\nlearnign_rate: 1', 'need known parameters, got learnign_rate'),
        ('stage: sft', 'missing'),
        ('- 1', 'need parameters, got list'),
        ('a: [', 'need a YAML file'),
    ],
)
def test_wrong_parameters_are_named(tmp_path, text, message):
    path = tmp_path / 'train.yaml'
    path.write_text(text)
    with pytest.raises(TrainError, match=message):
        read_train_config(path, {})
