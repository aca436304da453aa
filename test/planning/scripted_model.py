"""A model whose answers are written down beforehand, on a clock that it moves, and its planner."""

from __future__ import annotations

from collections.abc import Sequence

from emma_planner.planning.actions import TextActions
from emma_planner.planning.chat import ModelError, Reply, Stop
from emma_planner.planning.planner import EmmaOptions, EmmaPlanner

CODEC = TextActions()


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class ScriptedModel:
    """Answers with what it is given; an exception among the answers is raised.

    :param seconds: time that each answer takes on the clock
    """

    name = 'scripted'

    def __init__(self, answers, clock=None, seconds=0.0, stops=(), tokens=False) -> None:
        self.answers = list(answers)
        self.clock = clock or Clock()
        self.seconds = seconds
        self.stops = list(stops)
        self.tokens = tokens
        self.started: list[tuple[Sequence, int]] = []
        self.earlier: list[Sequence] = []
        self.asked: list[dict] = []

    def start(self, frames, *, earlier=(), seed=0):
        if self.answers and isinstance(self.answers[0], ModelError):
            raise self.answers[0]
        self.earlier.append(earlier)
        self.started.append((frames, seed))
        return self

    def has_tokens(self, tokens) -> bool:
        return self.tokens

    def ask(self, text, *, max_tokens, time_limit_s=None, reply_format=None, again=False) -> Reply:
        index = len(self.asked)
        self.asked.append(
            {
                'text': text,
                'max_tokens': max_tokens,
                'time_limit_s': time_limit_s,
                'reply_format': reply_format,
                'again': again,
            }
        )
        answer = self.answers[index]
        if isinstance(answer, Exception):
            raise answer
        self.clock.now_s += self.seconds
        stop = self.stops[index] if index < len(self.stops) else Stop.END
        return Reply(answer, stop, 100 * (index + 1), 10 + index, 2.0 + index, 30.0 + index)


def planner_of(model, codec=CODEC, **options) -> EmmaPlanner:
    return EmmaPlanner(model, codec, EmmaOptions(**options), model.clock)
