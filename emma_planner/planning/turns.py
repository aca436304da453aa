"""What was asked and answered in one conversation, within one time limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emma_planner.planning.chat import Chat, Reply, Stop
from emma_planner.planning.types import Latency, PlanningError, Reason, Reasoning, TokenCounts


class Turns:
    """The turns of one plan: their prompts, answers, time and tokens.

    :param clock: monotonic seconds
    :param time_limit_s: for all turns together, None without
    :param use_reasoning: whether the first turn is the chain of thought
    """

    def __init__(
        self, clock: Callable[[], float], time_limit_s: float | None, use_reasoning: bool
    ) -> None:
        self._clock = clock
        self._start = clock()
        self._time_limit_s = time_limit_s
        self._num_reason_turns = int(use_reasoning)
        self._replies: list[Reply] = []
        self.prompts: list[str] = []
        self.answers: list[str] = []
        self.reasoning = Reasoning()

    def ask(self, chat: Chat, prompt: str, **how: Any) -> Reply:
        """Ask in the time that is left.

        :param how: as :meth:`Chat.ask` takes it
        :raises PlanningError: ``timeout``, or what the model raises
        """
        limit_s = self._left_s()
        if limit_s is not None and limit_s <= 0.0:
            raise self._timeout()
        self.prompts.append(prompt)
        reply = self._reply(chat, prompt, limit_s, **how)
        self.answers.append(reply.text)
        self._check_time(reply)
        return reply

    def ask_again(self, chat: Chat, **how: Any) -> Reply:
        """Ask the last question once more; the answer so far stays, unless the caller puts it.

        :raises PlanningError: as :meth:`ask`
        """
        reply = self._reply(chat, self.prompts[-1], self._left_s(), again=True, **how)
        self._check_time(reply)
        return reply

    def has_time_again(self) -> bool:
        """Whether the last answer could be given once more, even at half the pace."""
        left_s, last = self._left_s(), self._replies[-1]
        return left_s is None or left_s > 2.0 * (last.encode_ms + last.generate_ms) / 1e3

    def was_cut(self) -> bool:
        """Whether the token budget ended the last answer."""
        return self._replies[-1].stop is Stop.LENGTH

    def latency(self) -> Latency:
        """Return what the turns took; those after the chain of thought are the plan's."""
        reason, plan = (
            sum(reply.generate_ms for reply in replies)
            for replies in (
                self._replies[: self._num_reason_turns],
                self._replies[self._num_reason_turns :],
            )
        )
        return Latency(
            encode_ms=sum(reply.encode_ms for reply in self._replies),
            reason_ms=reason,
            plan_ms=plan,
            total_ms=self._elapsed_s() * 1e3,
        )

    def tokens(self) -> TokenCounts:
        """Return the tokens read before the last answer, and those written in all."""
        return TokenCounts(
            prompt=self._replies[-1].prompt_tokens if self._replies else 0,
            generated=sum(reply.generated_tokens for reply in self._replies),
        )

    def _reply(self, chat: Chat, prompt: str, limit_s: float | None, **how: Any) -> Reply:
        reply = chat.ask(prompt, time_limit_s=limit_s, **how)
        self._replies.append(reply)
        return reply

    def _check_time(self, reply: Reply) -> None:
        left_s = self._left_s()
        if reply.stop is Stop.TIMEOUT or (left_s is not None and left_s < 0.0):
            raise self._timeout()

    def _elapsed_s(self) -> float:
        return self._clock() - self._start

    def _left_s(self) -> float | None:
        return None if self._time_limit_s is None else self._time_limit_s - self._elapsed_s()

    def _timeout(self) -> PlanningError:
        limit = 'the time limit' if self._time_limit_s is None else f'{self._time_limit_s:g} s'
        return PlanningError(
            Reason.TIMEOUT,
            f'need a plan within {limit}, got {self.tokens().generated} tokens '
            f'in {self._elapsed_s():.2f} s',
        )
