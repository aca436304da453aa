"""Timestamped ego motion to ten samples of speed and curvature over 5 s.

In: pose and twist samples in stamp order. Out: an :class:`EgoHistory`, or an :class:`InputError`
that says what was missing. Only samples with stamp <= t0 are looked at, whatever the lists hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from emma_planner.planning.ego_tracks import (
    MAX_POSE,
    MAX_TWIST,
    PoseSample,
    TwistSample,
    advance_pose,
)
from emma_planner.planning.kinematics import invert, to_base
from emma_planner.planning.types import (
    DT_S,
    NS_PER_S,
    NUM_HISTORY,
    EgoHistory,
    FloatArray,
    InputError,
    Pose,
    Reason,
)

CURVATURE_DECAY_S = 1.0
"""Time constant with which the last reliable curvature decays at standstill [s]."""
POSE_DIFFERENCE_S = 0.2
"""Speeds from poses are differences over at least this time, so that jitter stays small [s]."""
TWIST_ZERO_MPS = 1e-3
POSE_MOVES_M = 0.5
"""A twist below TWIST_ZERO_MPS while the pose moves this far was never filled in."""
_SAMPLE_S = -np.arange(NUM_HISTORY - 1, -1, -1) * DT_S


@dataclass(frozen=True)
class HistoryLimits:
    """When ego motion is good enough to plan from; see the parameters of the same names."""

    source: str = 'auto'
    max_age_s: float = 0.5
    max_gap_s: float = 1.0
    standstill_speed_mps: float = 0.5


def build_history(
    poses: Iterable[PoseSample],
    twists: Iterable[TwistSample],
    frame_id: str,
    stamp_ns: int,
    limits: HistoryLimits,
) -> EgoHistory:
    """Resample ego motion to t0 - 4.5 s ... t0.

    :param poses: in stamp order; those after t0 are not used
    :param twists: in stamp order; those after t0 are not used; may be empty
    :param frame_id: frame of the poses
    :param stamp_ns: t0 [ns]
    :raises InputError: no, old, short, gapped or non-finite ego motion
    """
    pose_rows = [(p.stamp_ns, p.x_m, p.y_m, p.yaw_rad) for p in poses if p.stamp_ns <= stamp_ns]
    twist_rows = [
        (t.stamp_ns, t.speed_mps, t.yaw_rate_radps) for t in twists if t.stamp_ns <= stamp_ns
    ]
    pose_track = _covering(pose_rows, stamp_ns, limits, 'poses', MAX_POSE)
    time_s, speed, yaw_rate = _motion(pose_track, twist_rows, stamp_ns, limits).T
    curvature = gate_curvature(time_s, speed, yaw_rate, limits.standstill_speed_mps)
    speeds = np.interp(_SAMPLE_S, time_s, speed)
    curvatures = np.interp(_SAMPLE_S, time_s, curvature)
    age_s, *newest = pose_track[-1].tolist()
    ego_pose = advance_pose(Pose(*newest), speeds[-1], speeds[-1] * curvatures[-1], -age_s)
    return EgoHistory(stamp_ns, speeds, curvatures, ego_pose, frame_id)


def gate_curvature(
    time_s: FloatArray, speed_mps: FloatArray, yaw_rate_radps: FloatArray, gate_mps: float
) -> FloatArray:
    """Curvature = yaw rate / speed where the car moves, else the last such value, decaying.

    At standstill a centimetre of pose jitter would become a curvature of tens of 1/m.

    :param time_s: ``(T,)`` [s], increasing
    :param gate_mps: speed below which curvature is not measured [m/s]
    :returns: ``(T,)`` [1/m], left positive; 0 before the car has moved
    """
    reliable = np.abs(speed_mps) >= gate_mps
    measured = np.divide(yaw_rate_radps, speed_mps, out=np.zeros_like(speed_mps), where=reliable)
    last = np.maximum.accumulate(np.where(reliable, np.arange(len(time_s)), -1))
    held = measured[last] * np.exp(-(time_s - time_s[last]) / CURVATURE_DECAY_S)
    return np.where(last >= 0, held, 0.0)


def _covering(
    rows: Sequence[tuple[float, ...]],
    stamp_ns: int,
    limits: HistoryLimits,
    what: str,
    bound: float,
) -> FloatArray:
    """Cut to the rows that cover the history; column 0 becomes time since t0 [s]."""
    if not rows:
        raise InputError(Reason.NO_ODOMETRY, f'need ego {what} up to the image, got none')
    # shifted as integers: float64 holds stamps of this century to 256 ns only
    time_s = np.array([(int(row[0]) - stamp_ns) / NS_PER_S for row in rows])
    if -time_s[-1] > limits.max_age_s:
        raise InputError(
            Reason.STALE_ODOMETRY,
            f'need ego {what} at most {limits.max_age_s:g} s old, got {-time_s[-1]:.2f} s',
        )
    if time_s[0] > _SAMPLE_S[0]:
        raise InputError(
            Reason.SHORT_HISTORY, f'need {-_SAMPLE_S[0]:g} s of ego {what}, got {-time_s[0]:.2f} s'
        )
    start = int(np.searchsorted(time_s, _SAMPLE_S[0], side='right')) - 1
    track = np.column_stack([time_s, np.array([row[1:] for row in rows])])[start:]
    gap_s = float(np.diff(track[:, 0], append=0.0).max())
    if gap_s > limits.max_gap_s:
        raise InputError(
            Reason.GAPPED_HISTORY,
            f'need ego {what} without gaps over {limits.max_gap_s:g} s, got {gap_s:.2f} s',
        )
    if not (np.abs(track[:, 1:]) <= bound).all():
        raise InputError(
            Reason.NAN_ODOMETRY, f'need finite ego {what}, got NaN, infinity or above {bound:g}'
        )
    return track


def _motion(
    poses: FloatArray,
    twist_rows: Sequence[tuple[float, ...]],
    stamp_ns: int,
    limits: HistoryLimits,
) -> FloatArray:
    """Return ``(N, 3)`` time since t0 [s], speed [m/s], yaw rate [rad/s] of the chosen source."""
    if limits.source == 'pose' or (limits.source == 'auto' and not twist_rows):
        return _from_poses(poses)
    motion = _covering(twist_rows, stamp_ns, limits, 'twists', MAX_TWIST)
    unfilled = np.abs(motion[:, 1]).max() < TWIST_ZERO_MPS
    if limits.source == 'auto' and unfilled and _extent_m(poses) > POSE_MOVES_M:
        return _from_poses(poses)
    return motion


def _extent_m(poses: FloatArray) -> float:
    return float(np.hypot(*(poses[:, 1:3] - poses[0, 1:3]).T).max())


def _from_poses(poses: FloatArray) -> FloatArray:
    """Differentiate ``(N, 4)`` poses along the arcs that join them."""
    time_s, yaw = poses[:, 0], np.unwrap(poses[:, 3])
    arcs_m, _ = invert(to_base(poses[1:, 1:], Pose(*poses[0, 1:].tolist())), dt_s=1.0)
    travelled_m = np.append(0.0, np.cumsum(arcs_m))
    end = np.searchsorted(time_s, time_s + POSE_DIFFERENCE_S)
    start = np.flatnonzero(end < len(time_s))
    if not len(start):
        raise InputError(Reason.GAPPED_HISTORY, 'need two ego poses in 5 s, got one')
    end = end[start]
    span_s = time_s[end] - time_s[start]
    middle_s = (time_s[end] + time_s[start]) / 2
    speed = (travelled_m[end] - travelled_m[start]) / span_s
    yaw_rate = (yaw[end] - yaw[start]) / span_s
    motion = np.column_stack([middle_s, speed, yaw_rate])
    return np.vstack(
        [_extrapolate(motion, 0, time_s[0]), motion, _extrapolate(motion, -1, time_s[-1])]
    )


def _extrapolate(motion: FloatArray, edge: int, time_s: float) -> FloatArray:
    """Go on from the first or last row to the first or last pose, not through standstill."""
    edge_s = motion[edge, 0]
    inner_s = edge_s + np.sign(edge_s - time_s) * POSE_DIFFERENCE_S
    inner = np.array([np.interp(inner_s, motion[:, 0], column) for column in motion[:, 1:].T])
    slope = (motion[edge, 1:] - inner) / (edge_s - inner_s)
    speed, yaw_rate = motion[edge, 1:] + slope * (time_s - edge_s)
    return np.array([time_s, 0.0 if speed * motion[edge, 1] < 0.0 else speed, yaw_rate])
