"""``emma evaluate``: plan data sets and recordings, or take results, and score them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emma_planner.command_options import FAILED, USAGE, config_of, fail, interrupted_once, why
from emma_planner.config import ConfigError, PlannerConfig
from emma_planner.evaluation.manoeuvres import balanced_ade_m, by_manoeuvre
from emma_planner.evaluation.open_loop import Scores, score
from emma_planner.evaluation.predictions import NOT_FINITE, Prediction, PredictionError, duplicates
from emma_planner.evaluation.self_test import SelfTestError, self_test
from emma_planner.fan_out import FanOutError, fan_out
from emma_planner.intervals import figure_to_json, finite_or_none
from emma_planner.planning.chat import ModelError
from emma_planner.progress import ProgressBar
from emma_planner.recordings.bags import BagError
from emma_planner.recordings.dataset import DatasetError, write_json
from emma_planner.recordings.plan_log import PlanLogError
from emma_planner.recordings.topics import TopicError
from emma_planner.resources import ResourceError
from emma_planner.runs.open_source import SourceOptions, open_source
from emma_planner.runs.results import has_results, read_results
from emma_planner.runs.run_folder import METRICS, RunError, begin_run, read_run, scene_file
from emma_planner.runs.scene_task import SceneTask, run_scene
from emma_planner.runs.window import SourceError

NAME = 'evaluate'
ERRORS = (
    BagError,
    DatasetError,
    FanOutError,
    ModelError,
    OSError,
    PlanLogError,
    PredictionError,
    ResourceError,
    RunError,
    SelfTestError,
    SourceError,
    TopicError,
)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; errors end in one line on stderr.

    :returns: 0 done, 1 failed, 2 wrong usage
    """
    try:
        config = config_of(arguments)
        planned, given = _kinds(arguments.inputs)
    except (ConfigError, ResourceError) as err:
        return fail(NAME, err, USAGE)
    try:
        with interrupted_once():
            if given:
                return _score_results(arguments, config, given)
            return _plan(arguments, config, planned)
    except ERRORS as err:
        return fail(NAME, err, FAILED)
    except KeyboardInterrupt:
        return fail(NAME, 'interrupted before the first scene', FAILED)


def _kinds(inputs: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Tell what is to be planned from results that are to be scored."""
    given = [path for path in inputs if has_results(path)]
    planned = [path for path in inputs if path not in given]
    if given and planned:
        raise ConfigError(f'need results alone or none, got {given[0]} and {planned[0]}')
    return planned, given


def _score_results(arguments: argparse.Namespace, config: PlannerConfig, paths: list[Path]) -> int:
    runs: dict[str, list[Prediction]] = {}
    for path in paths:
        name, predictions = read_results(path, arguments.truth, config)
        runs.setdefault(name, []).extend(predictions)
    return _finish(arguments, config, runs, None)


def _plan(arguments: argparse.Namespace, config: PlannerConfig, paths: list[Path]) -> int:
    name, predictions, error = planned_run(arguments, arguments.out, paths, config)
    if not predictions and error is not None:
        raise error
    return _finish(arguments, config, {name: predictions}, error)


def planned_run(
    arguments: argparse.Namespace,
    folder: Path,
    paths: Sequence[Path],
    config: PlannerConfig,
    label: str = 'scenes',
) -> tuple[str, list[Prediction], BaseException | None]:
    """Plan all windows into a folder, or take those that an earlier run left there.

    :param label: of the progress bar
    :returns: the planner's name, what was planned, why it ended early
    """
    options = SourceOptions(arguments.every, arguments.split, arguments.cameras)
    tasks = _scene_tasks(folder, paths, options, config)
    about = {
        'sources': [path.name for path in paths],
        'scenes': len(tasks),
        'every_s': options.every_s,
        'split': options.split,
        'planner': config.planner,
        'model': config.model,
        'variant': config.variant,
        'config_hash': config.hash(),
    }
    begin_run(folder, about, overwrite=arguments.overwrite)
    error = _run_tasks(tasks, arguments, label)
    return (*read_run(folder), error)


def _scene_tasks(
    folder: Path, paths: Sequence[Path], options: SourceOptions, config: PlannerConfig
) -> list[SceneTask]:
    """Return a task for each scene of all sources."""
    tasks: list[SceneTask] = []
    for path in paths:
        for scene in open_source(path, config, options).scenes():
            file = scene_file(folder, len(tasks), scene)
            tasks.append(SceneTask(path, options, scene, config, file))
    return tasks


def _run_tasks(
    tasks: Sequence[SceneTask], arguments: argparse.Namespace, label: str
) -> BaseException | None:
    """Plan the scenes that are not there yet; return why it ended early, None at the end."""
    missing = [task for task in tasks if not task.file.exists()]
    done = len(tasks) - len(missing)
    try:
        with ProgressBar(float(len(tasks)), label, shown=not arguments.quiet) as bar:
            bar.update(float(done), f'{done} of {len(tasks)}')
            found = fan_out(
                run_scene, missing, workers=arguments.workers, ray_address=arguments.ray
            )
            for _ in found:
                done += 1
                bar.update(float(done), f'{done} of {len(tasks)}')
    except (*ERRORS, KeyboardInterrupt) as err:
        return err
    return None


def _finish(
    arguments: argparse.Namespace,
    config: PlannerConfig,
    runs: dict[str, list[Prediction]],
    error: BaseException | None,
) -> int:
    """Score, write, print; say what was wrong."""
    problems = [] if error is None else [why(error)]
    scored: dict[str, Scores] = {}
    for name, predictions in runs.items():
        if not predictions:
            raise PredictionError(f'{name or "run"}: need a prediction at least, got none')
        problems += _problems(name, predictions)
        self_test(predictions, config.seed)
        scored[name] = score(predictions, name, seed=config.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    about = {'complete': error is None, 'problems': problems}
    found = [{**scores.to_json(), **_manoeuvres(runs[name])} for name, scores in scored.items()]
    write_json(arguments.out / METRICS, {**about, 'runs': found})
    if not arguments.quiet:
        for scores in scored.values():
            print(f'{scores.table()}\n')
        print(f'results   {arguments.out}')
    if problems:
        return fail(NAME, f'{"; ".join(problems)}; results in {arguments.out}', FAILED)
    return 0


def _manoeuvres(predictions: list[Prediction]) -> dict[str, Any]:
    rows = by_manoeuvre(predictions)
    return {
        'by_manoeuvre': {
            name: {'windows': count, 'ade_m': figure_to_json(figure)}
            for name, count, figure in rows
        },
        'balanced_ade_m': finite_or_none(balanced_ade_m(rows)),
    }


def _problems(name: str, predictions: list[Prediction]) -> list[str]:
    """What a reader of the figures must know."""
    found = []
    again = sum(1 for _ in duplicates(predictions))
    if again:
        found.append(f'{name}: need each stamp once in a scene, got {again} again, all scored')
    unreadable = [item for item in predictions if item.reason == NOT_FINITE]
    if unreadable:
        found.append(
            f'{name}: need finite predictions, got {len(unreadable)} that are not, '
            f'counted as failed, first in {unreadable[0].scene}'
        )
    return found
