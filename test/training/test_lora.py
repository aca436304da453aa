"""An adapter learns on another family's model, leaves the rest alone, and plans."""

from __future__ import annotations

import json

import pytest
from training.examples_by_hand import future, record, write_dataset

pytest.importorskip('torch')
pytest.importorskip('peft')

import torch

from emma_planner.assemble import build_planner
from emma_planner.config import PlannerConfig
from emma_planner.evaluation.open_loop import score
from emma_planner.models.checkpoints import open_checkpoint
from emma_planner.models.untrained import build_untrained
from emma_planner.planning.chat import ModelError
from emma_planner.recordings.dataset import read_examples
from emma_planner.runs.dataset_source import window_of
from emma_planner.runs.scene_task import plan_windows
from emma_planner.training.train import train
from emma_planner.training.train_config import TrainConfig


def ade_m(planner, examples):
    windows = tuple(map(window_of, examples))
    return score(list(plan_windows(planner, windows)), 'x').planner[1].ade.mean


@pytest.fixture(scope='module', params=['qwen3_vl', 'smolvlm'])
def trained(request, tmp_path_factory):
    """Base, adapter, examples; the base has no action tokens."""
    folder = tmp_path_factory.mktemp(request.param)
    build_untrained(folder / 'base', request.param, action_tokens=False)
    records = [record(k, future(6.0, 0.02 if k % 2 else -0.02)) for k in range(8)]
    write_dataset(folder / 'set', records)
    losses = []
    config = TrainConfig(
        'sft', str(folder / 'base'), (str(folder / 'set'),), str(folder / 'run'), steps=60,
        batch=4, learning_rate=1e-2, lora_rank=4, mirrored=0.0, log_every=10, save_every=60,
    )  # fmt: skip
    adapter = train(config, lambda step, told: losses.append(told['plan']))
    return folder / 'base', adapter, list(read_examples(folder / 'set')), losses


@pytest.mark.slow
def test_an_adapter_learns_actions_that_its_base_could_not_write(trained):
    base, adapter, examples, losses = trained
    assert losses[-1] < 0.6 * losses[0]
    names = {path.name for path in adapter.iterdir()}
    assert 'adapter_model.safetensors' in names
    assert 'model.safetensors' not in names
    untrained_m = ade_m(build_planner(PlannerConfig(model=str(base))), examples)
    planner = build_planner(PlannerConfig(model=str(adapter), reason_tokens=48))
    assert ade_m(planner, examples) < 0.5 * untrained_m


@pytest.mark.slow
def test_what_is_folded_in_is_what_was_trained(trained):
    base, adapter, *_ = trained
    before = open_checkpoint(str(base), device='cpu').model.state_dict()
    after = open_checkpoint(str(adapter), device='cpu').model.state_dict()
    changed = {
        name
        for name, value in after.items()
        if name not in before
        or value.shape != before[name].shape
        or not torch.equal(value, before[name])
    }
    assert changed
    assert not [name for name in changed if 'vision' in name or 'visual' in name]


def test_an_adapter_of_nobody_is_named(tmp_path):
    (tmp_path / 'adapter_config.json').write_text(json.dumps({}))
    with pytest.raises(ModelError, match='need base_model_name_or_path, got none'):
        open_checkpoint(str(tmp_path))
    (tmp_path / 'adapter_config.json').write_text(
        json.dumps({'base_model_name_or_path': str(tmp_path / 'gone')})
    )
    with pytest.raises(ModelError, match='gone: need a model folder'):
        open_checkpoint(str(tmp_path))


def test_all_weights_of_a_model_without_action_tokens_can_be_trained(tmp_path):
    build_untrained(tmp_path / 'base', 'smolvlm', action_tokens=False)
    write_dataset(tmp_path / 'set', [record(k) for k in range(4)])
    config = TrainConfig(
        'sft', str(tmp_path / 'base'), (str(tmp_path / 'set'),), str(tmp_path / 'run'), 2, 2
    )
    folder = train(config)
    planner = build_planner(PlannerConfig(model=str(folder), reason_tokens=16))
    plan = planner.plan(window_of(next(read_examples(tmp_path / 'set'))).load())
    assert '<speed_' in plan.replies[-1]
