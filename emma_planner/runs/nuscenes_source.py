"""Windows of nuScenes (Caesar et al., CVPR 2020): every keyframe, poses resampled by stamp.

Needs nuscenes-devkit. Keyframes are 0.40 to 0.65 s apart, so histories and futures are
interpolated at 0.5 s from all ego poses of the camera's sweeps, never taken by index.
"""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from emma_planner.config import PlannerConfig
from emma_planner.evaluation.ground_truth import GroundTruth
from emma_planner.planning.earlier import earlier_of
from emma_planner.planning.ego_tracks import EgoMeasurement, EgoTracks, PoseSample
from emma_planner.planning.history import HistoryLimits, build_history
from emma_planner.planning.types import (
    CameraFrame,
    EgoHistory,
    InputError,
    PlannerInput,
)
from emma_planner.runs.picture_file import read_earlier, read_rgb
from emma_planner.runs.window import SourceError, Window

CAMERAS = (
    'CAM_FRONT',
    'CAM_FRONT_LEFT',
    'CAM_FRONT_RIGHT',
    'CAM_BACK',
    'CAM_BACK_LEFT',
    'CAM_BACK_RIGHT',
)
SPLITS_OF = {'v1.0-mini': 'mini_val', 'v1.0-trainval': 'val', 'v1.0-test': 'test'}
GLOBAL = 'map'
ALL = 'all'


def version_of(root: Path) -> str:
    """Return the version of the tables in a nuScenes folder, empty where there are none."""
    found = sorted(path.parent.name for path in root.glob('v1.0-*/scene.json'))
    return found[0] if found else ''


class NuScenesSource:
    """The scenes of a split.

    :param root: folder with ``v1.0-.../`` and ``samples/``
    :param split: of the devkit, as ``val``, or ``all``; empty for the one to evaluate on
    :param cameras: of each window, the front camera first
    """

    def __init__(
        self, root: Path, config: PlannerConfig, split: str = '', cameras: int = 1
    ) -> None:
        self._root = root
        self._config = config
        self._version = version_of(root)
        self._split = split or SPLITS_OF.get(self._version, 'val')
        self._cameras = CAMERAS[:cameras]

    @cached_property
    def _tables(self) -> Any:
        try:
            from nuscenes import NuScenes
        except ImportError as err:
            raise SourceError(
                f'{self._root}: need nuscenes-devkit, got none; it wants an older numpy, so give '
                'it an environment of its own: pip install emma_planner[eval]'
            ) from err
        try:
            return NuScenes(self._version, str(self._root), verbose=False)
        except (AssertionError, OSError, KeyError) as err:
            raise SourceError(f'{self._root}: need whole nuScenes tables, got {err!r}') from err

    def scenes(self) -> tuple[str, ...]:
        """Names of the split's scenes that are there."""
        tables = self._tables
        if self._split == ALL:
            return tuple(row['name'] for row in tables.scene)
        from nuscenes.utils.splits import create_splits_scenes

        splits = create_splits_scenes()
        if self._split not in splits:
            raise SourceError(f'need a split of {", ".join(splits)}, got {self._split!r}')
        wanted = set(splits[self._split])
        found = tuple(row['name'] for row in tables.scene if row['name'] in wanted)
        if not found:
            raise SourceError(f'{self._root}: need scenes of {self._split}, got none')
        return found

    def windows(self, scene: str) -> tuple[Window, ...]:
        """Every keyframe with a whole history."""
        return tuple(item for item in self.keyframes(scene) if item is not None)

    def keyframes(self, scene: str) -> tuple[Window | None, ...]:
        """Every keyframe; None where it has no whole history, as in the first 4.5 s."""
        row = next(item for item in self._tables.scene if item['name'] == scene)
        rows = self._front_rows(row)
        poses = [self._pose(one) for one in rows]
        pictures = [(one['timestamp'] * 1000, self._root / one['filename']) for one in rows]
        pictures = [(stamp_ns, path) for stamp_ns, path in pictures if path.is_file()]
        tracks = EgoTracks(keep_ns=None)
        for pose in poses:
            place = (pose.x_m, pose.y_m, pose.yaw_rad)
            tracks.add(EgoMeasurement(pose.stamp_ns, GLOBAL, place, None), 'pose')
        truth, limits = GroundTruth(poses), HistoryLimits()
        windows: list[Window | None] = []
        token = row['first_sample_token']
        while token:
            sample = self._tables.get('sample', token)
            token = sample['next']
            front = self._tables.get('sample_data', sample['data'][CAMERAS[0]])
            stamp_ns = front['timestamp'] * 1000
            try:
                history = build_history(
                    tracks.poses, tracks.twists, tracks.frame_id, stamp_ns, limits
                )
            except InputError:
                windows.append(None)
                continue
            earlier = earlier_of(stamp_ns, pictures)
            windows.append(self._window(scene, sample, history, truth, earlier))
        return tuple(windows)

    def _window(
        self,
        scene: str,
        sample: Any,
        history: EgoHistory,
        truth: GroundTruth,
        earlier: tuple[Path | None, ...],
    ) -> Window:
        poses, known = truth.future(history.stamp_ns)
        files = [
            (name, self._root / self._tables.get('sample_data', sample['data'][name])['filename'])
            for name in self._cameras
        ]
        command = self._config.default_command
        return Window(
            scene=scene,
            stamp_ns=history.stamp_ns,
            command=command,
            history=np.column_stack([history.speeds_mps, history.curvatures_1pm]),
            truth=np.where(known[:, None], poses, np.nan),
            load=lambda: PlannerInput(
                _frames(files, history.stamp_ns),
                history,
                command,
                earlier=read_earlier(history.stamp_ns, earlier),
            ),
            image=str(files[0][1]),
        )

    def _front_rows(self, scene: Any) -> list[Any]:
        """All pictures of the front camera, sweeps too, in order of time."""
        sample = self._tables.get('sample', scene['first_sample_token'])
        token, found = sample['data'][CAMERAS[0]], {}
        while token:
            row = self._tables.get('sample_data', token)
            token = row['next']
            found[row['timestamp']] = row
        return [found[taken] for taken in sorted(found)]

    def _pose(self, row: Any) -> PoseSample:
        pose = self._tables.get('ego_pose', row['ego_pose_token'])
        x, y, _ = pose['translation']
        return PoseSample(row['timestamp'] * 1000, x, y, _yaw(pose['rotation']))


def _yaw(rotation: list[float]) -> float:
    w, x, y, z = rotation
    return math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def _frames(files: list[tuple[str, Path]], stamp_ns: int) -> tuple[CameraFrame, ...]:
    return tuple(CameraFrame(stamp_ns, _words(name), read_rgb(path)) for name, path in files)


def _words(camera: str) -> str:
    """As prompts call it: ``front left``."""
    return camera.removeprefix('CAM_').replace('_', ' ').lower()
