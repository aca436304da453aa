"""A trajectory that stands before a red light: the same way, driven slower.

In: a trajectory, the speed now, how far it is to the stop line. Out: the trajectory, slowed where
it comes too near to the line, or could then be stopped by hard braking alone. Knows no words.
"""

from __future__ import annotations

import numpy as np

from emma_planner.planning.kinematics import curvatures_by_place, integrate
from emma_planner.planning.types import DT_S, FloatArray, Trajectory

STAND_M = 2.0
"""The front stands this far before the line: the expert's 1.5 m, and half a metre for words, which
are in whole metres where it matters."""
FIRM_MPS2 = 3.0
"""A trajectory that keeps to this much braking is left as it is."""
HARDEST_MPS2 = 6.0
BEYOND_M = 0.5
"""Who cannot stop before this far beyond the line goes on: to stand in a junction helps nobody."""
SAME_MPS = 0.1
"""A trajectory that differs less than this is left as it is."""
PER_STEP = 10
"""Parts of a step in which braking is worked out."""


def stand_before(
    trajectory: Trajectory,
    speed_mps: float,
    line_m: float,
    hardest_mps2: float = HARDEST_MPS2,
) -> Trajectory:
    """Slow a trajectory so that it comes to stand :data:`STAND_M` before a line.

    At every place it is no faster than :data:`FIRM_MPS2` can stop from there. Where that is too
    late already, it brakes just as hard as it must, up to ``hardest_mps2``, nearer to the line or
    on it if need be.

    :param speed_mps: now
    :param line_m: from the front bumper to the line along the way, not negative
    :param hardest_mps2: no harder braking, :data:`HARDEST_MPS2` at most
    :returns: the same object where nothing changes: it stands early enough by itself, or could not
        be stopped in time
    """
    hardest = min(hardest_mps2, HARDEST_MPS2)
    if max(speed_mps, 0.0) ** 2 / (2.0 * hardest) > line_m + BEYOND_M:
        return trajectory
    slowed = _slowed(trajectory.speeds_mps, speed_mps, max(line_m - STAND_M, 0.0), hardest)
    if (trajectory.speeds_mps - slowed < SAME_MPS).all():
        return trajectory
    places_m = np.append(0.0, np.cumsum(slowed * DT_S))
    steps_m = np.maximum(trajectory.speeds_mps, 0.0) * DT_S
    curvatures = curvatures_by_place(places_m, steps_m, trajectory.curvatures_1pm)
    return Trajectory(slowed, curvatures, integrate(slowed, curvatures))


def _slowed(
    speeds_mps: FloatArray, speed_mps: float, room_m: float, hardest_mps2: float
) -> FloatArray:
    """Mean speeds of the steps, under what can stop within the room: ``sqrt(2 b (room - s))``."""
    start = max(speed_mps, 0.0)
    room = max(room_m, start**2 / (2.0 * hardest_mps2))
    firm = min(FIRM_MPS2, hardest_mps2)
    braking = max(firm, start**2 / (2.0 * room)) if room > 0.0 else firm
    dt, gone = DT_S / PER_STEP, 0.0
    slowed = []
    for wanted in speeds_mps:
        before = gone
        for _ in range(PER_STEP):
            # the speed in the middle of the part, from that at its begin
            most = np.sqrt(2.0 * braking * max(room - gone, 0.0)) - braking * dt / 2.0
            gone += max(min(wanted, most), 0.0) * dt
        slowed.append((gone - before) / DT_S)
    return np.array(slowed)
