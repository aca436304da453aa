"""Formats are enforced while decoding, whatever the weights say."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from emma_planner.planning.actions import ActionTokens, TextActions
from emma_planner.planning.chat import ModelError, Stop, TextFormat, TokenFormat

torch = pytest.importorskip('torch')
pytest.importorskip('transformers')
pytest.importorskip('llguidance')

from emma_planner.models.decoding import (  # noqa: E402
    MaskedScores,
    QuantileScores,
    SamplingNoise,
    TurnEnd,
)

CODECS = [TextActions(), ActionTokens()]


def by_name(codec):
    return type(codec).__name__


def assert_plan(codec, reply):
    assert reply.stop is Stop.END
    speeds, curvatures = codec.decode(reply.text)
    assert len(speeds) == len(curvatures) == 10
    assert np.isfinite(speeds).all()
    assert np.isfinite(curvatures).all()
    if isinstance(codec, TextActions):
        assert re.fullmatch(codec.reply_format.regex, reply.text)
    else:
        assert reply.generated_tokens == 20


@pytest.mark.parametrize('codec', CODECS, ids=by_name)
def test_greedy_random_weights_keep_the_format(load_checkpoint, architecture, frame, codec):
    chat = load_checkpoint(architecture).start([frame])
    chat.ask('Reason.', max_tokens=8)
    reply = chat.ask(
        codec.instructions(), max_tokens=codec.max_tokens, reply_format=codec.reply_format
    )
    assert_plan(codec, reply)


@pytest.mark.parametrize('codec', CODECS, ids=by_name)
def test_sampled_random_weights_keep_the_format(load_checkpoint, architecture, frame, codec):
    model = load_checkpoint(architecture, temperature=1.5)
    num_seeds = 20 if architecture == 'qwen3_vl' else 5
    texts = set()
    for seed in range(num_seeds):
        reply = model.start([frame], seed=seed).ask(
            'Plan.', max_tokens=codec.max_tokens, reply_format=codec.reply_format
        )
        assert_plan(codec, reply)
        texts.add(reply.text)
    assert len(texts) == num_seeds


@pytest.mark.parametrize('codec', CODECS, ids=by_name)
def test_broken_scores_keep_the_format(load_checkpoint, frame, codec):
    model = load_checkpoint()

    def break_scores(module, inputs, logits):
        logits[..., ::2] = math.nan
        logits[..., 1::2] = -math.inf
        return logits

    hook = model.model.get_output_embeddings().register_forward_hook(break_scores)
    try:
        reply = model.start([frame]).ask(
            'Plan.', max_tokens=codec.max_tokens, reply_format=codec.reply_format
        )
    finally:
        hook.remove()
    assert_plan(codec, reply)


def test_ids_without_a_token_are_never_allowed(load_checkpoint, architecture):
    vocabulary = load_checkpoint(architecture).vocabulary
    num_tokens = len(vocabulary.tokenizer)
    assert vocabulary.num_logits > num_tokens
    for reply_format in (None, *(codec.reply_format for codec in CODECS)):
        allowed = vocabulary.mask(reply_format).allowed([])
        assert allowed.shape == (vocabulary.num_logits,)
        assert allowed.any()
        assert not allowed[num_tokens:].any()


def test_free_text_has_no_image_placeholders_and_may_end(load_checkpoint, architecture):
    vocabulary = load_checkpoint(architecture).vocabulary
    allowed = vocabulary.mask(None).allowed([])
    assert vocabulary.placeholder_ids
    assert not allowed[list(vocabulary.placeholder_ids)].any()
    assert allowed[list(vocabulary.end_ids)].all()


@pytest.mark.parametrize('codec', CODECS, ids=by_name)
def test_nothing_but_an_end_of_turn_may_follow_a_plan(load_checkpoint, codec):
    vocabulary = load_checkpoint().vocabulary
    assert len(vocabulary.end_ids) == 2
    text = codec.encode(np.linspace(0, 20, 10), np.linspace(-0.1, 0.1, 10))
    ids = vocabulary.tokenizer(text, add_special_tokens=False)['input_ids']
    mask = vocabulary.mask(codec.reply_format)
    assert not mask.is_complete(ids[:-1])
    assert not mask.allowed(ids[:-1])[list(vocabulary.end_ids)].any()
    assert mask.is_complete(ids)
    if isinstance(codec, ActionTokens):
        assert mask.allowed(ids).nonzero().flatten().tolist() == sorted(vocabulary.end_ids)


def test_open_ended_format_may_end_by_any_end_of_turn_token(load_checkpoint):
    vocabulary = load_checkpoint().vocabulary
    mask = vocabulary.mask(TextFormat(regex='a+', json_schema={}))
    ids = vocabulary.tokenizer('a', add_special_tokens=False)['input_ids']
    allowed = mask.allowed(ids)
    assert allowed[ids].all()
    assert allowed[list(vocabulary.end_ids)].all()
    assert not mask.is_complete(ids)


def test_complete_reply_ends_within_a_budget_without_room_for_its_end(load_checkpoint, frame):
    codec = ActionTokens()
    reply = (
        load_checkpoint()
        .start([frame])
        .ask('Plan.', max_tokens=20, reply_format=codec.reply_format)
    )
    assert_plan(codec, reply)


def test_deadline_cuts_a_formatted_reply(load_checkpoint, frame):
    codec = TextActions()
    reply = (
        load_checkpoint()
        .start([frame])
        .ask(
            'Plan.', max_tokens=codec.max_tokens, time_limit_s=0.0, reply_format=codec.reply_format
        )
    )
    assert reply.stop is Stop.TIMEOUT
    assert reply.generated_tokens == 1


def test_budget_cuts_a_formatted_reply(load_checkpoint, frame):
    codec = TextActions()
    reply = (
        load_checkpoint()
        .start([frame])
        .ask('Plan.', max_tokens=5, reply_format=codec.reply_format)
    )
    assert reply.stop is Stop.LENGTH
    assert '{"plan":[['.startswith(reply.text) or reply.text.startswith('{"plan":[[')


def test_unknown_action_tokens_are_named(load_checkpoint, frame):
    reply_format = TokenFormat(positions=(('<speed_0>', '<warp_9>'),))
    with pytest.raises(ModelError, match="got 1; missing <warp_9>: choose action_format 'text'"):
        load_checkpoint().start([frame]).ask('Plan.', max_tokens=3, reply_format=reply_format)


def test_bad_regex_is_a_model_error(load_checkpoint, frame):
    with pytest.raises(ModelError, match='need a grammar that the tokenizer can write'):
        load_checkpoint().start([frame]).ask(
            'Plan.', max_tokens=3, reply_format=TextFormat(regex='(', json_schema={})
        )


def test_sampling_noise_draws_from_the_softmax():
    scores = torch.tensor([[2.0, 1.0, 0.0, -math.inf]])
    noise = SamplingNoise(2.0, torch.Generator().manual_seed(0))
    draws = torch.stack([noise(None, scores).argmax() for _ in range(20000)])
    shares = torch.bincount(draws, minlength=4) / len(draws)
    expected = torch.softmax(scores[0] / 2.0, dim=0)
    assert torch.allclose(shares, expected, atol=0.015)


class OnlyToken3:
    def allowed(self, reply_ids):
        return torch.arange(5) == 3

    def is_complete(self, reply_ids):
        return len(reply_ids) >= 2


def test_masked_scores_survive_infinite_and_undefined_scores():
    ids = torch.zeros((1, 4), dtype=torch.long)
    for value in (math.nan, -math.inf, -3e38):
        scores = torch.full((1, 5), math.inf)
        scores[0, 3] = value
        assert MaskedScores(OnlyToken3(), 4)(ids, scores).argmax().item() == 3


def test_a_reply_complete_at_its_deadline_is_complete():
    end = TurnEnd(OnlyToken3(), 4, deadline_s=0.0)
    assert end(torch.zeros((1, 6), dtype=torch.long), None).tolist() == [True]
    assert end.stop(ended=False) is Stop.END
    assert end(torch.zeros((1, 5), dtype=torch.long), None).tolist() == [True]
    assert end.stop(ended=False) is Stop.TIMEOUT


class Ordered:
    """Chooses among five tokens that are not in the order of their ids."""

    ids = torch.tensor([7, 2, 9, 4, 0])

    def __init__(self, quantile) -> None:
        self.quantile = quantile

    def choice(self, reply_ids):
        return None if reply_ids else (self.ids, self.quantile)


@pytest.mark.parametrize('quantile', [0.0, 0.1, 0.5, 0.8, 0.999999, 1.0])
def test_the_token_at_a_quantile_has_as_much_below_it(quantile):
    scores = 3.0 * torch.randn((200, 1, 12), generator=torch.Generator().manual_seed(0))
    prompt = torch.zeros((1, 4), dtype=torch.long)
    for each in scores:
        chosen = QuantileScores(Ordered(quantile), 4)(prompt, each)
        assert torch.isfinite(chosen).sum() == 1
        place = Ordered.ids.tolist().index(chosen.argmax().item())
        shares = torch.softmax(each[0, Ordered.ids].double(), dim=0)
        below = shares[:place].sum().item()
        assert below <= quantile + 1e-9
        assert below + shares[place].item() >= quantile - 1e-9


def test_the_median_is_not_the_likeliest_where_that_is_at_an_edge():
    scores = torch.full((1, 12), -math.inf)
    scores[0, Ordered.ids] = torch.log(torch.tensor([0.3, 0.1, 0.15, 0.25, 0.2]))
    chosen = QuantileScores(Ordered(0.5), 4)(torch.zeros((1, 4), dtype=torch.long), scores)
    assert chosen.argmax().item() == Ordered.ids[2]


def test_behind_the_last_position_no_token_is_chosen_by_its_place():
    scores = torch.randn((1, 12))
    after = torch.zeros((1, 5), dtype=torch.long)
    assert QuantileScores(Ordered(0.5), 4)(after, scores) is scores


def test_other_quantiles_write_faster_and_slower_plans(load_checkpoint, frame):
    codec = ActionTokens()
    model = load_checkpoint()
    first = {}
    for quantile in (0.02, 0.5, 0.98):
        reply_format = codec.leaning(quantile, 0.5)
        reply = model.start([frame]).ask('Plan.', max_tokens=21, reply_format=reply_format)
        assert_plan(codec, reply)
        first[quantile] = codec.decode(reply.text)[0][0]
    assert first[0.02] < first[0.5] < first[0.98]


def test_sampling_does_not_take_the_median(load_checkpoint, frame, monkeypatch):
    codec = ActionTokens()
    model = load_checkpoint()
    monkeypatch.setattr(model, 'temperature', 1.0)
    replies = {
        model.start([frame], seed=seed)
        .ask('Plan.', max_tokens=21, reply_format=codec.reply_format)
        .text
        for seed in range(3)
    }
    assert len(replies) == 3
