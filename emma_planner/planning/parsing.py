"""A model's reply to core types, or an error with a reason code.

Strict about count and finiteness, tolerant about brackets, spaces and exponents, for servers that
cannot constrain decoding. Model text is data: matched by a grammar, never evaluated. Whether the
numbers make sense is for :mod:`emma_planner.planning.checks`.
"""

from __future__ import annotations

import re

import numpy as np

from emma_planner.planning.types import (
    NUM_STEPS,
    FloatArray,
    PlanningError,
    Reason,
    Reasoning,
)

# every repetition ends at a character that it cannot match itself: matching takes linear time
_NUMBER = r'[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?'
_KEY = r'(?:"?([A-Za-z_]\w*)"?\s*:\s*)?'
_PAIR = re.compile(rf'[\[({{]\s*{_KEY}({_NUMBER})\s*[,;]\s*{_KEY}({_NUMBER})\s*[\])}}]')
_NUMBERS_IN_BRACKETS = re.compile(r'[\[({]([-+0-9.,;eE\s]+)[\])}]')
_NOT_A_NUMBER = re.compile(r'[\[({,;:]\s*[-+]?(?:nan|inf(?:inity)?)\b', re.IGNORECASE)
_LABEL = re.compile(
    r'(?:^[ \t>#*_-]*|(?<=[.;!?])[ \t])'  # at the start of a line, or after a sentence
    r'(scene|critical objects|objects|intent)[ \t*_]*:[ \t*_]*',
    re.IGNORECASE | re.MULTILINE,
)
_BULLET = re.compile(r'^\s*(?:[-*•]|\d+[.)])\s*')
_MAX_QUOTE = 80


class PlanParseError(PlanningError):
    """The reply is not ten finite pairs; the reason says whether format or length failed."""


def quote(text: str) -> str:
    """Shorten model text to one printable line for messages."""
    line = ' '.join(text.split())
    return repr(line if len(line) <= _MAX_QUOTE else line[: _MAX_QUOTE - 1] + '…')


def parse_pairs(text: str, num_steps: int = NUM_STEPS) -> FloatArray:
    """Read exactly ``num_steps`` pairs of numbers: speed, then curvature unless keys swap them.

    :returns: ``(num_steps, 2)`` in the units in which the model wrote them
    :raises PlanParseError: ``format`` without a pair, with a malformed one or with a number that
        is not finite, ``length`` with another count of pairs
    """
    if _NOT_A_NUMBER.search(text):
        raise PlanParseError(Reason.FORMAT, f'need finite numbers, got {quote(text)}')
    pairs = _PAIR.findall(text)
    if not pairs:
        raise PlanParseError(
            Reason.FORMAT, f'need {num_steps} pairs of numbers, got none in {quote(text)}'
        )
    if len(pairs) != num_steps:
        raise PlanParseError(
            Reason.LENGTH, f'need {num_steps} pairs of numbers, got {len(pairs)} in {quote(text)}'
        )
    if any(re.search('[0-9]', rest) for rest in _NUMBERS_IN_BRACKETS.findall(_PAIR.sub('', text))):
        raise PlanParseError(Reason.FORMAT, f'need pairs of numbers alone, got {quote(text)}')
    values = np.array([_in_order(*pair) for pair in pairs])
    if not np.isfinite(values).all():
        raise PlanParseError(Reason.FORMAT, f'need finite numbers, got {quote(text)}')
    return values


def _in_order(first_key: str, first: str, _: str, second: str) -> tuple[float, float]:
    if first_key.lower().startswith('curv'):
        return float(second), float(first)
    return float(first), float(second)


def parse_reasoning(text: str) -> Reasoning:
    """Split a stage-1 reply at its labels; text before any label counts as the scene."""
    parts = {'scene': '', 'objects': '', 'intent': ''}
    labels = list(_LABEL.finditer(text))
    ends = [*(label.start() for label in labels[1:]), len(text)][: len(labels)]
    parts['scene'] = text[: labels[0].start() if labels else len(text)].strip()
    for label, end in zip(labels, ends, strict=True):
        key = label.group(1).lower().removeprefix('critical ')
        parts[key] = (parts[key] + ' ' + text[label.end() : end]).strip()
    return Reasoning(
        scene=' '.join(parts['scene'].split()),
        objects=_split_objects(parts['objects']),
        intent=' '.join(parts['intent'].split()),
    )


def _split_objects(text: str) -> tuple[str, ...]:
    lines = text.splitlines() if '\n' in text else text.split(';')
    items = (_BULLET.sub('', line).strip(' .') for line in lines)
    return tuple(item for item in items if item and item.lower() != 'none')
