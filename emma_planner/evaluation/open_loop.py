"""Score predictions beside the kinematic baselines on the same windows.

In: predictions, or the records of a plan log with the recorded future. Out: summaries, a table,
JSON. Reads nothing else: a planner cannot be scored on what it did not log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from emma_planner.evaluation.counts import Tally, TickCounts, count_ticks, tally
from emma_planner.evaluation.ground_truth import GroundTruth
from emma_planner.evaluation.metrics import (
    BoolArray,
    Percentiles,
    Summary,
    percentiles,
    percentiles_to_json,
    summarise,
    summary_to_json,
)
from emma_planner.evaluation.predictions import Prediction
from emma_planner.evaluation.table import closing_table
from emma_planner.evaluation.words import WORDS, word_scores
from emma_planner.intervals import Figure, figure_to_json, mean_figures
from emma_planner.planning.baselines import BASELINES, baseline_poses
from emma_planner.planning.kinematics import integrate
from emma_planner.planning.types import (
    NS_PER_S,
    FloatArray,
    Latency,
    Reasoning,
    TokenCounts,
)

BLOCK_S = 5
"""Windows overlap: of few scenes the bootstrap draws blocks of this length, not single windows."""
ENOUGH_SCENES = 10
"""From here on it draws whole scenes."""
STAGES = ('encode', 'reason', 'plan', 'total')


@dataclass(frozen=True)
class Scores:
    """Results of one run.

    :param planner: name and summary of what planned
    :param baselines: names and summaries on the same windows; none without histories
    :param words: how much of what was said is true, by :data:`WORDS`
    :param reasons: by reason, plans that were not to be driven
    :param latencies: stage and percentiles over what the model planned
    :param generated: tokens a plan
    :param windows: windows with a full 5 s of recorded future
    :param planned: those among the windows for which there is a trajectory
    :param counts: how the ticks of a run ended, None where there were none
    """

    planner: tuple[str, Summary]
    baselines: tuple[tuple[str, Summary], ...]
    words: tuple[tuple[str, Figure], ...]
    reasons: Tally
    latencies: tuple[tuple[str, Percentiles], ...]
    generated: float
    windows: int
    planned: int
    counts: TickCounts | None = None

    @property
    def failed(self) -> float:
        """Share of the windows without a plan that is to be driven, 0 to 1."""
        return sum(count for _, count in self.reasons) / max(self.planner[1].n, 1)

    def table(self) -> str:
        """Return the closing table."""
        own_row = self.planner[0] not in dict(self.baselines)
        return closing_table(
            [self.planner] if own_row else [],
            list(self.baselines),
            counts=self.counts,
            words=self.words,
            latencies=[item for item in self.latencies if item[1].n],
        )

    def to_json(self) -> dict[str, Any]:
        """Return the content of metrics.json."""
        return {
            'planner': {'name': self.planner[0], **summary_to_json(self.planner[1])},
            'baselines': {name: summary_to_json(item) for name, item in self.baselines},
            **({} if self.counts is None else {'counts': self.counts.to_json()}),
            'words': {name: figure_to_json(figure) for name, figure in self.words},
            'rejected': dict(self.reasons),
            'latency_ms': {stage: percentiles_to_json(item) for stage, item in self.latencies},
            'generated_tokens': self.generated,
            'windows': {'complete': self.windows, 'planned': self.planned},
        }


def score(predictions: Sequence[Prediction], name: str, *, seed: int = 0) -> Scores:
    """Score predictions; their order does not matter.

    :param name: of the planner, for the table
    :param seed: of the bootstrap
    """
    scenes = blocks(predictions)
    truths = np.array([item.truth for item in predictions]).reshape(-1, 10, 3)
    own = _summary([item.poses for item in predictions], truths, scenes, seed)
    baselines: list[tuple[str, Summary]] = []
    histories = [item.history for item in predictions if item.history is not None]
    if len(histories) == len(predictions):
        motion = np.array(histories).reshape(-1, 10, 2)
        baselines = [
            (label, _summary(list(baseline_poses(label, motion)), truths, scenes, seed))
            for label in BASELINES
        ]
    complete = np.isfinite(truths).all(axis=(1, 2))
    planned = np.array([item.poses is not None for item in predictions], dtype=bool)
    generated = [item.tokens.generated for item in predictions if item.tokens.generated]
    words = mean_figures(word_scores(predictions), scenes, seed=seed)
    return Scores(
        planner=(name, own),
        baselines=tuple(baselines),
        words=tuple(zip(WORDS, words, strict=True)),
        reasons=tally(item.reason for item in predictions if item.reason),
        latencies=tuple((stage, _percentiles(predictions, stage)) for stage in STAGES),
        generated=float(np.mean(generated)) if generated else 0.0,
        windows=int(complete.sum()),
        planned=int((complete & planned).sum()),
    )


def score_records(
    records: Sequence[dict[str, Any]],
    truth: GroundTruth,
    name: str,
    *,
    period_ns: int = 0,
    seed: int = 0,
) -> Scores:
    """Score the records of a plan log, and count how its ticks ended.

    :param records: as :func:`emma_planner.recordings.plan_log.plan_record` writes them
    :param period_ns: of the ticks [ns]; 0 for ticks without one
    """
    predictions = [
        prediction_of(record, truth) for record in records if record['history'] is not None
    ]
    scores = score(predictions, name, seed=seed)
    return replace(scores, counts=count_ticks(records, period_ns))


def prediction_of(record: dict[str, Any], truth: GroundTruth, scene: str = '') -> Prediction:
    """Return a record of a plan log, whose planner was asked, beside what was then driven."""
    poses, known = truth.future(record['stamp_ns'])
    predicted = None
    if record['speeds_mps'] is not None:
        predicted = integrate(np.array(record['speeds_mps']), np.array(record['curvatures_1pm']))
    history, words = record['history'], record['reasoning']
    return Prediction(
        scene=scene,
        stamp_ns=record['stamp_ns'],
        poses=predicted,
        truth=np.where(known[:, None], poses, np.nan),
        history=np.column_stack([history['speeds_mps'], history['curvatures_1pm']]),
        command=record['command'],
        reason=record['reason'] or '',
        detail=record['detail'],
        said=Reasoning(words['scene'], tuple(words['objects']), words['intent']),
        latency=Latency(**{f'{key}_ms': value for key, value in record['latency_ms'].items()}),
        tokens=TokenCounts(**record['tokens']),
    )


def blocks(predictions: Sequence[Prediction]) -> list[str]:
    """Return what each prediction counts to in the bootstrap: its scene, or a part of it."""
    if len({item.scene for item in predictions}) >= ENOUGH_SCENES:
        return [item.scene for item in predictions]
    return [f'{item.scene} {item.stamp_ns // (BLOCK_S * NS_PER_S)}' for item in predictions]


def predicted_and_truth(
    predictions: Sequence[Prediction],
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return poses ``(N, 10, 3)`` of those with a trajectory, truth, and where both are known."""
    planned = [item for item in predictions if item.poses is not None]
    poses = np.array([item.poses for item in planned], dtype=np.float64).reshape(-1, 10, 3)
    truth = np.array([item.truth for item in planned], dtype=np.float64).reshape(-1, 10, 3)
    return _where_known(poses, truth)


def _where_known(poses: FloatArray, truth: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    finite = np.isfinite(np.stack([poses, truth])).all(axis=(0, 3))
    known: BoolArray = np.asarray(finite, dtype=np.bool_)
    return (
        np.where(known[..., None], poses, 0.0),
        np.where(known[..., None], truth, 0.0),
        known,
    )


def _summary(
    predicted: Sequence[FloatArray | None], truths: FloatArray, scenes: Sequence[str], seed: int
) -> Summary:
    chosen = [k for k, poses in enumerate(predicted) if poses is not None]
    poses = np.array([predicted[k] for k in chosen], dtype=np.float64).reshape(-1, 10, 3)
    return summarise(
        *_where_known(poses, truths[chosen]),
        scenes=[scenes[k] for k in chosen],
        num_unplanned=len(predicted) - len(chosen),
        seed=seed,
    )


def _percentiles(predictions: Sequence[Prediction], stage: str) -> Percentiles:
    took = [getattr(item.latency, f'{stage}_ms') for item in predictions]
    # 0 is a stage that was not reached, or is not told apart
    return percentiles([value for value in took if value > 0.0])
