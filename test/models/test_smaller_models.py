"""Smaller checkpoints: they load with the stock classes, plan, and lose what was asked for."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('torch')

import torch
from safetensors.torch import load_file
from training.test_small_model import TINY

from emma_planner.assemble import build_planner
from emma_planner.cli import main
from emma_planner.config import PlannerConfig
from emma_planner.models.checkpoints import open_checkpoint
from emma_planner.models.fused_steps import can_fuse
from emma_planner.models.pruning import prune
from emma_planner.models.untrained import build_untrained
from emma_planner.planning.chat import ModelError
from emma_planner.planning.types import CameraFrame, EgoHistory, PlannerInput, Pose
from emma_planner.training.build_model import init_model


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('smaller') / 'model'
    init_model(path, replace(TINY, image_px=(192, 352)))
    return path


def plans(config):
    rgb = np.random.default_rng(0).integers(0, 255, (72, 128, 3), dtype=np.uint8)
    history = EgoHistory(0, np.full(10, 5.0), np.zeros(10), Pose(0, 0, 0), 'map')
    given = PlannerInput((CameraFrame(0, 'front', rgb),), history, 'turn left')
    return build_planner(config).plan(given)


def test_without_neurons_a_checkpoint_is_smaller_and_of_the_same_classes(folder, tmp_path, capsys):
    target = tmp_path / 'pruned'
    assert main(['model', 'prune', str(folder), str(target), '--share', '0.5']) == 0
    assert 'weights gone' in capsys.readouterr().out
    before, after = (
        json.loads((path / 'config.json').read_text())['text_config'] for path in (folder, target)
    )
    assert after['intermediate_size'] == before['intermediate_size'] // 2
    sizes = [(path / 'model.safetensors').stat().st_size for path in (folder, target)]
    assert sizes[1] < sizes[0]
    assert plans(PlannerConfig(model=str(target), reason_tokens=12)).trajectory is not None


def test_the_neurons_that_stay_are_the_strongest_and_do_what_they_did():
    torch.manual_seed(0)

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.gate_proj = torch.nn.Linear(4, 32, bias=False)
            self.up_proj = torch.nn.Linear(4, 32, bias=False)
            self.down_proj = torch.nn.Linear(32, 4, bias=False)

        def forward(self, x):
            return self.down_proj(torch.nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.language_model = Layer()
            self.config = type('C', (), {})()
            self.config.get_text_config = lambda: self.config

    model = Model()
    with torch.no_grad():
        model.language_model.up_proj.weight[::2] = 0.0  # every other neuron does nothing
    x = torch.randn(5, 4)
    expected = model.language_model(x)
    gone = prune(model, 'neurons', 0.5)
    assert gone == 16 * 12
    assert model.config.intermediate_size == 16
    assert torch.allclose(model.language_model(x), expected, atol=1e-6)


def test_small_weights_become_0(folder, tmp_path):
    target = tmp_path / 'sparse'
    assert main(['model', 'prune', str(folder), str(target), '--kind', 'weights']) == 0
    before, after = (load_file(path / 'model.safetensors') for path in (folder, target))
    name = next(n for n in before if n.endswith('layers.0.mlp.up_proj.weight'))
    assert (after[name] == 0.0).float().mean() == pytest.approx(0.25, abs=0.02)
    kept = after[name] != 0.0
    assert torch.equal(after[name][kept], before[name][kept])
    assert before[name][~kept].abs().max() <= before[name][kept].abs().min()
    vision = next(n for n in before if 'vision_tower' in n)
    assert torch.equal(before[vision], after[vision])


@pytest.mark.parametrize('share', [0.5, 0.25])
def test_the_mean_of_two_checkpoints_has_the_mean_of_their_weights(folder, tmp_path, share):
    init_model(tmp_path / 'other', replace(TINY, image_px=(192, 352)), seed=5)
    arguments = [str(folder), str(tmp_path / 'other'), str(tmp_path / 'mean'), f'--share={share}']
    assert main(['model', 'average', *arguments]) == 0
    one, two, mean = (
        open_checkpoint(str(path), device='cpu').model.state_dict()
        for path in (folder, tmp_path / 'other', tmp_path / 'mean')
    )
    for name, weight in mean.items():
        assert torch.allclose(weight, (1.0 - share) * one[name] + share * two[name], atol=1e-6)
    told = json.loads((tmp_path / 'mean' / 'config.json').read_text())['emma_training']
    assert told[-1] == {'stage': 'average', 'share': share}


def test_checkpoints_that_have_no_mean_are_named(folder, tmp_path, capsys):
    build_untrained(tmp_path / 'llava', 'llava')
    arguments = [str(folder), str(tmp_path / 'llava'), str(tmp_path / 'mean')]
    assert main(['model', 'average', *arguments]) == 1
    assert 'need the vocabulary of' in capsys.readouterr().err
    assert main(['model', 'prune', str(folder), str(tmp_path / 'pruned')]) == 0
    arguments = [str(folder), str(tmp_path / 'pruned'), str(tmp_path / 'mean')]
    assert main(['model', 'average', *arguments]) == 1
    assert 'mlp.down_proj.weight as' in capsys.readouterr().err
    assert (
        main(['model', 'average', str(folder), str(tmp_path / 'none'), str(tmp_path / 'mean')])
        == 1
    )
    assert 'no such folder' in capsys.readouterr().err


@pytest.mark.parametrize('share', ['1', '-0.1', 'x'])
def test_a_share_that_cannot_be_is_refused(folder, tmp_path, share, capsys):
    with pytest.raises(SystemExit) if share != '1' else nullcontext():
        assert main(['model', 'prune', str(folder), str(tmp_path / 'x'), f'--share={share}']) == 1
    assert 'share' in capsys.readouterr().err


def test_weights_in_eight_bits_are_a_quarter_and_nearly_the_same(folder):
    pytest.importorskip('torchao')
    whole = open_checkpoint(str(folder), device='cpu').model
    small = open_checkpoint(str(folder), device='cpu', dtype='int8').model
    weight = small.model.language_model.layers[0].mlp.up_proj.weight
    original = whole.model.language_model.layers[0].mlp.up_proj.weight
    assert weight.data.qdata.dtype == torch.int8
    assert torch.allclose(weight.dequantize(), original, atol=float(original.abs().max()) / 100)
    assert can_fuse(whole)
    assert not can_fuse(small)
    plan = plans(PlannerConfig(model=str(folder), reason_tokens=12, dtype='int8'))
    assert plan.trajectory is not None


def test_a_model_without_such_layers_is_named(tmp_path):
    model = torch.nn.Linear(2, 2)
    with pytest.raises(ModelError, match='need a language model inside Linear, got none'):
        prune(model, 'neurons', 0.5)


def test_another_family_can_be_pruned_too(tmp_path):
    build_untrained(tmp_path / 'base', 'qwen3_vl')
    assert main(['model', 'prune', str(tmp_path / 'base'), str(tmp_path / 'pruned')]) == 0
    plan = plans(PlannerConfig(model=str(tmp_path / 'pruned'), reason_tokens=8))
    assert plan.replies
