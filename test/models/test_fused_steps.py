"""The fused steps write what ``generate`` writes, turn by turn, whatever is asked."""

from __future__ import annotations

import re

import pytest

pytest.importorskip('torch')

import numpy as np
import torch

from emma_planner.models.checkpoints import open_checkpoint
from emma_planner.models.fused_steps import can_fuse
from emma_planner.models.transformers_model import TransformersModel
from emma_planner.models.untrained import build_untrained
from emma_planner.planning.actions import ActionTokens
from emma_planner.planning.chat import Stop
from emma_planner.planning.types import CameraFrame
from emma_planner.training.build_model import SmallModel, init_model

SMALL = SmallModel(
    width=48, layers=3, heads=4, mlp=96, image_px=(64, 96), tower_widths=(8, 8, 8, 8, 16)
)


@pytest.fixture(scope='module', params=['small', 'llava'])
def checkpoint(request, tmp_path_factory):
    """Our own model, and a stock LLaVA with grouped heads."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == 'small':
        init_model(folder, SMALL)
    else:
        build_untrained(folder, 'llava')
    checkpoint = open_checkpoint(str(folder), device='cpu')
    with torch.no_grad():  # larger weights: with small ones a reply is one token repeated
        for name, weight in checkpoint.model.model.language_model.named_parameters():
            if 'norm' not in name:
                weight.mul_(4.0 if request.param == 'small' else 1.0)
    return checkpoint


def _replies(checkpoint, decoding, seed, temperature=0.0, limits=(30, 21, 12)):
    model = TransformersModel(checkpoint, 'x', temperature=temperature, decoding=decoding)
    assert (model.fused is not None) == (decoding == 'auto')
    return _replies_of(model, seed, limits)


def _replies_of(model, seed, limits=(30, 21, 12)):
    pixels = np.random.default_rng(seed).integers(0, 255, (36, 64, 3), dtype=np.uint8)
    chat = model.start([CameraFrame(0, 'front', pixels)], seed=seed)
    codec = ActionTokens()
    replies = [
        chat.ask('follow lane\nReason.', max_tokens=limits[0]),
        chat.ask('Plan.', max_tokens=limits[1], reply_format=codec.reply_format),
        chat.ask('And now?', max_tokens=limits[2]),
    ]
    return [(reply.text, reply.stop, reply.generated_tokens) for reply in replies]


@pytest.mark.parametrize('seed', range(4))
def test_it_writes_what_generate_writes(checkpoint, seed):
    plain = _replies(checkpoint, 'plain', seed)
    assert _replies(checkpoint, 'auto', seed) == plain
    assert len(set(re.findall(r'<[^>]+>|\w+', ' '.join(text for text, *_ in plain)))) > 3


@pytest.mark.parametrize('seed', range(2))
def test_it_draws_the_same_samples(checkpoint, seed):
    plain = _replies(checkpoint, 'plain', seed, temperature=1.0)
    assert _replies(checkpoint, 'auto', seed, temperature=1.0) == plain


@pytest.mark.parametrize('temperature', [0.0, 1.0])
def test_what_was_said_before_changes_no_reply_and_saves_steps(
    checkpoint, temperature, monkeypatch
):
    model = TransformersModel(checkpoint, 'x', temperature=temperature)
    steps, read = [], model.fused._steps

    def counted(token_ids, place):
        steps.append(len(token_ids))
        return read(token_ids, place)

    monkeypatch.setattr(model.fused, '_steps', counted)
    taken = []
    for seed in (0, 1, 0, 0):
        plain = _replies(checkpoint, 'plain', seed, temperature)
        steps.clear()
        assert _replies_of(model, seed) == plain
        taken.append(len(steps))
    assert taken[-1] < 0.5 * taken[0]


def test_a_budget_of_one_token_is_kept(checkpoint):
    plain = _replies(checkpoint, 'plain', 0, limits=(1, 21, 1))
    assert _replies(checkpoint, 'auto', 0, limits=(1, 21, 1)) == plain


def test_a_deadline_ends_it(checkpoint):
    model = TransformersModel(checkpoint, 'x')
    chat = model.start([CameraFrame(0, 'front', np.zeros((36, 64, 3), dtype=np.uint8))])
    reply = chat.ask('Reason.', max_tokens=4000, time_limit_s=0.05)
    assert reply.stop is Stop.TIMEOUT
    assert reply.generated_tokens < 4000


def test_other_families_are_left_to_generate(tmp_path):
    build_untrained(tmp_path, 'qwen3_vl')
    assert not can_fuse(open_checkpoint(str(tmp_path), device='cpu').model)
