"""Which of the pictures so far are those of half a second ago, of a second ago, ...

From one picture nobody sees how fast things move; from two, taken on the grid of the history, one
does. A model that was trained with earlier pictures is given them beside the present one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from emma_planner.planning.types import DT_NS, NS_PER_S

NUM_EARLIER = 2
"""Earlier pictures that are kept for a plan, t0 - 0.5 s and t0 - 1 s."""
OFF_NS = NS_PER_S // 10
"""A picture taken at another time than this from where it should be is none of them."""
KEPT_NS = NUM_EARLIER * DT_NS + OFF_NS
"""Older pictures are of no use."""

Item = TypeVar('Item')


def earlier_of(stamp_ns: int, known: Iterable[tuple[int, Item]]) -> tuple[Item | None, ...]:
    """Return what was nearest to t0 - 0.5 s, t0 - 1 s; None where there was nothing.

    :param stamp_ns: t0 [ns]
    :param known: stamps [ns], and what was taken then
    """
    items = list(known)
    found: list[Item | None] = []
    for number in range(1, NUM_EARLIER + 1):
        wanted_ns = stamp_ns - number * DT_NS
        near = [(abs(taken_ns - wanted_ns), k) for k, (taken_ns, _) in enumerate(items)]
        near = [pair for pair in near if pair[0] <= OFF_NS]
        found.append(items[min(near)[1]][1] if near else None)
    return tuple(found)
