"""Pushes that take the car off its line now and then, so that coming back can be learned.

Noise on the expert's controls in the manner of Laskey et al., DART: Noise injection for robust
imitation learning (CoRL 2017); in short pushes with calm between them rather than at every step.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from emma_planner.control.control import Control
from emma_planner.planning.types import NS_PER_S
from emma_planner.simulation.observation import Observation

CALM_S = (4.0, 12.0)
PUSH_S = (0.4, 1.2)
LATERAL_MPS2 = 1.2
"""A push steers by an angle that gives about so much sideways."""
MAX_ANGLE_RAD = 0.12
ACCELERATION_MPS2 = 1.5
LEAST_MPS = 2.0
"""A slower car is not pushed."""
WHEELBASE_M = 2.5


class Disturbance:
    """Pushes of one drive.

    :param seed: of the drive
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng((seed, 7))
        self._until_ns = 0
        self._push: tuple[float, float] | None = None
        self.is_on = False

    def apply(self, control: Control, now: Observation) -> Control:
        """Return what reaches the car, and note whether a push is on."""
        if self._until_ns == 0:
            self._until_ns = now.stamp_ns + self._draw(CALM_S)
        if now.stamp_ns >= self._until_ns:
            self._next(now)
        self.is_on = self._push is not None
        if self._push is None:
            return control
        angle, acceleration = self._push
        return dataclasses.replace(
            control,
            steering_angle_rad=control.steering_angle_rad + angle,
            acceleration_mps2=control.acceleration_mps2 + acceleration,
        )

    def _next(self, now: Observation) -> None:
        starts = self._push is None and now.speed_mps > LEAST_MPS
        self._push = self._draw_push(now.speed_mps) if starts else None
        self._until_ns = now.stamp_ns + self._draw(PUSH_S if starts else CALM_S)

    def _draw_push(self, speed_mps: float) -> tuple[float, float]:
        curvature = LATERAL_MPS2 / max(speed_mps, LEAST_MPS) ** 2
        angle = min(float(np.arctan(WHEELBASE_M * curvature)), MAX_ANGLE_RAD)
        side = float(self._rng.uniform(-1.0, 1.0))
        return side * angle, float(self._rng.uniform(-1.0, 1.0)) * ACCELERATION_MPS2

    def _draw(self, between_s: tuple[float, float]) -> int:
        return round(float(self._rng.uniform(*between_s)) * NS_PER_S)
