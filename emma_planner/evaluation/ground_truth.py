"""The recorded future of an instant, from the ego motion of a whole recording.

In: pose samples. Out: ten poses in base_link of t0 and where they are known. The only place where
samples after t0 are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from emma_planner.planning.ego_tracks import PoseSample
from emma_planner.planning.kinematics import to_base
from emma_planner.planning.types import DT_S, NS_PER_S, NUM_STEPS, FloatArray, Pose

MAX_GAP_S = 1.5
"""Poses further apart than this are not interpolated."""


class GroundTruth:
    """Poses of a recording, interpolated by stamp.

    :param poses: in stamp order; samples that are not finite are left out
    """

    def __init__(self, poses: Iterable[PoseSample]) -> None:
        rows = [
            (pose.stamp_ns, pose.x_m, pose.y_m, pose.yaw_rad)
            for pose in poses
            if np.isfinite((pose.x_m, pose.y_m, pose.yaw_rad)).all()
        ]
        self._origin_ns = rows[0][0] if rows else 0
        self._time_s = np.array([(row[0] - self._origin_ns) / NS_PER_S for row in rows])
        self._poses = np.array([row[1:] for row in rows], dtype=np.float64).reshape(-1, 3)
        self._poses[:, 2] = np.unwrap(self._poses[:, 2])

    def future(self, stamp_ns: int) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return what was driven after an instant.

        :param stamp_ns: t0 [ns]
        :returns: poses ``(10, 3)`` x [m], y [m], yaw [rad] in base_link of t0, zeros where not
            known; and ``(10,)`` whether they are known
        """
        start_s = (stamp_ns - self._origin_ns) / NS_PER_S
        times_s: FloatArray = start_s + np.arange(NUM_STEPS + 1, dtype=np.float64) * DT_S
        known = self._known(times_s)
        valid = known[1:] & known[0]
        if not valid.any():
            return np.zeros((NUM_STEPS, 3)), valid
        poses = np.stack(
            [np.interp(times_s, self._time_s, self._poses[:, k]) for k in range(3)], axis=-1
        )
        future = to_base(poses[1:], Pose(*poses[0].tolist()))
        return np.where(valid[:, None], future, 0.0), valid

    def _known(self, times_s: FloatArray) -> NDArray[np.bool_]:
        if len(self._time_s) < 2:
            return np.zeros(len(times_s), dtype=bool)
        after = np.searchsorted(self._time_s, times_s, side='left')
        inside = (times_s >= self._time_s[0]) & (times_s <= self._time_s[-1])
        after = np.clip(after, 1, len(self._time_s) - 1)
        gap_s = self._time_s[after] - self._time_s[after - 1]
        return np.asarray(inside & (gap_s <= MAX_GAP_S))
