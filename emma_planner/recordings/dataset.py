"""The data set on disk: a header, shards of JSON lines, pictures, a datasheet.

    FOLDER/dataset.json            schema version, what it was built from
    FOLDER/README.md               datasheet, written when the build is complete
    FOLDER/shards/00000.jsonl      one example a line
    FOLDER/images/00000/...jpg     the pictures of that shard

A shard appears whole or not at all. ``datasets`` streams the same lines:
``load_dataset('json', data_files='FOLDER/shards/*.jsonl', streaming=True)``. Numbers are SI;
angles in radians, left positive.
"""

from __future__ import annotations

import json
import math
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from emma_planner.planning.checks import PlausibilityLimits
from emma_planner.planning.earlier import earlier_of
from emma_planner.planning.types import (
    NUM_HISTORY,
    NUM_STEPS,
    ByteArray,
    CameraFrame,
    EgoHistory,
    FloatArray,
    PlannerInput,
    Pose,
    Trajectory,
)

SCHEMA = 1
ROWS, COLUMNS = 12, 22
"""Labelled patches of a picture."""
CLASSES = (
    'other',
    'lane of the route',
    'road beside it',
    'vehicle',
    'pedestrian',
    'obstacle',
    'red light',
    'yellow light',
    'green light',
)
FAR_M = 80.0
"""Farther away nothing is labelled."""
DEPTHS = 32
"""Distance bins, equal in logarithm from 1 m to :data:`FAR_M`; the last is for what is farther."""
DIGITS = '0123456789abcdefghijklmnopqrstuv'
"""One character a patch, for its class or its distance bin."""
KEPT = 32
"""Examples before one, among which its earlier pictures are looked for."""
HEADER, SHEET, SHARDS, IMAGES = 'dataset.json', 'README.md', 'shards', 'images'

MAX_SPEED_MPS = PlausibilityLimits().max_speed_mps
FACTS = ('road', 'lane_index', 'lane_count', 'command', 'light', 'weather', 'objects', 'intent')
"""What the words are written from."""


class DatasetError(Exception):
    """A data set cannot be read, or not be built."""


@dataclass(frozen=True, eq=False)
class Example:
    """One instant to learn from.

    :param source: where it comes from, as ``train-00012`` or the name of a bag
    :param image: file of the picture
    :param earlier: files of the pictures of 0.5 s and 1 s before, None where there is none
    :param history: ``(10, 2)`` speed [m/s], curvature [1/m], oldest first
    :param future: what was driven in the next 5 s, base_link of t0
    :param planned: what the expert wanted to drive when it knew no more than could be known: this
        is learned; what was driven where nobody planned
    :param reasoning: the answer to the first question; empty where nothing is known
    :param facts: what it was written from, None where there are none
    :param patches: two strings of the picture's patches, None without
    """

    source: str
    stamp_ns: int
    image: Path
    command: str
    history: FloatArray
    future: Trajectory
    planned: Trajectory
    reasoning: str
    facts: Mapping[str, Any] | None
    patches: Mapping[str, str] | None
    earlier: tuple[Path | None, ...] = ()

    def ego_history(self) -> EgoHistory:
        """Return the history as planners take it; the ego is the origin."""
        speeds, curvatures = self.history.T
        return EgoHistory(self.stamp_ns, speeds, curvatures, Pose(0.0, 0.0, 0.0), 'map')

    def planner_input(
        self, rgb: ByteArray, earlier: tuple[CameraFrame | None, ...] = ()
    ) -> PlannerInput:
        """Return what a planner is given.

        :param rgb: picture ``(H, W, 3)``
        :param earlier: those of :attr:`earlier`
        """
        frame = CameraFrame(self.stamp_ns, 'front', rgb)
        return PlannerInput((frame,), self.ego_history(), self.command, earlier=earlier)


def depth_bins(distances_m: FloatArray) -> ByteArray:
    """Return the bins of distances [m], see :data:`DEPTHS`."""
    bins = (DEPTHS - 1) * np.log(np.maximum(distances_m, 1.0)) / math.log(FAR_M)
    return np.minimum(bins, DEPTHS - 1).astype(np.uint8)


def write_json(path: Path, value: Any) -> None:
    """Write a file whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + '\n')


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    aside = path.with_name(f'.{path.name}.{os.getpid()}')
    with aside.open('w', encoding='utf-8') as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def read_header(folder: Path) -> dict[str, Any]:
    """Read what a data set is.

    :raises DatasetError: none there, or of another schema
    """
    path = folder / HEADER
    try:
        header = json.loads(path.read_text(encoding='utf-8'))
    except OSError as err:
        raise DatasetError(f'{folder}: need a data set, got no {HEADER}') from err
    except json.JSONDecodeError as err:
        raise DatasetError(f'{path}: need JSON, got {err}') from err
    schema = header.get('schema') if isinstance(header, dict) else None
    if schema != SCHEMA:
        raise DatasetError(f'{path}: need schema {SCHEMA}, got {schema}')
    return dict(header)


def shard_files(folder: Path) -> list[Path]:
    """Return the shards that are there, in order."""
    return sorted((folder / SHARDS).glob('*.jsonl'))


def read_examples(folder: Path) -> Iterator[Example]:
    """Read all examples, shard by shard.

    :raises DatasetError: names file and line of what is wrong
    """
    read_header(folder)
    files = shard_files(folder)
    if not files:
        raise DatasetError(f'{folder}: need shards in {SHARDS}/, got none')
    source, pictures = '', deque[tuple[int, Path]](maxlen=KEPT)
    for path in files:
        with path.open(encoding='utf-8') as lines:
            for number, line in enumerate(lines, 1):
                try:
                    example = example_of(json.loads(line), folder)
                except (ValueError, KeyError, TypeError) as err:
                    what = f'no {err}' if isinstance(err, KeyError) else str(err)
                    raise DatasetError(f'{path}:{number}: {what}') from err
                if example.source != source:
                    source, pictures = example.source, deque(maxlen=KEPT)
                yield replace(example, earlier=earlier_of(example.stamp_ns, pictures))
                pictures.append((example.stamp_ns, example.image))


def example_of(record: Mapping[str, Any], folder: Path) -> Example:
    """Check one line and return it as an example.

    :raises ValueError: names what was needed and what was found
    """
    image = folder / record['image']
    if not image.is_file():
        raise ValueError(f'need the picture {record["image"]}, got no such file')
    future = _trajectory(record['future'], 'future')
    return Example(
        source=str(record['source']),
        stamp_ns=int(record['stamp_ns']),
        image=image,
        command=_text(record, 'command', may_be_empty=False),
        history=_actions(record['history'], NUM_HISTORY, 'history'),
        future=future,
        planned=_trajectory(record['planned'], 'planned') if 'planned' in record else future,
        reasoning=_text(record, 'reasoning', may_be_empty=True),
        facts=_facts(record['facts']),
        patches=_patches(record['patches']),
    )


def _text(record: Mapping[str, Any], key: str, *, may_be_empty: bool) -> str:
    value = record[key]
    if not isinstance(value, str) or not (value or may_be_empty):
        raise ValueError(f'{key}: need text, got {value!r}')
    return value


def _facts(value: Any) -> Mapping[str, Any] | None:
    if value is None:
        return None
    missing = [key for key in FACTS if not isinstance(value, dict) or key not in value]
    if missing:
        raise ValueError(f'facts: need {", ".join(FACTS)}, got no {", ".join(missing)}')
    return dict(value)


def _patches(value: Any) -> Mapping[str, str] | None:
    if value is None:
        return None
    for name, count in (('classes', len(CLASSES)), ('depths', DEPTHS)):
        digits = value.get(name) if isinstance(value, dict) else None
        known = DIGITS[:count]
        if not isinstance(digits, str) or len(digits) != ROWS * COLUMNS or set(digits) - {*known}:
            raise ValueError(
                f'patches.{name}: need {ROWS * COLUMNS} digits up to {known[-1]}, '
                f'got {digits!r:.40}'
            )
    return dict(value)


def _actions(value: Mapping[str, Sequence[float]], count: int, name: str) -> FloatArray:
    columns = [
        _table(value[key], (count,), f'{name}.{key}') for key in ('speeds_mps', 'curvatures_1pm')
    ]
    actions = np.column_stack(columns)
    fastest = float(np.abs(actions[:, 0]).max())
    if fastest > MAX_SPEED_MPS:
        raise ValueError(f'{name}: need speeds up to {MAX_SPEED_MPS:g} m/s, got {fastest:g}')
    return actions


def _trajectory(value: Mapping[str, Any], name: str) -> Trajectory:
    speeds, curvatures = _actions(value, NUM_STEPS, name).T
    return Trajectory(speeds, curvatures, _table(value['poses'], (NUM_STEPS, 3), f'{name}.poses'))


def _table(values: Any, shape: tuple[int, ...], name: str) -> FloatArray:
    table = np.array(values, dtype=np.float64)
    if table.shape != shape:
        raise ValueError(f'{name}: need shape {shape}, got {table.shape}')
    if not np.isfinite(table).all():
        bad = table[~np.isfinite(table)].ravel()[0]
        raise ValueError(f'{name}: need finite numbers, got {"nan" if math.isnan(bad) else bad}')
    return table
