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


class Drafts:
    """The last replies of a model, and what came behind what in them."""

    def __init__(self) -> None:
        self._replies: deque[list[int]] = deque(maxlen=KEPT)
        self._places: dict[tuple[int, ...], tuple[list[int], int]] = {}

    def after(self, ids: Sequence[int], most: int) -> list[int]:
        """Return up to ``most`` tokens that may follow ``ids``; none where none is known."""
        for length in SUFFIXES:
            found = self._places.get(tuple(ids[-length:])) if len(ids) >= length else None
            if found is not None:
                reply, place = found
                return reply[place : place + most]
        return []

    def remember(self, reply: list[int]) -> None:
        """Add a reply; of the same tokens in two replies the later one counts."""
        self._replies.append(reply)
        self._places = {
            tuple(known[end - length : end]): (known, end)
            for known in self._replies
            for length in SUFFIXES
            for end in range(length, len(known))
        }


def next_length(drafted: int, kept: int) -> int:
    """Return how long the next draft may be: twice as long where all of one was kept."""
    return min(2 * max(drafted, 1), LONGEST) if kept == drafted else max(kept, 1)
