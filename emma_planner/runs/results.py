"""Results that are there already, of this project or another, as predictions."""

from __future__ import annotations

import json
from pathlib import Path

from emma_planner.config import PlannerConfig
from emma_planner.evaluation.open_loop import prediction_of
from emma_planner.evaluation.predictions import Prediction, PredictionError, read_predictions
from emma_planner.recordings.plan_log import SCHEMA as PLAN_LOG_SCHEMA
from emma_planner.recordings.plan_log import read_plan_log
from emma_planner.replay.instants import ground_truth
from emma_planner.runs.nuscenes_source import NuScenesSource, version_of
from emma_planner.runs.peers import lightemma, openemma
from emma_planner.runs.run_folder import is_run, read_run


def has_results(path: Path) -> bool:
    """Whether a path holds results, not something to plan."""
    if path.is_file():
        return path.suffix == '.jsonl'
    return is_run(path) or openemma.has_results(path) or bool(lightemma.scene_files(path))


def read_results(
    path: Path, truth: Path | None, config: PlannerConfig
) -> tuple[str, list[Prediction]]:
    """Read results.

    :param truth: recording or nuScenes folder, for results that do not hold what was driven
    :returns: name of the planner, and its predictions
    :raises PredictionError: they cannot be read, or have no truth
    """
    if path.is_file():
        return _read_file(path, truth, config)
    if is_run(path):
        return read_run(path)
    if openemma.has_results(path):
        if truth is None or not version_of(truth):
            raise PredictionError(f'{path}: need nuScenes for the truth: --truth FOLDER')
        return 'OpenEMMA', openemma.read_results(path, NuScenesSource(truth, config, 'all'))
    name = ''
    found: list[Prediction] = []
    for scene in lightemma.scene_files(path):
        model, predictions = lightemma.read_scene(scene)
        name = model or name
        found += predictions
    return f'LightEMMA {name}'.strip(), found


def _read_file(
    path: Path, truth: Path | None, config: PlannerConfig
) -> tuple[str, list[Prediction]]:
    if not _is_plan_log(path):
        name, found = read_predictions(path)
        return name or path.stem, found
    if truth is None:
        raise PredictionError(f'{path}: need the recording for the truth: --truth BAG')
    header, records = read_plan_log(path)
    driven, scene = ground_truth(truth, config), header.source or path.stem
    asked = (record for record in records if record['history'] is not None)
    return header.model, [prediction_of(record, driven, scene) for record in asked]


def _is_plan_log(path: Path) -> bool:
    try:
        with path.open(encoding='utf-8') as lines:
            first = json.loads(lines.readline())
    except (OSError, ValueError):
        return False
    return isinstance(first, dict) and first.get('schema') == PLAN_LOG_SCHEMA
