"""People, obstacles, signals and what stands beside the road, to look at.

Every model stands on z = 0 at the origin and faces x.
"""

from __future__ import annotations

import numpy as np

from emma_planner.simulation.picture.meshes import (
    Finish,
    Mesh,
    Rgb,
    ball,
    box,
    cylinder,
    faces,
    join,
)

WHITE: Rgb = (1.0, 1.0, 1.0)
SKIN: Rgb = (0.87, 0.67, 0.53)
HAIR: Rgb = (0.22, 0.15, 0.1)
TROUSERS: Rgb = (0.16, 0.19, 0.3)
SHOES: Rgb = (0.1, 0.09, 0.09)
ORANGE: Rgb = (0.98, 0.4, 0.06)
RED: Rgb = (0.84, 0.08, 0.08)
STEEL: Rgb = (0.42, 0.44, 0.46)
HOUSING: Rgb = (0.07, 0.08, 0.08)
BARK: Rgb = (0.36, 0.26, 0.17)
WOOD: Rgb = (0.52, 0.4, 0.27)
WINDOW: Rgb = (0.25, 0.33, 0.42)
STRIDES = (0.0, 0.45, 0.0, -0.45)
"""Swing of the left leg [rad] in the phases of a walk."""
LAMPS: dict[str, Rgb] = {
    'red': (1.0, 0.1, 0.06),
    'yellow': (1.0, 0.8, 0.08),
    'green': (0.1, 1.0, 0.42),
}
LAMP_RADIUS_M = 0.2
LAMP_SPACING_M = 0.52


def pedestrian(stride_rad: float) -> Mesh:
    """Build a walker, 1.75 m, with a coloured jacket and dark trousers."""
    parts = [
        box((-0.13, -0.21, 0.86), (0.13, 0.21, 1.46), WHITE, Finish.TINTED, taper=0.92),
        ball((0.0, 0.0, 1.62), (0.11, 0.1, 0.13), SKIN),
        ball((-0.02, 0.0, 1.67), (0.11, 0.105, 0.1), HAIR),
        box((-0.05, -0.06, 1.44), (0.05, 0.06, 1.54), SKIN),
    ]
    for side, swing in ((1, stride_rad), (-1, -stride_rad)):
        leg = join(
            [
                box(
                    (-0.09, side * 0.11 - 0.085, 0.08), (0.09, side * 0.11 + 0.085, 0.9), TROUSERS
                ),
                box((-0.09, side * 0.11 - 0.08, 0.0), (0.18, side * 0.11 + 0.08, 0.1), SHOES),
            ]
        )
        arm = join(
            [
                box(
                    (-0.06, side * 0.27 - 0.055, 0.92),
                    (0.06, side * 0.27 + 0.055, 1.44),
                    WHITE,
                    Finish.TINTED,
                ),
                ball((0.0, side * 0.27, 0.87), (0.06, 0.05, 0.08), SKIN),
            ]
        )
        parts += [leg.swung(-swing, 0.9), arm.swung(swing, 1.42)]
    return join(parts)


def cyclist() -> Mesh:
    """Build a rider on a bicycle, 1.75 m long and high."""
    frame: Rgb = (0.12, 0.12, 0.14)
    wheels = [
        cylinder((x, -0.03, 0.33), (x, 0.03, 0.33), 0.33, frame, sides=14) for x in (-0.52, 0.52)
    ]
    spokes = [
        cylinder((x, -0.035, 0.33), (x, 0.035, 0.33), 0.27, (0.6, 0.62, 0.64), sides=14)
        for x in (-0.52, 0.52)
    ]
    joints = {'rear': (-0.52, 0, 0.33), 'pedal': (-0.05, 0, 0.3), 'saddle': (-0.22, 0, 0.92)}
    bars = [
        cylinder(joints[a], joints[b], 0.03, RED, sides=6)
        for a, b in (('rear', 'pedal'), ('rear', 'saddle'), ('pedal', 'saddle'))
    ]
    bars += [
        cylinder((-0.05, 0, 0.3), (0.4, 0, 0.85), 0.03, RED, sides=6),
        cylinder((-0.2, 0, 0.8), (0.4, 0, 0.85), 0.03, RED, sides=6),
        cylinder((0.52, 0, 0.33), (0.38, 0, 1.0), 0.03, RED, sides=6),
        box((0.33, -0.27, 0.98), (0.4, 0.27, 1.03), frame),
        box((-0.36, -0.08, 0.92), (-0.1, 0.08, 0.98), frame),
        box((-0.85, -0.05, 0.6), (-0.8, 0.05, 0.68), RED, Finish.GLOWING),
    ]
    torso = box((-0.13, -0.2, 0.98), (0.13, 0.2, 1.52), WHITE, Finish.TINTED, taper=0.9)
    rider = [
        torso.swung(0.45, 0.98).moved(-0.16),
        ball((0.12, 0.0, 1.62), (0.11, 0.1, 0.13), SKIN),
        ball((0.1, 0.0, 1.68), (0.14, 0.115, 0.1), (0.93, 0.93, 0.95)),
    ]
    for side in (-1, 1):
        hip, knee = (-0.16, 0.1 * side, 0.96), (0.14, 0.12 * side, 0.68 + 0.06 * side)
        foot = (-0.04, 0.12 * side, 0.26 + 0.12 * side)
        rider += [
            cylinder(hip, knee, 0.085, TROUSERS, end_radius_m=0.07, sides=7),
            cylinder(knee, foot, 0.07, TROUSERS, end_radius_m=0.05, sides=7),
            cylinder(
                (0.02, 0.2 * side, 1.42), (0.36, 0.22 * side, 1.03), 0.05, WHITE, Finish.TINTED
            ),
        ]
    return join([*wheels, *spokes, *bars, *rider])


def cone() -> Mesh:
    """Build a traffic cone, 0.75 m."""
    edges = [(0.06, 0.17), (0.25, 0.133), (0.4, 0.105), (0.53, 0.08), (0.63, 0.06), (0.75, 0.035)]
    colours: tuple[Rgb, ...] = (ORANGE, WHITE, ORANGE, WHITE, ORANGE)
    parts = [box((-0.22, -0.22, 0.0), (0.22, 0.22, 0.06), ORANGE)]
    for (low, wide), (high, narrow), colour in zip(edges[:-1], edges[1:], colours, strict=True):
        parts.append(cylinder((0, 0, low), (0, 0, high), wide, colour, end_radius_m=narrow))
    return join(parts)


def barrier() -> Mesh:
    """Build a striped road barrier, 2 m wide across x."""
    parts = []
    for z in (0.42, 0.82):
        for k in range(8):
            y = -1.0 + 0.25 * k
            colour = RED if k % 2 else WHITE
            parts.append(box((-0.03, y, z), (0.03, y + 0.25, z + 0.26), colour))
    for y in (-0.8, 0.8):
        parts += [
            box((-0.04, y - 0.04, 0.0), (0.04, y + 0.04, 1.1), STEEL),
            box((-0.3, y - 0.05, 0.0), (0.3, y + 0.05, 0.07), HOUSING),
        ]
    return join(parts)


def warning() -> Mesh:
    """Build a warning triangle, 0.7 m high, readable from both sides."""
    outer = np.array([(0.0, -0.42, 0.05), (0.0, 0.42, 0.05), (0.0, 0.0, 0.77)])
    middle = outer.mean(axis=0)
    inner = middle + 0.5 * (outer - middle)
    parts = [box((-0.2, -0.03, 0.0), (0.2, 0.03, 0.06), HOUSING)]
    for x, order in ((0.03, (0, 1, 2)), (-0.03, (2, 1, 0))):
        parts += [
            faces([outer[list(order)] + (x, 0, 0)], (0.95, 0.1, 0.06), Finish.GLOWING),
            faces([inner[list(order)] + (1.3 * x, 0, 0)], (0.96, 0.94, 0.9)),
        ]
    return join(parts)


def signal_head(height_m: float) -> Mesh:
    """Build a dark housing with a white rim and three unlit lamps, its middle at a height."""
    parts = [
        box((-0.16, -0.42, height_m - 0.95), (-0.12, 0.42, height_m + 0.95), (0.9, 0.9, 0.9)),
        box((-0.12, -0.36, height_m - 0.88), (0.06, 0.36, height_m + 0.88), HOUSING),
    ]
    for name in LAMPS:
        z = height_m + lamp_height(name)
        parts.append(_disc(0.07, z, LAMP_RADIUS_M, (0.16, 0.15, 0.15), Finish.PLAIN))
        parts.append(box((0.06, -0.22, z + 0.19), (0.26, 0.22, z + 0.22), HOUSING))
    return join(parts)


def lamp(name: str) -> Mesh:
    """Build a lit lamp of a head whose middle is at the origin."""
    colour = LAMPS[name]
    halo: Rgb = (0.45 * colour[0], 0.45 * colour[1], 0.45 * colour[2])
    z = lamp_height(name)
    return join(
        [
            _disc(0.075, z, 1.25 * LAMP_RADIUS_M, halo, Finish.GLOWING),
            _disc(0.08, z, 1.1 * LAMP_RADIUS_M, colour, Finish.GLOWING),
        ]
    )


def lamp_height(name: str) -> float:
    """Height of a lamp above the middle of its head [m]."""
    return (1 - list(LAMPS).index(name)) * LAMP_SPACING_M


def signal_pole(height_m: float, arm_m: float) -> Mesh:
    """Build a pole beside the road, ``arm_m`` to the left of the head, and the arm to it."""
    parts = [
        cylinder((-0.25, arm_m, 0.0), (-0.25, arm_m, height_m + 0.9), 0.1, STEEL),
        cylinder((-0.25, arm_m, 0.0), (-0.25, arm_m, 0.5), 0.16, STEEL),
    ]
    if arm_m > 0.0:
        z = height_m + 0.7
        parts.append(cylinder((-0.25, arm_m, z), (-0.25, -0.2, z), 0.07, STEEL, sides=8))
    return join(parts)


def house(storeys: int) -> Mesh:
    """Build a house, front to x: 10 m wide, 8 m deep, with a gable roof."""
    deep, wide, high = 4.0, 5.0, 2.8 * storeys
    parts = [
        box((-deep, -wide, 0.0), (deep, wide, high), WHITE, Finish.TINTED),
        box(
            (-deep - 0.03, -wide - 0.03, 0.0), (deep + 0.03, wide + 0.03, 0.45), (0.5, 0.49, 0.47)
        ),
        _gable_roof(deep, wide, high),
        box((-1.5, 1.8, high + 0.8), (-0.9, 2.5, high + 3.1), (0.55, 0.3, 0.24)),
        box((deep, -0.55, 0.0), (deep + 0.06, 0.55, 2.15), (0.35, 0.22, 0.14)),
    ]
    for floor in range(storeys):
        low = 0.9 + 2.8 * floor
        for y in (-3.4, 3.4) if floor == 0 else (-3.4, 0.0, 3.4):
            parts += _window((deep, y - 0.65, low), (deep, y + 0.65, low + 1.35))
            parts += _window((-deep, y - 0.65, low), (-deep, y + 0.65, low + 1.35))
        for x in (-2.0, 2.0):
            parts += _window((x - 0.6, wide, low), (x + 0.6, wide, low + 1.35))
            parts += _window((x - 0.6, -wide, low), (x + 0.6, -wide, low + 1.35))
    return join(parts)


def tree() -> Mesh:
    """Build a broad-leaved tree, about 7 m."""
    leaves: tuple[Rgb, ...] = ((0.95, 0.95, 0.95), (1.0, 1.0, 1.0), (0.88, 0.88, 0.88))
    crowns = [
        ((0.0, 0.0, 4.6), (2.0, 2.0, 2.0)),
        ((0.9, 0.7, 3.9), (1.4, 1.4, 1.2)),
        ((-0.8, -0.7, 4.1), (1.5, 1.4, 1.3)),
    ]
    return join(
        [
            cylinder((0, 0, 0), (0, 0, 3.4), 0.24, BARK, end_radius_m=0.15, sides=7),
            *(
                ball(middle, radii, colour, Finish.TINTED)
                for (middle, radii), colour in zip(crowns, leaves, strict=True)
            ),
        ]
    )


def conifer() -> Mesh:
    """Build a fir, about 8 m."""
    tiers = [(1.2, 3.8, 1.9), (2.9, 5.6, 1.5), (4.8, 8.0, 1.05)]
    return join(
        [
            cylinder((0, 0, 0), (0, 0, 1.6), 0.2, BARK, sides=7),
            *(
                cylinder(
                    (0, 0, low),
                    (0, 0, high),
                    radius,
                    (0.72, 0.86, 0.8),
                    Finish.TINTED,
                    end_radius_m=0.02,
                    sides=9,
                )
                for low, high, radius in tiers
            ),
        ]
    )


def fence() -> Mesh:
    """Build 4 m of wooden fence along x."""
    parts = [box((x - 0.07, -0.07, 0.0), (x + 0.07, 0.07, 1.15), WOOD) for x in (-1.9, 0.0, 1.9)]
    parts += [box((-2.0, -0.03, z), (2.0, 0.03, z + 0.16), WOOD) for z in (0.35, 0.65, 0.95)]
    return join(parts)


def _disc(x_m: float, z_m: float, radius_m: float, colour: Rgb, finish: Finish) -> Mesh:
    return cylinder((x_m - 0.02, 0.0, z_m), (x_m, 0.0, z_m), radius_m, colour, finish, sides=14)


def _gable_roof(deep: float, wide: float, high: float) -> Mesh:
    colour: Rgb = (0.56, 0.25, 0.18)
    x, y, top = deep + 0.5, wide + 0.4, high + 2.6
    a, b, c, d = (-x, -y, high), (x, -y, high), (x, y, high), (-x, y, high)
    e, f = (0.0, -y, top), (0.0, y, top)
    slopes = [(b, c, f), (b, f, e), (d, a, e), (d, e, f)]
    ends = [(a, b, e), (c, d, f), (a, d, c), (a, c, b)]
    return join([faces(slopes, colour), faces(ends, (0.8, 0.77, 0.7))])


def _window(low: tuple[float, float, float], high: tuple[float, float, float]) -> list[Mesh]:
    """A pane with a white frame on a wall that the two corners lie in."""
    flat = np.isclose(low, high)
    rim = np.where(flat, 0.05, 0.09)
    pane = np.where(flat, 0.08, 0.0)
    near, far = np.array(low), np.array(high)
    return [
        box((near - rim).tolist(), (far + rim).tolist(), (0.95, 0.95, 0.93)),
        box((near - pane).tolist(), (far + pane).tolist(), WINDOW),
    ]
