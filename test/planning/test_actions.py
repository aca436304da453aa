"""Both codecs: error bounds, symmetry, and a format that the language and the decoder share."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from emma_planner.planning.actions import (
    CURVATURE_SCALE,
    MAX_CURVATURE_1PM,
    ActionTokens,
    TextActions,
    curvature_of_bins,
    format_pairs,
)
from emma_planner.planning.parsing import PlanParseError
from emma_planner.planning.types import Reason

TEXT, TOKENS = TextActions(), ActionTokens()
CODECS = [TEXT, TOKENS]
REGEX = TEXT.reply_format.regex
SCHEMA = TEXT.reply_format.json_schema
TEN_PAIRS = ','.join(['[1.00,2.00]'] * 10)
by_name = pytest.mark.parametrize('codec', CODECS, ids=lambda codec: type(codec).__name__)


def _actions(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.uniform(0.0, 38.25, 10), random.uniform(-0.25, 0.25, 10)


def _is_valid(value: Any, schema: Mapping[str, Any]) -> bool:
    """Judge by the few JSON schema keywords that the format uses."""
    kinds = {'object': dict, 'array': list, 'number': (int, float)}
    if not isinstance(value, kinds[schema['type']]) or isinstance(value, bool):
        return False
    if schema['type'] == 'object':
        names = schema['properties']
        known = set(value) & set(names)
        closed = not schema.get('additionalProperties', True)
        return (
            set(schema['required']) <= set(value)
            and not (closed and set(value) - known)
            and all(_is_valid(value[name], names[name]) for name in known)
        )
    if schema['type'] == 'array':
        count = schema['minItems'] <= len(value) <= schema['maxItems']
        return count and all(_is_valid(item, schema['items']) for item in value)
    return True


def _sample(random: np.random.Generator) -> str:
    """Any string of the regex, drawn digit by digit."""

    def number(sign: str) -> str:
        whole = '0' if random.random() < 0.2 else str(random.integers(1, 100))
        return f'{sign}{whole}.{random.integers(0, 100):02d}'

    pairs = (f'[{number("")},{number(random.choice(["", "-"]))}]' for _ in range(10))
    return '{"plan":[' + ','.join(pairs) + ']}'


@by_name
@pytest.mark.parametrize('seed', range(20))
def test_decoded_actions_are_close_to_the_encoded_ones(codec, seed):
    speeds, curvatures = _actions(seed)
    decoded_speeds, decoded_curvatures = codec.decode(codec.encode(speeds, curvatures))
    np.testing.assert_allclose(decoded_speeds, speeds, atol=0.1, rtol=0.0)
    np.testing.assert_allclose(
        decoded_curvatures, curvatures, atol=0.01 * MAX_CURVATURE_1PM, rtol=0.0
    )


@by_name
def test_standing_straight_is_exact(codec):
    speeds, curvatures = codec.decode(codec.encode(np.zeros(10), np.zeros(10)))
    assert not speeds.any()
    assert not curvatures.any()


@by_name
@pytest.mark.parametrize('seed', range(5))
def test_mirrored_actions_decode_to_negated_curvature(codec, seed):
    speeds, curvatures = _actions(seed)
    left = codec.decode(codec.encode(speeds, curvatures))
    right = codec.decode(codec.encode(speeds, -curvatures))
    np.testing.assert_array_equal(right[0], left[0])
    np.testing.assert_array_equal(right[1], -left[1])


@by_name
@pytest.mark.parametrize('seed', range(5))
def test_encoding_what_was_decoded_changes_nothing(codec, seed):
    text = codec.encode(*_actions(seed))
    assert codec.encode(*codec.decode(text)) == text


@by_name
@pytest.mark.parametrize(
    ('speed', 'curvature'), [(-3.0, 0.0), (1e6, 1e6), (200.0, -5.0), (-0.001, -1e-7)]
)
def test_actions_out_of_range_take_the_nearest_that_can_be_written(codec, speed, curvature):
    text = codec.encode(np.full(10, speed), np.full(10, curvature))
    speeds, curvatures = codec.decode(text)
    assert (speeds >= 0.0).all()
    assert (np.sign(curvatures) * np.sign(curvature) >= 0.0).all()
    if codec is TEXT:
        assert re.fullmatch(REGEX, text)


@by_name
def test_token_budget_never_cuts_a_well_formed_reply(codec):
    longest = codec.encode(np.full(10, 1e6), np.full(10, -1e6))
    tokens = len(longest) if codec is TEXT else longest.count('<')
    assert codec.max_tokens >= tokens + 1


def test_instructions_state_horizon_and_step_to_who_was_not_trained_on_them():
    assert 'next 5 s in steps of 0.5 s' in TEXT.instructions()


@by_name
def test_the_past_is_written_as_the_plan_is(codec):
    speeds, curvatures = np.linspace(3.0, 9.0, 10), np.linspace(-0.05, 0.05, 10)
    assert codec.write_history(speeds, curvatures) in codec.encode(speeds, curvatures)


def test_text_instructions_state_count_units_and_side():
    text = TEXT.instructions()
    for part in ('exactly 10 pairs', '[m/s]', '[1/(100 m), left positive]', '{"plan":[['):
        assert part in text


@pytest.mark.parametrize('seed', range(20))
def test_every_encoded_text_matches_the_regex_and_the_schema(seed):
    random = np.random.default_rng(seed)
    text = TEXT.encode(random.normal(0.0, 60.0, 10), random.normal(0.0, 1.0, 10))
    assert re.fullmatch(REGEX, text)
    assert _is_valid(json.loads(text), SCHEMA)


@pytest.mark.parametrize('seed', range(50))
def test_every_text_of_the_regex_fits_the_schema_and_decodes_to_its_numbers(seed):
    text = _sample(np.random.default_rng(seed))
    assert re.fullmatch(REGEX, text)
    assert _is_valid(json.loads(text), SCHEMA)
    assert len(text) < TEXT.max_tokens
    pairs = np.array(json.loads(text)['plan'])
    speeds, curvatures = TEXT.decode(text)
    np.testing.assert_array_equal(speeds, pairs[:, 0])
    np.testing.assert_array_equal(curvatures, pairs[:, 1] / CURVATURE_SCALE)


@pytest.mark.parametrize(
    'text',
    [
        '{"plan":[]}',
        '{"plan":[' + TEN_PAIRS + ',[1.00,2.00]]}',
        '{"plan":[' + TEN_PAIRS[:-12] + ']}',
        '{"plan":[' + TEN_PAIRS.replace('[1.00,2.00]', '[1.00]', 1) + ']}',
        '{"plan":[' + TEN_PAIRS.replace('[1.00,2.00]', '[1.00,2.00,3.00]', 1) + ']}',
        '{"plan":[' + TEN_PAIRS.replace('1.00', '"1.00"', 1) + ']}',
        '{"plan":[' + TEN_PAIRS + '],"note":1}',
        '[' + TEN_PAIRS + ']',
    ],
)
def test_regex_and_schema_refuse_the_same_replies(text):
    assert not re.fullmatch(REGEX, text)
    assert not _is_valid(json.loads(text), SCHEMA)


@pytest.mark.parametrize('number', ['01.00', '1.0', '1e1', '.50', '+1.00', 'NaN', '100.00'])
def test_regex_refuses_numbers_in_another_form(number):
    assert not re.fullmatch(REGEX, '{"plan":[' + TEN_PAIRS.replace('1.00', number, 1) + ']}')


def test_history_is_written_with_two_decimals_a_scaled_curvature_and_its_sign():
    text = format_pairs(np.array([4.5, -0.5, -1e-9]), np.array([0.0012, -0.25, -1e-9]))
    assert text == '[4.50,0.12],[-0.50,-25.00],[0.00,0.00]'


def test_mirrored_curvature_mirrors_the_bin():
    curvatures = np.concatenate([np.linspace(-0.3, 0.3, 1001), curvature_of_bins(np.arange(255))])
    # halfway between two bins is where rounding could take sides
    curvatures = np.concatenate(
        [
            curvatures,
            (curvature_of_bins(np.arange(254)) + curvature_of_bins(np.arange(1, 255))) / 2,
        ]
    )
    bins = _curvature_bins_of(curvatures)
    np.testing.assert_array_equal(_curvature_bins_of(-curvatures), 254 - bins)


def _curvature_bins_of(curvatures: np.ndarray) -> np.ndarray:
    text = TOKENS.encode(np.zeros(len(curvatures)), curvatures)
    return np.array([int(index) for index in re.findall(r'<curvature_(\d+)>', text)])


def test_curvature_takes_the_nearest_bin():
    centres = curvature_of_bins(np.arange(255))
    curvatures = np.linspace(-0.25, 0.25, 3001)
    nearest = np.abs(curvatures[:, None] - centres).min(axis=1)
    chosen = np.abs(curvatures - centres[_curvature_bins_of(curvatures)])
    np.testing.assert_allclose(chosen, nearest, atol=1e-15)
    assert nearest.max() <= 0.004 * 2 * MAX_CURVATURE_1PM


def test_bins_run_from_full_right_to_full_left():
    centres = curvature_of_bins(np.arange(255))
    assert (np.diff(centres) > 0.0).all()
    assert (centres[0], centres[127], centres[-1]) == (-0.25, 0.0, 0.25)


def test_a_token_plan_is_twenty_tokens_of_the_positions_in_turn():
    text = TOKENS.encode(*_actions(0))
    tokens = re.findall('<[^>]+>', text)
    assert len(tokens) == len(TOKENS.reply_format.positions) == 20
    for token, allowed in zip(tokens, TOKENS.reply_format.positions, strict=True):
        assert token in allowed


GOOD = '<speed_3><curvature_127>' * 10


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('', Reason.FORMAT),
        ('I would slow down.', Reason.FORMAT),
        (GOOD + ' and so on', Reason.FORMAT),
        (GOOD[:-24], Reason.LENGTH),
        (GOOD + GOOD[:24], Reason.LENGTH),
        (GOOD.replace('speed_3', 'speed_256', 1), Reason.FORMAT),
        (GOOD.replace('curvature_127', 'curvature_255', 1), Reason.FORMAT),
        (GOOD.replace('<speed_3><curvature_127>', '<curvature_127><speed_3>'), Reason.FORMAT),
        (GOOD.replace('speed_3', 'speed_' + '9' * 5000), Reason.FORMAT),
        (GOOD.replace('speed_3', 'speed_-3', 1), Reason.FORMAT),
        (GOOD.replace('speed_3', 'speed_٣', 1), Reason.FORMAT),
    ],
)
def test_other_replies_than_twenty_tokens_in_turn_are_refused(text, reason):
    with pytest.raises(PlanParseError) as caught:
        TOKENS.decode(text)
    assert caught.value.reason is reason
    assert len(str(caught.value)) < 200


def test_blanks_around_tokens_are_tolerated():
    speeds, _ = TOKENS.decode(' ' + GOOD.replace('><', '> <') + '\n')
    np.testing.assert_allclose(speeds, 0.45)


@pytest.mark.parametrize(('step_s', 'each'), [(0.5, 1), (1.0, 2), (2.5, 5)])
def test_a_longer_step_is_held_and_written_as_the_mean_of_what_it_holds_for(step_s, each):
    codec = TextActions(step_s)
    speeds, curvatures = _actions(3)
    text = codec.encode(speeds, curvatures)
    assert re.fullmatch(codec.reply_format.regex, text)
    assert _is_valid(json.loads(text), codec.reply_format.json_schema)
    assert f'in steps of {step_s:g} s: exactly {10 // each} pairs' in codec.instructions()
    read = codec.decode(text)
    for known, found, error in zip((speeds, curvatures), read, (5e-3, 5e-5), strict=True):
        means = np.repeat(known.reshape(-1, each).mean(axis=1), each)
        assert np.abs(found - means).max() <= error + 1e-12
    assert len(text) <= codec.max_tokens
    if each > 1:
        with pytest.raises(PlanParseError, match=f'need {10 // each} pairs of numbers, got 10'):
            codec.decode(TEN_PAIRS)


@pytest.mark.parametrize('step_s', [0.0, 0.25, 1.5, 2.0, 5.0])
def test_a_step_that_does_not_fill_the_horizon_is_refused(step_s):
    with pytest.raises(ValueError, match=rf'need a step of 0\.5, 1, 2\.5 s, got {step_s:g} s'):
        TextActions(step_s)


def test_tokens_stand_for_ascending_numbers_and_lean_where_they_are_told():
    reply_format = TOKENS.leaning(0.9, 0.3)
    assert reply_format.positions == TOKENS.reply_format.positions
    assert reply_format.quantiles == (0.9, 0.3) * 10
    assert TOKENS.reply_format.quantiles == (0.5, 0.5) * 10
    speeds, curvatures = reply_format.positions[:2]
    for tokens, other, column in ((speeds, curvatures[0], 0), (curvatures, speeds[0], 1)):
        pairs = [token + other if column == 0 else other + token for token in tokens]
        values = [TOKENS.decode(pair * 10)[column][0] for pair in pairs]
        assert (np.diff(values) > 0.0).all()


def test_text_does_not_lean():
    assert TEXT.leaning(0.9, 0.5) is None
