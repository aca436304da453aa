"""A trajectory that stands before a red light: the same way, driven slower.

In: a trajectory, the speed now, how far it is to the stop line. Out: the trajectory, slowed only
where nothing but hard braking would keep it from the line. Knows no words.
"""

from __future__ import annotations

import numpy as np

from emma_planner.planning.kinematics import STANDSTILL_M, integrate
from emma_planner.planning.types import DT_S, FloatArray, Trajectory

STAND_M = 2.0
"""The front stands this far before the line: 1.5 m, and half a metre for whole metres in words."""
FIRM_MPS2 = 3.0
"""A trajectory that keeps to this much braking is left as it is."""
HARDEST_MPS2 = 6.0
SAME_MPS = 0.1
"""A trajectory that differs less than this is left as it is."""
PER_STEP = 10
"""Parts of a step in which braking is worked out."""


def stand_before(trajectory: Trajectory, speed_mps: float, line_m: float) -> Trajectory:
    """Slow a trajectory so that it comes to stand before a line.

    At every place it is no faster than :data:`FIRM_MPS2` can stop from there; where that is too
    late already, than the least braking that suffices, up to :data:`HARDEST_MPS2`.

    :param speed_mps: now
    :param line_m: from the front bumper to the line along the way, not negative
    :returns: the same object where nothing changes
    """
    slowed = _slowed(trajectory.speeds_mps, speed_mps, max(line_m - STAND_M, 0.0))
    if (trajectory.speeds_mps - slowed < SAME_MPS).all():
        return trajectory
    # the yaw belongs to the place, not to the time
    places = np.concatenate([[0.0], np.cumsum(np.maximum(trajectory.speeds_mps, 0.0) * DT_S)])
    yaws = np.concatenate([[0.0], trajectory.poses[:, 2]])
    arcs = slowed * DT_S
    turns = np.diff(np.interp(np.concatenate([[0.0], np.cumsum(arcs)]), places, yaws))
    curvatures = np.divide(turns, arcs, out=np.zeros_like(arcs), where=arcs > STANDSTILL_M)
    return Trajectory(slowed, curvatures, integrate(slowed, curvatures))


def _slowed(speeds_mps: FloatArray, speed_mps: float, room_m: float) -> FloatArray:
    """Mean speeds of the steps, under what can stop within the room: ``sqrt(2 b (room - s))``."""
    start = max(speed_mps, 0.0)
    room = max(room_m, start**2 / (2.0 * HARDEST_MPS2))
    braking = max(FIRM_MPS2, start**2 / (2.0 * room)) if room > 0.0 else FIRM_MPS2
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
