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
from emma_planner.planning.types import DT_NS, NS_PER_S, NUM_STEPS, FloatArray, Pose

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
        self._stamps_ns = np.array([row[0] for row in rows], dtype=np.int64)
        self._poses = np.array([row[1:] for row in rows], dtype=np.float64).reshape(-1, 3)
        self._poses[:, 2] = np.unwrap(self._poses[:, 2])

    def future(self, stamp_ns: int) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return what was driven after an instant.

        :param stamp_ns: t0 [ns]
        :returns: poses ``(10, 3)`` x [m], y [m], yaw [rad] in base_link of t0, zeros where not
            known; and ``(10,)`` whether they are known
        """
        times_ns = stamp_ns + np.arange(NUM_STEPS + 1, dtype=np.int64) * DT_NS
        known = self._known(times_ns)
        valid = known[1:] & known[0]
        if not valid.any():
            return np.zeros((NUM_STEPS, 3)), valid
        # relative to t0: float64 holds stamps of this century to 256 ns only
        times, known_at = times_ns - stamp_ns, self._stamps_ns - stamp_ns
        poses = np.stack(
            [np.interp(times, known_at, self._poses[:, k]) for k in range(3)], axis=-1
        )
        future = to_base(poses[1:], Pose(*poses[0].tolist()))
        return np.where(valid[:, None], future, 0.0), valid

    def _known(self, times_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        stamps_ns = self._stamps_ns
        if len(stamps_ns) < 2:
            return np.zeros(len(times_ns), dtype=bool)
        after = np.searchsorted(stamps_ns, times_ns, side='left')
        inside = (times_ns >= stamps_ns[0]) & (times_ns <= stamps_ns[-1])
        after = np.clip(after, 1, len(stamps_ns) - 1)
        near = stamps_ns[after] - stamps_ns[after - 1] <= MAX_GAP_S * NS_PER_S
        exact = stamps_ns[np.searchsorted(stamps_ns[:-1], times_ns)] == times_ns
        return np.asarray(inside & (near | exact))
