"""Cars to look at: bodies, windows, wheels, lights behind and ahead, indicators.

Every model stands on z = 0, the middle of its footprint at the origin, and faces x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.picture.meshes import Finish, Mesh, Rgb, box, cylinder, join, loft

WHITE: Rgb = (1.0, 1.0, 1.0)
GLASS: Rgb = (0.13, 0.17, 0.22)
RUBBER: Rgb = (0.07, 0.07, 0.08)
HUB: Rgb = (0.62, 0.63, 0.66)
PLASTIC: Rgb = (0.16, 0.16, 0.18)
TAIL_LIGHT: Rgb = (0.45, 0.03, 0.04)
BRAKE_LIGHT: Rgb = (1.0, 0.22, 0.14)
BRAKE_GLARE: Rgb = (0.86, 0.04, 0.05)
INDICATOR: Rgb = (1.0, 0.62, 0.05)
GLARE_M = 0.05
"""Around a lit brake light."""
HEAD_LIGHT: Rgb = (1.0, 0.98, 0.88)
PLATE: Rgb = (0.93, 0.92, 0.86)
TRUCK_SIZE_M = (6.0, 2.3, 2.8)
"""Length, width, height."""


@dataclass(frozen=True)
class CarDesign:
    """A car's proportions.

    :param length_m: over all, as width and height
    :param belt: lower edge of the windows, share of the height
    :param bonnet: upper edge of the bonnet at the nose, share of the height
    :param boot: upper edge of the body at the tail, share of the height
    :param cabin: x of the cabin's corners, share of the length from the tail: foot and top of the
        rear window, top and foot of the windscreen
    :param axles: x of rear and front axle, share of the length from the tail
    :param wheel_radius_m: of the tyres
    """

    length_m: float
    width_m: float
    height_m: float
    belt: float
    bonnet: float
    boot: float
    cabin: tuple[float, float, float, float]
    axles: tuple[float, float]
    wheel_radius_m: float


CAR_DESIGNS = {
    'saloon': CarDesign(
        4.6, 1.85, 1.42, 0.64, 0.52, 0.62, (0.1, 0.27, 0.55, 0.71), (0.2, 0.8), 0.33
    ),
    'sports': CarDesign(
        4.5, 1.85, 1.22, 0.66, 0.5, 0.66, (0.06, 0.34, 0.5, 0.68), (0.2, 0.79), 0.33
    ),
    'hatchback': CarDesign(
        4.1, 1.75, 1.55, 0.6, 0.5, 0.58, (0.02, 0.12, 0.55, 0.74), (0.17, 0.81), 0.32
    ),
    'estate': CarDesign(
        4.75, 1.85, 1.5, 0.62, 0.52, 0.6, (0.02, 0.12, 0.56, 0.71), (0.19, 0.8), 0.33
    ),
    'suv': CarDesign(4.8, 2.0, 1.85, 0.62, 0.56, 0.6, (0.02, 0.1, 0.56, 0.7), (0.19, 0.81), 0.4),
    'van': CarDesign(5.3, 2.0, 2.2, 0.55, 0.44, 0.55, (0.01, 0.03, 0.72, 0.86), (0.2, 0.81), 0.36),
}


def car(design: CarDesign, brakes: bool = False, indicator: str = '') -> Mesh:
    """Build a passenger car.

    :param brakes: its three brake lights are lit
    :param indicator: ``left`` or ``right`` is lit
    """
    ends = _ends(design, brakes, indicator)
    return join([_body(design), *_cabin(design), *_wheels(design), *ends])


def truck(brakes: bool = False, indicator: str = '') -> Mesh:
    """Build a box truck.

    :param brakes: its two brake lights are lit
    :param indicator: ``left`` or ``right`` is lit
    """
    length, half, radius = TRUCK_SIZE_M[0], TRUCK_SIZE_M[1] / 2, 0.45
    tail, nose = -length / 2, length / 2
    cab = tail + 4.4
    parts = [
        box((tail, -half, 0.75), (cab - 0.15, half, 2.8), (0.93, 0.93, 0.92)),
        box((tail, -half - 0.01, 1.5), (cab - 0.15, half + 0.01, 1.85), WHITE, Finish.TINTED),
        box((tail - 0.02, -half + 0.1, 0.85), (tail, -0.03, 2.7), (0.82, 0.82, 0.82)),
        box((tail - 0.02, 0.03, 0.85), (tail, half - 0.1, 2.7), (0.82, 0.82, 0.82)),
        box((tail, -half + 0.1, 0.45), (nose - 0.2, half - 0.1, 0.75), PLASTIC),
        _shell(
            [
                (cab, 0.5, 2.3),
                (nose - 0.25, 0.45, 2.25),
                (nose - 0.05, 0.45, 1.4),
                (nose, 0.5, 1.2),
            ],
            half,
        ),
        loft(
            [
                [(x, y, z) for x, y, z in ((nose - 0.02, -0.95, 1.42), (nose - 0.02, 0.95, 1.42))]
                + [(nose - 0.21, 0.92, 2.18), (nose - 0.21, -0.92, 2.18)],
                [(x, y, z) for x, y, z in ((nose + 0.02, -0.95, 1.42), (nose + 0.02, 0.95, 1.42))]
                + [(nose - 0.17, 0.92, 2.18), (nose - 0.17, -0.92, 2.18)],
            ],
            GLASS,
        ),
        box((nose - 1.1, -half - 0.02, 1.42), (nose - 0.4, half + 0.02, 2.1), GLASS),
    ]
    for side in (-1, 1):
        low, high = sorted((side * (half - 0.36), side * (half - 0.06)))
        parts += [
            *_tail_light((tail - 0.04, low, 0.5), (tail, high, 0.7), brakes),
            box((nose - 0.02, low, 0.68), (nose + 0.03, high, 0.88), HEAD_LIGHT, Finish.GLOWING),
        ]
        parts += [_wheel(x, side * half, radius) for x in (tail + 1.2, nose - 1.1)]
    return join([*parts, *_indicators(indicator, length / 2, half, 0.72)])


def _shell(stations: list[tuple[float, float, float]], half: float) -> Mesh:
    """Painted skin over stations x, lower z, upper z."""
    rings = []
    for x, low, high in stations:
        middle = low + 0.55 * (high - low)
        outline = [
            (-0.9 * half, low),
            (0.9 * half, low),
            (half, middle),
            (0.93 * half, high),
            (-0.93 * half, high),
            (-half, middle),
        ]
        rings.append([(x, y, z) for y, z in outline])
    return loft(rings, WHITE, Finish.TINTED)


def _body(design: CarDesign) -> Mesh:
    length, height = design.length_m, design.height_m
    low = 0.6 * design.wheel_radius_m
    belt, bonnet, boot = (share * height for share in (design.belt, design.bonnet, design.boot))
    rear, front = design.cabin[0], design.cabin[3]
    stations = [
        (0.0, low + 0.12, 0.88 * boot),
        (0.02, low, boot),
        (max(rear, 0.03), low, belt),
        (front, low, belt),
        (0.93, low, bonnet),
        (0.985, low + 0.02, 0.86 * bonnet),
        (1.0, low + 0.1, 0.72 * bonnet),
    ]
    return _shell(
        [((share - 0.5) * length, bottom, top) for share, bottom, top in stations],
        design.width_m / 2,
    )


def _cabin(design: CarDesign) -> list[Mesh]:
    """Windows all round, roof and pillars."""
    foot_z, top_z = design.belt * design.height_m - 0.02, design.height_m - 0.07
    foot_y, top_y = 0.46 * design.width_m, 0.37 * design.width_m
    xs = [(share - 0.5) * design.length_m for share in design.cabin]
    foot = _rectangle(xs[0], xs[3], foot_y, foot_z)
    top = _rectangle(xs[1], xs[2], top_y, top_z)
    lid = _rectangle(xs[1] + 0.1, xs[2] - 0.12, top_y - 0.08, design.height_m)
    middle = 0.45
    pillars = [(foot[k], top[k]) for k in range(4)] + [
        (foot[a] + middle * (foot[b] - foot[a]), top[a] + middle * (top[b] - top[a]))
        for a, b in ((0, 1), (3, 2))
    ]
    edge = _rectangle(xs[1] - 0.03, xs[2] + 0.03, top_y + 0.02, top_z)
    return [
        loft([foot, top], GLASS),
        loft([edge - (0.0, 0.0, 0.03), edge, lid], WHITE, Finish.TINTED),
        *(_bar(start, end, 0.045) for start, end in pillars),
    ]


def _rectangle(x0: float, x1: float, half: float, z: float) -> FloatArray:
    return np.array([(x0, -half, z), (x1, -half, z), (x1, half, z), (x0, half, z)])


def _bar(start: FloatArray, end: FloatArray, half: float) -> Mesh:
    square = _rectangle(-half, half, half, 0.0)
    return loft([start + square, end + square], WHITE, Finish.TINTED)


def _wheels(design: CarDesign) -> list[Mesh]:
    half = design.width_m / 2
    return [
        _wheel((share - 0.5) * design.length_m, side * half, design.wheel_radius_m)
        for share in design.axles
        for side in (-1, 1)
    ]


def _wheel(x_m: float, y_m: float, radius_m: float) -> Mesh:
    """Tyre, hub and the dark arch above it; ``y_m`` is the car's flank."""
    side = np.sign(y_m)
    inside, flank = y_m - side * 0.3, y_m + side * 0.005
    outside = y_m + side * 0.012
    z = radius_m
    return join(
        [
            cylinder(
                (x_m, inside, z + 0.2 * radius_m),
                (x_m, flank, z + 0.2 * radius_m),
                1.15 * radius_m,
                PLASTIC,
            ),
            cylinder((x_m, inside, z), (x_m, outside, z), radius_m, RUBBER, sides=14),
            cylinder((x_m, y_m, z), (x_m, outside + side * 0.01, z), 0.58 * radius_m, HUB),
        ]
    )


def _ends(design: CarDesign, brakes: bool, indicator: str) -> list[Mesh]:
    """Lights, bumpers, number plates, mirrors."""
    tail, nose = -design.length_m / 2, design.length_m / 2
    half, low = design.width_m / 2, 0.6 * design.wheel_radius_m
    rear_z, front_z = design.boot * design.height_m, design.bonnet * design.height_m
    tail_low, head_low = 0.64 * rear_z, 0.6 * front_z
    mirror_x = (design.cabin[3] - 0.53) * design.length_m
    mirror_z = design.belt * design.height_m
    parts = [
        box((tail - 0.03, -0.86 * half, low), (tail + 0.3, 0.86 * half, low + 0.17), PLASTIC),
        box((nose - 0.3, -0.86 * half, low), (nose + 0.03, 0.86 * half, low + 0.15), PLASTIC),
        box((nose - 0.1, -0.4, 0.5 * front_z), (nose + 0.01, 0.4, 0.68 * front_z), PLASTIC),
        box((tail - 0.04, -0.26, low + 0.2), (tail, 0.26, low + 0.32), PLATE),
        box((nose, -0.26, low + 0.04), (nose + 0.04, 0.26, low + 0.14), PLATE),
    ]
    for side in (-1, 1):
        y0, y1 = sorted((side * 0.56 * half, side * 0.93 * half))
        m0, m1 = sorted((side * 0.9 * half, side * (half + 0.12)))
        parts += [
            *_tail_light((tail - 0.03, y0, tail_low), (tail + 0.1, y1, tail_low + 0.17), brakes),
            box(
                (nose - 0.12, y0, head_low),
                (nose + 0.02, y1, head_low + 0.14),
                HEAD_LIGHT,
                Finish.GLOWING,
            ),
            box(
                (mirror_x, m0, mirror_z),
                (mirror_x + 0.1, m1, mirror_z + 0.14),
                WHITE,
                Finish.TINTED,
            ),
        ]
    if brakes:
        third = rear_z - 0.05
        parts += _tail_light((tail - 0.03, -0.3, third), (tail + 0.1, 0.3, third + 0.05), brakes)
    return [*parts, *_indicators(indicator, nose, 0.93 * half, tail_low - 0.02)]


def _tail_light(
    low: tuple[float, float, float], high: tuple[float, float, float], brakes: bool
) -> list[Mesh]:
    """A box that glows, and its glare when it is lit."""
    if not brakes:
        return [box(low, high, TAIL_LIGHT, Finish.GLOWING)]
    (x0, y0, z0), (x1, y1, z1) = low, high
    around = (x0, y0 - GLARE_M, z0 - GLARE_M), (x1, y1 + GLARE_M, z1 + GLARE_M)
    return [
        box(*around, BRAKE_GLARE, Finish.GLOWING),
        box((x0 - 0.01, y0, z0), high, BRAKE_LIGHT, Finish.GLOWING),
    ]


def _indicators(side: str, end_m: float, half_m: float, z_m: float) -> list[Mesh]:
    """The lit indicators of one side: behind, ahead, and on the flank."""
    if not side:
        return []
    sign = 1 if side == 'left' else -1
    low, high = sorted((sign * (half_m - 0.26), sign * (half_m + 0.06)))
    flank = sorted((sign * half_m, sign * (half_m + 0.12)))
    top = z_m + 0.24
    return [
        box((-end_m - 0.06, low, z_m), (-end_m + 0.1, high, top), INDICATOR, Finish.GLOWING),
        box((end_m - 0.2, low, z_m), (end_m + 0.05, high, top), INDICATOR, Finish.GLOWING),
        box(
            (0.2 * end_m, flank[0], z_m),
            (0.2 * end_m + 0.3, flank[1], top),
            INDICATOR,
            Finish.GLOWING,
        ),
    ]
