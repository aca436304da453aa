"""Steering onto a path by pure pursuit.

Coulter, Implementation of the Pure Pursuit Path Tracking Algorithm, CMU-RI-TR-92-01: the rear
axle is put on the circle that touches its heading and meets the path a lookahead distance L ahead;
with y the offset of that goal in base_link, curvature = 2 y / L^2. The lookahead grows with speed.
The pose used is the one that the car will have when the command takes effect.

The law was chosen by measurement (``benchmarks/steering_laws.py``: arcs, slaloms and lane changes
at 3 to 20 m/s on a kinematic bicycle, a control each 0.1 s, the actuators without lag and with
0.15 s of it) over that of Stanley (Hoffmann et al., ACC 2007): root mean square offset 0.06 m and
0.02 m against 0.24 m and 0.20 m. What Stanley's law wants at the front axle, a planner does not
say: its path is that of the rear axle.
"""

from __future__ import annotations

import math

from emma_planner.control.config import FollowerConfig
from emma_planner.control.path_reference import PathReference
from emma_planner.planning.types import Pose


class Steering:
    """The steering angle over time; keeps the last one, from which it turns at a limited rate.

    :param config: wheelbase, limits and lookahead
    """

    def __init__(self, config: FollowerConfig) -> None:
        self._config = config
        self.angle_rad = 0.0
        """The last command, left positive."""

    def toward(
        self, path: PathReference, pose: Pose, distance_m: float, speed_mps: float, dt_s: float
    ) -> float:
        """Steer to a point of the path ahead of the ego.

        :param pose: of the rear axle, now
        :param distance_m: where that is along the path
        :param dt_s: since the last command
        :returns: angle of the front wheels [rad], left positive
        """
        config = self._config
        travel_m = max(speed_mps, 0.0) * config.actuation_delay_s
        then = self.ahead(pose, travel_m)
        lookahead_m = max(config.lookahead_min_m, config.lookahead_time_s * speed_mps)
        goal = path.point(distance_m + travel_m + lookahead_m)
        return self._turn(math.atan(config.wheelbase_m * arc_curvature(then, goal)), dt_s)

    def ahead(self, pose: Pose, travel_m: float) -> Pose:
        """Return the pose after a way with the wheels as they are: the arc of the bicycle."""
        turn = travel_m * math.tan(self.angle_rad) / self._config.wheelbase_m
        half = turn / 2.0
        chord = travel_m * (math.sin(half) / half if abs(half) > 1e-9 else 1.0)
        heading = pose.yaw_rad + half
        return Pose(
            pose.x_m + chord * math.cos(heading),
            pose.y_m + chord * math.sin(heading),
            pose.yaw_rad + turn,
        )

    def _turn(self, wanted_rad: float, dt_s: float) -> float:
        config = self._config
        most, step = config.max_steering_angle_rad, config.max_steering_rate_radps * dt_s
        limited = min(max(wanted_rad, -most), most)
        self.angle_rad += min(max(limited - self.angle_rad, -step), step)
        return self.angle_rad


def arc_curvature(pose: Pose, goal: tuple[float, float]) -> float:
    """Curvature [1/m] of the arc from a pose to a point, left positive.

    :param goal: x [m], y [m] in the frame of the pose
    """
    dx, dy = goal[0] - pose.x_m, goal[1] - pose.y_m
    left = math.cos(pose.yaw_rad) * dy - math.sin(pose.yaw_rad) * dx
    square = dx * dx + dy * dy
    return 2.0 * left / square if square > 1e-6 else 0.0
