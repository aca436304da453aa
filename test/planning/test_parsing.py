"""Replies of real models: what is read, what is refused, and that nothing else can happen."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from emma_planner.planning.actions import ActionTokens, TextActions
from emma_planner.planning.parsing import PlanParseError, parse_pairs, parse_reasoning, quote
from emma_planner.planning.types import Reason, Reasoning

PAIRS = [[float(k), k / 4] for k in range(10)]
NUM_CHARACTERS = 1_000_000


def _written(pair: str = '[{},{}]', between: str = ',', pairs=PAIRS) -> str:
    return between.join(pair.format(*values) for values in pairs)


@pytest.mark.parametrize(
    'text',
    [
        '[' + _written('({},{})') + ']',
        _written('[ {}, {}]', ', '),
        _written('[{},{} ]', ' '),
        _written('[{:.0e},{}]'),
        _written('[{:+.2f},{}]'),
        _written('({};{})', '\n'),
        _written('\n- [{} , {}]', ''),
        'Here is my plan: ' + _written() + '. Drive safely!',
        '```json\n' + json.dumps({'plan': PAIRS}, indent=2) + '\n```',
        json.dumps([{'speed': v, 'curvature': k} for v, k in PAIRS]),
        json.dumps([{'curvature': k, 'speed': v} for v, k in PAIRS]),
        _written('{{speed: {}, curvature: {}}}'),
    ],
    ids=lambda text: text[:16],
)
def test_brackets_spaces_exponents_and_keys_are_tolerated(text):
    np.testing.assert_array_equal(parse_pairs(text), PAIRS)


def test_bare_fractions_and_exponents_are_numbers():
    values = parse_pairs('(1,2) [ 1.0, 2.0] [1e1,.5] [-3.,+2E-2]', num_steps=4)
    np.testing.assert_array_equal(values, [[1, 2], [1, 2], [10, 0.5], [-3, 0.02]])


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('', Reason.FORMAT),
        ('I cannot help with driving.', Reason.FORMAT),
        ('<html><body>502 Bad Gateway</body></html>', Reason.FORMAT),
        ('(8.8380.0)', Reason.FORMAT),
        (_written('({}{})'), Reason.FORMAT),
        (_written('{},{}'), Reason.FORMAT),
        (_written('[{},{},0.0]'), Reason.FORMAT),
        (_written('["{}","{}"]'), Reason.FORMAT),
        (_written() + ',(8.8380.0)', Reason.FORMAT),
        (_written() + ',[1.0]', Reason.FORMAT),
        (_written(pairs=PAIRS[:9]) + ',[NaN,0.0]', Reason.FORMAT),
        (_written(pairs=PAIRS[:9]) + ',[1.0, -Infinity]', Reason.FORMAT),
        (_written() + ',[nan,nan]', Reason.FORMAT),
        (_written(pairs=PAIRS[:9]) + ',[1e999,0.0]', Reason.FORMAT),
        (_written(pairs=PAIRS[:9]) + ',[٣,٤]', Reason.LENGTH),
        (_written(pairs=PAIRS[:9]), Reason.LENGTH),
        (_written(pairs=PAIRS[:9]) + ',(8.8380.0)', Reason.LENGTH),
        (_written() + ',[1.0,2.0]', Reason.LENGTH),
        ('The history was ' + _written() + ', so the plan is ' + _written(), Reason.LENGTH),
        (_written(pairs=PAIRS[:9]) + ',[1.0', Reason.LENGTH),
    ],
    ids=lambda value: str(value)[-24:],
)
def test_other_than_ten_finite_pairs_is_refused_with_its_reason(text, reason):
    with pytest.raises(PlanParseError) as caught:
        parse_pairs(text)
    assert caught.value.reason is reason
    assert str(caught.value).startswith('need ')


def test_words_that_begin_like_nan_are_no_numbers():
    text = 'Near the end (nano car), info: ' + _written()
    np.testing.assert_array_equal(parse_pairs(text), PAIRS)


def test_messages_say_what_was_needed_and_got():
    with pytest.raises(PlanParseError, match=r"need 10 pairs of numbers, got 1 in '\[1,2\]'"):
        parse_pairs('[1,2]')
    with pytest.raises(PlanParseError, match=r"need 10 pairs of numbers, got none in 'stop'"):
        parse_pairs('stop')


@pytest.mark.parametrize('call', ['__import__("os").abort()', 'exit()', '1+1', '9**9**9'])
def test_text_is_never_evaluated(call):
    with pytest.raises(PlanParseError):
        parse_pairs(_written(pairs=PAIRS[:9]) + f',[{call},{call}]')


def _random_texts(seed: int) -> list[str]:
    random = np.random.default_rng(seed)
    alphabet = list('[](){},;:.-+eE0123456789 \n\t"_nainfNAN<>speedcurvature٣½²\u2212\ud800\x00')
    return [
        bytes(random.integers(0, 256, 300, dtype=np.uint8)).decode('utf-8', 'replace'),
        bytes(random.integers(0, 256, 300, dtype=np.uint8)).decode('latin-1'),
        ''.join(random.choice(alphabet, 400)),
        ''.join(chr(c) for c in random.integers(0, 0x110000, 300)),
        _mutated(random),
    ]


def _mutated(random: np.random.Generator) -> str:
    text = list(_written())
    for _ in range(random.integers(1, 6)):
        text[random.integers(len(text))] = str(random.choice(list('[](),.-e0 9"n')))
    return ''.join(text)


@pytest.mark.parametrize('seed', range(100))
def test_no_reply_raises_anything_but_a_reason_code(seed):
    for text in _random_texts(seed):
        for read in (parse_pairs, TextActions().decode, ActionTokens().decode):
            assert _outcome(read, text) in ('finite', Reason.FORMAT, Reason.LENGTH)
        assert isinstance(parse_reasoning(text), Reasoning)


def _outcome(read: Callable[[str], Any], text: str) -> Reason | str:
    try:
        values = np.asarray(read(text))
    except PlanParseError as err:
        return err.reason if len(str(err)) < 1000 else 'long message'
    return 'finite' if np.isfinite(values).all() else 'not finite'


@pytest.mark.parametrize(
    'unit',
    [
        '[', '[ ', '(1', '[1,', '[1,2', '[1,2]', '1', '.', '1.', '1e', 'a', '[a', '"', ' ', '\n',
        ': ', ',', '-', '[-', '\t[', ' \n', '*', '>', '#_', 'scene', 'scene ', 'scene*', 'Intent:',
        '\nscene', '<speed_', '<speed_1>', 'é', '{"a":', '[1 ', '[1,\n', '(n', '(nan', '- ',
    ],
)  # fmt: skip
@pytest.mark.parametrize('start', ['', '[', '[1', '[1,', '[a', 'scene', '<speed_'])
def test_a_long_reply_is_read_in_linear_time(start, unit):
    text = start + unit * (NUM_CHARACTERS // 5 // len(unit))
    begin = time.perf_counter()
    for read in (parse_pairs, ActionTokens().decode, parse_reasoning):
        with contextlib.suppress(PlanParseError):
            read(text)
    assert time.perf_counter() - begin < 5.0


def test_a_number_of_a_million_digits_is_refused_in_time():
    begin = time.perf_counter()
    with pytest.raises(PlanParseError, match='finite'):
        parse_pairs(_written(pairs=PAIRS[:9]) + ',[' + '1' * NUM_CHARACTERS + ',0]')
    assert time.perf_counter() - begin < 5.0


def test_quote_is_one_short_printable_line():
    assert quote('a\n  b\tc') == "'a b c'"
    assert len(quote('x' * 1000)) == 82
    assert quote('\x00\ud800').isprintable()


@pytest.mark.parametrize(
    'text',
    [
        'Scene: wet road\nObjects: bus ahead; bike on the right\nIntent: slow down',
        '**Scene:** wet road\n**Critical objects:** bus ahead; bike on the right.\n'
        '**Intent:** slow down',
        '## Scene : wet\nroad\n- Objects:\n1. bus ahead\n2) bike on the right\n'
        '> INTENT: slow down',
        'wet road\nObjects:\n* bus ahead\n• bike on the right\nIntent: slow down',
    ],
)
def test_labels_split_a_reply_into_its_three_parts(text):
    reasoning = parse_reasoning(text)
    assert reasoning == Reasoning('wet road', ('bus ahead', 'bike on the right'), 'slow down')


@pytest.mark.parametrize('text', ['Objects: none', 'Objects: None.', 'Objects:', 'Intent: go'])
def test_no_objects_are_an_empty_list(text):
    assert parse_reasoning(text).objects == ()


def test_text_without_labels_is_the_scene():
    assert parse_reasoning('A dark tunnel.\nNo cars.') == Reasoning('A dark tunnel. No cars.')


def test_a_label_inside_a_sentence_is_no_label():
    assert parse_reasoning('Scene: my intent: none yet').intent == ''


def test_a_part_that_comes_twice_is_kept_whole():
    assert parse_reasoning('Intent: slow\nIntent: stop').intent == 'slow stop'


def test_labels_on_one_line_are_found_after_a_sentence():
    reasoning = parse_reasoning('Scene: two lanes. Objects: car ahead; bus. Intent: keep speed.')
    assert reasoning.scene == 'two lanes.'
    assert reasoning.objects == ('car ahead', 'bus')
    assert reasoning.intent == 'keep speed.'
