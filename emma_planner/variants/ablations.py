"""Inputs taken away at the input: the model is still asked for what is not there.

Most are pseudo-ablations, as a mask is; leaving a part out of the conversation is the parameters'
``use_image``, ``history_steps``, ``use_command``, ``use_objects`` and ``use_reasoning``. Other
cameras are taken away, and pictures of the past given, in earnest.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from emma_planner.planning.types import NS_PER_S, ByteArray, PlannerInput
from emma_planner.variants.change import (
    Change,
    Context,
    on_all_pictures,
    with_motion,
)

GREY = 127
CROPPED_SHARE = 0.5
LOW_RESOLUTION = 8
"""Pixels of the picture that become one."""


def _blank(rgb: ByteArray, _: np.random.Generator) -> ByteArray:
    return np.full_like(rgb, GREY)


def _cropped(rgb: ByteArray, _: np.random.Generator) -> ByteArray:
    """The middle, as large as the whole was."""
    height, width = rgb.shape[:2]
    rows, columns = round(height * CROPPED_SHARE), round(width * CROPPED_SHARE)
    top, left = (height - rows) // 2, (width - columns) // 2
    middle = rgb[top : top + max(rows, 1), left : left + max(columns, 1)]
    return np.asarray(cv2.resize(middle, (width, height), interpolation=cv2.INTER_LINEAR))


def _low_resolution(rgb: ByteArray, _: np.random.Generator) -> ByteArray:
    height, width = rgb.shape[:2]
    size = (max(width // LOW_RESOLUTION, 1), max(height // LOW_RESOLUTION, 1))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def image_shuffled(planner_input: PlannerInput, context: Context) -> PlannerInput:
    """Show the picture of another situation."""
    return planner_input.with_camera_of(context.other())


def image_frozen(planner_input: PlannerInput, context: Context) -> PlannerInput:
    """Show the first picture of the drive, always."""
    first = context.first.frames[0]
    earlier = (first,) * len(planner_input.earlier)
    return replace(planner_input.with_front(first.rgb), earlier=earlier)


def history_present(planner_input: PlannerInput, _: Context) -> PlannerInput:
    """Tell the present speed and curvature as if they had always been so."""
    past = planner_input.history
    count = len(past.speeds_mps)
    return with_motion(
        planner_input,
        np.full(count, past.speeds_mps[-1]),
        np.full(count, past.curvatures_1pm[-1]),
    )


def history_zero(planner_input: PlannerInput, _: Context) -> PlannerInput:
    """Tell that the ego has been standing."""
    count = len(planner_input.history.speeds_mps)
    return with_motion(planner_input, np.zeros(count), np.zeros(count))


def command_none(planner_input: PlannerInput, _: Context) -> PlannerInput:
    """Command to follow the lane, whatever the route."""
    return replace(planner_input, command='follow lane')


def objects_none(planner_input: PlannerInput, _: Context) -> PlannerInput:
    """Tell that the detector found nothing."""
    return replace(planner_input, objects=())


def permuted(channel: str, step: int | None = None) -> Change:
    """Take a channel of the history, or one step of it, from another situation.

    Permutation importance (Breiman, Random forests, 2001; Fisher, Rudin, Dominici, 2019): how
    much worse plans become says how much they rest on it.

    :param channel: ``speeds_mps`` or ``curvatures_1pm``
    :param step: 0 (oldest) ... 9 (now), None for all
    """
    chosen = slice(None) if step is None else slice(step, step + 1)

    def change(planner_input: PlannerInput, context: Context) -> PlannerInput:
        past, other = planner_input.history, context.other().history
        motion = {
            'speeds_mps': past.speeds_mps.copy(),
            'curvatures_1pm': past.curvatures_1pm.copy(),
        }
        motion[channel][chosen] = getattr(other, channel)[chosen]
        return with_motion(planner_input, motion['speeds_mps'], motion['curvatures_1pm'])

    return change


def front_only(planner_input: PlannerInput, _: Context) -> PlannerInput:
    """Give the front camera alone."""
    return replace(planner_input, frames=planner_input.frames[:1])


def past_frames(count: int) -> Change:
    """Give the front camera's last pictures, too, the newest first; fewer where a drive begins."""

    def change(planner_input: PlannerInput, context: Context) -> PlannerInput:
        frames = planner_input.frames
        for before in reversed(context.past[-count:]):
            ago_s = (planner_input.stamp_ns - before.stamp_ns) / NS_PER_S
            frames += (replace(before.frames[0], name=f'front {ago_s:.1f} s ago'),)
        return replace(planner_input, frames=frames)

    return change


image_blank = on_all_pictures(_blank)
image_cropped = on_all_pictures(_cropped)
image_low_resolution = on_all_pictures(_low_resolution)
