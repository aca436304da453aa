"""How well a planner does on examples: its plans and what it says, by its own ``plan()``.

Every figure stands beside those of the kinematic baselines; the baselines say nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from emma_planner.evaluation.metrics import HORIZONS_S, Summary, summarise
from emma_planner.intervals import Figure, mean_figures
from emma_planner.planning.baselines import BASELINES, BaselinePlanner
from emma_planner.planning.checks import intent_agrees
from emma_planner.planning.parsing import parse_reasoning
from emma_planner.planning.planner import Planner
from emma_planner.planning.statements import Said, read
from emma_planner.planning.types import Plan, PlannerInput
from emma_planner.recordings.dataset import Example

LEAD_TOLERANCE = 0.2
"""A lead's distance is right within this share of it, or 1 m: what words can say."""


@dataclass(frozen=True)
class Validation:
    """Figures of one planner on examples; rates 0 to 1.

    :param light: share of the examples whose light is said as it is, none included
    :param lead: share whose lead is said where there is one, at its distance, and not elsewhere
    :param intent: share whose change of speed is said as it was driven
    :param agrees: share of the plans that do what their intent says
    :param failed: share without a valid plan
    """

    motion: Summary
    light: Figure
    lead: Figure
    intent: Figure
    agrees: Figure
    failed: Figure

    def l2_m(self, horizon_s: int) -> float:
        """Averaged L2 up to a horizon."""
        return float(self.motion.averaged[HORIZONS_S.index(horizon_s)].mean)


def planner_input_of(example: Example) -> PlannerInput:
    """Return what a planner is given: the picture, the motion, the command."""
    with Image.open(example.image) as picture:
        rgb = np.asarray(picture.convert('RGB'))
    return example.planner_input(rgb)


def validate(
    planner: Planner,
    examples: Sequence[Example],
    change: Callable[[PlannerInput], PlannerInput] = lambda planner_input: planner_input,
) -> Validation:
    """Plan every example and compare.

    :param change: of what the planner is given, as a blank picture
    """
    plans = [planner.plan(change(planner_input_of(example))) for example in examples]
    planned = [k for k, plan in enumerate(plans) if plan.trajectory is not None]
    scenes = np.array([example.source for example in examples])
    motion = summarise(
        np.array([_poses(plans[k]) for k in planned]).reshape(-1, 10, 3),
        np.array([examples[k].poses for k in planned]).reshape(-1, 10, 3),
        scenes=scenes[planned],
        num_unplanned=len(plans) - len(planned),
    )
    rows = np.array([_row(plan, example) for plan, example in zip(plans, examples, strict=True)])
    return Validation(motion, *mean_figures(rows, scenes))


def validate_baselines(examples: Sequence[Example]) -> dict[str, Validation]:
    """Return the figures of the kinematic baselines."""
    return {name: validate(BaselinePlanner(name), examples) for name in BASELINES}


def _poses(plan: Plan) -> Any:
    assert plan.trajectory is not None
    return plan.trajectory.poses


def _row(plan: Plan, example: Example) -> list[float]:
    """Columns of :class:`Validation` after the motion; NaN where there is nothing to compare."""
    failed = float(plan.reason is not None)
    if example.facts is None or not example.reasoning or not plan.replies:
        return [np.nan] * 4 + [failed]
    true, said = read(parse_reasoning(example.reasoning)), read(plan.reasoning)
    agrees = None
    if plan.trajectory is not None:
        agrees = intent_agrees(plan.reasoning.intent, plan.trajectory)
    return [
        float(said.light == true.light),
        float(_same_lead(said, true)),
        float(said.intent == true.intent),
        np.nan if agrees is None else float(agrees),
        failed,
    ]


def _same_lead(said: Said, true: Said) -> bool:
    if said.lead_m is None or true.lead_m is None:
        return said.lead_m is true.lead_m
    return abs(said.lead_m - true.lead_m) <= max(LEAD_TOLERANCE * true.lead_m, 1.0)
