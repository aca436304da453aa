"""A car's way ahead: the lanes that it follows, as one line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.population.car_following import LATERAL_MPS2
from emma_planner.simulation.roads.polyline import yaw_along
from emma_planner.simulation.roads.road_graph import Lane


@dataclass(frozen=True, eq=False)
class Track:
    """Lanes in a row.

    :param lanes: the one that the car is on first
    """

    lanes: tuple[Lane, ...]

    @cached_property
    def starts_m(self) -> tuple[float, ...]:
        """Distance along the track at which each lane begins."""
        ends = np.cumsum([lane.length_m for lane in self.lanes]).tolist()
        return (0.0, *ends[:-1])

    @property
    def length_m(self) -> float:
        """Of all lanes."""
        return self.starts_m[-1] + self.lanes[-1].length_m

    @cached_property
    def points(self) -> FloatArray:
        """``(N, 2)`` x, y [m]."""
        parts = [lane.points if k == 0 else lane.points[1:] for k, lane in enumerate(self.lanes)]
        return np.concatenate(parts)

    @cached_property
    def s_m(self) -> FloatArray:
        """``(N,)`` distance along [m]."""
        parts = [
            start + (lane.s_m if k == 0 else lane.s_m[1:])
            for k, (start, lane) in enumerate(zip(self.starts_m, self.lanes, strict=True))
        ]
        return np.concatenate(parts)

    @cached_property
    def speeds_mps(self) -> FloatArray:
        """``(N,)`` posted limit, or what the curve allows [m/s]."""
        limits = []
        for k, lane in enumerate(self.lanes):
            curvature = np.abs(np.gradient(lane.yaw_rad, lane.s_m))
            smooth = np.convolve(np.pad(curvature, 1), np.ones(3) / 3.0, mode='valid')
            curve = np.sqrt(LATERAL_MPS2 / np.maximum(smooth, 1e-4))
            limit = np.minimum(curve, lane.speed_limit_mps)
            limits.append(limit if k == 0 else limit[1:])
        return np.concatenate(limits)

    @cached_property
    def yaw_rad(self) -> FloatArray:
        """``(N,)`` direction, continuous [rad]."""
        return yaw_along(self.points)

    def place(self, s_m: float) -> tuple[float, float, float]:
        """Return x, y, yaw at a distance along the track."""
        return (
            float(np.interp(s_m, self.s_m, self.points[:, 0])),
            float(np.interp(s_m, self.s_m, self.points[:, 1])),
            float(np.interp(s_m, self.s_m, self.yaw_rad)),
        )

    def window(self, from_m: float, to_m: float) -> tuple[FloatArray, FloatArray]:
        """Return points and distances of a part of the track."""
        first, last = np.searchsorted(self.s_m, (from_m, to_m))
        part = slice(max(0, int(first) - 1), int(last) + 1)
        return self.points[part], self.s_m[part]
