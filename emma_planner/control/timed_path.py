"""What a follower is given: a path with a time at each pose, and where the ego is.

Frames and units as everywhere: one fixed frame (``map`` or ``odom``), SI, REP-103. Knows neither
messages nor how a path is followed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emma_planner.planning.kinematics import wrap_angle
from emma_planner.planning.types import NS_PER_S, FloatArray, Pose

REVERSE_MPS = 0.3
"""A path that goes back slower than this stands still as far as a follower is concerned: what
noise in localisation or in a model's speeds makes of standing."""


class PathError(ValueError):
    """A path that cannot be followed; the message names the pose, what was needed and got."""


@dataclass(frozen=True, eq=False)
class TimedPath:
    """Where base_link (the rear axle) shall be when.

    :param stamp_ns: t0 [ns], when the path was planned for
    :param frame_id: the fixed frame of the poses
    :param poses: ``(N, 3)`` x [m], y [m], yaw [rad], N >= 1
    :param stamps_ns: ``(N,)`` time of each pose [ns], strictly increasing
    :raises PathError: not finite, not in order, empty, or one that needs reverse gear
    """

    stamp_ns: int
    frame_id: str
    poses: FloatArray
    stamps_ns: tuple[int, ...]

    def __post_init__(self) -> None:
        poses = np.array(self.poses, dtype=np.float64)
        count = len(self.stamps_ns)
        if not count or poses.shape != (count, 3):
            raise PathError(
                f'need one pose x, y, yaw for each of one or more stamps, '
                f'got shape {poses.shape} and {count} stamps'
            )
        _check_finite(poses)
        _check_order(self.stamps_ns)
        _check_forward(poses, self.stamps_ns)
        poses.flags.writeable = False
        object.__setattr__(self, 'poses', poses)
        object.__setattr__(self, 'stamps_ns', tuple(int(stamp) for stamp in self.stamps_ns))

    def with_start(self, pose: Pose) -> TimedPath:
        """Return the path with the ego's pose of t0 ahead of it, where its first step begins.

        :raises PathError: t0 is not before the first pose, or lies ahead of it
        """
        poses = np.vstack([pose.as_array(), self.poses])
        stamps_ns = (self.stamp_ns, *self.stamps_ns)
        return TimedPath(self.stamp_ns, self.frame_id, poses, stamps_ns)


@dataclass(frozen=True)
class FollowState:
    """The ego as odometry tells it.

    :param stamp_ns: when it was measured [ns]
    :param pose: base_link (the rear axle), in the frame of the paths
    :param speed_mps: along body x, negative in reverse
    """

    stamp_ns: int
    pose: Pose
    speed_mps: float

    def __post_init__(self) -> None:
        if not np.isfinite(self.speed_mps):
            raise ValueError(f'need a finite speed, got {self.speed_mps}')


def forward_m(poses: FloatArray) -> FloatArray:
    """Chord from each pose to the next along the mid heading.

    :param poses: ``(N, 3)`` x [m], y [m], yaw [rad]
    :returns: ``(N - 1,)`` [m], negative where the path goes back
    """
    delta = np.diff(poses, axis=0)
    turned = wrap_angle(delta[:, 2])
    heading = poses[:-1, 2] + turned / 2.0
    forward: FloatArray = delta[:, 0] * np.cos(heading) + delta[:, 1] * np.sin(heading)
    return forward


def _check_finite(poses: FloatArray) -> None:
    for number, pose in enumerate(poses.tolist()):
        if not np.isfinite(pose).all():
            raise PathError(f'pose {number}: need finite x, y, yaw, got {pose}')


def _check_order(stamps_ns: tuple[int, ...]) -> None:
    for number in range(1, len(stamps_ns)):
        before, stamp = stamps_ns[number - 1 : number + 1]
        if stamp <= before:
            raise PathError(
                f'pose {number}: need a stamp after that of the pose before, {before} ns, '
                f'got {stamp} ns'
            )


def _check_forward(poses: FloatArray, stamps_ns: tuple[int, ...]) -> None:
    for number, chord_m in enumerate(forward_m(poses).tolist(), start=1):
        step_s = (stamps_ns[number] - stamps_ns[number - 1]) / NS_PER_S
        if chord_m < -REVERSE_MPS * step_s:
            raise PathError(
                f'pose {number}: need a path that goes forward, got a pose {-chord_m:.2f} m '
                f'behind the one before; reverse is not followed'
            )
