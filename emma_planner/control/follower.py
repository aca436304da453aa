"""Follows a timed path: path, ego motion and time in, steering and acceleration out.

Steering looks at where the ego is (:mod:`~emma_planner.control.steering`), speed at where it
should be by now (:mod:`~emma_planner.control.speed`). Which path is followed, and for how long,
is for :mod:`~emma_planner.control.following` to say. Paths that need reverse gear are refused by
:class:`~emma_planner.control.timed_path.TimedPath`.
"""

from __future__ import annotations

from dataclasses import dataclass

from emma_planner.control.config import FollowerConfig
from emma_planner.control.control import Control
from emma_planner.control.path_reference import PathReference
from emma_planner.control.speed import SpeedControl
from emma_planner.control.steering import Steering
from emma_planner.control.timed_path import FollowState, TimedPath
from emma_planner.planning.types import NS_PER_S, Pose

FIRST_PERIOD_S = 0.1
MAX_PERIOD_S = 0.5
"""A longer time since the last control lets rate limits no looser."""


@dataclass(frozen=True)
class Tracking:
    """How well the path is followed.

    :param offset_m: ego beside the path, left positive
    :param lag_m: ego behind where it should be by now
    """

    offset_m: float
    lag_m: float


@dataclass(frozen=True)
class _Seen:
    """The ego on the path: where it is, and beside it, left positive."""

    pose: Pose
    distance_m: float
    offset_m: float


class PathFollower:
    """Turns a path into controls, one after the other.

    :param config: vehicle, gains and limits
    """

    def __init__(self, config: FollowerConfig) -> None:
        self._config = config
        self._path: TimedPath | None = None
        self._reference: PathReference | None = None
        self._distance_m: float | None = None
        self._last_ns: int | None = None
        self.tracking: Tracking | None = None
        """Of the last control; None where none was possible."""
        self.reset()

    def reset(self) -> None:
        """Forget what was driven: the next control is the first."""
        self._steering = Steering(self._config)
        self._speed = SpeedControl(self._config)
        self._last_ns = None
        self.tracking = None

    @property
    def is_holding(self) -> bool:
        """Whether the car is held at standstill."""
        return self._speed.is_holding

    def follow(self, path: TimedPath, state: FollowState, now_ns: int) -> Control:
        """Drive on along a path; beyond its last stamp, stop.

        :param state: the ego, measured at or shortly before ``now_ns``
        :param now_ns: the time of the control [ns], on the clock of the path's stamps
        """
        reference = self._reference_of(path)
        time_s = reference.time_s(now_ns)
        if time_s > reference.duration_s:
            return self.stop(path, state, now_ns)
        dt_s = self._period_s(now_ns)
        due_m = reference.distance_m(time_s)
        seen = self._seen(reference, state, now_ns, due_m)
        self.tracking = Tracking(offset_m=seen.offset_m, lag_m=due_m - seen.distance_m)
        speed_mps, acceleration_mps2 = self._speed.along(
            reference, time_s, self.tracking.lag_m, state.speed_mps, dt_s
        )
        angle_rad = self._steer(reference, seen, state.speed_mps, dt_s)
        return Control(angle_rad, speed_mps, acceleration_mps2)

    def stop(self, path: TimedPath | None, state: FollowState | None, now_ns: int) -> Control:
        """Brake comfortably along a path, then hold.

        :param path: None keeps the wheels as they are
        :param state: None where it is not known: brake, with the wheels as they are
        """
        dt_s = self._period_s(now_ns)
        self.tracking = None
        known_mps = None if state is None else state.speed_mps
        speed_mps, acceleration_mps2 = self._speed.stop(known_mps, dt_s)
        angle_rad = self._steering.angle_rad
        if path is not None and state is not None:
            reference = self._reference_of(path)
            # the car leaves the path's time behind, so no place is due
            seen = self._seen(reference, state, now_ns, reference.length_m)
            angle_rad = self._steer(reference, seen, state.speed_mps, dt_s)
        return Control(angle_rad, speed_mps, acceleration_mps2)

    def _reference_of(self, path: TimedPath) -> PathReference:
        if self._reference is None or path is not self._path:
            self._path, self._reference = path, PathReference(path)
            self._distance_m = None
        return self._reference

    def _seen(
        self, reference: PathReference, state: FollowState, now_ns: int, due_m: float
    ) -> _Seen:
        """Find the ego on the path, brought forward from its measurement to now.

        :param due_m: where it is expected when the path is new
        """
        age_s = max(now_ns - state.stamp_ns, 0) / NS_PER_S
        pose = self._steering.ahead(state.pose, max(state.speed_mps, 0.0) * age_s)
        around_m = due_m if self._distance_m is None else self._distance_m
        self._distance_m, offset_m = reference.locate(pose, around_m)
        return _Seen(pose, self._distance_m, offset_m)

    def _steer(
        self, reference: PathReference, seen: _Seen, speed_mps: float, dt_s: float
    ) -> float:
        """Turn the wheels, unless the car stands: dry steering wears and helps nothing."""
        if not self._speed.is_holding:
            self._steering.toward(reference, seen.pose, seen.distance_m, speed_mps, dt_s)
        return self._steering.angle_rad

    def _period_s(self, now_ns: int) -> float:
        last_ns, self._last_ns = self._last_ns, now_ns
        if last_ns is None:
            return FIRST_PERIOD_S
        return min(max(now_ns - last_ns, 0) / NS_PER_S, MAX_PERIOD_S)
