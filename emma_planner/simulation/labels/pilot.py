"""A planner that drives while the expert says what it would have done (DAgger).

Ross, Gordon, Bagnell, A reduction of imitation learning and structured prediction to no-regret
online learning (AISTATS 2011): the learner meets the situations that it brings about itself.
Where it would stand for ever, or leaves its road or its route, the expert takes over for a while
(Kelly et al., HG-DAgger, ICRA 2019), so that a drive goes on to situations not met yet.
"""

from __future__ import annotations

import math
from collections import deque
from contextlib import suppress

from emma_planner.control.control import Control
from emma_planner.control.following import Following
from emma_planner.control.timed_path import FollowState, PathError, TimedPath
from emma_planner.planning.earlier import earlier_of
from emma_planner.planning.kinematics import to_frame
from emma_planner.planning.planner import Planner
from emma_planner.planning.types import (
    DT_NS,
    NS_PER_S,
    ByteArray,
    CameraFrame,
    EgoHistory,
    PlannerInput,
    Pose,
)
from emma_planner.ros.world_messages import MAP
from emma_planner.simulation.drives.drivers import follower_config
from emma_planner.simulation.expert.facts import ExpertPlan
from emma_planner.simulation.observation import Observation, VehicleShape

LOST_M = 5.0
"""Farther from its route nobody can say how to go on."""
ASTRAY_M = 3.0
"""Who is farther from its route is about to be lost."""
STUCK_S = 3.0
"""Who stands this long while the expert would drive is stuck."""
STANDS_MPS = 0.3
GOES_MPS = 1.0
"""The expert drives when it is this fast at the end of its plan."""
HELP_S = 4.0
"""How long the expert drives then."""
KEPT_PICTURES = 8
HELPED_M = 1.0
"""Whom the expert does not bring so far stands against something: the drive is over."""


class Pilot:
    """Drives by a planner's paths; a plan takes no time.

    :param vehicle: the ego
    """

    def __init__(self, planner: Planner, vehicle: VehicleShape) -> None:
        self._planner = planner
        self._following = Following(follower_config(vehicle))
        self._pictures = deque[tuple[int, CameraFrame]](maxlen=KEPT_PICTURES)
        self._has_planned = False
        self._stuck_ns: int | None = None
        self._helped_until_ns = 0
        self._helped_from: Pose | None = None
        self._is_beyond_help = False

    def is_helped(self, now: Observation, plan: ExpertPlan) -> bool:
        """Whether the expert drives in its place now.

        :param plan: the expert's
        """
        now_ns = now.stamp_ns
        if now_ns < self._helped_until_ns:
            return True
        if self._helped_from is not None:
            self._is_beyond_help = _apart_m(self._helped_from, now.pose) < HELPED_M
            self._helped_from = None
        stands = now.speed_mps < STANDS_MPS and plan.speeds_mps[-1] > GOES_MPS
        if not (stands and self._has_planned):
            self._stuck_ns = None
        elif self._stuck_ns is None:
            self._stuck_ns = now_ns
        waited_ns = 0 if self._stuck_ns is None else now_ns - self._stuck_ns
        is_stuck = waited_ns >= STUCK_S * NS_PER_S
        is_astray = not now.truth.lane.on_road or abs(now.truth.route_d_m) > ASTRAY_M
        if not (is_stuck or is_astray):
            return False
        self._stuck_ns = None
        self._helped_until_ns = now_ns + round(HELP_S * NS_PER_S)
        self._helped_from = now.pose
        return True

    def plan(self, image: ByteArray, history: EgoHistory, command: str) -> None:
        """Plan; a plan that fails or cannot be followed leaves the last path."""
        self._has_planned = True
        stamp_ns = history.stamp_ns
        frame = CameraFrame(stamp_ns, 'front', image)
        given = PlannerInput(
            (frame,), history, command, earlier=earlier_of(stamp_ns, self._pictures)
        )
        self._pictures.append((stamp_ns, frame))
        plan = self._planner.plan(given)
        if plan.trajectory is None or plan.reason is not None:
            return
        poses = to_frame(plan.trajectory.poses, history.ego_pose)
        stamps = tuple(history.stamp_ns + (k + 1) * DT_NS for k in range(len(poses)))
        with suppress(PathError):
            self._following.take_path(TimedPath(history.stamp_ns, MAP, poses, stamps))

    def control(self, now: Observation) -> Control:
        """Follow the last path."""
        self._following.observe(FollowState(now.stamp_ns, now.pose, now.speed_mps))
        return self._following.control()

    def is_lost(self, now: Observation) -> bool:
        """Whether the drive is to be ended."""
        return self._is_beyond_help or abs(now.truth.route_d_m) > LOST_M


def _apart_m(one: Pose, other: Pose) -> float:
    return math.hypot(one.x_m - other.x_m, one.y_m - other.y_m)
