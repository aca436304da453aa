"""The planner at the seam of the node, played by a test: answers, raises, or takes its time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from emma_planner.planning.kinematics import integrate
from emma_planner.planning.types import Plan, PlannerInput, Reason, Reasoning, Trajectory


class ScriptedPlanner:
    """Plans straight on at 5 m/s until told otherwise.

    :param answer: called with the input instead, in the node's worker thread
    """

    name = 'scripted'

    def __init__(self, answer: Callable[[PlannerInput], Plan] | None = None) -> None:
        self.answer = answer or straight_plan
        self.inputs: list[PlannerInput] = []
        self.time_limits_s: list[float | None] = []
        self.most_at_once = 0
        self._at_once = 0
        self._count = threading.Lock()

    def plan(self, planner_input: PlannerInput, time_limit_s: float | None = None) -> Plan:
        with self._count:
            self.inputs.append(planner_input)
            self.time_limits_s.append(time_limit_s)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self.answer(planner_input)
        finally:
            with self._count:
                self._at_once -= 1


class Gate:
    """An answer that waits at a gate until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._open = threading.Event()

    def __call__(self, planner_input: PlannerInput) -> Plan:
        self.entered.set()
        assert self._open.wait(30.0)
        return straight_plan(planner_input)

    def open(self) -> None:
        self._open.set()


def straight_plan(planner_input: PlannerInput, **fields: object) -> Plan:
    """Straight on at 5 m/s."""
    speeds, curvatures = np.full(10, 5.0), np.zeros(10)
    trajectory = Trajectory(speeds, curvatures, integrate(speeds, curvatures))
    return Plan(planner_input.stamp_ns, trajectory, **fields)  # type: ignore[arg-type]


def failed(reason: Reason) -> Callable[[PlannerInput], Plan]:
    """Answer with a failure."""
    return lambda planner_input: Plan(
        planner_input.stamp_ns, None, reason=reason, detail=f'need better than {reason}'
    )


def said(scene: str, intent: str, *objects: str) -> Callable[[PlannerInput], Plan]:
    """Answer straight on, with a chain of thought."""
    reasoning = Reasoning(scene, objects, intent)
    return lambda planner_input: straight_plan(planner_input, reasoning=reasoning)
