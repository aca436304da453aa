"""Which of several plans to drive: a score of what drivers weigh, learned from demonstrations.

Maximum-entropy inverse reinforcement learning (Ziebart et al., AAAI 2008): a driver takes a
trajectory with a probability that is the exponential of a weighted sum of its features. The
weights are learned in :mod:`emma_planner.training.ranking_fit`; here trajectories are scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emma_planner.planning.types import DT_S, EgoHistory, FloatArray, Trajectory

FEATURES = ('progress', 'lateral error', 'acceleration', 'jerk', 'sideways', 'clearance')
"""In the order of the columns, see :func:`features`."""
SCALES = (10.0, 1.0, 1.0, 1.0, 1.0, 5.0)
"""Usual sizes, so that weights are of one order."""
FREE_M = 30.0
"""A leader farther away than this does not matter."""


def features(
    trajectories: Sequence[Trajectory], history: EgoHistory, lead_m: float | None = None
) -> FloatArray:
    """Return ``(K, 6)`` features of plans for one situation, each of order 1.

    Way made [10 m]; distance from the middle of all plans [m], root mean square; acceleration
    [m/s^2] and jerk [m/s^3], root mean square, from the current speed on; lateral acceleration
    [m/s^2], root mean square; what is missing of the distance to a leader that stands where it is
    said to be [5 m].

    :param lead_m: to the leader along the way, None without
    """
    speeds = np.array([trajectory.speeds_mps for trajectory in trajectories])
    bends = np.array([trajectory.curvatures_1pm for trajectory in trajectories])
    places = np.array([trajectory.poses[:, :2] for trajectory in trajectories])
    way = np.cumsum(np.abs(speeds) * DT_S, axis=1)
    now = np.full((len(speeds), 1), history.speeds_mps[-1])
    acceleration = np.diff(np.hstack([now, speeds]), axis=1) / DT_S
    jerk = np.diff(acceleration, axis=1) / DT_S
    apart = np.linalg.norm(places - np.median(places, axis=0), axis=2)
    room = FREE_M if lead_m is None else lead_m
    columns = [
        way[:, -1],
        _rms(apart),
        _rms(acceleration),
        _rms(jerk),
        _rms(speeds**2 * bends),
        np.maximum(way[:, -1] - room, 0.0) if lead_m is not None else np.zeros(len(speeds)),
    ]
    table: FloatArray = np.column_stack(columns) / np.array(SCALES)
    return table


@dataclass(frozen=True)
class Ranker:
    """Weights of the features; a higher score is likelier to be driven.

    :param weights: six, in the order of :data:`FEATURES`
    """

    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.weights) != len(FEATURES) or not np.isfinite(self.weights).all():
            raise ValueError(f'need {len(FEATURES)} finite weights, got {self.weights}')

    def scores(
        self,
        trajectories: Sequence[Trajectory],
        history: EgoHistory,
        lead_m: float | None = None,
    ) -> FloatArray:
        """Return ``(K,)`` scores."""
        scores: FloatArray = features(trajectories, history, lead_m) @ np.array(self.weights)
        return scores

    def best(
        self,
        trajectories: Sequence[Trajectory],
        history: EgoHistory,
        lead_m: float | None = None,
    ) -> int:
        """Return the number of the plan to drive; the first of equals."""
        return int(np.argmax(self.scores(trajectories, history, lead_m)))


DEFAULT = Ranker((0.3, -2.0, -1.0, -0.5, -0.5, -4.0))
"""Until others are learned: near the middle of all, calm, not into a leader."""


def _rms(values: FloatArray) -> FloatArray:
    mean: FloatArray = np.sqrt((values**2).mean(axis=1))
    return mean
