"""Learns what drivers weigh, by maximum-entropy inverse reinforcement learning.

The expert's trajectory stands among alternatives to it; the weights are those that make it
likeliest. With the alternatives as a sample of all trajectories this is a conditional logit, whose
likelihood is concave: Newton's method finds the one maximum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emma_planner.planning.actions import ActionTokens
from emma_planner.planning.kinematics import integrate
from emma_planner.planning.parsing import parse_reasoning
from emma_planner.planning.ranking import FEATURES, Ranker, features
from emma_planner.planning.statements import read
from emma_planner.planning.types import FloatArray, Trajectory
from emma_planner.recordings.dataset import Example

ALTERNATIVES = 15
SPEED_SPREAD_MPS = 2.0
CURVATURE_SPREAD_1PM = 0.01
RIDGE = 1e-3
"""Keeps weights of features that tell nothing at 0."""
MAX_STEPS = 50


def fit_ranker(examples: Sequence[Example], seed: int = 0) -> Ranker:
    """Return the weights under which the expert is likeliest.

    :raises ValueError: no examples
    """
    if not examples:
        raise ValueError('need examples to learn weights from, got none')
    rng = np.random.default_rng(seed)
    sets = np.array([_choices(example, rng) for example in examples])
    weights = np.zeros(len(FEATURES))
    for _ in range(MAX_STEPS):
        gradient, hessian = _derivatives(sets, weights)
        step = np.linalg.solve(hessian, gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    return Ranker(tuple(weights.tolist()))


def log_likelihood(examples: Sequence[Example], ranker: Ranker, seed: int = 0) -> float:
    """Return the mean log-likelihood of the expert among its alternatives."""
    rng = np.random.default_rng(seed)
    scores = np.array([_choices(example, rng) for example in examples]) @ np.array(ranker.weights)
    most = scores.max(axis=1, keepdims=True)
    total = np.log(np.exp(scores - most).sum(axis=1)) + most[:, 0]
    return float((scores[:, 0] - total).mean())


def _choices(example: Example, rng: np.random.Generator) -> FloatArray:
    """Features ``(1 + A, 6)``: the expert's trajectory, then alternatives to it."""
    expert = example.planned
    lead = read(parse_reasoning(example.reasoning)).lead_m if example.reasoning else None
    others = [_alternative(expert, rng) for _ in range(ALTERNATIVES)]
    driven = (expert.speeds_mps, expert.curvatures_1pm)
    choices = [_as_written(*actions) for actions in (driven, *others)]
    return features(choices, example.ego_history(), lead)


def _alternative(expert: Trajectory, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Change speed and curvature by ramps, as plans differ: smoothly, from no difference now."""
    ramp = np.linspace(0.1, 1.0, len(expert.speeds_mps))
    speeds = expert.speeds_mps + SPEED_SPREAD_MPS * rng.normal() * ramp
    return np.maximum(speeds, 0.0), expert.curvatures_1pm + CURVATURE_SPREAD_1PM * (
        rng.normal() * ramp
    )


def _as_written(speeds: FloatArray, curvatures: FloatArray) -> Trajectory:
    """Put actions on their bins: plans lie there, and what is smoother would stand out."""
    speeds, curvatures = ActionTokens().decode(ActionTokens().encode(speeds, curvatures))
    return Trajectory(speeds, curvatures, integrate(speeds, curvatures))


def _derivatives(sets: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gradient of the mean log-likelihood less the ridge, and the negative Hessian."""
    scores = sets @ weights
    chance = np.exp(scores - scores.max(axis=1, keepdims=True))
    chance /= chance.sum(axis=1, keepdims=True)
    mean = (chance[:, :, None] * sets).sum(axis=1)
    gradient = (sets[:, 0] - mean).mean(axis=0) - RIDGE * weights
    apart = sets - mean[:, None]
    hessian = np.einsum('nk,nki,nkj->ij', chance, apart, apart) / len(sets)
    return gradient, hessian + RIDGE * np.eye(len(weights))
