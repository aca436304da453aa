"""What moves where in a picture, and how the ego moves: labels that only earlier pictures answer.

Words and plans alone teach a tower to compare pictures too slowly: that a car stands or drives is
one word of many, and mostly guessed right from its place. How fast the ego moves is to be seen in
every patch (Zhou et al., Unsupervised learning of depth and ego-motion from video, CVPR 2017, draw
on the same).
"""

from __future__ import annotations

import math

import numpy as np
import torch

from emma_planner.recordings.dataset import CLASSES, COLUMNS, ROWS, Example, depth_bins
from emma_planner.simulation.camera_settings import CameraSettings

MOTIONS = ('stands', 'the same way', 'the other way', 'to the right', 'to the left')
"""How something moves, seen by the ego."""
IGNORED = -100
"""Label of what is not learned."""
SPEED_SCALE, YAW_RATE_SCALE = 10.0, 0.5
"""Of speeds [m/s] and yaw rates [rad/s], to numbers of about 1."""
_MOTION_OF = {
    'stands': 0,
    'is parked': 0,
    'the same way': 1,
    'brakes': 1,
    'the other way': 2,
    'from left to right': 3,
    'from right to left': 4,
}
_ALONG = (0.0, 1.0, -1.0, 0.0, 0.0)
"""Which way that is, along the ego's, in the order of :data:`MOTIONS`."""
_MOVING = (CLASSES.index('vehicle'), CLASSES.index('pedestrian'))
_HALF_WIDTH_M = 1.2


def things_that_move(
    example: Example, classes: torch.Tensor, depths: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return how what is in each patch moves, and how much faster along the ego's way than it.

    Known of the objects that the facts name; their patches are those of their class, distance and
    bearing.

    :param classes: ``(12, 22)`` of the patches
    :param depths: ``(12, 22)`` likewise, distance bins
    :returns: ``(12, 22)`` of :data:`MOTIONS`, :data:`IGNORED` elsewhere, and ``(12, 22)`` speeds
        in :data:`SPEED_SCALE`, NaN elsewhere
    """
    motions = torch.full((ROWS, COLUMNS), IGNORED, dtype=torch.long)
    speeds = torch.full((ROWS, COLUMNS), math.nan)
    is_thing = torch.isin(classes, torch.tensor(_MOVING))
    columns = torch.arange(COLUMNS) - (COLUMNS - 1) / 2
    half = math.tan(math.radians(CameraSettings().fov_deg) / 2)
    for thing in (example.facts or {}).get('objects', ()):
        motion = _motion_of(thing['action'])
        ahead, left = thing['ahead_m'], thing['left_m']
        if motion is None or ahead <= 1.0:
            continue
        depth = int(depth_bins(np.hypot(ahead, left)))
        middle = -COLUMNS / 2 * left / ahead / half
        reach = 1.0 + COLUMNS / 2 * _HALF_WIDTH_M / ahead / half
        here = is_thing & ((depths - depth).abs() <= 1)
        here &= ((columns - middle).abs() <= reach)[None]
        motions[here] = motion
        along = _ALONG[motion] * thing['speed_mps']
        speeds[here] = (along - example.history[-1, 0]) / SPEED_SCALE
    return motions, speeds


def _motion_of(action: str) -> int | None:
    for words, motion in _MOTION_OF.items():
        if action.endswith(words):
            return motion
    return None


def motion_of_ego(example: Example) -> torch.Tensor:
    """Return ``(2,)`` the ego's present speed and yaw rate, in their scales."""
    speed, curvature = example.history[-1]
    scaled = [speed / SPEED_SCALE, speed * curvature / YAW_RATE_SCALE]
    return torch.tensor(scaled, dtype=torch.float32)
