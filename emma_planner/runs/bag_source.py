"""Windows of recordings: rosbag2 and rosbag1."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from emma_planner.config import PlannerConfig
from emma_planner.replay.instants import Instant, instants
from emma_planner.runs.window import Window


class BagSource:
    """One recording, which is one scene.

    :param config: topics and limits, as for a replay
    :param every_s: least time between windows
    """

    def __init__(self, bag: Path, config: PlannerConfig, every_s: float) -> None:
        self._bag = bag
        self._config = config
        self._every_s = every_s

    def scenes(self) -> tuple[str, ...]:
        """Name of the recording."""
        return (self._bag.stem,)

    def windows(self, scene: str) -> tuple[Window, ...]:
        """Every picture with a whole history.

        :raises BagError: the recording cannot be read
        :raises TopicError: it has no camera or no ego motion
        """
        return tuple(
            _window(scene, instant) for instant in instants(self._bag, self._config, self._every_s)
        )


def _window(scene: str, instant: Instant) -> Window:
    history = instant.snapshot.history
    return Window(
        scene=scene,
        stamp_ns=instant.snapshot.stamp_ns,
        command=instant.snapshot.command,
        history=np.column_stack([history.speeds_mps, history.curvatures_1pm]),
        truth=np.where(instant.known[:, None], instant.poses, np.nan),
        load=instant.planner_input,
    )
