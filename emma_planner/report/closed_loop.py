"""Drives to look at: the way, what went wrong on it, and a strip of what the camera saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emma_planner.planning.types import FloatArray, InputError
from emma_planner.recordings.bags import BagError, BagReader
from emma_planner.report.charts import map_chart
from emma_planner.report.gallery import jpeg_url
from emma_planner.ros.images import to_rgb

MOST_DRIVES = 9
STRIP = 6
"""Pictures of a strip."""
BAG, ODOMETRY, IMAGE = 'drive', '/odometry', '/camera/image/compressed'


@dataclass(frozen=True)
class ShownDrive:
    """One drive.

    :param strip: data URLs of pictures, evenly spread over the drive
    """

    name: str
    score: float
    end: str
    detail: str
    route: str
    strip: tuple[str, ...]
    events: tuple[str, ...]


def shown_drives(folder: Path, drives: Sequence[dict[str, Any]]) -> list[ShownDrive]:
    """Choose drives evenly from the worst to the best score, and show them."""
    order = sorted(drives, key=lambda drive: (drive['driving_score'], drive['scenario']))
    return [_shown(folder, order[k]) for k in _evenly(len(order), MOST_DRIVES)]


def _shown(folder: Path, drive: dict[str, Any]) -> ShownDrive:
    poses, strip = _read(folder / drive['scenario'] / BAG)
    events = [(event['kind'], event['x_m'], event['y_m']) for event in drive.get('events', ())]
    return ShownDrive(
        name=drive['scenario'],
        score=drive['driving_score'],
        end=drive['end'].replace('_', ' '),
        detail=drive['detail'],
        route=map_chart(poses, events) if len(poses) > 1 else '',
        strip=strip,
        events=tuple(
            f'{event["time_s"]:.1f} s {event["kind"].replace("_", " ")}: {event["detail"]}'
            for event in drive.get('events', ())
        ),
    )


def _read(bag: Path) -> tuple[FloatArray, tuple[str, ...]]:
    """Way ``(N, 2)`` and pictures of a drive; nothing where its bag is gone."""
    places, pictures = [], []
    try:
        with BagReader(bag) as reader:
            for message in reader.messages({ODOMETRY, IMAGE}):
                decoded = message.decode()
                if message.topic == ODOMETRY:
                    place = decoded.pose.pose.position
                    places.append((place.x, place.y))
                else:
                    pictures.append(decoded)
    except BagError:
        return np.zeros((0, 2)), ()
    strip = []
    for k in _evenly(len(pictures), STRIP):
        try:
            strip.append(jpeg_url(to_rgb(pictures[k])))
        except InputError:
            continue
    return np.array(places).reshape(-1, 2), tuple(strip)


def _evenly(count: int, most: int) -> list[int]:
    """Return up to so many of the first whole numbers, evenly spread, the ends included."""
    if not count:
        return []
    chosen = np.linspace(0, count - 1, min(most, count)).round().astype(int)
    return sorted({int(k) for k in chosen})
