"""What steers one reply while it is decoded: format masks, sampling noise, and when to stop.

In: scores of the next token and the reply's ids so far. Out: scores in which every token that
the format does not allow is -inf, so that a malformed reply cannot be drawn whatever the weights
say. Does not know prompts, images or which model runs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import llguidance
import numpy as np
import torch
from llguidance.hf import from_tokenizer
from transformers import LogitsProcessor, StoppingCriteria

from emma_planner.planning.chat import ModelError, ReplyFormat, Stop, TextFormat, TokenFormat

_LOWEST_SCORE = -1e30
"""Stands in for an allowed token's -inf or NaN, so that it still beats every forbidden token."""


class Mask(Protocol):
    """Which tokens may come next in one reply."""

    def allowed(self, reply_ids: Sequence[int]) -> torch.Tensor:
        """Return ``(V,)`` bool: tokens that may follow ``reply_ids``; never all False."""
        ...

    def is_complete(self, reply_ids: Sequence[int]) -> bool:
        """Whether nothing but the end of the turn may follow."""
        ...


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """A tokenizer beside the width of the model's output layer, which is often larger.

    :param tokenizer: a fast Hugging Face tokenizer
    :param num_logits: width of the output layer
    :param end_ids: every token that ends a turn
    :param placeholder_ids: tokens that stand for images; written by a model they would break
        the next turn, where each must match an image feature
    """

    tokenizer: Any
    num_logits: int
    end_ids: tuple[int, ...]
    placeholder_ids: tuple[int, ...]

    def mask(self, reply_format: ReplyFormat | None) -> Mask:
        """Make the mask of one reply.

        :raises ModelError: a token or a grammar that this vocabulary cannot write
        """
        if reply_format is None:
            return self.free_text
        if isinstance(reply_format, TokenFormat):
            return TokenMask(self, reply_format)
        return RegexMask(self, reply_format)

    @cached_property
    def free_text(self) -> FreeTextMask:
        """The mask of free text, made once."""
        return FreeTextMask(self)

    @cached_property
    def grammar_tokenizer(self) -> Any:
        """The tokenizer as llguidance sees it, made once: about 1 s for 150k tokens."""
        if not getattr(self.tokenizer, 'is_fast', False):
            raise ModelError(
                'need a fast tokenizer (tokenizer.json) to enforce a text format, got '
                f'{type(self.tokenizer).__name__}'
            )
        return from_tokenizer(
            self.tokenizer, n_vocab=self.num_logits, eos_token=list(self.end_ids)
        )

    def only(self, ids: Sequence[int] | torch.Tensor) -> torch.Tensor:
        """Return ``(V,)`` bool, True at ``ids``."""
        allowed = torch.zeros(self.num_logits, dtype=torch.bool)
        allowed[torch.as_tensor(ids, dtype=torch.long)] = True
        return allowed


class FreeTextMask:
    """Any text: no control tokens but the end of the turn, no ids beyond the tokenizer."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        added = vocabulary.tokenizer.added_tokens_decoder
        control = {index for index, token in added.items() if token.special}
        forbidden = (control | set(vocabulary.placeholder_ids)) - set(vocabulary.end_ids)
        known = range(min(len(vocabulary.tokenizer), vocabulary.num_logits))
        self._allowed = vocabulary.only([index for index in known if index not in forbidden])

    def allowed(self, reply_ids: Sequence[int]) -> torch.Tensor:
        """Return the same tokens at every position."""
        return self._allowed

    def is_complete(self, reply_ids: Sequence[int]) -> bool:
        """Return False: free text ends by its end-of-turn token."""
        return False


class TokenMask:
    """The k-th token is one of the k-th position's, then the turn ends."""

    def __init__(self, vocabulary: Vocabulary, reply_format: TokenFormat) -> None:
        known = vocabulary.tokenizer.get_vocab()
        ids: dict[tuple[str, ...], torch.Tensor] = {}
        for tokens in reply_format.positions:
            if tokens in ids:
                continue
            missing = [token for token in tokens if token not in known]
            if missing or not tokens:
                raise ModelError(
                    f'need {len(tokens)} action tokens in the vocabulary, got '
                    f'{len(tokens) - len(missing)}; missing {", ".join(missing[:3])}: '
                    "choose action_format 'text' for this model"
                )
            ids[tokens] = torch.tensor([known[token] for token in tokens])
        masks = {tokens: vocabulary.only(of_tokens) for tokens, of_tokens in ids.items()}
        self._masks = [masks[tokens] for tokens in reply_format.positions]
        self._ids = [ids[tokens] for tokens in reply_format.positions]
        self._quantiles = reply_format.quantiles
        self._end = vocabulary.only(vocabulary.end_ids)

    def allowed(self, reply_ids: Sequence[int]) -> torch.Tensor:
        """Return the position's tokens, past the last position the end-of-turn tokens."""
        return self._end if self.is_complete(reply_ids) else self._masks[len(reply_ids)]

    def is_complete(self, reply_ids: Sequence[int]) -> bool:
        """Whether every position is filled."""
        return len(reply_ids) >= len(self._masks)

    def choice(self, reply_ids: Sequence[int]) -> tuple[torch.Tensor, float] | None:
        """Return the position's ids in ascending order of what they stand for, and the quantile.

        :returns: None where the likeliest token is to be taken
        """
        if self.is_complete(reply_ids) or not self._quantiles:
            return None
        return self._ids[len(reply_ids)], self._quantiles[len(reply_ids)]


class RegexMask:
    """The whole reply matches a regular expression; llguidance walks its automaton."""

    def __init__(self, vocabulary: Vocabulary, reply_format: TextFormat) -> None:
        grammar = llguidance.LLMatcher.grammar_from_regex(reply_format.regex)
        self._matcher = llguidance.LLMatcher(vocabulary.grammar_tokenizer, grammar)
        self._num_logits = vocabulary.num_logits
        self._num_consumed = 0
        self._raise_on_error()

    def allowed(self, reply_ids: Sequence[int]) -> torch.Tensor:
        """Return the tokens that keep the reply a prefix of a match."""
        self._consume(reply_ids)
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._raise_on_error()
        allowed = torch.zeros(self._num_logits, dtype=torch.bool)
        known = np.unpackbits(bits, bitorder='little')[: self._num_logits]
        allowed[: len(known)] = torch.from_numpy(known.astype(bool))
        return allowed

    def is_complete(self, reply_ids: Sequence[int]) -> bool:
        """Whether the match cannot be extended."""
        self._consume(reply_ids)
        return bool(self._matcher.is_stopped())

    def _consume(self, reply_ids: Sequence[int]) -> None:
        new_ids = list(reply_ids[self._num_consumed :])
        if new_ids and not self._matcher.is_stopped():
            self._matcher.consume_tokens(new_ids)
            self._raise_on_error()
        self._num_consumed = len(reply_ids)

    def _raise_on_error(self) -> None:
        if self._matcher.is_error():
            line = str(self._matcher.get_error()).splitlines()[0]
            raise ModelError(f'need a grammar that the tokenizer can write, got: {line}')


class SamplingNoise(LogitsProcessor):  # type: ignore[misc]
    """Turn greedy decoding into sampling at a temperature by adding Gumbel noise to the scores.

    The argmax of scores / T + noise is distributed as softmax(scores / T). The noise comes from
    a generator of the conversation's own, which torch.multinomial inside generate cannot use.
    """

    def __init__(self, temperature: float, generator: torch.Generator) -> None:
        self._temperature = temperature
        self._generator = generator

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return noisy scores of the same shape ``(1, V)``."""
        uniform = torch.rand(scores.shape, generator=self._generator)
        tiny = torch.finfo(uniform.dtype).tiny
        noise = -torch.log(-torch.log(uniform.clamp_min(tiny)))
        return scores / self._temperature + noise.to(scores.device)


class MaskedScores(LogitsProcessor):  # type: ignore[misc]
    """Give every token that the mask does not allow the score -inf; must come last."""

    def __init__(self, mask: Mask, num_prompt_tokens: int) -> None:
        self._mask = mask
        self._num_prompt_tokens = num_prompt_tokens

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return masked scores ``(1, V)``, finite at every allowed token."""
        reply_ids = input_ids[0, self._num_prompt_tokens :].tolist()
        allowed = self._mask.allowed(reply_ids).to(scores.device)
        finite = torch.nan_to_num(scores, nan=_LOWEST_SCORE, neginf=_LOWEST_SCORE)
        return finite.masked_fill(~allowed, float('-inf'))


class QuantileScores(LogitsProcessor):  # type: ignore[misc]
    """Leave of tokens for ascending numbers the one at a quantile of their distribution.

    Comes behind :class:`MaskedScores`, for greedy decoding.
    """

    def __init__(self, mask: TokenMask, num_prompt_tokens: int) -> None:
        self._mask = mask
        self._num_prompt_tokens = num_prompt_tokens

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return scores ``(1, V)``, all but the chosen token's -inf."""
        choice = self._mask.choice(input_ids[0, self._num_prompt_tokens :].tolist())
        if choice is None:
            return scores
        ids, quantile = choice
        shares = torch.softmax(scores[0, ids.to(scores.device)].double(), dim=0)
        below = torch.searchsorted(shares.cumsum(0), quantile)
        chosen = int(ids[min(int(below), len(ids) - 1)])
        only = torch.full_like(scores, float('-inf'))
        only[0, chosen] = 0.0
        return only


class TurnEnd(StoppingCriteria):  # type: ignore[misc]
    """End a reply that is complete or out of time, and note when its first token came.

    :param deadline_s: on the clock of ``time.perf_counter``; None for no deadline
    """

    def __init__(self, mask: Mask, num_prompt_tokens: int, deadline_s: float | None) -> None:
        self.first_token_s: float | None = None
        self._mask = mask
        self._num_prompt_tokens = num_prompt_tokens
        self._deadline_s = deadline_s
        self._is_complete = False
        self._is_late = False

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        """Return ``(1,)`` bool: whether to stop after the last token of ``input_ids``."""
        reply_ids = input_ids[0, self._num_prompt_tokens :].tolist()
        now_s = time.perf_counter()
        if self.first_token_s is None:
            self.first_token_s = now_s
        self._is_complete = self._mask.is_complete(reply_ids)
        self._is_late = self._deadline_s is not None and now_s >= self._deadline_s
        done = self._is_complete or self._is_late
        return torch.full((1,), done, dtype=torch.bool, device=input_ids.device)

    def stop(self, ended: bool) -> Stop:
        """Say why the reply ended, given whether it ended by an end-of-turn token."""
        if ended or self._is_complete:
            return Stop.END
        return Stop.TIMEOUT if self._is_late else Stop.LENGTH
