"""How the ticks of a run ended: nothing is dropped, every tick is in one of the counts.

In: records of a plan log. Out: counts by reason and by what was driven.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from emma_planner.planning.types import INPUT_REASONS

Tally = tuple[tuple[str, int], ...]
"""(name, count), most frequent first."""


@dataclass(frozen=True)
class TickCounts:
    """How the ticks of a run ended.

    :param ticks: in the plan log
    :param missed: further ticks at which a live node was busy with the plan before
    :param no_input: by reason, ticks whose inputs did not allow a plan (warm-up, stale image)
    :param rejected: by reason, plans that were not to be driven
    :param driven: by source, what was driven: a plan, or which fallback
    """

    ticks: int
    missed: int = 0
    no_input: Tally = ()
    rejected: Tally = ()
    driven: Tally = ()

    @property
    def plans(self) -> int:
        """Ticks at which the planner was asked."""
        return self.ticks - sum(count for _, count in self.no_input)

    @property
    def valid(self) -> int:
        """Plans without a reason code."""
        return self.plans - sum(count for _, count in self.rejected)

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            'ticks': self.ticks,
            'missed': self.missed,
            'no_input': dict(self.no_input),
            'plans': self.plans,
            'valid': self.valid,
            'rejected': dict(self.rejected),
            'driven': dict(self.driven),
        }


def count_ticks(records: Sequence[dict[str, Any]], period_ns: int = 0) -> TickCounts:
    """Count the records of a plan log.

    :param period_ns: of the ticks [ns], to find those that are missing; 0 where there is none
    """
    inputs = {reason.value for reason in INPUT_REASONS}
    reasons = [record['reason'] for record in records if record['reason'] is not None]
    return TickCounts(
        ticks=len(records),
        missed=_missed([record['tick_ns'] for record in records], period_ns),
        no_input=tally(reason for reason in reasons if reason in inputs),
        rejected=tally(reason for reason in reasons if reason not in inputs),
        driven=tally(record['source'] for record in records),
    )


def _missed(ticks_ns: Sequence[int], period_ns: int) -> int:
    if not ticks_ns or not period_ns:
        return 0
    seen = {tick_ns // period_ns for tick_ns in ticks_ns}
    return max(seen) - min(seen) + 1 - len(seen)


def tally(names: Iterable[str]) -> Tally:
    """Count names, most frequent first."""
    return tuple(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))
