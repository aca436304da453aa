"""A planner that is given changed inputs, and knows nothing of it.

Works wherever a planner does: live, in a replay, in closed loop, in evaluation. What is changed
at a stamp depends on the stamp and the seed alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from emma_planner.planning.planner import Planner
from emma_planner.planning.types import NS_PER_S, Plan, PlannerInput
from emma_planner.variants.change import Change

KEPT = 10
GAP_NS = 30 * NS_PER_S
"""After a longer gap, or when time is set back, another drive begins."""

Pool = Callable[[int], PlannerInput]
"""Any whole number to the inputs of some situation."""


@dataclass(frozen=True)
class _Context:
    past: tuple[PlannerInput, ...]
    first: PlannerInput
    seed: tuple[int, int]
    pool: Pool

    @cached_property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def other(self) -> PlannerInput:
        return self.pool(int(self.rng.integers(2**31)))


class ChangedPlanner:
    """Plans from changed inputs.

    :param changes: made one after the other
    :param pool: other situations, for changes that mix two
    :param seed: of the changes
    """

    def __init__(
        self, planner: Planner, changes: Sequence[Change], pool: Pool, seed: int = 0
    ) -> None:
        self._planner = planner
        self._changes = changes
        self._pool = pool
        self._seed = seed
        self._past: deque[PlannerInput] = deque(maxlen=KEPT)
        self._first: PlannerInput | None = None

    @property
    def name(self) -> str:
        """The planner's."""
        return self._planner.name

    def plan(self, planner_input: PlannerInput, time_limit_s: float | None = None) -> Plan:
        """Plan from the changed inputs."""
        return self._planner.plan(self.changed(planner_input), time_limit_s)

    def changed(self, planner_input: PlannerInput) -> PlannerInput:
        """Return what the planner is given for these inputs, and remember them."""
        stamp_ns = planner_input.stamp_ns
        if self._past and not 0 <= stamp_ns - self._past[-1].stamp_ns <= GAP_NS:
            self._past.clear()
            self._first = None
        self._first = self._first or planner_input
        context = _Context(
            tuple(self._past), self._first, (self._seed, stamp_ns % 2**63), self._pool
        )
        changed = planner_input
        for change in self._changes:
            changed = change(changed, context)
        self._past.append(planner_input)
        return changed
