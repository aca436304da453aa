"""When a planner is asked, and when its answer takes effect, in simulated time.

The world waits while a planner thinks; what it took passes as simulated time before the path is
followed, and until then it is not asked again. Knows no planner and no message.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from emma_planner.planning.types import NS_PER_S

Answer = TypeVar('Answer')


class PlanTicks(Generic[Answer]):
    """Ticks at a rate, one answer at a time.

    :param latency_s: simulated time from picture to answer; None for what each one took
    :param start_ns: the first tick [ns]
    """

    def __init__(self, rate_hz: float, latency_s: float | None, start_ns: int) -> None:
        self._period_ns = round(NS_PER_S / rate_hz)
        self._latency_s = latency_s
        self._next_ns = start_ns
        self._pending: tuple[int, Answer] | None = None

    def is_due(self, stamp_ns: int) -> bool:
        """Whether to ask now: at a tick, unless the last answer is still being made."""
        busy = self._pending is not None and stamp_ns < self._pending[0]
        return stamp_ns >= self._next_ns and not busy

    def begin(self, now_ns: int) -> None:
        """Pass on to the next tick."""
        while self._next_ns <= now_ns:
            self._next_ns += self._period_ns

    def put(self, answer: Answer, now_ns: int, took_s: float) -> None:
        """Keep an answer until its time has come.

        :param now_ns: when it was asked for
        """
        latency_s = took_s if self._latency_s is None else self._latency_s
        self._pending = (now_ns + round(latency_s * NS_PER_S), answer)

    def take(self, now_ns: int) -> Answer | None:
        """Return the answer whose time has come, once."""
        if self._pending is None or now_ns < self._pending[0]:
            return None
        answer, self._pending = self._pending[1], None
        return answer
