"""The same scenarios driven with each variant, so that a change of the score can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emma_planner.config import PlannerConfig
from emma_planner.evaluation.compare import Change, compare
from emma_planner.fan_out import fan_out
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.drives.drive_task import DriveTask, run_task
from emma_planner.simulation.scenario import scenario_of
from emma_planner.simulation.scoring.score_files import (
    DriveSettings,
    clear_out_folder,
    write_scores,
)
from emma_planner.simulation.scoring.score_summary import ScoreSummary, summarise
from emma_planner.simulation.scoring.scores import score_drive


@dataclass(frozen=True)
class DriveOptions:
    """What is driven.

    :param latency_s: simulated time from image to path; None for what each plan took
    :param density: of the traffic, None for each scenario's own
    """

    split: str
    numbers: tuple[int, ...]
    latency_s: float | None
    density: float | None = None
    camera: tuple[int, int] = (640, 360)


def drive_variant(
    folder: Path,
    config: PlannerConfig,
    options: DriveOptions,
    *,
    workers: int = 1,
    ray_address: str | None = None,
) -> ScoreSummary:
    """Drive all scenarios and write their scores.

    :param folder: emptied of earlier drives
    :raises ScenarioError: no such split or number
    """
    clear_out_folder(folder, overwrite=True)
    tasks = [
        DriveTask(
            scenario=(scenario := scenario_of(options.split, number, options.density)),
            driver='',
            config=config,
            camera=CameraSettings(*options.camera),
            folder=folder / scenario.name,
            latency_s=options.latency_s,
        )
        for number in options.numbers
    ]
    records = dict(fan_out(run_task, tasks, workers=workers, ray_address=ray_address))
    summary = summarise([score_drive(records[number]) for number in sorted(records)])
    settings = DriveSettings(
        split=options.split,
        density=options.density,
        latency_s=options.latency_s,
        config_hash=config.hash(),
        camera=options.camera,
    )
    write_scores(folder, summary, settings, complete=True)
    return summary


def compare_scores(base: ScoreSummary, variant: ScoreSummary, seed: int) -> Change:
    """Compare driving scores, scenario by scenario."""
    names = [drive.scenario for drive in base.drives]
    scores: Sequence[np.ndarray[tuple[int], np.dtype[np.float64]]] = [
        np.array([drive.driving_score for drive in summary.drives]) for summary in (base, variant)
    ]
    return compare(scores[0], scores[1], names, seed=seed)
