"""Ego motion as it arrives: pose and twist samples in stamp order, a few seconds of each.

In: measurements of whatever messages there are (odometry; or twist, pose, or both on their own
topics). Duplicates and late samples are dropped; a twist without any pose is dead-reckoned.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from emma_planner.planning.kinematics import integrate, to_frame
from emma_planner.planning.types import DT_NS, NS_PER_S, NUM_HISTORY, Pose

KEEP_NS = (NUM_HISTORY - 1) * DT_NS + 3 * NS_PER_S
"""Kept: a history, and what an image may be older than the newest sample."""
JUMP_NS = NS_PER_S // 2
"""Stamps that step back by more than this are a clock set back (a bag that loops), not jitter."""
MAX_POSE = 1e9
MAX_TWIST = 1e3
"""Nothing on Earth is farther [m] or faster [m/s, rad/s]: a number above is no measurement."""
STANDSTILL_MPS = 1e-9
DEAD_RECKONING_FRAME = 'odom'
SOURCES = ('odometry', 'twist', 'pose')


@dataclass(frozen=True)
class EgoMeasurement:
    """What one message says of the ego motion; a part that it does not carry is None.

    :param stamp_ns: measurement time [ns]
    :param frame_id: frame of the pose (``odom``, ``map``)
    :param pose: ``(x [m], y [m], yaw [rad])`` of base_link in ``frame_id``
    :param twist: ``(speed [m/s], yaw_rate [rad/s])`` in base_link
    """

    stamp_ns: int
    frame_id: str
    pose: tuple[float, float, float] | None
    twist: tuple[float, float] | None


@dataclass(frozen=True)
class PoseSample:
    """Pose of base_link in the track's frame; may be NaN as received."""

    stamp_ns: int
    x_m: float
    y_m: float
    yaw_rad: float


@dataclass(frozen=True)
class TwistSample:
    """Speed along body x and yaw rate; may be NaN as received."""

    stamp_ns: int
    speed_mps: float
    yaw_rate_radps: float


class EgoTracks:
    """The last seconds of pose and twist samples.

    :param keep_ns: how much is kept [ns]; None for a whole recording
    """

    def __init__(self, keep_ns: int | None = KEEP_NS) -> None:
        self._keep_ns = keep_ns
        self.poses: deque[PoseSample] = deque()
        self.twists: deque[TwistSample] = deque()
        self.frame_id = DEAD_RECKONING_FRAME
        self.dropped = 0
        """Samples dropped as duplicates or out of order."""
        self._source: str | None = None
        self._has_pose = False

    def clear(self) -> None:
        """Forget all samples, not which kind of message they come from."""
        self.poses.clear()
        self.twists.clear()

    def jumps_back(self, measurement: EgoMeasurement) -> bool:
        """Whether the measurement's stamp lies clearly before what is already here."""
        track = self.twists if measurement.pose is None else self.poses
        return bool(track) and measurement.stamp_ns < track[-1].stamp_ns - JUMP_NS

    def add(self, measurement: EgoMeasurement, source: str) -> None:
        """Keep a measurement.

        :param source: kind of message; once odometry has come, twist and pose are ignored
        """
        if source not in SOURCES:
            raise ValueError(f'need one of {", ".join(SOURCES)}, got {source!r}')
        if source != 'odometry' and self._source == 'odometry':
            return
        if source == 'odometry' and self._source != 'odometry':
            self.clear()
        self._source = source
        if measurement.pose is not None:
            self._add_pose(measurement.stamp_ns, measurement.pose, measurement.frame_id)
        if measurement.twist is not None:
            twist = TwistSample(measurement.stamp_ns, *measurement.twist)
            if not self._has_pose:
                self._dead_reckon(twist)
            self._append(self.twists, twist)

    def _add_pose(self, stamp_ns: int, pose: tuple[float, float, float], frame_id: str) -> None:
        if not self._has_pose or frame_id != self.frame_id:
            self.poses.clear()  # another frame: what came before cannot be compared
        self._has_pose = True
        self.frame_id = frame_id
        self._append(self.poses, PoseSample(stamp_ns, *pose))

    def _append(self, track: deque, sample: PoseSample | TwistSample) -> None:  # type: ignore[type-arg]
        if track and sample.stamp_ns <= track[-1].stamp_ns:
            self.dropped += 1
            return
        track.append(sample)
        while self._keep_ns is not None and sample.stamp_ns - track[0].stamp_ns > self._keep_ns:
            track.popleft()

    def _dead_reckon(self, twist: TwistSample) -> None:
        if not self.poses or not self.twists:
            self.poses.append(PoseSample(twist.stamp_ns, 0.0, 0.0, 0.0))
            return
        last, before = self.poses[-1], self.twists[-1]
        if twist.stamp_ns <= last.stamp_ns:
            return
        speed = (before.speed_mps + twist.speed_mps) / 2
        yaw_rate = (before.yaw_rate_radps + twist.yaw_rate_radps) / 2
        pose = advance_pose(
            Pose(last.x_m, last.y_m, last.yaw_rad),
            speed,
            yaw_rate,
            (twist.stamp_ns - last.stamp_ns) / NS_PER_S,
        )
        self._append(self.poses, PoseSample(twist.stamp_ns, pose.x_m, pose.y_m, pose.yaw_rad))


def advance_pose(pose: Pose, speed_mps: float, yaw_rate_radps: float, time_s: float) -> Pose:
    """Move a pose along the arc of a constant speed and yaw rate.

    Turning on the spot is no arc and keeps the pose, as does a twist that is no measurement.
    """
    usable = np.abs((speed_mps, yaw_rate_radps)) <= MAX_TWIST
    if not usable.all() or abs(speed_mps) < STANDSTILL_MPS:
        return pose
    curvature = yaw_rate_radps / speed_mps
    step = integrate(np.array([speed_mps]), np.array([curvature]), dt_s=time_s)
    return Pose(*to_frame(step, pose)[0].tolist())
