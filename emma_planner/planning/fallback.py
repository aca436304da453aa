"""What is driven: the valid plan, or a declared fallback when there is none.

The fallback is the rest of the last valid path while that is young enough, then a comfortable
stop along it; without any valid path, a stop along the current arc; without ego motion, an empty
path. What is driven always says which of these it is: never an old path dressed as new.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from emma_planner.planning.kinematics import curvatures_by_place, integrate, to_frame
from emma_planner.planning.types import (
    DT_NS,
    DT_S,
    NUM_STEPS,
    EgoHistory,
    EgoState,
    FloatArray,
    Plan,
    Pose,
)

STOP_DECELERATION_MPS2 = 2.0
"""Comfortable braking (Bench2Drive's comfort bound for braking is 4.05 m/s^2)."""
STANDING_MPS = 1e-3


class Source(str, Enum):
    """Where a driven path comes from."""

    PLAN = 'plan'
    LAST_PLAN = 'last_plan'
    STOP = 'stop'
    NONE = 'none'


@dataclass(frozen=True, eq=False)
class DrivenPath:
    """A path in the odometry's frame.

    :param source: a plan, or which fallback
    :param frame_id: the odometry's frame
    :param stamps_ns: time of each pose [ns]
    :param poses: ``(T, 3)`` x [m], y [m], yaw [rad] in ``frame_id``
    :param speeds_mps: ``(T,)`` speed on the way to each pose [m/s]
    """

    source: Source
    frame_id: str
    stamps_ns: tuple[int, ...]
    poses: FloatArray
    speeds_mps: FloatArray

    def after(self, now_ns: int) -> DrivenPath:
        """Drop the poses already passed.

        A first pose at or behind the ego makes trackers such as CARLA's local planner fail.
        """
        keep = [k for k, stamp_ns in enumerate(self.stamps_ns) if stamp_ns > now_ns]
        return DrivenPath(
            self.source,
            self.frame_id,
            tuple(self.stamps_ns[k] for k in keep),
            self.poses[keep],
            self.speeds_mps[keep],
        )

    @property
    def target_speed_mps(self) -> float:
        """Speed to drive now [m/s]; 0 on an empty path."""
        return float(self.speeds_mps[0]) if len(self.speeds_mps) else 0.0


class PathKeeper:
    """Remembers the last valid plan and answers what is to be driven.

    :param max_age_s: how long after its t0 the last valid path is driven on before the stop
    """

    def __init__(self, max_age_s: float) -> None:
        self._keep_steps = min(int(max_age_s / DT_S), NUM_STEPS)
        self._last: DrivenPath | None = None
        self._stop_ns = 0

    def clear(self) -> None:
        """Forget the last plan: time was set back, or the node stopped."""
        self._last = None

    def accept(self, plan: Plan, history: EgoHistory) -> DrivenPath:
        """Take a valid plan.

        :param history: the history that it was planned from; anchors the path
        """
        if not plan.valid or plan.trajectory is None:
            raise ValueError(f'need a valid plan, got {plan.reason}')
        trajectory = plan.trajectory
        speeds, curvatures = _then_stop(
            trajectory.speeds_mps, trajectory.curvatures_1pm, self._keep_steps
        )
        self._stop_ns = plan.stamp_ns + self._keep_steps * DT_NS
        self._last = _path(
            Source.LAST_PLAN,
            history.frame_id,
            plan.stamp_ns,
            history.ego_pose,
            speeds,
            curvatures,
        )
        return DrivenPath(
            Source.PLAN,
            history.frame_id,
            _stamps(plan.stamp_ns, len(trajectory.speeds_mps)),
            to_frame(trajectory.poses, history.ego_pose),
            trajectory.speeds_mps,
        )

    def fallback(self, now_ns: int, ego: EgoState | None, frame_id: str) -> DrivenPath:
        """Return what is driven without a valid plan.

        :param now_ns: time [ns]; poses up to it are dropped
        :param ego: current ego state, None if unknown
        :param frame_id: frame of ``ego``
        """
        if self._last is not None:
            rest = self._last.after(now_ns)
            return replace(rest, source=Source.STOP) if now_ns >= self._stop_ns else rest
        if ego is not None:
            speeds, curvatures = _then_stop(
                np.array([ego.speed_mps]), np.array([ego.curvature_1pm]), 0
            )
            stop = _path(Source.STOP, frame_id, ego.stamp_ns, ego.pose, speeds, curvatures)
            return stop.after(now_ns)
        return DrivenPath(Source.NONE, frame_id, (), np.empty((0, 3)), np.empty(0))


def _then_stop(
    speeds_mps: FloatArray, curvatures_1pm: FloatArray, keep: int
) -> tuple[FloatArray, FloatArray]:
    """Keep the first steps, then brake to standstill along the same geometry."""
    start_mps = speeds_mps[max(keep - 1, 0)]
    duration_s = 0.0 if abs(start_mps) < STANDING_MPS else abs(start_mps) / STOP_DECELERATION_MPS2
    time_s = np.minimum(np.arange(int(np.ceil(duration_s / DT_S)) + 1) * DT_S, duration_s)
    braked_m = abs(start_mps) * time_s - STOP_DECELERATION_MPS2 * time_s**2 / 2
    # past the end the last arc goes on
    steps_m = np.append(np.abs(speeds_mps) * DT_S, braked_m[-1])
    begin_m = np.sum(steps_m[:keep])
    bends = curvatures_by_place(
        begin_m + braked_m, steps_m, np.append(curvatures_1pm, curvatures_1pm[-1])
    )
    return (
        np.concatenate([speeds_mps[:keep], np.sign(start_mps) * np.diff(braked_m) / DT_S]),
        np.concatenate([curvatures_1pm[:keep], bends]),
    )


def _path(
    source: Source,
    frame_id: str,
    stamp_ns: int,
    ego_pose: Pose,
    speeds_mps: FloatArray,
    curvatures_1pm: FloatArray,
) -> DrivenPath:
    poses = to_frame(integrate(speeds_mps, curvatures_1pm), ego_pose)
    return DrivenPath(source, frame_id, _stamps(stamp_ns, len(poses)), poses, speeds_mps)


def _stamps(stamp_ns: int, count: int) -> tuple[int, ...]:
    return tuple(stamp_ns + (k + 1) * DT_NS for k in range(count))
