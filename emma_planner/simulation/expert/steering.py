"""Poses along the expert's line that a bicycle can drive.

With e the offset from the line and psi the error of heading, curvature = that of the line a little
ahead - 2/L psi - e/L^2: critically damped over the length L; from far beside the line no harder
than in comfort. It changes no faster than wheels are
turned in comfort; poses are joined by exact arcs (:mod:`~emma_planner.planning.kinematics`).
"""

from __future__ import annotations

import math

import numpy as np

from emma_planner.planning.kinematics import wrap_angle
from emma_planner.planning.types import FloatArray, Pose
from emma_planner.simulation.expert.conflicts import Line
from emma_planner.simulation.expert.speed import DT_S, Motion
from emma_planner.simulation.observation import VehicleShape
from emma_planner.simulation.roads.polyline import offset_line, way_along

LENGTH_S = 0.7
SHORTEST_M = 3.0
PREVIEW_S = 0.3
PREVIEW_M = 0.5
WHEELS_RADPS = 0.6
YAW_ACCELERATION_RADPS2 = 1.4
LATERAL_JERK_MPS3 = 5.5
BACK_MPS2 = 3.0
"""Lateral acceleration towards a line that is far aside."""
MOST_1PM = 0.28
EASE = 0.9
"""Share of the limits that a line may ask for."""


def steer(
    line: Line,
    start: Pose,
    curvature_1pm: float,
    motion: Motion,
    speed_mps: float,
    vehicle: VehicleShape,
) -> tuple[FloatArray, FloatArray]:
    """Follow the line with the speeds of a motion.

    :param curvature_1pm: now
    :param speed_mps: now
    :returns: poses ``(T, 3)`` x [m], y [m], yaw [rad], map, and curvatures ``(T,)`` of the arcs
        that lead to them
    """
    x, y, yaw, kappa = start.x_m, start.y_m, start.yaw_rad, curvature_1pm
    track = _Track(line)
    place = track.nearest(x, y)
    poses, curvatures = [], []
    before = speed_mps
    for v in motion.speeds_mps.tolist():
        arc = 0.5 * (before + v) * DT_S
        pace = 0.5 * (before + v)
        if arc > 1e-4:
            place, offset, heading = track.locate(x, y, place)
            wrong = wrap_angle(yaw - heading)
            length = max(SHORTEST_M, LENGTH_S * pace)
            wanted = track.curvature(place + PREVIEW_M + PREVIEW_S * pace)
            most = BACK_MPS2 / max(pace, 1.0) ** 2
            wanted -= 2.0 / length * math.sin(wrong)
            wanted -= min(max(offset / length**2, -most), most)
            wanted = min(max(wanted, -MOST_1PM), MOST_1PM)
            kappa += min(max(wanted - kappa, -_turn(pace, vehicle)), _turn(pace, vehicle))
        turn = kappa * arc
        chord = arc * (math.sin(turn / 2.0) / (turn / 2.0) if abs(turn) > 1e-9 else 1.0)
        x += chord * math.cos(yaw + turn / 2.0)
        y += chord * math.sin(yaw + turn / 2.0)
        yaw += turn
        poses.append((x, y, wrap_angle(yaw)))
        curvatures.append(kappa)
        before = v
    return np.array(poses), np.array(curvatures)


def steerable_mps(change_1pm2: FloatArray, wheelbase_m: float) -> FloatArray:
    """Speed at which curvature can change so fast along the line.

    :param change_1pm2: of curvature by distance, any sign
    """
    change = np.maximum(np.abs(change_1pm2), 1e-4) / EASE
    speeds: FloatArray = np.minimum(
        np.minimum(WHEELS_RADPS / wheelbase_m / change, np.sqrt(YAW_ACCELERATION_RADPS2 / change)),
        np.cbrt(LATERAL_JERK_MPS3 / change),
    )
    return speeds


def _turn(pace: float, vehicle: VehicleShape) -> float:
    """Largest change of curvature in a step."""
    rate = WHEELS_RADPS / vehicle.wheelbase_m
    if pace > 1.0:
        rate = min(rate, YAW_ACCELERATION_RADPS2 / pace, LATERAL_JERK_MPS3 / pace**2)
    return rate * DT_S


class _Track:
    """The line in the map, to look up step by step."""

    def __init__(self, line: Line) -> None:
        frame = line.frame
        points = offset_line(frame.points, frame.yaw_rad, line.offset_m)
        steps = np.gradient(points, axis=0)
        yaw = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
        bends = np.gradient(yaw, way_along(points))
        bends = np.convolve(np.pad(bends, 2, mode='edge'), np.full(5, 0.2), mode='valid')
        self._x: list[float] = points[:, 0].tolist()
        self._y: list[float] = points[:, 1].tolist()
        self._yaw: list[float] = yaw.tolist()
        self._bends: list[float] = bends.tolist()
        self._points = points
        self._frame = frame

    def nearest(self, x: float, y: float) -> int:
        """Index of the point nearest to a place, around the ego's."""
        away = (self._points[:, 0] - x) ** 2 + (self._points[:, 1] - y) ** 2
        around = int(np.searchsorted(self._frame.s_m, self._frame.around_s_m))
        low, high = max(around - 12, 0), around + 12
        return low + int(np.argmin(away[low:high]))

    def locate(self, x: float, y: float, k: int) -> tuple[int, float, float]:
        """Return the index of the nearest point, offset from the line and its heading."""
        last = len(self._x) - 2
        while k < last and self._squared(k + 1, x, y) <= self._squared(k, x, y):
            k += 1
        yaw = self._yaw[k]
        dx, dy = x - self._x[k], y - self._y[k]
        along = math.cos(yaw) * dx + math.sin(yaw) * dy
        offset = math.cos(yaw) * dy - math.sin(yaw) * dx
        bend = self._bends[k]
        return k, offset - 0.5 * bend * along**2, yaw + bend * along

    def curvature(self, ahead: float) -> float:
        """Curvature at an index with fraction."""
        place = min(max(ahead, 0.0), len(self._bends) - 1.001)
        k = int(place)
        return self._bends[k] * (1.0 - place + k) + self._bends[k + 1] * (place - k)

    def _squared(self, k: int, x: float, y: float) -> float:
        return (self._x[k] - x) ** 2 + (self._y[k] - y) ** 2
