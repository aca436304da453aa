"""What a reply may go on with, from what was said before: to be checked by the model many at once.

One plan after the other says nearly the same. A model reads several tokens in hardly more time
than one, and what it would have written itself is kept, so that the reply is the same (Leviathan,
Kalman, Matias, Fast inference from transformers via speculative decoding, ICML 2023; with earlier
text as the draft: Saxena, Prompt lookup decoding, 2023).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

KEPT = 16
"""Replies that are remembered."""
LONGEST, FIRST = 16, 4
"""Tokens of a draft at most, and of the first one of a reply."""
SUFFIXES = (3, 2, 1)
"""A draft goes on behind the same last tokens, as many of them as were ever the same."""


Places = dict[tuple[int, ...], list[int]]
"""Last tokens, and what came behind them in one reply."""


class Drafts:
    """What came behind what in the last replies of a model."""

    def __init__(self) -> None:
        self._replies: deque[Places] = deque(maxlen=KEPT)

    def after(self, ids: Sequence[int], most: int) -> list[int]:
        """Return up to ``most`` tokens that may follow ``ids``; none where none is known."""
        for length in SUFFIXES:
            suffix = tuple(ids[-length:])
            for places in reversed(self._replies):
                if suffix in places:
                    return places[suffix][:most]
        return []

    def remember(self, reply: Sequence[int]) -> None:
        """Add a reply; of the same tokens in two places the later one counts."""
        self._replies.append(
            {
                tuple(reply[end - length : end]): list(reply[end : end + LONGEST])
                for length in SUFFIXES
                for end in range(length, len(reply))
            }
        )


def next_length(drafted: int, kept: int) -> int:
    """Return how long the next draft may be: twice as long where all of one was kept."""
    return min(2 * max(drafted, 1), LONGEST) if kept == drafted else max(kept, 1)
