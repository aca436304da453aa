"""Sky, clouds, far hills, light and fog of a scene."""

from __future__ import annotations

from typing import Any

import numpy as np

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.picture import shaders
from emma_planner.simulation.picture.meshes import Finish, Mesh, faces
from emma_planner.simulation.picture.rasterizer import node_of, set_inputs, shader_of
from emma_planner.simulation.scenario import Weather

SUN_TOWARDS = np.array([-0.45, 0.35, 0.82]) / np.linalg.norm([-0.45, 0.35, 0.82])
"""From the ground to the sun, map."""
FOG_DEPTH_M = 60.0
"""Height that fog reaches: the sky overhead stays visible."""
HILL_DISTANCE_M = 350.0
"""How far fog takes the hills for; they are drawn at infinity."""
SIDES = 72

_DAY = {
    'sun': (0.62, 0.6, 0.54),
    'sky_light': (0.5, 0.53, 0.6),
    'ground_light': (0.3, 0.3, 0.27),
    'zenith': (0.25, 0.48, 0.82),
    'horizon': (0.76, 0.86, 0.95),
    'cloud': (0.97, 0.98, 1.0),
    'hill': (0.5, 0.61, 0.6),
}
_NIGHT = {
    'sun': (0.02, 0.02, 0.03),
    'sky_light': (0.12, 0.13, 0.2),
    'ground_light': (0.08, 0.08, 0.11),
    'zenith': (0.04, 0.06, 0.15),
    'horizon': (0.42, 0.3, 0.3),
    'cloud': (0.22, 0.19, 0.25),
    'hill': (0.09, 0.09, 0.13),
}


class Sky:
    """What is behind everything, and the light on everything.

    :param root: node of the scene
    """

    def __init__(self, root: Any, clouds: Any) -> None:
        self._root = root
        self._dome = root.attach_new_node('sky')
        for order, (mesh, fragment) in enumerate(
            ((_dome(), shaders.SKY_FRAGMENT), (_hills(), shaders.HILL_FRAGMENT))
        ):
            node = self._dome.attach_new_node(node_of(mesh, 'sky'))
            node.set_shader(shader_of(shaders.SKY_VERTEX, fragment))
            node.set_texture(clouds)
            node.set_bin('background', order)
            node.set_two_sided(True)
        self._dome.set_depth_test(False)
        self._dome.set_depth_write(False)
        set_inputs(
            root,
            {
                'sun_towards': SUN_TOWARDS,
                'fog_depth_m': FOG_DEPTH_M,
                'hill_distance_m': HILL_DISTANCE_M,
            },
        )

    def follow(self, x_m: float, y_m: float, z_m: float) -> None:
        """Keep the camera in the middle."""
        self._dome.set_pos(x_m, y_m, z_m)

    def set_weather(self, weather: Weather) -> None:
        """Light and colour everything for a time of day and fog."""
        part = float(np.clip((weather.light - 0.1) / 0.9, 0.0, 1.0))
        colours = {
            name: part * np.array(day) + (1.0 - part) * np.array(_NIGHT[name])
            for name, day in _DAY.items()
        }
        grey = colours['horizon'].mean()
        fog = 0.465 * colours['horizon'] + 0.465 * grey * np.array([0.98, 1.0, 1.02])
        up = colours['sky_light'] + colours['sun'] * SUN_TOWARDS[2]
        set_inputs(
            self._root, {**colours, 'ground_light_up': up, 'fog': np.append(fog, weather.fog)}
        )


def _dome() -> Mesh:
    """A half sphere, a little deeper than the horizon."""
    up = np.radians([-4.0, 0.0, 4.0, 10.0, 20.0, 40.0, 65.0, 90.0])
    return _bands(np.repeat(up[:, None], SIDES, axis=1))


def _hills() -> Mesh:
    """A band from below the horizon to a gently waved ridge."""
    angles = np.arange(SIDES) * 2 * np.pi / SIDES
    ridge = 1.5 + 0.7 * np.sin(3 * angles + 1.0) + 0.5 * np.sin(7 * angles)
    ridge += 0.25 * np.sin(17 * angles + 2.0)
    return _bands(np.radians(np.stack([np.full(SIDES, -4.0), np.maximum(ridge, 0.3)])))


def _bands(elevations_rad: FloatArray) -> Mesh:
    """Quads between rows of elevations, ``(K, N)`` at N directions."""
    around = np.arange(SIDES) * 2 * np.pi / SIDES
    flat = np.cos(elevations_rad)
    ring = np.stack([flat * np.cos(around), flat * np.sin(around), np.sin(elevations_rad)], axis=2)
    after = np.roll(ring, -1, axis=1)
    a, b, c, d = ring[:-1], after[:-1], after[1:], ring[1:]
    quads = np.stack([np.stack([a, b, c], axis=2), np.stack([a, c, d], axis=2)])
    return faces(quads.reshape(-1, 3, 3), (1.0, 1.0, 1.0), Finish.PLAIN)
