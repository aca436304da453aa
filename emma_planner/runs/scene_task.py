"""Planning of one scene as a task for any process: windows in, a file of predictions out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from emma_planner.assemble import build_planner
from emma_planner.config import PlannerConfig
from emma_planner.evaluation.predictions import Prediction, header_line, to_json_line
from emma_planner.planning.planner import Planner, failed_plan
from emma_planner.planning.types import InputError, PlannerInput
from emma_planner.recordings.dataset import write_text
from emma_planner.runs.open_source import SourceOptions, open_source
from emma_planner.runs.window import Window

KEPT_SCENES = 256
"""Whose windows are at hand for variants that mix situations."""


@dataclass(frozen=True)
class SceneTask:
    """One scene.

    :param source: path of what it is in
    :param file: written whole or not at all
    """

    source: Path
    options: SourceOptions
    scene: str
    config: PlannerConfig
    file: Path


def run_scene(task: SceneTask) -> int:
    """Plan a scene; source and planner of this process are kept for the next task.

    :returns: plans
    """
    planner = _planner(task.config, task.source, task.options)
    source = open_source(task.source, task.config, task.options)
    predictions = list(plan_windows(planner, source.windows(task.scene)))
    about = {'source': task.source.name, 'scene': task.scene, 'config_hash': task.config.hash()}
    lines = [header_line(planner.name, about), *map(to_json_line, predictions)]
    write_text(task.file, '\n'.join(lines) + '\n')
    return len(predictions)


def plan_windows(planner: Planner, windows: tuple[Window, ...]) -> Iterator[Prediction]:
    """Plan every window in order; inputs that cannot be read are a failed plan."""
    for window in windows:
        try:
            plan = planner.plan(window.load())
        except InputError as err:
            plan = failed_plan(window.stamp_ns, err)
        yield Prediction(
            scene=window.scene,
            stamp_ns=window.stamp_ns,
            poses=None if plan.trajectory is None else plan.trajectory.poses,
            truth=window.truth,
            history=window.history,
            command=window.command,
            reason='' if plan.reason is None else plan.reason.value,
            detail=plan.detail,
            said=plan.reasoning,
            true=window.true,
            latency=plan.latency,
            tokens=plan.tokens,
            image=window.image,
        )


@lru_cache(maxsize=1)
def _planner(config: PlannerConfig, path: Path, options: SourceOptions) -> Planner:
    """Return this process's planner; a variant that mixes situations takes them of the source."""
    source = open_source(path, config, options)
    scenes = source.scenes()
    # asked at every plan: a recording would be read from its start each time
    windows_of = lru_cache(maxsize=KEPT_SCENES)(source.windows)

    def some(number: int) -> PlannerInput:
        windows = windows_of(scenes[number % len(scenes)])
        return windows[number // len(scenes) % len(windows)].load()

    return build_planner(config, pool=some)
