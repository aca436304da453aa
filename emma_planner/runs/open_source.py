"""What a path holds, and the windows that are in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from emma_planner.config import PlannerConfig
from emma_planner.recordings.dataset import HEADER
from emma_planner.runs.bag_source import BagSource
from emma_planner.runs.dataset_source import DatasetSource
from emma_planner.runs.nuscenes_source import NuScenesSource, version_of
from emma_planner.runs.window import Source, SourceError


@dataclass(frozen=True)
class SourceOptions:
    """How windows are read.

    :param every_s: least time between windows of a recording or a data set
    :param split: of nuScenes, empty for the one to evaluate on
    :param cameras: of nuScenes
    """

    every_s: float = 0.5
    split: str = ''
    cameras: int = 1


@lru_cache(maxsize=4)
def open_source(path: Path, config: PlannerConfig, options: SourceOptions) -> Source:
    """Open a data set, a nuScenes folder or a recording.

    :param config: topics and limits of recordings
    :raises SourceError: there is nothing
    :raises DatasetError: a data set cannot be read
    """
    if not path.exists():
        raise SourceError(f'{path}: need a data set, a nuScenes folder or a bag, got none')
    if (path / HEADER).is_file():
        return DatasetSource(path, options.every_s)
    if version_of(path):
        return NuScenesSource(path, config, options.split, options.cameras)
    return BagSource(path, config, options.every_s)
