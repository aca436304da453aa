"""Gradients and attacks on a model of random weights: of the picture, bounded, and against it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('torch')

import torch
from training.test_small_model import TINY

from emma_planner.assemble import build_planner, local_model
from emma_planner.config import PlannerConfig
from emma_planner.models.untrained import build_untrained
from emma_planner.models.written_plan import (
    as_seen,
    attacked,
    attention_saliency,
    gradient_saliency,
    grid_of,
)
from emma_planner.planning.chat import ModelError
from emma_planner.planning.types import DT_NS, CameraFrame, EgoHistory, PlannerInput, Pose
from emma_planner.training.build_model import init_model


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('written') / 'model'
    init_model(path, replace(TINY, image_px=(192, 352)))
    return path


@pytest.fixture(scope='module')
def given():
    rgb = np.random.default_rng(0).integers(0, 255, (72, 128, 3), dtype=np.uint8)
    history = EgoHistory(0, np.full(10, 5.0), np.zeros(10), Pose(0, 0, 0), 'map')
    before = (CameraFrame(-DT_NS, 'front', 255 - rgb), None)
    return PlannerInput((CameraFrame(0, 'front', rgb),), history, 'turn left', earlier=before)


@pytest.fixture(scope='module')
def planned(folder, given):
    planner, owner = local_model(PlannerConfig(model=str(folder), reason_tokens=12))
    return planner, owner, planner.plan(given)


def test_every_pixel_has_its_share_and_the_model_is_not_touched(planned, given):
    _, owner, plan = planned
    before = {name: value.clone() for name, value in owner.model.state_dict().items()}
    heat = gradient_saliency(owner, given.frames, plan, given.earlier)
    assert heat.shape == (192, 352)
    assert heat.max() == pytest.approx(1.0)
    assert (heat > 0.0).mean() > 0.5
    after = owner.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(parameter.grad is None for parameter in owner.model.parameters())


def test_attention_is_a_share_of_each_token_and_the_model_writes_as_before(planned, given):
    planner, owner, plan = planned
    heat = attention_saliency(owner, given.frames, plan, given.earlier)
    assert heat.shape == (6, 11)
    assert heat.max() == pytest.approx(1.0)
    assert heat.min() > 0.0
    assert planner.plan(given).replies == plan.replies
    dark = (replace(given.frames[0], rgb=given.frames[0].rgb // 4),)
    assert not np.allclose(attention_saliency(owner, dark, plan), heat)


@pytest.mark.parametrize(
    ('number', 'token', 'is_read'), [(0, '<speed_1', True), (-1, 'curvature_200>', False)]
)
def test_attention_is_read_where_an_action_is_chosen(planned, given, number, token, is_read):
    _, owner, plan = planned
    actions = plan.replies[-1].split('><')
    actions[number] = token
    changed = replace(plan, replies=(*plan.replies[:-1], '><'.join(actions)))
    assert changed.replies != plan.replies
    heat = attention_saliency(owner, given.frames, plan, given.earlier)
    assert (
        np.allclose(attention_saliency(owner, given.frames, changed, given.earlier), heat)
        is not is_read
    )


@pytest.mark.parametrize(
    ('count', 'aspect', 'grid'),
    [(66, 352 / 192, (6, 11)), (196, 1.0, (14, 14)), (220, 16 / 9, (11, 20))],
)
def test_tokens_lie_as_the_picture_does(count, aspect, grid):
    assert grid_of(count, aspect) == grid


@pytest.mark.parametrize('count', [0, 67])
def test_tokens_that_are_no_grid_are_an_error(count):
    with pytest.raises(ModelError, match=rf'need tokens in a grid of .* 1\.83, got {count}'):
        grid_of(count, 352 / 192)


def test_the_picture_as_it_is_seen_gives_the_same_plan(planned, given):
    planner, owner, plan = planned
    seen = as_seen(owner, given.frames)
    assert seen.shape == (192, 352, 3)
    again = planner.plan(replace(given, frames=(replace(given.frames[0], rgb=seen),)))
    assert again.replies[:1] == plan.replies[:1]


@pytest.mark.parametrize('kind', ['fgsm', 'pgd'])
@pytest.mark.parametrize('size_px', [1, 8])
def test_an_attack_changes_no_pixel_by_more_than_it_may(planned, given, kind, size_px):
    _, owner, plan = planned
    rgb = attacked(owner, given.frames, plan, given.earlier, kind=kind, size_px=size_px)
    apart = np.abs(rgb.astype(int) - as_seen(owner, given.frames).astype(int))
    assert apart.max() == size_px
    assert apart.mean() > 0.3 * size_px


def test_what_earlier_pictures_show_counts_and_an_attack_leaves_them(planned, given):
    planner, owner, plan = planned
    alone = replace(given, earlier=())
    heats = [gradient_saliency(owner, one.frames, plan, one.earlier) for one in (given, alone)]
    assert not np.allclose(*heats)
    again = attacked(owner, given.frames, plan, given.earlier, kind='fgsm', size_px=8)
    other = attacked(owner, given.frames, plan, kind='fgsm', size_px=8)
    assert (again != other).any()
    assert planner.plan(given).replies == plan.replies


def _loss(owner, given, plan, rgb):
    from emma_planner.models import written_plan as module

    frames = (replace(given.frames[0], rgb=rgb),)
    inputs, written = module._conversation(owner, frames, plan, given.earlier)
    with torch.no_grad():
        logits = owner.model(**inputs, use_cache=False).logits
    labels = inputs['input_ids'][:, 1:][written[:, 1:]]
    return float(torch.nn.functional.cross_entropy(logits[:, :-1][written[:, 1:]], labels))


def test_an_attack_makes_the_plan_unlikelier_and_more_steps_more_so(planned, given):
    _, owner, plan = planned
    clean = _loss(owner, given, plan, as_seen(owner, given.frames))
    fgsm, pgd = (
        _loss(
            owner,
            given,
            plan,
            attacked(owner, given.frames, plan, given.earlier, kind=kind, size_px=8),
        )
        for kind in ('fgsm', 'pgd')
    )
    assert clean < fgsm < pgd


def test_an_attack_is_a_parameter_of_the_planner(folder, given):
    config = PlannerConfig(model=str(folder), reason_tokens=12, attack='fgsm', attack_size=8)
    planner = build_planner(config)
    plan = planner.plan(given)
    assert plan.replies
    assert planner.name == build_planner(replace(config, attack='none')).name
    with pytest.raises(ModelError, match='attack pgd: need a model in this process'):
        build_planner(PlannerConfig(planner='constant-action', attack='pgd'))


def test_a_model_is_asked_without_a_picture_and_with_several(folder, planned, given):
    _, _, plan = planned
    config = PlannerConfig(model=str(folder), reason_tokens=12)
    blind = build_planner(replace(config, use_image=False))
    other = (replace(given.frames[0], rgb=given.frames[0].rgb[::-1].copy()),)
    without = blind.plan(given)
    assert without.replies
    assert without.replies == blind.plan(replace(given, frames=other)).replies
    assert without.tokens.prompt == plan.tokens.prompt - 66 - _extra(plan, without)
    several = build_planner(config).plan(replace(given, frames=given.frames + other))
    assert several.replies
    assert several.tokens.prompt == plan.tokens.prompt + 66 - _extra(plan, several)


def _extra(plan, other) -> int:
    """Tokens that one reply has beyond another; both have at most 12."""
    return plan.tokens.generated - other.tokens.generated


def test_a_model_that_takes_no_picture_as_such_is_named(tmp_path, given):
    build_untrained(tmp_path / 'base', 'qwen3_vl')
    planner, owner = local_model(PlannerConfig(model=str(tmp_path / 'base'), reason_tokens=8))
    plan = planner.plan(given)
    with pytest.raises(ModelError, match=r'need a model that takes one picture as \(1, 3, H, W\)'):
        gradient_saliency(owner, given.frames, plan, given.earlier)
