"""Small data sets made by hand."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from emma_planner.planning.kinematics import integrate
from emma_planner.planning.types import Trajectory
from emma_planner.recordings.dataset import COLUMNS, HEADER, ROWS, SCHEMA
from emma_planner.training.wording import reasoning_text

FACTS: dict[str, Any] = {
    'road': 'straight',
    'lane_index': 0,
    'lane_count': 2,
    'command': 'turn left',
    'light': {'state': 'red', 'distance_m': 23.4},
    'weather': 'bright day, clear',
    'objects': [
        {
            'id': 'car-00',
            'kind': 'vehicle',
            'ahead_m': 12.2,
            'left_m': 1.0,
            'bearing': 'ahead left',
            'speed_mps': 4.0,
            'action': 'drives from left to right',
            'why': 'the ego follows it',
        }
    ],
    'intent': {
        'lateral': 'change left',
        'longitudinal': 'decelerate',
        'limit': 'lead',
        'object_id': 'car-00',
        'distance_m': 10.0,
    },
}


def future(speeds: Any = 5.0, curvatures: Any = 0.0) -> Trajectory:
    """Ten steps of speeds and curvatures, each one number or ten."""
    speeds = np.broadcast_to(np.asarray(speeds, float), (10,)).copy()
    curvatures = np.broadcast_to(np.asarray(curvatures, float), (10,)).copy()
    return Trajectory(speeds, curvatures, integrate(speeds, curvatures))


def record(
    number: int, trajectory: Trajectory | None = None, facts: dict[str, Any] | None = None
) -> dict[str, Any]:
    """One line of a shard."""
    trajectory = trajectory or future(5.0 + number % 3, 0.01 * (number % 5 - 2))
    facts = copy.deepcopy(FACTS if facts is None else facts)
    return {
        'source': 'by-hand',
        'image': f'images/00000/{number}.jpg',
        'stamp_ns': (number + 6) * 500_000_000,
        'frame_id': 'map',
        'command': facts['command'],
        'ego_pose': [0.0, 0.0, 0.0],
        'history': {'speeds_mps': [5.0] * 10, 'curvatures_1pm': [0.001] * 10},
        'facts': facts,
        'future': {
            'speeds_mps': trajectory.speeds_mps.tolist(),
            'curvatures_1pm': trajectory.curvatures_1pm.tolist(),
            'poses': trajectory.poses.tolist(),
        },
        'patches': {
            'classes': ('0' * (ROWS * COLUMNS // 2) + '1' * (ROWS * COLUMNS // 2)),
            'depths': 'v' * (ROWS * COLUMNS // 2) + '9' * (ROWS * COLUMNS // 2),
        },
        'reasoning': reasoning_text(facts, trajectory),
    }


def write_dataset(folder: Path, records: list[dict[str, Any]]) -> Path:
    """A data set of one shard."""
    (folder / 'shards').mkdir(parents=True)
    (folder / 'images/00000').mkdir(parents=True)
    header = {'schema': SCHEMA, 'source': 'by hand', 'every_s': 0.5, 'disturbed': 0.0}
    (folder / HEADER).write_text(json.dumps(header))
    rng = np.random.default_rng(0)
    for item in records:
        pixels = rng.integers(0, 255, (36, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / item['image'])
    lines = [json.dumps(item) for item in records]
    (folder / 'shards/00000.jsonl').write_text('\n'.join(lines) + '\n')
    return folder
