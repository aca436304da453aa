"""What a road looks like from above: surface and markings. Ground truth for pictures only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from emma_planner.planning.types import FloatArray


class LineKind(str, Enum):
    """Markings that can be told apart from above."""

    BROKEN = 'broken'
    SOLID = 'solid'
    YELLOW = 'yellow'


@dataclass(frozen=True, eq=False)
class LaneLine:
    """One marking.

    :param points: ``(N, 2)`` x, y [m], map
    """

    points: FloatArray
    kind: LineKind

    def __post_init__(self) -> None:
        object.__setattr__(self, 'points', _points(self.points, 2, 'lane line'))


@dataclass(frozen=True, eq=False)
class RoadMap:
    """All drivable surface and its markings.

    :param lanes: outlines ``(N, 2)`` x, y [m], map, not closed; they may touch and overlap
    """

    lanes: tuple[FloatArray, ...]
    lines: tuple[LaneLine, ...]

    def __post_init__(self) -> None:
        lanes = tuple(_points(lane, 3, 'lane outline') for lane in self.lanes)
        object.__setattr__(self, 'lanes', lanes)


def _points(values: Any, least: int, name: str) -> FloatArray:
    points = np.array(values, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < least:
        raise ValueError(f'{name}: need shape (at least {least}, 2), got {points.shape}')
    if not np.isfinite(points).all():
        raise ValueError(f'{name}: need finite points')
    points.flags.writeable = False
    return points
