"""What is minimised is least where it is right."""

from __future__ import annotations

import pytest

pytest.importorskip('torch')

import torch

from emma_planner.training.batches import IGNORED, PLAN, REASON
from emma_planner.training.objectives import (
    ActionTargets,
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
