"""A timed path as a smooth curve: where to be when, how fast, and what lies ahead on the way.

Geometry: between poses a cubic Hermite curve that keeps both headings. Its tangents have the
length chord / cos^2(turn / 4), which makes a quarter turn of a circle exact to 3e-4 of its radius
(the arc approximation of de Boor, Hollig and Sabin 1987 in Hermite form), and which also passes
through poses that lie on no common arc. Before the first and beyond the last pose the path goes on
with the curvature that it has there.

Time: distance over time is a cubic Hermite spline through the poses, with three-point slopes kept
within three times the neighbouring mean speeds: monotone (Fritsch and Carlson 1980), so a path
that stands does not go back, and exact for constant acceleration.
"""

from __future__ import annotations

import math

import numpy as np

from emma_planner.control.timed_path import TimedPath, forward_m
from emma_planner.planning.kinematics import wrap_angle
from emma_planner.planning.types import NS_PER_S, FloatArray, Pose

SAMPLE_M = 0.25
"""Between samples of the curve: a bend of 5 m radius is then cut by 2 mm."""
STANDING_M = 1e-3
"""A shorter way from pose to pose has no direction."""
BEFORE_M = 20.0
BEYOND_M = 80.0
END_M = 2.0
"""The curvature of the ends is measured over this length."""
MAX_END_CURVATURE_1PM = 0.2
SEARCH_M = 12.0
"""The ego is looked for within this distance of where it is expected, so that a path that crosses
itself does not confuse it."""


class PathReference:
    """Looks up a path by time and by distance. Distance 0 m is the first pose.

    :param path: poses and stamps
    """

    def __init__(self, path: TimedPath) -> None:
        self._start_ns = path.stamps_ns[0]
        self._times_s = np.array([(ns - self._start_ns) / NS_PER_S for ns in path.stamps_ns])
        way_m, points, self._knots_m = _curve(path.poses)
        self._way_m, self._points = _with_ends(way_m, points, path.poses, self._knots_m)
        self._speeds_mps = _knot_speeds(self._times_s, self._knots_m)

    @property
    def length_m(self) -> float:
        """Distance from the first pose to the last [m]."""
        return float(self._knots_m[-1])

    def time_s(self, stamp_ns: int) -> float:
        """Time of a stamp after the first pose [s]."""
        return (stamp_ns - self._start_ns) / NS_PER_S

    @property
    def duration_s(self) -> float:
        """Time from the first pose to the last [s]."""
        return float(self._times_s[-1])

    def distance_m(self, time_s: float) -> float:
        """Where to be at a time; at constant speed before the first pose and after the last."""
        return self._lookup(time_s)[0]

    def speed_mps(self, time_s: float) -> float:
        """How fast to be at a time."""
        return self._lookup(time_s)[1]

    def locate(self, pose: Pose, around_m: float) -> tuple[float, float]:
        """Find the ego on the path.

        :param around_m: distance along the path near which it is looked for
        :returns: distance along the path [m], offset from it [m], left positive
        """
        first, last = self._window(around_m)
        start, step = self._points[first:last], np.diff(self._points[first : last + 1], axis=0)
        length = np.hypot(step[:, 0], step[:, 1])
        unit = step / length[:, None]
        to_ego = np.array([pose.x_m, pose.y_m]) - start
        along = np.clip((to_ego * unit).sum(axis=1), 0.0, length)
        gap = to_ego - along[:, None] * unit
        best = int(np.argmin((gap * gap).sum(axis=1)))
        left = unit[best, 0] * to_ego[best, 1] - unit[best, 1] * to_ego[best, 0]
        return float(self._way_m[first + best] + along[best]), float(left)

    def point(self, distance_m: float) -> tuple[float, float]:
        """Return x [m], y [m] at a distance along the path."""
        x = np.interp(distance_m, self._way_m, self._points[:, 0])
        y = np.interp(distance_m, self._way_m, self._points[:, 1])
        return float(x), float(y)

    def _window(self, distance_m: float) -> tuple[int, int]:
        low = int(np.searchsorted(self._way_m, distance_m - SEARCH_M)) - 1
        high = int(np.searchsorted(self._way_m, distance_m + SEARCH_M))
        last = len(self._way_m) - 1
        first = min(max(low, 0), last - 1)
        return first, max(min(high, last), first + 1)

    def _lookup(self, time_s: float) -> tuple[float, float]:
        times, knots, speeds = self._times_s, self._knots_m, self._speeds_mps
        if time_s <= 0.0:
            return float(speeds[0] * time_s), float(speeds[0])
        if time_s >= times[-1]:
            return float(knots[-1] + speeds[-1] * (time_s - times[-1])), float(speeds[-1])
        k = int(np.searchsorted(times, time_s, side='right')) - 1
        step = times[k + 1] - times[k]
        u = (time_s - times[k]) / step
        rise, slope0, slope1 = knots[k + 1] - knots[k], speeds[k] * step, speeds[k + 1] * step
        square, cube = 3.0 * rise - 2.0 * slope0 - slope1, slope0 + slope1 - 2.0 * rise
        distance = knots[k] + u * (slope0 + u * (square + u * cube))
        speed = (slope0 + u * (2.0 * square + u * 3.0 * cube)) / step
        return float(distance), max(float(speed), 0.0)


def _curve(poses: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sample the curve through the poses.

    :returns: distance ``(M,)`` [m] and points ``(M, 2)`` [m] of the samples, distance ``(N,)`` [m]
        of the poses
    """
    points, knots = [poses[:1, :2]], [0.0]
    for k, forward in enumerate(forward_m(poses).tolist()):
        length = 0.0
        if forward > STANDING_M:
            piece = _hermite(points[-1][-1], poses[k, 2], poses[k + 1])
            joined = np.vstack([points[-1][-1:], piece])
            length = float(np.hypot(*np.diff(joined, axis=0).T).sum())
            points.append(piece)
        knots.append(knots[-1] + length)
    all_points = np.concatenate(points)
    steps = np.hypot(*np.diff(all_points, axis=0).T)
    return np.concatenate([[0.0], np.cumsum(steps)]), all_points, np.array(knots)


def _hermite(start: FloatArray, start_yaw_rad: float, end: FloatArray) -> FloatArray:
    """Points after ``start`` up to ``end``."""
    chord = math.hypot(end[0] - start[0], end[1] - start[1])
    turn = wrap_angle(end[2] - start_yaw_rad)
    pull = chord / math.cos(turn / 4.0) ** 2
    u = np.linspace(0.0, 1.0, 1 + max(2, math.ceil(chord / SAMPLE_M)))[1:, None]
    from_tangent = pull * np.array([math.cos(start_yaw_rad), math.sin(start_yaw_rad)])
    to_tangent = pull * np.array([math.cos(end[2]), math.sin(end[2])])
    points: FloatArray = (
        (2.0 * u**3 - 3.0 * u**2 + 1.0) * start
        + (u**3 - 2.0 * u**2 + u) * from_tangent
        + (3.0 * u**2 - 2.0 * u**3) * end[:2]
        + (u**3 - u**2) * to_tangent
    )
    points[-1] = end[:2]
    return points


def _with_ends(
    way_m: FloatArray, points: FloatArray, poses: FloatArray, knots_m: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Add what lies before the first and beyond the last pose."""
    yaws = np.unwrap(poses[:, 2])
    near = int(np.searchsorted(knots_m, min(END_M, knots_m[-1])))
    far = int(np.searchsorted(knots_m, max(knots_m[-1] - END_M, 0.0), side='right')) - 1
    before = -np.arange(2.0 * SAMPLE_M, BEFORE_M, 2.0 * SAMPLE_M)[::-1]
    beyond = np.arange(2.0 * SAMPLE_M, BEYOND_M, 2.0 * SAMPLE_M)
    start = np.array([*points[0], yaws[0]])
    end = np.array([*points[-1], yaws[-1]])
    return (
        np.concatenate([before, way_m, way_m[-1] + beyond]),
        np.concatenate(
            [
                _arc(start, _bend(yaws, knots_m, 0, near), before),
                points,
                _arc(end, _bend(yaws, knots_m, far, len(yaws) - 1), beyond),
            ]
        ),
    )


def _bend(yaws_rad: FloatArray, knots_m: FloatArray, first: int, last: int) -> float:
    """Mean curvature between two poses [1/m], 0 where the path is too short to tell."""
    length = float(knots_m[last] - knots_m[first])
    if length < END_M / 4.0:
        return 0.0
    curvature = float(yaws_rad[last] - yaws_rad[first]) / length
    return min(max(curvature, -MAX_END_CURVATURE_1PM), MAX_END_CURVATURE_1PM)


def _arc(pose: FloatArray, curvature_1pm: float, distances_m: FloatArray) -> FloatArray:
    """Points ``(M, 2)`` on the circle through a pose; distances may be negative."""
    half_turn = curvature_1pm * distances_m / 2.0
    chord = distances_m * np.sinc(half_turn / np.pi)
    heading = pose[2] + half_turn
    points: FloatArray = np.stack([chord * np.cos(heading), chord * np.sin(heading)], axis=-1)
    return points + pose[:2]


def _knot_speeds(times_s: FloatArray, knots_m: FloatArray) -> FloatArray:
    """Speed at each pose ``(N,)`` [m/s], from the mean speeds between poses."""
    if len(times_s) == 1:
        return np.zeros(1)
    step = np.diff(times_s)
    mean = np.diff(knots_m) / step
    if len(mean) == 1:
        return np.repeat(mean, 2)
    inner = (mean[:-1] * step[1:] + mean[1:] * step[:-1]) / (step[:-1] + step[1:])
    first = mean[0] + (mean[0] - mean[1]) * step[0] / (step[0] + step[1])
    last = mean[-1] + (mean[-1] - mean[-2]) * step[-1] / (step[-1] + step[-2])
    slopes = np.concatenate([[first], inner, [last]])
    lowest = np.minimum(np.concatenate([mean[:1], mean]), np.concatenate([mean, mean[-1:]]))
    speeds: FloatArray = np.clip(slopes, 0.0, 3.0 * lowest)
    return speeds
