"""The kinematic baselines on recordings: what a planner must beat.

A bag is read with its own topics; a CSV of ego motion needs the columns ``t_s, x_m, y_m, yaw_rad,
speed_mps, yaw_rate_radps``. A window every 0.5 s, with 5 s of history and 5 s of future.

    python benchmarks/baselines.py BAG_OR_CSV ... [--model emma-small]

With ``--model``, a model beside them that is shown a grey picture: what it falls back to.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np

from emma_planner.assemble import build_planner
from emma_planner.config import PlannerConfig
from emma_planner.evaluation.ground_truth import GroundTruth
from emma_planner.evaluation.metrics import summarise
from emma_planner.evaluation.open_loop import BLOCK_S
from emma_planner.evaluation.table import closing_table
from emma_planner.planning.baselines import BASELINES
from emma_planner.planning.ego_tracks import EgoMeasurement, EgoTracks
from emma_planner.planning.history import HistoryLimits, build_history
from emma_planner.planning.planner import Planner
from emma_planner.planning.types import (
    DT_NS,
    NS_PER_S,
    CameraFrame,
    EgoHistory,
    InputError,
    PlannerInput,
)
from emma_planner.recordings.bags import BagReader
from emma_planner.recordings.topics import find_topics
from emma_planner.replay.lockstep import read_ego_motion

GREY = np.full((252, 448, 3), 127, dtype=np.uint8)


def read_tracks(path: Path) -> EgoTracks:
    """Read the ego motion of a bag or a CSV."""
    tracks = EgoTracks(keep_ns=None)
    if path.suffix == '.csv':
        with path.open(newline='') as file:
            for row in csv.DictReader(file):
                tracks.add(_measurement(row), 'odometry')
        return tracks
    with BagReader(path) as reader:
        topics = find_topics(reader.topics, PlannerConfig(), need_image=False)
        read_ego_motion(reader, topics, tracks)
    return tracks


def _measurement(row: dict[str, str]) -> EgoMeasurement:
    return EgoMeasurement(
        round(float(row['t_s']) * NS_PER_S),
        'odom',
        (float(row['x_m']), float(row['y_m']), float(row['yaw_rad'])),
        (float(row['speed_mps']), float(row['yaw_rate_radps'])),
    )


def unseeing(planner: Planner, history: EgoHistory) -> Any:
    """Plan on a grey picture; return the poses."""
    frame = CameraFrame(history.stamp_ns, 'front', GREY)
    return planner.plan(PlannerInput((frame,), history, 'follow lane')).trajectory.poses


def score(tracks: EgoTracks, model: str | None) -> str:
    """Return the table of the baselines over all complete windows."""
    laws = {name: lambda history, law=law: law(history).poses for name, law in BASELINES.items()}
    if model is not None:
        planner = build_planner(PlannerConfig(model=model))
        laws[f'{model}, no picture'] = lambda history: unseeing(planner, history)
    truth = GroundTruth(tracks.poses)
    poses: dict[str, list[Any]] = {name: [] for name in laws}
    futures, scenes = [], []
    stamp_ns = tracks.poses[0].stamp_ns
    while stamp_ns <= tracks.poses[-1].stamp_ns:
        future, known = truth.future(stamp_ns)
        try:
            history = build_history(
                tracks.poses, tracks.twists, tracks.frame_id, stamp_ns, HistoryLimits()
            )
        except InputError:
            known[:] = False
        if known.all():
            futures.append(future)
            scenes.append(stamp_ns // (BLOCK_S * NS_PER_S))
            for name, law in laws.items():
                poses[name].append(law(history))
        stamp_ns += DT_NS
    rows = [(name, summarise(poses[name], futures, scenes=scenes)) for name in laws]
    return f'{len(futures)} windows\n{closing_table([], rows)}'


def main() -> None:
    """Print a table per recording."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('recordings', type=Path, nargs='+')
    parser.add_argument('--model')
    options = parser.parse_args()
    for path in options.recordings:
        print(f'{path.parent.name if path.suffix == ".csv" else path.name}: ', end='')
        print(score(read_tracks(path), options.model), end='\n\n')


if __name__ == '__main__':
    main()
