"""The plan log: one JSON line a plan, after a header line; what evaluation reads.

The same line is what the node publishes on ``reasoning``. A file cut off in mid-line keeps all of
the lines before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from emma_planner.planning.fallback import DrivenPath, Source
from emma_planner.planning.kinematics import to_frame
from emma_planner.planning.types import EgoHistory, Latency, Plan

SCHEMA = 'emma_planner/plan_log'
VERSION = 1


class PlanLogError(Exception):
    """A plan log that cannot be read; the message says where and why."""


@dataclass(frozen=True)
class PlanLogHeader:
    """First line of a plan log.

    :param planner: what planned (``mllm`` or a baseline)
    :param model: model id
    :param config_hash: hash over all parameters
    :param source: recording or topic that was planned
    """

    planner: str
    model: str
    config_hash: str
    source: str

    def to_json_line(self) -> str:
        """Return the line without its newline."""
        return _dumps({'schema': SCHEMA, 'version': VERSION, **asdict(self)})


def plan_record(
    plan: Plan,
    driven: DrivenPath,
    *,
    model: str,
    tick_ns: int,
    command: str,
    history: EgoHistory | None,
) -> dict[str, Any]:
    """Return a plan as the JSON object of the plan log.

    :param driven: what was driven after it; says whether that was a fallback
    :param model: name of what planned
    :param tick_ns: time of the tick [ns]
    :param history: None where the inputs did not allow a plan
    """
    trajectory = plan.trajectory
    poses = None
    if trajectory is not None and history is not None:
        poses = to_frame(trajectory.poses, history.ego_pose).tolist()
    return {
        'model': model,
        'stamp_ns': plan.stamp_ns,
        'tick_ns': tick_ns,
        'frame_id': history.frame_id if history else driven.frame_id,
        'command': command,
        'history': history and _history(history),
        'ego_pose': history and history.ego_pose.as_array().tolist(),
        'reasoning': {
            'scene': plan.reasoning.scene,
            'objects': list(plan.reasoning.objects),
            'intent': plan.reasoning.intent,
        },
        'speeds_mps': trajectory and trajectory.speeds_mps.tolist(),
        'curvatures_1pm': trajectory and trajectory.curvatures_1pm.tolist(),
        'poses': poses,
        'reason': plan.reason and plan.reason.value,
        'detail': plan.detail,
        'fallback': driven.source is not Source.PLAN,
        'source': driven.source.value,
        'driven': {
            'stamps_ns': list(driven.stamps_ns),
            'poses': driven.poses.tolist(),
            'speeds_mps': driven.speeds_mps.tolist(),
        },
        'latency_ms': _latency(plan.latency),
        'tokens': asdict(plan.tokens),
        'prompts': list(plan.prompts),
        'replies': list(plan.replies),
    }


def _history(history: EgoHistory) -> dict[str, Any]:
    return {
        'speeds_mps': history.speeds_mps.tolist(),
        'curvatures_1pm': history.curvatures_1pm.tolist(),
    }


def _latency(latency: Latency) -> dict[str, float]:
    return {name.removesuffix('_ms'): value for name, value in asdict(latency).items()}


def to_json_line(record: dict[str, Any]) -> str:
    """Return a record as one line without its newline."""
    return _dumps(record)


class PlanLogWriter:
    """Writes a plan log line by line; what is written survives a crash. A context manager.

    :raises PlanLogError: the file cannot be written
    """

    def __init__(self, path: Path, header: PlanLogHeader) -> None:
        try:
            self._file = path.open('w', encoding='utf-8', buffering=1)
        except OSError as err:
            raise PlanLogError(f'{path}: need a writable file, got {err.strerror}') from err
        self._file.write(header.to_json_line() + '\n')

    def __enter__(self) -> PlanLogWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, record: dict[str, Any]) -> None:
        """Append one record.

        :raises PlanLogError: the line cannot be written
        """
        try:
            self._file.write(to_json_line(record) + '\n')
        except OSError as err:
            raise PlanLogError(f'{self._file.name}: need room for a line, got {err}') from err


def read_plan_log(path: Path) -> tuple[PlanLogHeader, Iterator[dict[str, Any]]]:
    """Read a plan log.

    :returns: the header, and the records as they are read
    :raises PlanLogError: not a plan log, or another version; while iterating: a broken line,
        after the lines before have been handed out
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as err:
        raise PlanLogError(f'{path}: need a readable plan log, got {err.strerror}') from err
    if not lines:
        raise PlanLogError(f'{path}: need {SCHEMA} version {VERSION}, got an empty file')
    return _header(_parse(lines[0], path, 1), path), _records(lines[1:], path)


def _header(values: dict[str, Any], path: Path) -> PlanLogHeader:
    if values.get('schema') != SCHEMA or values.get('version') != VERSION:
        found = f'{values.get("schema")} version {values.get("version")}'
        raise PlanLogError(f'{path}: need {SCHEMA} version {VERSION}, got {found}')
    keys = [item.name for item in fields(PlanLogHeader)]
    if missing := [key for key in keys if not isinstance(values.get(key), str)]:
        raise PlanLogError(f'{path}:1: need {", ".join(missing)} as text, got none')
    return PlanLogHeader(**{key: values[key] for key in keys})


def _records(lines: list[bytes], path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=2):
        yield _parse(line, path, number)


def _parse(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError) as err:  # also not UTF-8
        raise PlanLogError(f'{path}:{number}: need a JSON object, got a broken line') from err
    if not isinstance(record, dict):
        raise PlanLogError(f'{path}:{number}: need a JSON object, got {type(record).__name__}')
    return record


def _refuse(constant: str) -> None:
    raise ValueError(f'need a finite number, got {constant}')


def _dumps(value: dict[str, Any]) -> str:
    # lone surrogates of a model's reply are not UTF-8: ASCII escapes keep every reply writable
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(',', ':'))
