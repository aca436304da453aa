"""A change of what a planner is given, and what it may draw on.

A change is a pure function of the inputs, a seeded generator and a pool of other situations; it
knows no planner. The inputs of one stamp are always changed in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from emma_planner.planning.types import ByteArray, CameraFrame, FloatArray, PlannerInput


class Context(Protocol):
    """What a change may look at besides the inputs."""

    @property
    def rng(self) -> np.random.Generator:
        """Of this stamp."""
        ...

    @property
    def past(self) -> tuple[PlannerInput, ...]:
        """Inputs of this drive so far, oldest first, unchanged; at most the last ten."""
        ...

    @property
    def first(self) -> PlannerInput:
        """The first inputs of this drive, unchanged."""
        ...

    def other(self) -> PlannerInput:
        """Return the inputs of some other situation."""
        ...


Change = Callable[[PlannerInput, Context], PlannerInput]
PictureChange = Callable[[ByteArray, np.random.Generator], ByteArray]


def with_motion(
    planner_input: PlannerInput, speeds_mps: FloatArray, curvatures_1pm: FloatArray
) -> PlannerInput:
    """Return the inputs with another history; the ego is where it was."""
    history = replace(planner_input.history, speeds_mps=speeds_mps, curvatures_1pm=curvatures_1pm)
    return replace(planner_input, history=history)


def on_all_pictures(change: PictureChange) -> Change:
    """Make a change of pictures a change of inputs: every camera is changed, then and now."""

    def changed(planner_input: PlannerInput, context: Context) -> PlannerInput:
        def seen(frame: CameraFrame) -> CameraFrame:
            return replace(frame, rgb=change(frame.rgb, context.rng))

        return replace(
            planner_input,
            frames=tuple(map(seen, planner_input.frames)),
            earlier=tuple(frame and seen(frame) for frame in planner_input.earlier),
        )

    return changed
