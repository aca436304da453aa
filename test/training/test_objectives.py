"""What is minimised is least where it is right."""

from __future__ import annotations

import pytest

pytest.importorskip('torch')

import torch

from emma_planner.training.batches import PLAN, REASON
from emma_planner.training.motion_labels import IGNORED
from emma_planner.training.objectives import (
    ActionTargets,
    MotionHead,
    PatchHead,
    contrastive_loss,
    conversation_loss,
)

IDS = (list(range(10, 20)), list(range(20, 29)))


@pytest.mark.parametrize('width', [0.0, 1.0, 2.0])
def test_the_right_action_costs_least_and_a_near_one_less_than_a_far_one(width):
    actions = ActionTargets(IDS, width)
    costs = []
    for bin_ in range(10):
        logits = torch.full((1, 40), -8.0)
        logits[0, 10 + bin_] = 8.0
        costs.append(float(actions.loss(logits, torch.tensor([14]))))
    assert costs.index(min(costs)) == 4
    if width:
        assert costs[4] < costs[5] < costs[7]


def test_a_spread_of_its_own_costs_nothing_and_other_tokens_do_not_matter():
    actions = ActionTargets(IDS, 1.0)
    logits = torch.zeros(1, 40)
    logits[0, 10:20] = torch.log(actions._targets[0][3] + 1e-9)
    logits[0, :10] = 50.0  # masked while decoding, so free
    assert float(actions.loss(logits, torch.tensor([13]))) == pytest.approx(0.0, abs=1e-4)


def test_speed_and_curvature_are_learned_each_among_its_own():
    actions = ActionTargets(IDS, 0.0)
    logits = torch.zeros(2, 40)
    loss = actions.loss(logits, torch.tensor([12, 25]))
    expected = torch.log(torch.tensor([10.0, 9.0]))
    assert torch.allclose(loss, expected)


def test_only_what_the_model_writes_counts_by_its_weight():
    actions = ActionTargets(IDS, 0.0)
    ids = torch.tensor([[1, 2, 3, 14, 25]])
    parts = torch.tensor([[0, REASON, 0, PLAN, PLAN]])
    logits = torch.zeros(1, 5, 40)
    loss, told = conversation_loss(logits, ids, parts, actions, (1.0, 3.0))
    word, plan = torch.log(torch.tensor(40.0)), torch.log(torch.tensor([10.0, 9.0]))
    assert told['reason'] == pytest.approx(float(word))
    assert told['plan'] == pytest.approx(float(plan.mean()))
    assert float(loss) == pytest.approx(float((word + 3.0 * plan.sum()) / 7.0))
    logits[0, 1, 5] = 9.0  # what follows the reason token is given, not written
    assert float(conversation_loss(logits, ids, parts, actions, (1.0, 3.0))[0]) == pytest.approx(
        float(loss)
    )


def test_patches_lie_where_the_tokens_are():
    head = PatchHead(4, (6, 11))
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.zero_()
        head.linear.weight[4 * 3 : 4 * 4, 0] = 9.0  # class 3, all four patches of a token
    tokens = torch.zeros(1, 66, 4)
    tokens[0, 11 * 2 + 5, 0] = 1.0
    classes, _ = head(tokens)
    rows, columns = torch.nonzero(classes[0].argmax(0) == 3, as_tuple=True)
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [
        (4, 10),
        (4, 11),
        (5, 10),
        (5, 11),
    ]


def test_patches_without_labels_cost_nothing():
    head = PatchHead(4, (6, 11))
    tokens = torch.randn(1, 66, 4)
    labels = torch.full((1, 12, 22), IGNORED)
    labels[0, 3, 3] = 1
    loss, _ = head.loss(tokens, labels, labels.clamp_max(0))
    labels_all = torch.full((1, 12, 22), 1)
    other, _ = head.loss(tokens, labels_all, labels_all)
    assert torch.isfinite(loss)
    assert loss != other


def test_pictures_are_matched_with_their_texts():
    pictures = torch.eye(4)
    scale = torch.tensor(3.0)
    right, found = contrastive_loss(pictures, pictures, scale)
    wrong, lost = contrastive_loss(pictures, pictures.roll(1, 0), scale)
    assert right < 0.2 < wrong
    assert (found, lost) == (1.0, 0.0)


def test_the_same_text_is_no_wrong_match():
    texts = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    loss, found = contrastive_loss(texts, texts, torch.tensor(4.0))
    assert loss < 1e-3
    assert found == 1.0


def test_half_precision_gives_the_loss_of_single_precision():
    actions = ActionTargets(IDS, 2.0)
    ids = torch.tensor([[1, 2, 3, 14, 25]])
    parts = torch.tensor([[0, REASON, 0, PLAN, PLAN]])
    logits = torch.randn(1, 5, 40, generator=torch.Generator().manual_seed(0))
    logits = logits.bfloat16().float()
    whole, _ = conversation_loss(logits, ids, parts, actions, (1.0, 3.0))
    half, _ = conversation_loss(logits.bfloat16(), ids, parts, actions, (1.0, 3.0))
    assert float(half) == pytest.approx(float(whole), rel=1e-3)


def _motions():
    torch.manual_seed(0)
    motions = torch.full((4, 4, 6), IGNORED)
    motions[:, 1:3, 2:4] = torch.arange(4)[:, None, None]
    ego = torch.tensor([[1.0, 0.0], [0.5, 0.2], [0.0, -0.2], [float('nan')] * 2])
    speeds = torch.where(motions == IGNORED, torch.nan, motions / 4.0)
    return torch.randn(4, 6, 16), motions, speeds, ego


def test_motion_is_learned_from_the_tokens_and_what_is_not_known_does_not_count():
    head = MotionHead(16, (2, 3))
    tokens, *known = _motions()
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    losses = []
    for _ in range(150):
        loss, told = head.loss(tokens, *known)
        assert torch.isfinite(loss)
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        assert all(torch.isfinite(weight.grad).all() for weight in head.parameters())
        optimizer.step()
    assert set(told) == {'motions', 'speeds', 'ego'}
    assert losses[-1] < 0.1 * losses[0]
    before = head.loss(tokens, *known)[0].detach()
    tokens[3, 0] += 5.0  # where nothing is labelled, of a picture without ego motion
    after = head.loss(tokens, *known)[0].detach()
    assert float(after) == pytest.approx(float(before))


def test_where_no_motion_is_known_it_costs_nothing():
    head = MotionHead(16, (2, 3))
    tokens, *known = _motions()
    motions, *others = known
    nothing = [torch.full_like(values, torch.nan) for values in others]
    loss, _ = head.loss(tokens, torch.full_like(motions, IGNORED), *nothing)
    assert float(loss.detach()) == 0.0
    loss.backward()
    assert all(not weight.grad.any() for weight in head.parameters())
