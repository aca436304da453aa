"""Sources of windows made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from training.examples_by_hand import future, record, write_dataset

START_US = 1_532_402_927_647_951
NUSCENES_TABLES = {
    'sensor': [{'token': 'sensor', 'channel': 'CAM_FRONT', 'modality': 'camera'}],
    'calibrated_sensor': [
        {
            'token': 'calibrated',
            'sensor_token': 'sensor',
            'translation': [1.7, 0.0, 1.5],
            'rotation': [0.5, -0.5, 0.5, -0.5],
            'camera_intrinsic': [[50, 0, 32], [0, 50, 18], [0, 0, 1]],
        }
    ],
    'log': [{'token': 'log', 'logfile': '', 'vehicle': '', 'date_captured': '', 'location': ''}],
    'map': [{'token': 'map', 'log_tokens': ['log'], 'category': '', 'filename': 'maps/x.png'}],
    'category': [],
    'attribute': [],
    'visibility': [],
    'instance': [],
    'sample_annotation': [],
}
"""What is the same for every scene."""


def dataset(folder: Path, scenes: int = 3, windows: int = 4) -> Path:
    """A data set of some drives."""
    records = []
    for scene in range(scenes):
        for k in range(windows):
            item = record(len(records), future(5.0 + scene, 0.01 * (k - 1)))
            item['source'] = f'drive-{scene}'
            records.append(item)
    return write_dataset(folder, records)


def nuscenes(root: Path, version: str = 'v1.0-mini', scene: str = 'scene-0103') -> Path:
    """The tables of one scene of 20 s, 12 Hz sweeps, keyframes 0.4 to 0.6 s apart, on a circle.

    Shaped after the schema of nuScenes; the ego drives 6 m/s with 0.02 1/m.
    """
    folder = root / version
    folder.mkdir(parents=True)
    (root / 'samples/CAM_FRONT').mkdir(parents=True)
    (root / 'maps').mkdir()
    times_us = [START_US + round(k * 1e6 / 12) for k in range(240)]
    keys = sorted({min(k * 6 + k % 2, 239) for k in range(40)})
    tables = {
        'scene': [_scene(scene, len(keys))],
        'sample': [_sample(i, times_us[key], len(keys) - 1) for i, key in enumerate(keys)],
        'sample_data': [_frame(k, time_us, keys) for k, time_us in enumerate(times_us)],
        'ego_pose': [_pose(k, time_us) for k, time_us in enumerate(times_us)],
        **NUSCENES_TABLES,
    }
    for key in keys:
        picture = Image.fromarray(np.full((36, 64, 3), key, dtype=np.uint8))
        picture.save(root / tables['sample_data'][key]['filename'])
    Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).save(root / 'maps/x.png')
    for name, rows in tables.items():
        (folder / f'{name}.json').write_text(json.dumps(rows))
    return root


def _scene(name, samples):
    return {
        'token': 'scene',
        'log_token': 'log',
        'nbr_samples': samples,
        'first_sample_token': 'sample0',
        'last_sample_token': f'sample{samples - 1}',
        'name': name,
        'description': 'a circle',
    }


def _sample(i, time_us, last):
    return {
        'token': f'sample{i}',
        'timestamp': time_us,
        'prev': f'sample{i - 1}' if i else '',
        'next': f'sample{i + 1}' if i < last else '',
        'scene_token': 'scene',
    }


def _frame(k, time_us, keys):
    return {
        'token': f'data{k}',
        'sample_token': f'sample{max(i for i, key in enumerate(keys) if key <= k)}',
        'ego_pose_token': f'pose{k}',
        'calibrated_sensor_token': 'calibrated',
        'timestamp': time_us,
        'fileformat': 'jpg',
        'is_key_frame': k in keys,
        'height': 36,
        'width': 64,
        'filename': f'samples/CAM_FRONT/{time_us}.jpg',
        'prev': f'data{k - 1}' if k else '',
        'next': f'data{k + 1}' if k < 239 else '',
    }


def _pose(k, time_us):
    turned = 6.0 * 0.02 * (time_us - START_US) / 1e6
    return {
        'token': f'pose{k}',
        'timestamp': time_us,
        'rotation': [np.cos(turned / 2), 0.0, 0.0, np.sin(turned / 2)],
        'translation': [np.sin(turned) / 0.02 + 100, (1 - np.cos(turned)) / 0.02 + 200, 0.0],
    }
