"""Score the records of a plan log against the recorded future, beside the baselines.

In: records and ground truth. Out: summaries, a table, JSON. Reads nothing else: a planner cannot
be scored on what it did not log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emma_planner.evaluation.counts import TickCounts, count_ticks
from emma_planner.evaluation.ground_truth import GroundTruth
from emma_planner.evaluation.metrics import (
    Percentiles,
    Summary,
    percentiles,
    percentiles_to_json,
    summarise,
    summary_to_json,
)
from emma_planner.evaluation.table import closing_table
from emma_planner.planning.baselines import BASELINES
from emma_planner.planning.kinematics import integrate
from emma_planner.planning.types import NS_PER_S, EgoHistory, FloatArray, Pose

BLOCK_S = 5
"""Windows overlap: the bootstrap draws blocks of this length, not single windows."""
STAGES = ('encode', 'reason', 'plan', 'total')


@dataclass(frozen=True)
class Scores:
    """Results of one run.

    :param planner: name and summary of what planned
    :param baselines: names and summaries on the same windows
    :param counts: how the ticks ended
    :param latencies: stage and percentiles over what the model planned
    :param windows: windows with a full history and a full 5 s of recorded future
    :param planned: those among the windows for which there is a trajectory
    """

    planner: tuple[str, Summary]
    baselines: tuple[tuple[str, Summary], ...]
    counts: TickCounts
    latencies: tuple[tuple[str, Percentiles], ...]
    windows: int
    planned: int

    def table(self) -> str:
        """Return the closing table."""
        own_row = self.planner[0] not in dict(self.baselines)
        return closing_table(
            [self.planner] if own_row else [],
            list(self.baselines),
            counts=self.counts,
            latencies=[item for item in self.latencies if item[1].n],
        )

    def to_json(self) -> dict[str, Any]:
        """Return the content of metrics.json."""
        return {
            'planner': {'name': self.planner[0], **summary_to_json(self.planner[1])},
            'baselines': {name: summary_to_json(item) for name, item in self.baselines},
            'counts': self.counts.to_json(),
            'latency_ms': {stage: percentiles_to_json(item) for stage, item in self.latencies},
            'windows': {'complete': self.windows, 'planned': self.planned},
        }


def score_records(
    records: Sequence[dict[str, Any]],
    truth: GroundTruth,
    name: str,
    *,
    period_ns: int = 0,
    seed: int = 0,
) -> Scores:
    """Score the records of a plan log.

    :param records: as :func:`emma_planner.recordings.plan_log.plan_record` writes them
    :param name: of the planner, for the table
    :param period_ns: of the ticks [ns]; 0 for ticks without one
    :param seed: of the bootstrap
    """
    asked = [record for record in records if record['history'] is not None]
    futures = [truth.future(record['stamp_ns']) for record in asked]
    complete = np.array([valid.all() for _, valid in futures], dtype=bool)
    has_plan = np.array([record['speeds_mps'] is not None for record in asked], dtype=bool)
    baselines = [
        (label, np.array([baseline(_history(r)).poses for r in asked]))
        for label, baseline in BASELINES.items()
    ]
    planned = np.array([_planned_poses(r) for r in asked if r['speeds_mps'] is not None])
    return Scores(
        planner=(name, _summary(planned, asked, futures, has_plan, seed)),
        baselines=tuple(
            (label, _summary(poses, asked, futures, np.ones(len(asked), dtype=bool), seed))
            for label, poses in baselines
        ),
        counts=count_ticks(records, period_ns),
        latencies=tuple(
            (stage, percentiles([t for r in records if (t := r['latency_ms'][stage]) > 0.0]))
            for stage in STAGES  # 0 is a stage that was not reached, or is not told apart
        ),
        windows=int(complete.sum()),
        planned=int((complete & has_plan).sum()),
    )


def _summary(
    predicted: FloatArray,
    asked: Sequence[dict[str, Any]],
    futures: Sequence[tuple[FloatArray, Any]],
    has_plan: Any,
    seed: int,
) -> Summary:
    chosen: list[int] = np.flatnonzero(has_plan).tolist()
    stamps = [asked[k]['stamp_ns'] for k in chosen]
    return summarise(
        predicted.reshape(len(chosen), 10, 3),
        np.array([futures[k][0] for k in chosen]).reshape(len(chosen), 10, 3),
        np.array([futures[k][1] for k in chosen], dtype=np.bool_).reshape(len(chosen), 10),
        scenes=[stamp // (BLOCK_S * NS_PER_S) for stamp in stamps],
        num_unplanned=int(len(has_plan) - len(chosen)),
        seed=seed,
    )


def _planned_poses(record: dict[str, Any]) -> FloatArray:
    return integrate(np.array(record['speeds_mps']), np.array(record['curvatures_1pm']))


def _history(record: dict[str, Any]) -> EgoHistory:
    return EgoHistory(
        record['stamp_ns'],
        np.array(record['history']['speeds_mps']),
        np.array(record['history']['curvatures_1pm']),
        Pose(*record['ego_pose']),
        record['frame_id'],
    )
