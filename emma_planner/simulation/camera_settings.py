"""The ego's front camera: size, lens and place on the car."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from emma_planner.planning.types import FloatArray


@dataclass(frozen=True)
class CameraSettings:
    """A pinhole camera without distortion, pixel centres at whole numbers.

    :param width: of the picture [px]
    :param height: of the picture [px]
    :param fov_deg: horizontal opening angle
    :param position_m: x, y, z in base_link: rear axle on the ground, x forward, y left, z up
    :param pitch_deg: down positive
    """

    width: int = 640
    height: int = 360
    fov_deg: float = 90.0
    position_m: tuple[float, float, float] = (1.7, 0.0, 1.5)
    pitch_deg: float = 0.0

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1:
            raise ValueError(
                f'need a picture of 1 x 1 px at least, got {self.width} x {self.height}'
            )
        if not 1.0 <= self.fov_deg < 180.0:
            raise ValueError(f'need a fov_deg of 1 to below 180, got {self.fov_deg:g}')
        if len(self.position_m) != 3 or not np.isfinite(self.position_m).all():
            raise ValueError(f'need a finite position x, y, z [m], got {self.position_m}')
        if not -90.0 < self.pitch_deg < 90.0:
            raise ValueError(f'need a pitch_deg between -90 and 90, got {self.pitch_deg:g}')

    @property
    def fx(self) -> float:
        """Focal length [px]."""
        return self.width / 2.0 / math.tan(math.radians(self.fov_deg) / 2.0)

    @property
    def fy(self) -> float:
        """Focal length [px]: pixels are square."""
        return self.fx

    @property
    def cx(self) -> float:
        """Column of the optical axis [px]."""
        return (self.width - 1) / 2.0

    @property
    def cy(self) -> float:
        """Row of the optical axis [px]."""
        return (self.height - 1) / 2.0

    @property
    def intrinsics(self) -> FloatArray:
        """``(3, 3)`` camera matrix [px]."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])
