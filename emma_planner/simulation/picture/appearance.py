"""What somebody looks like: model, colour and size, from kind, size and id. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from emma_planner.planning.types import Pose
from emma_planner.simulation.observation import Actor, ActorKind
from emma_planner.simulation.picture.asset_pack import JACKETS, PAINTS, PALETTES, lit_vehicle
from emma_planner.simulation.picture.car_models import CAR_DESIGNS, TRUCK_SIZE_M
from emma_planner.simulation.picture.meshes import Rgb

WHITE: Rgb = (1.0, 1.0, 1.0)
STRIDE_M = 0.38
"""A walker's feet change phase after this."""
WALKING_MPS = 0.1
STRIDES = 4
VEHICLE_SIZES_M = {
    'truck': TRUCK_SIZE_M,
    **{name: (car.length_m, car.width_m, car.height_m) for name, car in CAR_DESIGNS.items()},
}
SIZES_M: dict[ActorKind, tuple[float, float, float]] = {
    ActorKind.PEDESTRIAN: (0.35, 0.65, 1.75),
    ActorKind.CYCLIST: (1.75, 0.55, 1.75),
    ActorKind.CONE: (0.44, 0.44, 0.75),
    ActorKind.BARRIER: (0.6, 2.0, 1.1),
    ActorKind.WARNING: (0.4, 0.84, 0.77),
}
"""Length, width and height of the models."""
ALIKE = 0.12
"""Models whose relative sizes differ by this little more than the best's may be worn too."""


@dataclass(frozen=True)
class Look:
    """A model and how it is worn.

    :param tint: colour of its tinted parts
    :param scale: along its x, y, z
    :param size_m: length and width on the ground
    """

    model: str
    tint: Rgb
    scale: tuple[float, float, float]
    size_m: tuple[float, float]


def look_of(actor: Actor) -> Look:
    """Return what an actor looks like; same id, size, lights and stride, the same look."""
    number = crc32(actor.id.encode())
    size = (actor.length_m, actor.width_m, actor.height_m)
    if actor.kind is ActorKind.VEHICLE:
        name = _vehicle(size, number)
        length, width, height = (
            mine / its for mine, its in zip(size, VEHICLE_SIZES_M[name], strict=True)
        )
        tint = PAINTS[(number >> 8) % len(PAINTS)]
        model = lit_vehicle(name, actor.brake_lights, actor.indicator)
        return Look(model, tint, (length, width, height), size[:2])
    length, width, high = SIZES_M[actor.kind]
    scale = actor.height_m / high
    tint = JACKETS[(number >> 8) % len(JACKETS)]
    walks = actor.kind is ActorKind.PEDESTRIAN
    model = f'{actor.kind.value}-{_stride(actor)}' if walks else actor.kind.value
    return Look(model, tint, (scale, scale, scale), (scale * length, scale * width))


def _stride(actor: Actor) -> int:
    """The phase of a walk, 0 ... 3, from where the walker is; 0 when standing."""
    if abs(actor.speed_mps) < WALKING_MPS:
        return 0
    pose = actor.pose
    along = pose.x_m * math.cos(pose.yaw_rad) + pose.y_m * math.sin(pose.yaw_rad)
    return math.floor(along / STRIDE_M) % STRIDES


@dataclass(frozen=True)
class Standing:
    """Something beside the road.

    :param model: ``house``, ``tree`` or ``fence``
    :param variant: any whole number; picks a shape and a colour
    """

    model: str
    pose: Pose
    variant: int = 0

    def __post_init__(self) -> None:
        if self.model not in FOOTPRINTS_M:
            raise ValueError(f'need one of {", ".join(FOOTPRINTS_M)}, got {self.model!r}')


FOOTPRINTS_M = {'house': (8.0, 10.0), 'tree': (3.6, 3.6), 'fence': (4.0, 0.3)}
"""Length along x and width of what stands beside the road."""
SHAPES = {'house': 2, 'tree': 2, 'fence': 1}


def look_beside(item: Standing) -> Look:
    """Return what something beside the road looks like."""
    number = crc32(f'{item.model}{item.variant}'.encode())
    name = f'{item.model}-{number % SHAPES[item.model]}'
    tints: Sequence[Rgb] = PALETTES.get(name, (WHITE,))
    growth = 0.85 + 0.3 * ((number >> 16) % 16) / 15.0 if item.model == 'tree' else 1.0
    length, width = FOOTPRINTS_M[item.model]
    tint = tints[(number >> 8) % len(tints)]
    return Look(name, tint, (growth,) * 3, (growth * length, growth * width))


def _vehicle(size_m: tuple[float, float, float], number: int) -> str:
    """Pick among the vehicles that need the least stretching."""
    stretch = {
        name: sum(abs(math.log(mine / its)) for mine, its in zip(size_m, theirs, strict=True))
        for name, theirs in VEHICLE_SIZES_M.items()
    }
    best = min(stretch.values())
    alike = [name for name, value in sorted(stretch.items()) if value <= best + ALIKE]
    return alike[number % len(alike)]
