"""LightEMMA's results: a JSON file for each scene, six actions a frame as the model wrote them.

LightEMMA (arXiv 2505.00284) scores with an Euler step that moves along the old heading; here the
same actions are integrated along exact arcs. A reply that does not parse strictly is a failed
plan: LightEMMA's own tolerant reading is not repeated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emma_planner.evaluation.predictions import Prediction, PredictionError
from emma_planner.planning.kinematics import integrate
from emma_planner.planning.types import (
    NUM_STEPS,
    FloatArray,
    Latency,
    Reason,
    Reasoning,
    TokenCounts,
)

FRAMES = 6
_NUMBER = r'\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*'
_PAIR = re.compile(rf'[(\[]{_NUMBER},{_NUMBER}[)\]]')
_REST = re.compile(r'[\[\](),;\s]*')
STAGES = ('scene_prompt', 'intent_prompt', 'waypoint_prompt')


def scene_files(folder: Path) -> list[Path]:
    """Return the scenes of a folder of results, or of its ``output``; empty where it is none."""
    for place in (folder, folder / 'output'):
        found = sorted(place.glob('*.json'))
        if found and _is_scene(found[0]):
            return found
    return []


def read_scene(path: Path) -> tuple[str, list[Prediction]]:
    """Read a scene.

    :returns: name of the model, and a prediction for each frame
    :raises PredictionError: names the file and the frame
    """
    try:
        scene = json.loads(path.read_text(encoding='utf-8'))
        name, model = scene['scene_info']['name'], scene.get('metadata', {}).get('model', '')
        frames = scene['frames']
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise PredictionError(f'{path}: need a scene of LightEMMA, got {err!r}') from err
    return str(model), list(_predictions(path, name, frames))


def parse_actions(text: str) -> FloatArray | None:
    """Read six pairs of speed [m/s] and curvature [1/m], and nothing else; None if there are not.

    :returns: ``(6, 2)``
    """
    pairs = _PAIR.findall(text)
    if len(pairs) != FRAMES or _REST.fullmatch(_PAIR.sub('', text)) is None:
        return None
    actions = np.array(pairs, dtype=np.float64)
    return actions if np.isfinite(actions).all() else None


def _predictions(path: Path, scene: str, frames: list[Any]) -> Iterator[Prediction]:
    for number, frame in enumerate(frames):
        try:
            yield _prediction(scene, frame)
        except (KeyError, TypeError, ValueError) as err:
            raise PredictionError(f'{path}: frame {number}: need {err}, got none') from err


def _prediction(scene: str, frame: Mapping[str, Any]) -> Prediction:
    said = frame['inference']
    reply = str(said['pred_actions_str'])
    actions = parse_actions(reply)
    poses = None
    if actions is not None:
        poses = np.full((NUM_STEPS, 3), np.nan)
        poses[:FRAMES] = integrate(actions[:, 0], actions[:, 1])
        if not np.isfinite(poses[:FRAMES]).all():
            poses = None
    truth = np.full((NUM_STEPS, 3), np.nan)
    driven = np.array(frame['ego_info']['gt_positions'], dtype=np.float64)[:NUM_STEPS]
    truth[: len(driven)] = np.column_stack([driven[:, :2], np.zeros(len(driven))])
    times, tokens = frame.get('time_usage') or {}, frame.get('token_usage') or {}
    stages = [1e3 * float(times.get(stage) or 0.0) for stage in STAGES]
    return Prediction(
        scene=scene,
        stamp_ns=int(frame.get('timestamp', frame['frame_index'])) * 1000,
        poses=poses,
        truth=truth,
        reason='' if poses is not None else Reason.FORMAT.value,
        detail='' if poses is not None else f'need {FRAMES} pairs, got {reply[:60]!r}',
        said=Reasoning(
            str(said.get('scene_description', '')), (), str(said.get('driving_intent', ''))
        ),
        latency=Latency(0.0, stages[0] + stages[1], stages[2], sum(stages)),
        tokens=TokenCounts(
            sum(int((tokens.get(stage) or {}).get('input', 0)) for stage in STAGES),
            sum(int((tokens.get(stage) or {}).get('output', 0)) for stage in STAGES),
        ),
        image=str(frame.get('image_path', '')),
    )


def _is_scene(path: Path) -> bool:
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and 'scene_info' in values and 'frames' in values
