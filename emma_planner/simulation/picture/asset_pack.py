"""All that the camera can see, made from scratch: models by name, textures, palettes.

Deterministic and free of other people's work. numpy only; knows no renderer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from emma_planner.planning.types import ByteArray, FloatArray
from emma_planner.simulation.picture import street_models as street
from emma_planner.simulation.picture.car_models import CAR_DESIGNS, car, truck
from emma_planner.simulation.picture.meshes import Mesh, Rgb


def lit_vehicle(name: str, brakes: bool, indicator: str) -> str:
    """Return the name of a vehicle's model with some of its lights lit."""
    return ' '.join([name, *(['brakes'] if brakes else []), *([indicator] if indicator else [])])


VEHICLES: dict[str, Callable[[bool, str], Mesh]] = {
    **{name: partial(car, design) for name, design in CAR_DESIGNS.items()},
    'truck': truck,
}
MODELS: dict[str, Callable[[], Mesh]] = {
    **{
        lit_vehicle(name, brakes, side): partial(make, brakes, side)
        for name, make in VEHICLES.items()
        for brakes in (False, True)
        for side in ('', 'left', 'right')
    },
    **{f'pedestrian-{k}': partial(street.pedestrian, s) for k, s in enumerate(street.STRIDES)},
    'cyclist': street.cyclist,
    'cone': street.cone,
    'barrier': street.barrier,
    'warning': street.warning,
    **{f'lamp-{name}': partial(street.lamp, name) for name in street.LAMPS},
    'house-0': partial(street.house, 1),
    'house-1': partial(street.house, 2),
    'tree-0': street.tree,
    'tree-1': street.conifer,
    'fence-0': street.fence,
}
"""What can be built, each facing x on z = 0."""

PAINTS: tuple[Rgb, ...] = (
    (0.86, 0.87, 0.88),
    (0.62, 0.64, 0.67),
    (0.24, 0.25, 0.28),
    (0.72, 0.1, 0.1),
    (0.12, 0.25, 0.62),
    (0.1, 0.42, 0.27),
    (0.9, 0.7, 0.14),
    (0.16, 0.52, 0.66),
    (0.5, 0.36, 0.25),
    (0.93, 0.45, 0.12),
)
"""Cars."""
JACKETS: tuple[Rgb, ...] = (
    (0.85, 0.2, 0.2),
    (0.95, 0.78, 0.2),
    (0.2, 0.45, 0.85),
    (0.92, 0.92, 0.9),
    (0.75, 0.3, 0.65),
    (0.2, 0.65, 0.5),
)
WALLS: tuple[Rgb, ...] = (
    (0.9, 0.85, 0.74),
    (0.86, 0.72, 0.58),
    (0.8, 0.82, 0.84),
    (0.76, 0.55, 0.46),
    (0.93, 0.93, 0.9),
)
LEAVES: tuple[Rgb, ...] = ((0.3, 0.5, 0.2), (0.24, 0.45, 0.22), (0.4, 0.55, 0.2))
NEEDLES: tuple[Rgb, ...] = ((0.2, 0.4, 0.24), (0.16, 0.34, 0.22))
PALETTES: dict[str, tuple[Rgb, ...]] = {
    'house-0': WALLS,
    'house-1': WALLS,
    'tree-0': LEAVES,
    'tree-1': NEEDLES,
}
"""Tints of roadside models; others have none."""

TEXTURE_PX = 256


def textures() -> dict[str, ByteArray]:
    """Return ``(N, N, 3)`` uint8 RGB each, which repeat without a seam.

    ``asphalt`` and ``grass`` for the ground, ``clouds`` for the sky (its red is the cover),
    ``shadow`` a soft spot (its red is the darkness), ``plain`` white.
    """
    rng = np.random.default_rng(20240)
    fine, coarse = _noise(rng, 0.6), _noise(rng, 1.6)
    grass = (0.55 * fine + 0.45 * coarse)[..., None]
    asphalt = 1.0 + 0.09 * fine + 0.035 * coarse
    cover = np.clip(0.62 * _noise(rng, 1.9) - 0.12, 0.0, 1.0)
    return {
        'asphalt': _grey(0.385 * asphalt, (0.98, 1.0, 1.03)),
        'grass': _bytes(np.array([0.36, 0.47, 0.21]) * (1.0 + 0.2 * grass)),
        'clouds': _grey(cover, (1.0, 1.0, 1.0)),
        'shadow': _grey(_soft_spot(), (1.0, 1.0, 1.0)),
        'plain': np.full((4, 4, 3), 255, dtype=np.uint8),
    }


def _noise(rng: np.random.Generator, slope: float) -> FloatArray:
    """Periodic noise of deviation 1; its amplitude falls with frequency to a power."""
    frequency = np.fft.fftfreq(TEXTURE_PX) * TEXTURE_PX
    radius = np.hypot(frequency[:, None], frequency)
    radius[0, 0] = np.inf
    spectrum = np.fft.fft2(rng.standard_normal((TEXTURE_PX, TEXTURE_PX))) / radius**slope
    values = np.fft.ifft2(spectrum).real
    return np.asarray(values / values.std(), dtype=np.float64)


def _soft_spot() -> FloatArray:
    """Dark in the middle half, gone at the border; round corners."""
    place = np.abs(np.linspace(-1.0, 1.0, TEXTURE_PX))
    beyond = np.clip((place - 0.55) / 0.4, 0.0, None)
    distance = np.hypot(beyond[:, None], beyond)
    ramp = np.clip(1.0 - distance, 0.0, 1.0)
    return np.asarray(ramp * ramp * (3.0 - 2.0 * ramp), dtype=np.float64)


def _grey(values: FloatArray, tint: Rgb) -> ByteArray:
    return _bytes(values[..., None] * np.asarray(tint))


def _bytes(values: FloatArray) -> ByteArray:
    return np.asarray(np.round(np.clip(values, 0.0, 1.0) * 255.0), dtype=np.uint8)
