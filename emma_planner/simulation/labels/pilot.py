"""A planner that drives while the expert says what it would have done (DAgger).

Ross, Gordon, Bagnell, A reduction of imitation learning and structured prediction to no-regret
online learning (AISTATS 2011): the learner meets the situations that it brings about itself.
"""

from __future__ import annotations

from emma_planner.control.control import Control
from emma_planner.control.following import Following
from emma_planner.control.timed_path import FollowState, TimedPath
from emma_planner.planning.kinematics import to_frame
from emma_planner.planning.planner import Planner
from emma_planner.planning.types import (
    DT_NS,
    ByteArray,
    CameraFrame,
    EgoHistory,
    PlannerInput,
)
from emma_planner.ros.world_messages import MAP
from emma_planner.simulation.drives.drivers import follower_config
from emma_planner.simulation.observation import Observation, VehicleShape

LOST_M = 5.0
"""Farther from its route nobody can say how to go on."""


class Pilot:
    """Drives by a planner's paths; a plan takes no time.

    :param vehicle: the ego
    """

    def __init__(self, planner: Planner, vehicle: VehicleShape) -> None:
        self._planner = planner
        self._following = Following(follower_config(vehicle))

    def plan(self, image: ByteArray, history: EgoHistory, command: str) -> None:
        """Plan; a plan that fails leaves the last path."""
        frame = CameraFrame(history.stamp_ns, 'front', image)
        plan = self._planner.plan(PlannerInput((frame,), history, command))
        if plan.trajectory is None or plan.reason is not None:
            return
        poses = to_frame(plan.trajectory.poses, history.ego_pose)
        stamps = tuple(history.stamp_ns + (k + 1) * DT_NS for k in range(len(poses)))
        self._following.take_path(TimedPath(history.stamp_ns, MAP, poses, stamps))

    def control(self, now: Observation) -> Control:
        """Follow the last path."""
        self._following.observe(FollowState(now.stamp_ns, now.pose, now.speed_mps))
        return self._following.control()

    @staticmethod
    def is_lost(now: Observation) -> bool:
        """Whether the drive is to be ended."""
        return abs(now.truth.route_d_m) > LOST_M
