"""A data set from recordings with a camera and ego motion: what was driven is what is learned.

The inputs are those that the planner would have had at each image; the future is the recorded one.
There are no words: nobody knows what the driver saw. A teacher may write them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from emma_planner.config import PlannerConfig
from emma_planner.planning.parsing import parse_reasoning
from emma_planner.planning.planner import Planner
from emma_planner.planning.types import (
    ByteArray,
    InputError,
    PlannerInput,
    Reasoning,
    Trajectory,
)
from emma_planner.recordings.dataset import (
    HEADER,
    IMAGES,
    SCHEMA,
    SHARDS,
    SHEET,
    DatasetError,
    write_json,
    write_text,
)
from emma_planner.replay.instants import Instant, instants
from emma_planner.simulation.labels.samples import (
    actions_json,
    trajectory_json,
    trajectory_of,
)
from emma_planner.simulation.picture.jpeg import to_jpeg
from emma_planner.training.datasheet import datasheet

WIDTH_PX = 448
"""Wider pictures are scaled down."""


def build_from_bags(
    folder: Path,
    bags: Sequence[Path],
    config: PlannerConfig,
    *,
    every_s: float = 0.5,
    teacher: Planner | None = None,
    progress: Callable[[int, int], None] = lambda done, examples: None,
) -> int:
    """Write a data set, a shard for each recording.

    :param config: topics and limits, as for a replay
    :param every_s: least time between examples
    :param teacher: writes the chain of thought; its plans are not used
    :param progress: called with recordings done and examples of the last one
    :returns: examples in all
    :raises DatasetError: the folder is not empty, or a recording has no example
    :raises BagError: a recording cannot be read
    :raises TopicError: it has no camera or no ego motion
    """
    if folder.exists() and any(folder.iterdir()):
        raise DatasetError(f'{folder}: need an empty folder for a data set, got files')
    (folder / SHARDS).mkdir(parents=True)
    names = [bag.stem for bag in bags]
    about = {'source': 'recordings', 'bags': names, 'every_s': every_s}
    if teacher is not None:
        about['teacher'] = teacher.name
    write_json(folder / HEADER, {'schema': SCHEMA, **about})
    total = 0
    for number, bag in enumerate(bags):
        images = folder / IMAGES / f'{number:05d}'
        images.mkdir(parents=True)
        lines = []
        for given, instant in _examples(bag, config, every_s):
            name = f'{bag.stem}-{given.stamp_ns}.jpg'
            (images / name).write_bytes(to_jpeg(_scaled(given.frames[0].rgb)))
            words, future = _words(teacher, given), trajectory_of(instant.poses)
            lines.append(_line(bag.stem, f'{IMAGES}/{images.name}/{name}', given, future, words))
        if not lines:
            raise DatasetError(
                f'{bag}: need a picture with 4.5 s of motion before it and 5 s after it, got none'
            )
        write_text(folder / SHARDS / f'{number:05d}.jsonl', '\n'.join(lines) + '\n')
        total += len(lines)
        progress(number + 1, len(lines))
    write_text(folder / SHEET, datasheet(folder))
    return total


def _examples(
    bag: Path, config: PlannerConfig, every_s: float
) -> Iterator[tuple[PlannerInput, Instant]]:
    """Instants whose picture can be decoded and whose future is known to its end."""
    for instant in instants(bag, config, every_s):
        if not instant.known.all():
            continue
        try:
            yield instant.planner_input(), instant
        except InputError:
            continue


def _words(teacher: Planner | None, given: PlannerInput) -> str:
    if teacher is None:
        return ''
    plan = teacher.plan(given)
    said = plan.reasoning if plan.replies else Reasoning()
    if not (said.scene and said.intent):
        return ''  # a teacher that fails says nothing
    objects = '; '.join(said.objects) or 'none'
    text = f'Scene: {said.scene}\nObjects: {objects}.\nIntent: {said.intent}'
    assert parse_reasoning(text).intent == said.intent
    return text


def _line(source: str, image: str, given: PlannerInput, future: Trajectory, reasoning: str) -> str:
    history = given.history
    record: dict[str, Any] = {
        'source': source,
        'image': image,
        'stamp_ns': given.stamp_ns,
        'frame_id': history.frame_id,
        'command': given.command,
        'ego_pose': history.ego_pose.as_array().tolist(),
        'history': actions_json(history.speeds_mps, history.curvatures_1pm),
        'facts': None,
        'future': trajectory_json(future),
        'patches': None,
        'reasoning': reasoning,
    }
    return json.dumps(record)


def _scaled(rgb: ByteArray) -> ByteArray:
    height, width = rgb.shape[:2]
    if width <= WIDTH_PX:
        return rgb
    size = (WIDTH_PX, max(1, round(height * WIDTH_PX / width)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
