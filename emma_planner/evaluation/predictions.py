"""A plan beside what was then driven, in a file: what evaluation works on, whoever planned.

    {"schema": "emma_planner/predictions", "version": 1, "planner": "...", ...}
    {"scene": "...", "stamp_ns": 0, "poses": [[x, y, yaw], ...], "truth": [[x, y], ...], ...}

Poses are in base_link of t0, at t0 + 0.5 s ... t0 + 5 s; a shorter list is a shorter prediction
or a recording that ends. ``poses`` may be null: a plan that failed is counted. Only ``poses`` and
``truth`` are needed, so a file of any planner is scored; a first line without ``schema`` is a
prediction.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from emma_planner.planning.types import (
    NUM_HISTORY,
    NUM_STEPS,
    FloatArray,
    Latency,
    Reasoning,
    TokenCounts,
)

SCHEMA = 'emma_planner/predictions'
VERSION = 1
NOT_FINITE = 'not_finite'
"""Reason of a prediction whose numbers are none."""


class PredictionError(Exception):
    """A file of predictions that cannot be read; the message says where and why."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """One plan.

    :param scene: unit of the bootstrap
    :param stamp_ns: t0
    :param poses: ``(10, 3)`` x [m], y [m], yaw [rad], NaN after the end of a shorter prediction;
        None where there is no trajectory
    :param truth: ``(10, 3)`` the same of what was driven, NaN where it is not known
    :param history: ``(10, 2)`` speed [m/s], curvature [1/m], oldest first, None where not known
    :param reason: why it is not to be driven, empty for a valid plan
    :param said: chain of thought
    :param true: what would have been right to say, None where nobody knows
    :param image: file of the front picture, empty where there is none
    """

    scene: str
    stamp_ns: int
    poses: FloatArray | None
    truth: FloatArray
    history: FloatArray | None = None
    command: str = ''
    reason: str = ''
    detail: str = ''
    said: Reasoning = field(default_factory=Reasoning)
    true: Reasoning | None = None
    latency: Latency = field(default_factory=Latency)
    tokens: TokenCounts = field(default_factory=TokenCounts)
    image: str = ''


def to_json_line(prediction: Prediction) -> str:
    """Return a prediction as one line without its newline."""
    values = {
        'scene': prediction.scene,
        'stamp_ns': prediction.stamp_ns,
        'command': prediction.command,
        'poses': None if prediction.poses is None else _rows(prediction.poses),
        'truth': _rows(prediction.truth),
        'history': None if prediction.history is None else _rows(prediction.history),
        'reason': prediction.reason,
        'detail': prediction.detail,
        'said': asdict(prediction.said),
        'true': None if prediction.true is None else asdict(prediction.true),
        'latency_ms': {
            name.removesuffix('_ms'): value for name, value in asdict(prediction.latency).items()
        },
        'tokens': asdict(prediction.tokens),
        'image': prediction.image,
    }
    return json.dumps(values, allow_nan=False, separators=(',', ':'))


def header_line(planner: str, about: Mapping[str, Any]) -> str:
    """Return the first line of a file without its newline."""
    return json.dumps({'schema': SCHEMA, 'version': VERSION, 'planner': planner, **about})


def read_predictions(path: Path) -> tuple[str, list[Prediction]]:
    """Read a file.

    :returns: name of the planner, empty where the file does not say; and its predictions
    :raises PredictionError: names file and line of what is wrong
    """
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as err:
        raise PredictionError(f'{path}: need a readable file of predictions, got {err}') from err
    planner, found = '', []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            if not isinstance(values, dict):
                raise ValueError(f'need a JSON object, got {type(values).__name__}')
            if number == 1 and 'schema' in values:
                planner = _planner_of(values)
            elif 'schema' in values:
                raise ValueError('need one header, in the first line, got another')
            else:
                found.append(_prediction(values, path.stem, number))
        except (ValueError, TypeError, KeyError) as err:
            what = f'need {err}, got none' if isinstance(err, KeyError) else str(err)
            raise PredictionError(f'{path}:{number}: {what}') from err
    return planner, found


def duplicates(predictions: Sequence[Prediction]) -> Iterator[int]:
    """Return the numbers of predictions whose scene and stamp have come before."""
    seen: set[tuple[str, int]] = set()
    for number, prediction in enumerate(predictions):
        key = (prediction.scene, prediction.stamp_ns)
        if key in seen:
            yield number
        seen.add(key)


def _planner_of(header: Mapping[str, Any]) -> str:
    if header['schema'] != SCHEMA or header.get('version') != VERSION:
        found = f'{header["schema"]} version {header.get("version")}'
        raise ValueError(f'need {SCHEMA} version {VERSION}, got {found}')
    return str(header.get('planner', ''))


def _prediction(values: Mapping[str, Any], scene: str, number: int) -> Prediction:
    reason = str(values.get('reason') or '')
    truth, poses = _table(values['truth'], 'truth'), None
    if values['poses'] is not None:
        poses = _table(values['poses'], 'poses')
        told = len(values['poses'])
        if not np.isfinite(poses[:told]).all():
            poses, reason = None, NOT_FINITE
    history = values.get('history')
    latency, tokens = values.get('latency_ms') or {}, values.get('tokens') or {}
    true = values.get('true')
    return Prediction(
        scene=str(values.get('scene', scene)),
        stamp_ns=int(values.get('stamp_ns', number)),
        poses=poses,
        truth=truth,
        history=None if history is None else _history(history),
        command=str(values.get('command', '')),
        reason=reason,
        detail=str(values.get('detail', '')),
        said=_reasoning(values.get('said') or {}),
        true=None if true is None else _reasoning(true),
        latency=Latency(**{f'{name}_ms': float(value) for name, value in latency.items()}),
        tokens=TokenCounts(**{name: int(value) for name, value in tokens.items()}),
        image=str(values.get('image', '')),
    )


def _table(rows: Sequence[Sequence[float | None]], name: str) -> FloatArray:
    """``(10, 3)`` of up to ten rows of two or three numbers; yaw may be left out."""
    if not isinstance(rows, list) or len(rows) > NUM_STEPS:
        count = len(rows) if isinstance(rows, list) else repr(rows)
        raise ValueError(f'{name}: need up to {NUM_STEPS} poses, got {count}')
    table = np.full((NUM_STEPS, 3), np.nan)
    for k, row in enumerate(rows):
        if not isinstance(row, list) or len(row) not in (2, 3):
            raise ValueError(f'{name}: need x, y and perhaps yaw in pose {k + 1}, got {row!r}')
        table[k, : len(row)] = [math.nan if value is None else float(value) for value in row]
        if len(row) == 2:
            table[k, 2] = 0.0
    return table


def _history(rows: Any) -> FloatArray:
    table = np.array(rows, dtype=np.float64)
    if table.shape != (NUM_HISTORY, 2) or not np.isfinite(table).all():
        raise ValueError(f'history: need {NUM_HISTORY} finite pairs, got {str(rows)[:60]}')
    return table


def _reasoning(values: Mapping[str, Any]) -> Reasoning:
    return Reasoning(
        str(values.get('scene', '')),
        tuple(map(str, values.get('objects', ()))),
        str(values.get('intent', '')),
    )


def _rows(table: FloatArray) -> list[list[float | None]]:
    """Rows up to the last that has a number; what is not known between them is null."""
    known = np.flatnonzero(np.isfinite(table).all(axis=1))
    end = int(known[-1]) + 1 if len(known) else 0
    return [
        [round(value, 5) if math.isfinite(value) else None for value in row]
        for row in table[:end].tolist()
    ]
