"""Which path is followed now, and when the car stops for want of one.

One object holds all that a follower remembers. The node and the closed loop in one process feed
it alike, so that both get the very same controls from the same inputs: it reads no clock, and
counts a path's age from the control before it came.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from enum import Enum

import numpy as np

from emma_planner.control.config import FollowerConfig
from emma_planner.control.control import Control
from emma_planner.control.follower import PathFollower, Tracking
from emma_planner.control.timed_path import REVERSE_MPS, FollowState, TimedPath, forward_m
from emma_planner.planning.kinematics import wrap_angle
from emma_planner.planning.types import NS_PER_S, Pose

MEMORY_NS = 6 * NS_PER_S
"""How long ego poses are kept: a path's t0 is at most its horizon of 5 s in the past."""
MAX_AHEAD_NS = 2 * NS_PER_S
"""A path that starts later than this is on another clock."""
MAX_STATE_GAP_NS = NS_PER_S
MAX_LEAP_MPS2 = 8.0
MAX_ASIDE = 0.25
"""A first step that asks for more acceleration, or goes aside by more of its length, does not
begin at the ego."""


class Mode(str, Enum):
    """What a follower does, and why."""

    FOLLOWING = 'following'
    HOLDING = 'holding'
    NO_PATH = 'no_path'
    EMPTY_PATH = 'empty_path'
    PATH_TIMEOUT = 'path_timeout'
    PATH_ENDED = 'path_ended'
    PATH_AHEAD = 'path_ahead'
    NO_ODOMETRY = 'no_odometry'

    def __str__(self) -> str:
        return self.value


class Following:
    """Takes paths and ego motion as they come; gives a control when asked.

    :param config: vehicle, gains, limits and time-outs
    """

    def __init__(self, config: FollowerConfig) -> None:
        self._config = config
        self._follower = PathFollower(config)
        self._states: deque[FollowState] = deque()
        self._path: TimedPath | None = None
        self._is_anchored = True
        self._taken_ns: int | None = None
        self._now_ns: int | None = None
        self._is_empty = False
        self.mode = Mode.NO_PATH
        """Of the last control."""

    @property
    def tracking(self) -> Tracking | None:
        """How well the path is followed; None while none is."""
        return self._follower.tracking

    @property
    def path_age_s(self) -> float | None:
        """Since the last path came [s], None before the first."""
        if self._taken_ns is None or self._now_ns is None:
            return None
        return (self._now_ns - self._taken_ns) / NS_PER_S

    def take_path(self, path: TimedPath | None) -> None:
        """Follow another path from the next control on.

        The ego's pose at t0, where it is known by then, becomes the path's first: its first step
        begins there.

        :param path: None, a planner's empty path: stop along the last one
        """
        if path is None:
            self._is_empty = True
        else:
            self._path, self._is_anchored = path, False
            self._is_empty = False
        self._taken_ns = self._now_ns

    def observe(self, state: FollowState) -> None:
        """Take ego motion. Time set back forgets all that was of the time after."""
        if self._states and state.stamp_ns < self._states[-1].stamp_ns:
            self._jump_back(state.stamp_ns)
        self._states.append(state)
        while self._states[-1].stamp_ns - self._states[0].stamp_ns > MEMORY_NS:
            self._states.popleft()

    def control(self, now_ns: int | None = None) -> Control:
        """Return the control for now.

        :param now_ns: None, for lock-step, is the stamp of the last ego motion
        """
        state = self._states[-1] if self._states else None
        if now_ns is None:
            now_ns = state.stamp_ns if state else 0
        if self._now_ns is not None and now_ns < self._now_ns:
            self._jump_back(now_ns)
            state = self._states[-1] if self._states else None
        self._now_ns = now_ns
        if self._path is not None and self._taken_ns is None:
            self._taken_ns = now_ns
        self._anchor()
        self.mode = self._choose(state, now_ns)
        if self.mode is Mode.NO_ODOMETRY:
            return self._follower.stop(None, None, now_ns)
        assert state is not None
        if self.mode is not Mode.FOLLOWING or self._path is None:
            path = None if self.mode is Mode.PATH_AHEAD else self._path
            return self._follower.stop(path, state, now_ns)
        control = self._follower.follow(self._path, state, now_ns)
        if self._follower.is_holding:
            self.mode = Mode.HOLDING
        return control

    def last_stop(self) -> Control:
        """Return the control to leave behind: full stop, wheels as they are."""
        now_ns = 0 if self._now_ns is None else self._now_ns
        angle_rad = self._follower.stop(None, None, now_ns).steering_angle_rad
        return Control(angle_rad, 0.0, -self._config.stop_deceleration_mps2)

    def _choose(self, state: FollowState | None, now_ns: int) -> Mode:
        config, path = self._config, self._path
        if state is None or now_ns - state.stamp_ns > config.odometry_timeout_s * NS_PER_S:
            return Mode.NO_ODOMETRY
        if self._is_empty:
            return Mode.EMPTY_PATH
        if path is None or self._taken_ns is None:
            return Mode.NO_PATH
        if now_ns - self._taken_ns > config.path_timeout_s * NS_PER_S:
            return Mode.PATH_TIMEOUT
        return _mode_by_time(path, now_ns)

    def _anchor(self) -> None:
        """Begin the path at the ego's pose of t0, once: a path may come before that pose."""
        if self._path is None or self._is_anchored:
            return
        path, self._is_anchored = self._path, True
        start = self._pose_at(path.stamp_ns) if path.stamp_ns < path.stamps_ns[0] else None
        self._path = path if start is None else _anchored(path, start)

    def _pose_at(self, stamp_ns: int) -> Pose | None:
        """Ego pose at a time, between the two measurements around it."""
        states = self._states
        k = bisect_left([state.stamp_ns for state in states], stamp_ns)
        if k < len(states) and states[k].stamp_ns == stamp_ns:
            return states[k].pose
        if k in (0, len(states)):
            return None
        before, after = states[k - 1], states[k]
        gap_ns = after.stamp_ns - before.stamp_ns
        if gap_ns > MAX_STATE_GAP_NS:
            return None
        return _between(before.pose, after.pose, (stamp_ns - before.stamp_ns) / gap_ns)

    def _jump_back(self, now_ns: int) -> None:
        while self._states and self._states[-1].stamp_ns > now_ns:
            self._states.pop()
        if self._path is not None and self._path.stamp_ns > now_ns + MAX_AHEAD_NS:
            self._path, self._is_empty = None, False
        self._taken_ns = self._now_ns = None
        self._follower.reset()


def _mode_by_time(path: TimedPath, now_ns: int) -> Mode:
    if now_ns > path.stamps_ns[-1]:
        return Mode.PATH_ENDED
    if path.stamps_ns[0] - now_ns > MAX_AHEAD_NS:
        return Mode.PATH_AHEAD
    return Mode.FOLLOWING


def _anchored(path: TimedPath, start: Pose) -> TimedPath:
    """Begin a path at the ego's pose of t0, where it was planned from there.

    One that was not, as a recorded drive that the ego has fallen behind, would ask for a leap: it
    is left as it is, and the ego is pulled to it gently.
    """
    poses = np.vstack([start.as_array(), path.poses])[:3]
    steps_s = np.diff((path.stamp_ns, *path.stamps_ns[:2])) / NS_PER_S
    forward = forward_m(poses)
    chord_m = math.hypot(*(poses[1, :2] - poses[0, :2]))
    aside_m = math.sqrt(max(chord_m**2 - forward[0] ** 2, 0.0))
    speeds = forward / steps_s
    leap_mps2 = np.abs(np.diff(speeds)) / steps_s[1:] if len(speeds) > 1 else np.zeros(1)
    fits = speeds[0] > -REVERSE_MPS and aside_m < MAX_ASIDE * max(chord_m, 1.0)
    return path.with_start(start) if fits and leap_mps2[0] < MAX_LEAP_MPS2 else path


def _between(a: Pose, b: Pose, share: float) -> Pose:
    turn = wrap_angle(b.yaw_rad - a.yaw_rad)
    return Pose(
        a.x_m + share * (b.x_m - a.x_m),
        a.y_m + share * (b.y_m - a.y_m),
        a.yaw_rad + share * turn,
    )
