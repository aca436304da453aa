"""What a vehicle is told: the border between whoever follows a path and whoever moves wheels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Control:
    """Wanted state of an Ackermann-steered vehicle.

    :param steering_angle_rad: of the virtual front wheel of the bicycle model, left positive
    :param speed_mps: wanted speed, for vehicles with a speed loop of their own
    :param acceleration_mps2: wanted acceleration along body x, negative brakes
    """

    steering_angle_rad: float
    speed_mps: float
    acceleration_mps2: float

    def __post_init__(self) -> None:
        values = (self.steering_angle_rad, self.speed_mps, self.acceleration_mps2)
        if not np.isfinite(values).all():
            raise ValueError(f'need a finite control, got {self}')
