"""Directions of base_link in words, as prompts, labels and chains of thought have them."""

from __future__ import annotations

import math

AHEAD_RAD = math.radians(8.0)
ASIDE_RAD = math.radians(30.0)


def bearing_words(ahead_m: float, left_m: float) -> str:
    """Say in which direction of base_link something is.

    :returns: ``ahead``, ``ahead left``, ``left``, ``ahead right`` or ``right``
    """
    bearing = math.atan2(left_m, ahead_m)
    if abs(bearing) < AHEAD_RAD:
        return 'ahead'
    side = 'left' if bearing > 0.0 else 'right'
    return f'ahead {side}' if abs(bearing) < ASIDE_RAD else side
