"""How fast a car wants to go: the intelligent driver model, stops and curves.

Treiber, Hennecke, Helbing, "Congested traffic states in empirical observations and microscopic
simulations", Phys. Rev. E 62, 2000, eq. 1-3. Plain numbers in and out.
"""

from __future__ import annotations

import math

HEADWAY_S = 1.3
STANDING_GAP_M = 2.5
MAX_ACCELERATION_MPS2 = 1.6
COMFORTABLE_BRAKING_MPS2 = 2.2
HARDEST_BRAKING_MPS2 = 8.0
LATERAL_MPS2 = 2.0
"""Curves are driven no faster than this allows."""
STOP_MARGIN_M = 0.5


def follow(speed_mps: float, wanted_mps: float, gap_m: float, leader_mps: float) -> float:
    """Return the acceleration behind a leader [m/s^2]; an infinite gap is a free road.

    :param gap_m: bumper to bumper
    :param leader_mps: speed of the leader along the own way
    """
    free = 1.0 - (speed_mps / max(wanted_mps, 0.1)) ** 4
    if math.isinf(gap_m):
        return _bounded(MAX_ACCELERATION_MPS2 * free)
    closing = speed_mps * (speed_mps - leader_mps)
    braking = closing / (2.0 * math.sqrt(MAX_ACCELERATION_MPS2 * COMFORTABLE_BRAKING_MPS2))
    wanted_gap = STANDING_GAP_M + max(0.0, HEADWAY_S * speed_mps + braking)
    if gap_m < 0.1:
        return -HARDEST_BRAKING_MPS2
    return _bounded(MAX_ACCELERATION_MPS2 * (free - (wanted_gap / gap_m) ** 2))


def stop_at(speed_mps: float, distance_m: float) -> float:
    """Return the acceleration that stops within a distance [m/s^2], the front as reference."""
    room = distance_m - STOP_MARGIN_M
    if room <= 0.1:
        return -HARDEST_BRAKING_MPS2 if speed_mps > 0.5 else -COMFORTABLE_BRAKING_MPS2
    needed = speed_mps * speed_mps / (2.0 * room)
    # far away it need not brake yet
    if needed < 0.6 * COMFORTABLE_BRAKING_MPS2:
        return follow(speed_mps, 1e3, room + STANDING_GAP_M, 0.0)
    return _bounded(-needed)


def slow_to(speed_mps: float, wanted_mps: float, distance_m: float) -> float:
    """Return the acceleration to be at a speed within a distance [m/s^2]; inf if already."""
    if speed_mps <= wanted_mps:
        return math.inf
    needed = (speed_mps**2 - wanted_mps**2) / (2.0 * max(distance_m, 0.5))
    return _bounded(-needed) if needed > 0.7 * COMFORTABLE_BRAKING_MPS2 else math.inf


def _bounded(acceleration: float) -> float:
    return min(MAX_ACCELERATION_MPS2, max(-HARDEST_BRAKING_MPS2, acceleration))
