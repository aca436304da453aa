"""OpenEMMA's results: arrays and a text for each frame, scored against nuScenes.

OpenEMMA (arXiv 2412.15208) writes metres per half second where its prompt says speed, and no
ground truth; so speeds are doubled here, and the truth is that of the keyframe whose number is in
the file's name: frame ``i`` is planned at keyframe ``i + 9`` of its scene.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from emma_planner.evaluation.predictions import Prediction, PredictionError
from emma_planner.planning.kinematics import integrate
from emma_planner.planning.types import DT_S, NUM_STEPS, FloatArray, Reason, Reasoning
from emma_planner.runs.nuscenes_source import NuScenesSource
from emma_planner.runs.window import Window

OBSERVED = 10
"""Keyframes before a plan, the last of them its t0."""
_NAME = re.compile(r'(?P<scene>.+)_(?P<number>\d+)_pred_speeds\.npy')
_SPEEDS, _CURVATURES, _LOG = '_pred_speeds.npy', '_pred_curvatures.npy', '_logs.txt'
_LINE = r'^%s Description: (.*?)(?=^[A-Z][a-z]+ (?:Description|Displacement)|^Average|\Z)'


def has_results(folder: Path) -> bool:
    """Whether a folder is one of results."""
    return any(folder.glob(f'*{_SPEEDS}'))


def read_results(folder: Path, keyframes: NuScenesSource) -> list[Prediction]:
    """Read all frames.

    :raises PredictionError: a file or its scene is missing
    """
    frames: dict[str, list[int]] = defaultdict(list)
    for path in folder.glob(f'*{_SPEEDS}'):
        if name := _NAME.fullmatch(path.name):
            frames[name['scene']].append(int(name['number']))
    found: list[Prediction] = []
    for scene in sorted(frames):
        found += _scene(folder, scene, frames[scene], keyframes)
    return found


def _scene(
    folder: Path, scene: str, numbers: list[int], keyframes: NuScenesSource
) -> Iterator[Prediction]:
    if scene not in keyframes.scenes():
        raise PredictionError(f'{folder}: need {scene} in nuScenes for its truth, got none')
    windows = keyframes.keyframes(scene)
    for number in sorted(numbers):
        at = number + OBSERVED - 1
        window = windows[at] if at < len(windows) else None
        if window is None:
            raise PredictionError(
                f'{folder}: {scene}: need keyframe {at} with a history, got none'
            )
        yield _prediction(folder, scene, number, window)


def _prediction(folder: Path, scene: str, number: int, window: Window) -> Prediction:
    start = folder / f'{scene}_{number}'
    speeds = _array(start.with_name(start.name + _SPEEDS)) / DT_S
    curvatures = _array(start.with_name(start.name + _CURVATURES))
    poses, count = None, min(len(speeds), len(curvatures), NUM_STEPS)
    if count and np.isfinite(speeds[:count]).all() and np.isfinite(curvatures[:count]).all():
        poses = np.full((NUM_STEPS, 3), np.nan)
        poses[:count] = integrate(speeds[:count], curvatures[:count])
    return Prediction(
        scene=scene,
        stamp_ns=window.stamp_ns,
        poses=poses,
        truth=window.truth,
        history=window.history,
        reason='' if count == NUM_STEPS and poses is not None else Reason.LENGTH.value,
        detail='' if count == NUM_STEPS else f'need {NUM_STEPS} actions, got {count}',
        said=_said(start.with_name(start.name + _LOG)),
        image=window.image,
    )


def _array(path: Path) -> FloatArray:
    try:
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float64).ravel()
    except (OSError, ValueError) as err:
        raise PredictionError(f'{path}: need an array, got {err}') from err


def _said(path: Path) -> Reasoning:
    try:
        text = path.read_text(encoding='utf-8')
    except OSError:
        return Reasoning()
    found = [
        re.search(_LINE % name, text, re.MULTILINE | re.DOTALL)
        for name in ('Scene', 'Object', 'Intent')
    ]
    scene, objects, intent = (part[1].strip() if part else '' for part in found)
    return Reasoning(scene, (objects,) if objects else (), intent)
