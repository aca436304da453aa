"""What is planned in a run: an instant with its inputs, what was then driven, what is true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from emma_planner.planning.types import FloatArray, PlannerInput, Reasoning


class SourceError(Exception):
    """Nothing that windows can be read from; the message says what was needed and found."""


@dataclass(frozen=True, eq=False)
class Window:
    """One instant.

    :param history: ``(10, 2)`` speed [m/s], curvature [1/m], oldest first
    :param truth: ``(10, 3)`` x [m], y [m], yaw [rad] then driven, base_link of t0, NaN where the
        recording has ended
    :param load: gives the inputs, pictures decoded; raises :class:`InputError`
    :param true: what would be right to say, None where nobody knows
    :param image: file of the front picture, empty where it is in no file of its own
    """

    scene: str
    stamp_ns: int
    command: str
    history: FloatArray
    truth: FloatArray
    load: Callable[[], PlannerInput]
    true: Reasoning | None = None
    image: str = ''


class Source(Protocol):
    """Scenes and their windows; the same in every process."""

    def scenes(self) -> tuple[str, ...]:
        """Names of all scenes, in order."""
        ...

    def windows(self, scene: str) -> tuple[Window, ...]:
        """Windows of one scene, in order of time."""
        ...
