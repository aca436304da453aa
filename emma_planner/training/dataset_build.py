"""Builds a data set from drives of the expert in the simulator, shard by shard, over processes.

A shard is a few scenarios, built by one worker and renamed into place when whole: a build that
was cut off goes on where it was, and the result does not depend on the number of workers.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emma_planner.config import PlannerConfig
from emma_planner.fan_out import fan_out
from emma_planner.planning.types import DT_S
from emma_planner.recordings.dataset import (
    HEADER,
    IMAGES,
    SCHEMA,
    SHARDS,
    SHEET,
    DatasetError,
    read_header,
    shard_files,
    write_json,
    write_text,
)
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.labels.samples import CollectTask, Sample, collect_task, to_record
from emma_planner.simulation.scenario import scenario_of
from emma_planner.simulation.world import RoadError
from emma_planner.training.datasheet import datasheet
from emma_planner.training.wording import reasoning_text

SCENARIOS_A_SHARD = 8
CAMERA = CameraSettings(width=448, height=252)


@dataclass(frozen=True)
class BuildOptions:
    """What a data set is built from; part of its header.

    :param numbers: scenarios of the split
    :param every_s: between samples
    :param disturbed: share of the scenarios in which the car is pushed off its line, 0 ... 1
    :param pilot: checkpoint of who drives in the expert's place, empty for the expert; the
        expert says what it would do (DAgger)
    """

    split: str
    numbers: tuple[int, ...]
    every_s: float = DT_S
    disturbed: float = 0.5
    pilot: str = ''

    def header(self) -> dict[str, Any]:
        """Return what the data set says of itself."""
        return {
            'schema': SCHEMA,
            'source': 'simulator',
            'split': self.split,
            'numbers': list(self.numbers),
            'every_s': self.every_s,
            'disturbed': self.disturbed,
            'pilot': self.pilot,
            'camera': dataclasses.asdict(CAMERA),
        }


@dataclass(frozen=True)
class ShardTask:
    """Scenarios of one shard, for any process."""

    folder: Path
    number: int
    options: BuildOptions
    scenarios: tuple[int, ...]


def build_dataset(
    folder: Path,
    options: BuildOptions,
    *,
    workers: int = 1,
    ray_address: str | None = None,
    progress: Callable[[int, int, int], None] = lambda done, total, examples: None,
) -> int:
    """Build a data set, or go on with one that was cut off.

    :param progress: called with shards done, shards in all and examples in the last one
    :returns: examples in all
    :raises DatasetError: the folder holds another data set
    """
    _begin(folder, json.loads(json.dumps(options.header())))
    tasks = _tasks(folder, options)
    there = {path.name for path in shard_files(folder)}
    missing = [task for task in tasks if _name(task.number) not in there]
    done = len(tasks) - len(missing)
    for _, count in fan_out(build_shard, missing, workers=workers, ray_address=ray_address):
        done += 1
        progress(done, len(tasks), count)
    write_text(folder / SHEET, datasheet(folder))
    return sum(_count_lines(path) for path in shard_files(folder))


def build_shard(task: ShardTask) -> int:
    """Drive the scenarios of a shard and write it; return its examples."""
    images = task.folder / IMAGES / f'{task.number:05d}'
    shutil.rmtree(images, ignore_errors=True)
    images.mkdir(parents=True)
    lines = []
    pilot = PlannerConfig(model=task.options.pilot) if task.options.pilot else None
    for number in task.scenarios:
        scenario = scenario_of(task.options.split, number)
        disturbed = _is_disturbed(number, task.options.disturbed)
        collect = CollectTask(
            scenario, CAMERA, task.options.every_s, is_disturbed=disturbed, pilot=pilot
        )
        for sample in _samples(collect):
            name = f'{sample.scenario}-{sample.stamp_ns // 1_000_000:07d}.jpg'
            (images / name).write_bytes(sample.jpeg)
            lines.append(json.dumps(_line(sample, f'{IMAGES}/{images.name}/{name}')))
    shards = task.folder / SHARDS
    shards.mkdir(exist_ok=True)
    write_text(shards / _name(task.number), '\n'.join(lines) + '\n' if lines else '')
    return len(lines)


def _samples(task: CollectTask) -> list[Sample]:
    try:
        return collect_task(task)
    except RoadError:  # the datasheet says how many scenarios have no examples
        return []


def _line(sample: Sample, image: str) -> dict[str, Any]:
    record = json.loads(json.dumps(to_record(sample)))
    return {
        'source': record.pop('scenario'),
        'image': image,
        **record,
        'reasoning': reasoning_text(record['facts'], sample.planned),
    }


def _is_disturbed(number: int, share: float) -> bool:
    """Spread over the numbers evenly, whatever else is built."""
    return number * 0.6180339887498949 % 1.0 < share


def _begin(folder: Path, header: dict[str, Any]) -> None:
    if (folder / HEADER).exists():
        there = read_header(folder)
        if there != header:
            differs = sorted(key for key in {*there, *header} if there.get(key) != header.get(key))
            raise DatasetError(
                f'{folder}: need the data set that was begun here, got another '
                f'{", ".join(differs)}; name another folder'
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise DatasetError(f'{folder}: need an empty folder for a data set, got files')
    write_json(folder / HEADER, header)


def _tasks(folder: Path, options: BuildOptions) -> list[ShardTask]:
    groups: Iterable[tuple[int, ...]] = (
        options.numbers[first : first + SCENARIOS_A_SHARD]
        for first in range(0, len(options.numbers), SCENARIOS_A_SHARD)
    )
    return [ShardTask(folder, number, options, group) for number, group in enumerate(groups)]


def _name(number: int) -> str:
    return f'{number:05d}.jsonl'


def _count_lines(path: Path) -> int:
    with path.open('rb') as lines:
        return sum(1 for _ in lines)
