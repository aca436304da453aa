"""Which example is learned when, and as what: balanced, mirrored, the same for the same seed.

Sample ``k`` of a run depends on the seed and ``k`` alone, so that a run that was cut off goes on
as if it had not been, whatever loads the samples.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from emma_planner.planning.baselines import half_acceleration
from emma_planner.planning.checks import STOPPED_MPS, lateral_motion, longitudinal_motion
from emma_planner.planning.kinematics import integrate
from emma_planner.planning.types import DT_NS, FloatArray, Trajectory
from emma_planner.recordings.dataset import Example
from emma_planner.training.wording import (
    mirrored_facts,
    mirrored_words,
    reasoning_text,
    unknown_scene_text,
)

FASTEST_MPS = 36.0
"""130 km/h: what is faster is not taught."""


MISTAKE_STEPS = 4
"""What was driven is compared with what was wanted after so many steps, 2 s."""
ASIDE_M = 1.0
AHEAD_M = (1.0, 3.0)
"""A gap aside is a whole mistake from here on; one along the way grows to one between these."""


def weights_of(examples: Sequence[Example], mistakes: float = 0.0) -> FloatArray:
    """Return how often each is drawn, in all 1: rare situations more often than they are.

    A situation is the kind of road, whether the ego stands, the change of speed, the side of a
    turn, and the light; its examples are drawn by the square root of their number.

    :param mistakes: how much more often one is drawn after which a model drove elsewhere than the
        expert would have; see :func:`mistakes_of`
    """
    kinds = []
    for example in examples:
        facts = example.facts or {}
        light = facts.get('light')
        state = light['state'] if light else ''
        stands = bool(example.history[-1, 0] < STOPPED_MPS)
        plan = example.planned
        motion = longitudinal_motion(plan), lateral_motion(plan)
        kinds.append((facts.get('road', ''), stands, *motion, state))
    counts = Counter(kinds)
    weights = np.array([1.0 / math.sqrt(counts[kind]) for kind in kinds])
    if mistakes:
        weights *= 1.0 + mistakes * mistakes_of(examples)
    return np.asarray(weights / weights.sum())


def mistakes_of(examples: Sequence[Example]) -> FloatArray:
    """Return ``(N,)`` how far what was driven is from what was wanted, 0 to 1.

    The label of a window that a model drove says what the expert would have done; what the model
    did is the history of the window 2 s later. 0 where there is none.

    :param examples: of each drive in the order of time
    """
    found = np.zeros(len(examples))
    for k, example in enumerate(examples):
        then = (example.source, example.stamp_ns + MISTAKE_STEPS * DT_NS)
        after = examples[k + 1 : k + 1 + MISTAKE_STEPS]
        histories = [each.history for each in after if (each.source, each.stamp_ns) == then]
        if not histories:
            continue
        driven = integrate(*histories[0][-MISTAKE_STEPS:].T)[-1]
        wanted = example.planned.poses[MISTAKE_STEPS - 1]
        gap_x, gap_y = driven[:2] - wanted[:2]
        cos, sin = math.cos(wanted[2]), math.sin(wanted[2])
        aside, ahead = abs(cos * gap_y - sin * gap_x), abs(cos * gap_x + sin * gap_y)
        found[k] = max(aside / ASIDE_M, np.interp(ahead, AHEAD_M, (0.0, 1.0)))
    return np.minimum(found, 1.0)


@dataclass(frozen=True)
class Draw:
    """One sample of a run.

    :param number: of the example
    :param is_mirrored: whether it is seen in a mirror
    :param is_past_hidden: whether of the history only the present is told
    :param is_outlier: whether the picture is one of nothing known
    :param rng: of this sample alone, for what else is drawn
    """

    number: int
    is_mirrored: bool
    is_past_hidden: bool
    is_outlier: bool
    rng: np.random.Generator = field(compare=False)


class Schedule:
    """Which example is sample ``k``, and how it is seen.

    :param weights: ``(N,)`` of the examples, in all 1
    :param mirrored: share of the samples that are mirrored
    :param past_hidden: share of the samples whose past is hidden
    :param outliers: share of the samples whose picture shows nothing known
    """

    def __init__(
        self,
        weights: FloatArray,
        mirrored: float,
        past_hidden: float,
        seed: int,
        outliers: float = 0.0,
    ) -> None:
        self._cumulative = np.cumsum(weights)
        self._mirrored = mirrored
        self._past_hidden = past_hidden
        self._outliers = outliers
        self._seed = seed

    def sample(self, k: int) -> Draw:
        """Return sample ``k``."""
        rng = np.random.default_rng((self._seed, k))
        number = int(np.searchsorted(self._cumulative, rng.random() * self._cumulative[-1]))
        number = min(number, len(self._cumulative) - 1)
        is_mirrored = bool(rng.random() < self._mirrored)
        is_past_hidden = bool(rng.random() < self._past_hidden)
        # drawn only where wanted: the samples of a run without stay as they were
        is_outlier = bool(self._outliers and rng.random() < self._outliers)
        return Draw(number, is_mirrored, is_past_hidden, is_outlier, rng)


def with_past_hidden(example: Example) -> Example:
    """Return an example whose history says nothing but the present, as if it had always been so.

    A history that goes on into the future by itself hides what causes it: the picture (Bansal,
    Krizhevsky, Ogale, ChauffeurNet, RSS 2019, section 4.3, past motion dropout).
    """
    return replace(example, history=np.tile(example.history[-1], (len(example.history), 1)))


def made_faster(example: Example, rng: np.random.Generator) -> Example:
    """Return an example that moved faster all the time, as roads allow that are not simulated.

    Accelerations stay, and the lateral ones where it moved.
    """
    speeds, curvatures = example.history.T
    added = rng.uniform(0.0, max(FASTEST_MPS - float(speeds.max()), 0.0))
    straighter = (np.abs(speeds) + 1.0) / (np.abs(speeds) + added + 1.0)
    history = np.stack([speeds + added, curvatures * straighter**2], axis=1)
    return replace(example, history=history)


def with_unknown_picture(example: Example) -> Example:
    """Return what is to be said and planned where a picture shows nothing that is known.

    That it is unknown, and that the ego goes on as it moves, as the best of the kinematic
    baselines does: no model should do worse in a world that it does not know.
    """
    plan = half_acceleration(example.ego_history())
    return replace(
        example,
        planned=plan,
        facts=None,
        patches=None,
        reasoning=unknown_scene_text(plan),
    )


def mirrored(example: Example) -> Example:
    """Return an example as seen in a mirror; its picture is still to be flipped."""
    sides = np.array([1.0, -1.0])
    facts = None if example.facts is None else mirrored_facts(example.facts)
    turned = replace(
        example,
        command=mirrored_words(example.command),
        history=example.history * sides,
        future=_mirrored_trajectory(example.future),
        planned=_mirrored_trajectory(example.planned),
        facts=facts,
        reasoning=mirrored_words(example.reasoning),
    )
    if facts is None:
        return turned
    return replace(turned, reasoning=reasoning_text(facts, turned.planned))


def _mirrored_trajectory(trajectory: Trajectory) -> Trajectory:
    return Trajectory(
        trajectory.speeds_mps,
        -trajectory.curvatures_1pm,
        trajectory.poses * np.array([1.0, -1.0, -1.0]),
    )
