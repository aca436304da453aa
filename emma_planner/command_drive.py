"""``emma drive``: drive scenarios in closed loop, score the drives, print the table."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from emma_planner.command_options import FAILED, USAGE, config_of, fail, interrupted_once, why
from emma_planner.config import ConfigError
from emma_planner.fan_out import FanOutError, fan_out
from emma_planner.planning.chat import ModelError
from emma_planner.progress import ProgressBar
from emma_planner.recordings.bags import BagError
from emma_planner.recordings.plan_log import PlanLogError
from emma_planner.resources import ResourceError
from emma_planner.simulation.bridge.drives_with_nodes import drive_with_nodes
from emma_planner.simulation.bridge.remote_driver import BridgeError
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.drive import DriveRecord, End
from emma_planner.simulation.drives.drive_files import FilesOptions
from emma_planner.simulation.drives.drive_task import EXPERTS, DriveTask, run_task
from emma_planner.simulation.film.film_files import FilmError
from emma_planner.simulation.scenario import Scenario, ScenarioError, scenario_of, split_size
from emma_planner.simulation.scoring.score_files import (
    DriveSettings,
    OutFolderError,
    begin_drives,
    write_scores,
)
from emma_planner.simulation.scoring.score_summary import ScoreSummary, summarise
from emma_planner.simulation.scoring.score_table import score_table
from emma_planner.simulation.scoring.scores import DriveScores, score_drive
from emma_planner.simulation.world import WorldError

NAME = 'drive'
ERRORS = (
    BagError,
    BridgeError,
    FanOutError,
    FilmError,
    ModelError,
    PlanLogError,
    ResourceError,
    WorldError,
)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; errors end in one line on stderr.

    :returns: 0 done, 1 failed, 2 wrong usage
    """
    try:
        scenarios = _scenarios(arguments)
        if arguments.list:
            _print_list(scenarios)
            return 0
        tasks = _tasks(arguments, scenarios)
        settings = _settings(arguments, tasks[0])
        names = [scenario.name for scenario in scenarios]
        kept = begin_drives(arguments.out, settings, names, overwrite=arguments.overwrite)
    except (ConfigError, ResourceError, ScenarioError) as err:
        return fail(NAME, err, USAGE)
    except OutFolderError as err:
        return fail(NAME, err, FAILED)
    with interrupted_once():
        return _run(arguments, tasks, settings, kept)


def _scenarios(arguments: argparse.Namespace) -> list[Scenario]:
    size = split_size(arguments.split)
    numbers = arguments.seeds if arguments.seeds is not None else range(min(size, 100))
    return [
        scenario_of(arguments.split, number, arguments.density, arguments.time_limit)
        for number in numbers
    ]


def _print_list(scenarios: list[Scenario]) -> None:
    columns = f'{"scenario":<14}{"blocks":<8}{"lanes":>5}{"traffic":>9}{"light":>7}{"fog":>7}'
    print(f'{columns}  features')
    for item in scenarios:
        print(
            f'{item.name:<14}{item.blocks:<8}{item.lane_count:>5}{item.traffic_density:>9.2f}'
            f'{item.weather.light:>7.2f}{item.weather.fog:>7.3f}  {item.features()}'
        )


def _tasks(arguments: argparse.Namespace, scenarios: list[Scenario]) -> list[DriveTask]:
    driver = arguments.planner if arguments.planner in EXPERTS else ''
    if arguments.ros and (driver or arguments.workers > 1 or arguments.ray):
        what = driver or 'more than one worker'
        raise ConfigError(f'--ros: need a planner and one worker, got {what}')
    if driver:
        arguments.planner = None
    config = config_of(arguments)
    files = FilesOptions(arguments.image_rate, arguments.film or '')
    looks = not driver or files.film or files.image_rate_hz > 0.0
    camera = CameraSettings(*arguments.camera) if looks else None
    return [
        DriveTask(
            scenario=scenario,
            driver=driver,
            config=config,
            camera=camera,
            folder=arguments.out / scenario.name,
            latency_s=arguments.latency,
            files=files,
        )
        for scenario in scenarios
    ]


def _settings(arguments: argparse.Namespace, task: DriveTask) -> DriveSettings:
    return DriveSettings(
        split=arguments.split,
        density=arguments.density,
        latency_s=arguments.latency,
        config_hash=task.config.hash(),
        driver=task.driver,
        time_limit_s=arguments.time_limit,
        camera=arguments.camera,
    )


def _run(
    arguments: argparse.Namespace,
    tasks: list[DriveTask],
    settings: DriveSettings,
    kept: list[DriveScores],
) -> int:
    """Drive what is left of a run.

    :param kept: scores of the drives of the run that are there
    """
    scores = {drive.scenario: drive for drive in kept}
    names = {task.scenario.name for task in tasks}
    todo = [task for task in tasks if task.scenario.name not in scores]
    error: BaseException | None = None
    try:
        with ProgressBar(float(len(tasks)), 'drives', shown=not arguments.quiet) as bar:
            for _, record in _results(arguments, todo):
                scores[record.scenario.name] = score_drive(record)
                num = len(names & set(scores))
                bar.update(float(num), f'{num} of {len(tasks)}')
                _write(arguments.out, scores, settings, complete=False)
                if record.end is End.INTERRUPTED:
                    error = KeyboardInterrupt()
                    break
    except (*ERRORS, KeyboardInterrupt, OSError) as err:
        error = err
    if not scores:
        return fail(NAME, error or 'need one drive at least, got none', FAILED)
    summary = _write(arguments.out, scores, settings, complete=error is None)
    if not arguments.quiet:
        print(score_table(summary))
        print(f'\nresults   {arguments.out}')
    if error is not None:
        kept_now = f'kept {len(names & set(scores))} of {len(tasks)} drives in {arguments.out}'
        return fail(NAME, f'{why(error)}; {kept_now}; the same command goes on', FAILED)
    return 0


def _write(
    folder: Path, scores: dict[str, DriveScores], settings: DriveSettings, *, complete: bool
) -> ScoreSummary:
    summary = summarise(list(scores.values()))
    write_scores(folder, summary, settings, complete=complete)
    return summary


def _results(
    arguments: argparse.Namespace, tasks: list[DriveTask]
) -> Iterator[tuple[int, DriveRecord]]:
    if arguments.ros:
        return drive_with_nodes(tasks, arguments.out)
    return fan_out(run_task, tasks, workers=arguments.workers, ray_address=arguments.ray)
