"""The seam to any multimodal language model: one conversation per plan.

A model opens a conversation on camera frames; the planner asks in turns. What format a reply must
have travels with the question, so that a model that can enforce it while decoding does. Nothing
here knows how the model runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from emma_planner.planning.types import CameraFrame, PlanningError, Reason


class ModelError(PlanningError):
    """The model gave no reply: not loadable, not reachable, or failed while answering."""

    def __init__(self, message: str, reason: Reason = Reason.MODEL_ERROR) -> None:
        super().__init__(reason, message)


class Stop(str, Enum):
    """Why a reply ended."""

    END = 'end'
    LENGTH = 'length'
    TIMEOUT = 'timeout'


@dataclass(frozen=True)
class TextFormat:
    """A reply as text, described twice for the two kinds of enforcement.

    :param regex: matches the whole reply; for local decoding masks
    :param json_schema: the same language for servers that take a JSON schema
    """

    regex: str
    json_schema: Mapping[str, Any]


@dataclass(frozen=True)
class TokenFormat:
    """A reply as special tokens: token k is one of ``positions[k]``, then the reply ends.

    :param quantiles: which token greedy decoding takes at each position: that at the quantile of
        the distribution over the position's tokens, which stand for ascending numbers; none for
        the likeliest
    """

    positions: tuple[tuple[str, ...], ...]
    quantiles: tuple[float, ...] = ()


ReplyFormat = TextFormat | TokenFormat


@dataclass(frozen=True)
class Reply:
    """One answer of the model.

    :param text: reply text, special action tokens kept, end-of-turn tokens dropped
    :param prompt_tokens: tokens in the whole conversation before this reply
    :param generated_tokens: tokens in this reply
    :param encode_ms: image encoding and prefill, 0 where it cannot be told apart
    :param generate_ms: the rest of the time
    """

    text: str
    stop: Stop
    prompt_tokens: int
    generated_tokens: int
    encode_ms: float
    generate_ms: float


class Chat(Protocol):
    """A conversation about the frames it was opened on."""

    def ask(
        self,
        text: str,
        *,
        max_tokens: int,
        time_limit_s: float | None = None,
        reply_format: ReplyFormat | None = None,
        again: bool = False,
    ) -> Reply:
        """Add a user turn and return the model's answer to it.

        :param text: the user turn; the first one carries the images
        :param max_tokens: budget of generated tokens
        :param time_limit_s: the reply ends with ``Stop.TIMEOUT`` after this long
        :param reply_format: enforced while decoding where the model can, else only asked for
        :param again: the turn takes the place of the last one, which is forgotten
        :raises ModelError: no reply could be had
        """
        ...


class ChatModel(Protocol):
    """A multimodal language model that can hold conversations."""

    @property
    def name(self) -> str:
        """Model id for logs and tables."""
        ...

    def start(
        self,
        frames: Sequence[CameraFrame],
        *,
        earlier: Sequence[CameraFrame | None] = (),
        seed: int = 0,
    ) -> Chat:
        """Open a conversation about camera frames.

        :param frames: images, front camera first
        :param earlier: the front camera's earlier pictures, see :class:`PlannerInput`; for models
            that were trained with them
        :param seed: seed of this conversation's sampling; greedy decoding ignores it
        """
        ...

    def has_tokens(self, tokens: Sequence[str]) -> bool:
        """Whether each string is one token of the model's vocabulary."""
        ...
