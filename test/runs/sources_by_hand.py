"""Sources of windows made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from training.examples_by_hand import future, record, write_dataset


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
    start_us = 1_532_402_927_647_951
    times_us = [start_us + round(k * 1e6 / 12) for k in range(240)]
    keys = sorted({min(k * 6 + k % 2, 239) for k in range(40)})
    poses, data, samples = [], [], []
    for k, time_us in enumerate(times_us):
        turned = 6.0 * 0.02 * (time_us - start_us) / 1e6
        poses.append({
            'token': f'pose{k}',
            'timestamp': time_us,
            'rotation': [np.cos(turned / 2), 0.0, 0.0, np.sin(turned / 2)],
            'translation': [np.sin(turned) / 0.02 + 100, (1 - np.cos(turned)) / 0.02 + 200, 0.0],
        })  # fmt: skip
        name = f'samples/CAM_FRONT/{time_us}.jpg'
        data.append({
            'token': f'data{k}',
            'sample_token': f'sample{max(i for i, key in enumerate(keys) if key <= k)}',
            'ego_pose_token': f'pose{k}',
            'calibrated_sensor_token': 'calibrated',
            'timestamp': time_us,
            'fileformat': 'jpg',
            'is_key_frame': k in keys,
            'height': 36,
            'width': 64,
            'filename': name,
            'prev': f'data{k - 1}' if k else '',
            'next': f'data{k + 1}' if k < 239 else '',
        })  # fmt: skip
        if k in keys:
            Image.fromarray(np.full((36, 64, 3), k, dtype=np.uint8)).save(root / name)
    for i, key in enumerate(keys):
        samples.append({
            'token': f'sample{i}',
            'timestamp': times_us[key],
            'prev': f'sample{i - 1}' if i else '',
            'next': f'sample{i + 1}' if i < len(keys) - 1 else '',
            'scene_token': 'scene',
        })  # fmt: skip
    tables = {
        'scene': [{
            'token': 'scene',
            'log_token': 'log',
            'nbr_samples': len(keys),
            'first_sample_token': 'sample0',
            'last_sample_token': f'sample{len(keys) - 1}',
            'name': scene,
            'description': 'a circle',
        }],
        'sample': samples,
        'sample_data': data,
        'ego_pose': poses,
        'sensor': [{'token': 'sensor', 'channel': 'CAM_FRONT', 'modality': 'camera'}],
        'calibrated_sensor': [{
            'token': 'calibrated',
            'sensor_token': 'sensor',
            'translation': [1.7, 0.0, 1.5],
            'rotation': [0.5, -0.5, 0.5, -0.5],
            'camera_intrinsic': [[50, 0, 32], [0, 50, 18], [0, 0, 1]],
        }],
        'log': [
            {'token': 'log', 'logfile': '', 'vehicle': '', 'date_captured': '', 'location': ''}
        ],
        'map': [{'token': 'map', 'log_tokens': ['log'], 'category': '', 'filename': 'maps/x.png'}],
        'category': [],
        'attribute': [],
        'visibility': [],
        'instance': [],
        'sample_annotation': [],
    }  # fmt: skip
    Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).save(root / 'maps/x.png')
    for name, rows in tables.items():
        (folder / f'{name}.json').write_text(json.dumps(rows))
    return root
