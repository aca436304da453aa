"""Windows of a data set of this package: of simulator drives, or of recordings."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from emma_planner.planning.parsing import parse_reasoning
from emma_planner.planning.types import NS_PER_S
from emma_planner.recordings.dataset import Example, read_examples
from emma_planner.runs.picture_file import read_earlier, read_rgb
from emma_planner.runs.window import Window

EARLY_S = 0.05
"""Pictures of a recording come by so much too early."""


class DatasetSource:
    """The examples of a data set; what they were taken from is a scene.

    :param every_s: least time between windows; all for 0
    :raises DatasetError: the data set cannot be read
    """

    def __init__(self, folder: Path, every_s: float = 0.0) -> None:
        self._scenes: dict[str, list[Example]] = defaultdict(list)
        for example in read_examples(folder):
            scene = self._scenes[example.source]
            due_ns = scene[-1].stamp_ns + round((every_s - EARLY_S) * NS_PER_S) if scene else 0
            if not scene or example.stamp_ns >= due_ns:
                scene.append(example)

    def scenes(self) -> tuple[str, ...]:
        """What the examples were taken from."""
        return tuple(self._scenes)

    def windows(self, scene: str) -> tuple[Window, ...]:
        """Windows of one drive."""
        return tuple(window_of(example) for example in self._scenes[scene])


def window_of(example: Example) -> Window:
    """Return an example as a window."""
    # words of a teacher are no truth: only what was written from facts is
    true = parse_reasoning(example.reasoning) if example.facts and example.reasoning else None
    return Window(
        scene=example.source,
        stamp_ns=example.stamp_ns,
        command=example.command,
        history=example.history,
        truth=example.future.poses,
        load=lambda: example.planner_input(
            read_rgb(example.image),
            read_earlier(example.stamp_ns, example.earlier),
        ),
        true=true,
        image=str(example.image),
    )
