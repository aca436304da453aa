"""How a model writes actions: as decimal text, or as special tokens. One codec interface.

A codec knows the wording of the question, the format to enforce while decoding, and both
directions of the conversion. Prompts, decoding masks, parsing and training share it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from emma_planner.planning.chat import ReplyFormat, TextFormat, TokenFormat
from emma_planner.planning.parsing import PlanParseError, parse_pairs, quote
from emma_planner.planning.types import DT_S, NUM_STEPS, FloatArray, Reason

CURVATURE_SCALE = 100.0
"""Prompts write curvature in 1/(100 m), so that two decimals resolve 1e-4 1/m (as OpenEMMA)."""

_MAX_TEXT = 99.99
"""Largest number of the text format: two digits before the point."""

MAX_SPEED_TOKENS = 256
SPEED_STEP_MPS = 0.15
"""Speed bin centres are k * 0.15 m/s: 0 is exact, 38.25 m/s the last, error at most 0.075 m/s."""

NUM_CURVATURE_TOKENS = 255
MAX_CURVATURE_1PM = 0.25
"""Square-root companded bins, kappa = sign(u) u^2 / 4 m with u in [-1, 1]; odd, so that straight
is exact and mirroring maps bin i to 254 - i. Largest error 0.4 % of the range, near full lock."""


class ActionCodec(Protocol):
    """Actions to reply text and back.

    ``is_taught`` says that whoever can write this has been trained on these prompts and needs no
    instructions: the prompts are then short.
    """

    is_taught: bool

    @property
    def reply_format(self) -> ReplyFormat:
        """What the model may write."""
        ...

    @property
    def max_tokens(self) -> int:
        """Token budget that never cuts a well-formed reply, whatever the tokenizer."""
        ...

    def leaning(self, speed: float, curvature: float) -> ReplyFormat | None:
        """Return the format of a plan at other quantiles of what the model holds likely.

        :param speed: quantile of each speed, 0.5 is the usual; ``curvature`` of each curvature
        :returns: None where a plan cannot be asked for so
        """
        ...

    def instructions(self) -> str:
        """Return the part of the stage-2 prompt that says how to answer."""
        ...

    def encode(self, speeds_mps: FloatArray, curvatures_1pm: FloatArray) -> str:
        """Write ``(10,)`` speeds [m/s] and curvatures [1/m] as the model should."""
        ...

    def write_history(self, speeds_mps: FloatArray, curvatures_1pm: FloatArray) -> str:
        """Write past speeds [m/s] and curvatures [1/m], any number of each, as prompts do."""
        ...

    def decode(self, text: str) -> tuple[FloatArray, FloatArray]:
        """Read ``(10,)`` speeds [m/s] and curvatures [1/m] from a reply.

        :raises PlanParseError: with reason ``format`` or ``length``
        """
        ...


def format_pairs(speeds_mps: FloatArray, curvatures_1pm: FloatArray) -> str:
    """Write actions as prompts do: ``[4.51,0.12],...`` [m/s], [1/(100 m)]."""
    scaled = np.asarray(curvatures_1pm) * CURVATURE_SCALE
    pairs = zip(np.asarray(speeds_mps).tolist(), scaled.tolist(), strict=True)
    return ','.join(f'[{_decimal(speed)},{_decimal(curvature)}]' for speed, curvature in pairs)


def _decimal(value: float) -> str:
    return f'{round(value, 2) + 0.0:.2f}'


class TextActions:
    """Pairs ``[speed, curvature x 100]`` as JSON text; any model can write it.

    :param step_s: time that a pair is held: 0.5 s for ten pairs, 1 s for five, 2.5 s for two
    :raises ValueError: the horizon has no whole number of such steps of whole half seconds
    """

    is_taught = False
    _SPEED = r'(?:0|[1-9][0-9]?)\.[0-9]{2}'
    _CURVATURE = r'-?(?:0|[1-9][0-9]?)\.[0-9]{2}'

    def __init__(self, step_s: float = DT_S) -> None:
        known = {DT_S * each: each for each in range(1, NUM_STEPS) if NUM_STEPS % each == 0}
        if step_s not in known:
            steps = ', '.join(f'{step:g}' for step in known)
            raise ValueError(f'need a step of {steps} s, got {step_s:g} s')
        self._each = known[step_s]
        self._step_s = step_s
        self._count = NUM_STEPS // self._each
        pair = rf'\[{self._SPEED},{self._CURVATURE}\]'
        self.reply_format = TextFormat(
            regex=rf'\{{"plan":\[{pair}(?:,{pair}){{{self._count - 1}}}\]\}}',
            json_schema=self._schema(),
        )
        # one token a character at worst, and one to end the reply
        self.max_tokens = len('{"plan":[]}') + self._count * len('[99.99,-99.99],') + 1

    def _schema(self) -> Mapping[str, Any]:
        pair = {'type': 'array', 'items': {'type': 'number'}, 'minItems': 2, 'maxItems': 2}
        plan = {
            'type': 'array',
            'items': pair,
            'minItems': self._count,
            'maxItems': self._count,
        }
        return {
            'type': 'object',
            'properties': {'plan': plan},
            'required': ['plan'],
            'additionalProperties': False,
        }

    def leaning(self, speed: float, curvature: float) -> ReplyFormat | None:
        """Return None: the digits of a number have no order of their own."""
        return None

    def instructions(self) -> str:
        """Return the answer's form in words, with the scale of each number."""
        return (
            f'Give the speed [m/s] and the curvature [1/(100 m), left positive] of the car for '
            f'the next {NUM_STEPS * DT_S:g} s in steps of {self._step_s:g} s: exactly '
            f'{self._count} pairs, the first for the next {self._step_s:g} s. Answer with nothing '
            'but {"plan":[[speed,curvature],...]}, each number with two decimals.'
        )

    def encode(self, speeds_mps: FloatArray, curvatures_1pm: FloatArray) -> str:
        """Write the JSON text that ``reply_format`` accepts; values outside it take its bound.

        A longer step is written as the mean of what it holds for.
        """
        speeds = np.clip(self._means(speeds_mps), 0.0, _MAX_TEXT)
        limit_1pm = _MAX_TEXT / CURVATURE_SCALE
        curvatures = np.clip(self._means(curvatures_1pm), -limit_1pm, limit_1pm)
        return '{"plan":[' + format_pairs(speeds, curvatures) + ']}'

    def write_history(self, speeds_mps: FloatArray, curvatures_1pm: FloatArray) -> str:
        """Write the pairs as they are, with two decimals."""
        return format_pairs(speeds_mps, curvatures_1pm)

    def decode(self, text: str) -> tuple[FloatArray, FloatArray]:
        """Read the pairs, tolerant of brackets and spacing; see :func:`parse_pairs`."""
        values = np.repeat(parse_pairs(text, self._count), self._each, axis=0)
        return values[:, 0], values[:, 1] / CURVATURE_SCALE

    def _means(self, values: FloatArray) -> FloatArray:
        return np.asarray(np.reshape(values, (self._count, self._each)).mean(axis=1))


class ActionTokens:
    """Ten pairs of one speed token and one curvature token; 20 tokens a plan.

    Only a model that was trained with these tokens has them. Of each distribution the median is
    taken, which has the least expected absolute error; the likeliest bin can be far from it.
    """

    is_taught = True
    speed_tokens = tuple(f'<speed_{k}>' for k in range(MAX_SPEED_TOKENS))
    curvature_tokens = tuple(f'<curvature_{k}>' for k in range(NUM_CURVATURE_TOKENS))
    max_tokens = 2 * NUM_STEPS + 1
    _TOKEN = re.compile(r'<(speed|curvature)_([0-9]{1,3})>')

    @property
    def reply_format(self) -> ReplyFormat:
        """Ten pairs, each at the median."""
        return self.leaning(0.5, 0.5)

    def leaning(self, speed: float, curvature: float) -> ReplyFormat:
        """Return the same pairs at other quantiles."""
        return TokenFormat(
            positions=(self.speed_tokens, self.curvature_tokens) * NUM_STEPS,
            quantiles=(speed, curvature) * NUM_STEPS,
        )

    def instructions(self) -> str:
        """Return the word that asks for the actions."""
        return 'Plan.'

    def encode(self, speeds_mps: FloatArray, curvatures_1pm: FloatArray) -> str:
        """Write the nearest bins; values outside the range take the last bin."""
        speed_bins = np.rint(np.asarray(speeds_mps) / SPEED_STEP_MPS)
        speed_bins = np.clip(speed_bins, 0, MAX_SPEED_TOKENS - 1).astype(int)
        bins = zip(speed_bins, _curvature_bins(np.asarray(curvatures_1pm)), strict=True)
        return ''.join(self.speed_tokens[s] + self.curvature_tokens[c] for s, c in bins)

    def write_history(self, speeds_mps: FloatArray, curvatures_1pm: FloatArray) -> str:
        """Write the past as the plan is written; reversing reads as standing."""
        return self.encode(speeds_mps, curvatures_1pm)

    def decode(self, text: str) -> tuple[FloatArray, FloatArray]:
        """Read ten token pairs as the centres of their bins."""
        found = self._TOKEN.findall(text)
        rest = self._TOKEN.sub('', text).strip()
        if rest or not found:
            raise PlanParseError(
                Reason.FORMAT, f'need {2 * NUM_STEPS} action tokens alone, got {quote(text)}'
            )
        if len(found) != 2 * NUM_STEPS:
            raise PlanParseError(
                Reason.LENGTH, f'need {2 * NUM_STEPS} action tokens, got {len(found)}'
            )
        speeds = self._bins(found[0::2], 'speed', MAX_SPEED_TOKENS)
        curvatures = self._bins(found[1::2], 'curvature', NUM_CURVATURE_TOKENS)
        return speeds * SPEED_STEP_MPS, curvature_of_bins(curvatures)

    @staticmethod
    def _bins(found: Sequence[tuple[str, str]], kind: str, count: int) -> FloatArray:
        for name, index in found:
            if name != kind or int(index) >= count:
                raise PlanParseError(
                    Reason.FORMAT,
                    f'need a {kind} token below {count} here, got <{name}_{index}>',
                )
        return np.array([int(index) for _, index in found], dtype=np.float64)


def _curvature_bins(curvatures_1pm: FloatArray) -> FloatArray:
    """Bin whose centre is nearest in curvature (not in the companded level); exactly odd."""
    half = (NUM_CURVATURE_TOKENS - 1) // 2
    size = np.minimum(np.abs(curvatures_1pm) / MAX_CURVATURE_1PM, 1.0)
    low = np.floor(np.sqrt(size) * half)
    high = np.minimum(low + 1, half)
    nearest = np.where((high / half) ** 2 - size < size - (low / half) ** 2, high, low)
    return np.asarray((np.sign(curvatures_1pm) * nearest).astype(int) + half)


def curvature_of_bins(bins: FloatArray) -> FloatArray:
    """Centres of curvature bins [1/m]; ``bins`` counts from 0 at full right lock."""
    half = (NUM_CURVATURE_TOKENS - 1) // 2
    level = (np.asarray(bins, dtype=np.float64) - half) / half
    return np.asarray(np.sign(level) * level**2 * MAX_CURVATURE_1PM)
