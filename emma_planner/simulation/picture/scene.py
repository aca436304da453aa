"""The picture of the front camera: road, sky, and everything that stands or moves on it.

In: a road as seen from above, the weather, what stands beside the road; then, for each picture,
where the ego and all others are. The same scene gives the same pixels. Knows no simulator.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from emma_planner.planning.types import ByteArray, Pose
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.observation import Actor
from emma_planner.simulation.picture import asset_pack, ground, shaders
from emma_planner.simulation.picture.appearance import (
    WHITE,
    Look,
    Standing,
    look_beside,
    look_of,
)
from emma_planner.simulation.picture.meshes import Mesh, Rgb, join
from emma_planner.simulation.picture.rasterizer import Rasterizer, node_of, shader_of, texture_of
from emma_planner.simulation.picture.sky import Sky
from emma_planner.simulation.picture.street_models import signal_head, signal_pole
from emma_planner.simulation.population.signals import SignalHead
from emma_planner.simulation.roads.road_map import RoadMap
from emma_planner.simulation.scenario import Weather

VISIBLE_M = 250.0
"""Who is farther away is not drawn."""
SHADOW_GROWTH = 1.3
"""A soft shadow's size beside that of its owner."""
SHADOW_DARKNESS = 0.62
TEXTURE_M = 6.0
"""One tile of asphalt or grass on the ground."""
GROUND_M = 3000.0
LAYERS = ('grass', 'shoulder', 'asphalt', 'markings', 'shadows')
"""Flat on the ground and painted in this order, without depth: nothing flickers."""
FIRST_LAYER = 10
"""The sky is painted before."""


class Scene:
    """All that the front camera sees. ``reset`` before ``render``.

    :raises RenderingError: nothing can be drawn here
    """

    def __init__(self, settings: CameraSettings) -> None:
        self._rasterizer = Rasterizer(settings)
        root = self._rasterizer.root
        self._textures = {
            name: texture_of(pixels, name) for name, pixels in asset_pack.textures().items()
        }
        self._sky = Sky(root, self._textures['clouds'])
        self._ground = root.attach_new_node('ground')
        self._ground.set_shader(shader_of(shaders.GROUND_VERTEX, shaders.GROUND_FRAGMENT))
        self._ground.set_shader_input('texture_m', TEXTURE_M)
        self._grass = self._lay(ground.square(GROUND_M, WHITE), 'grass', 'grass')
        self._stage = _Stage(root, self._textures['shadow'])
        self._built: list[Any] = []
        self._shown: dict[str, _Placed] = {}

    def reset(self, roads: RoadMap, weather: Weather, standing: Iterable[Standing] = ()) -> None:
        """Build another place; all that was there goes."""
        for thing in (*self._built, *self._shown.values()):
            thing.remove_node()
        self._shown = {}
        self._sky.set_weather(weather)
        self._stage.set_darkness(SHADOW_DARKNESS * min(1.0, weather.light))
        self._built = [
            self._lay(ground.shoulders(roads), 'shoulder', 'asphalt'),
            self._lay(ground.surface(roads), 'asphalt', 'asphalt'),
            *(self._lay(mesh, 'markings', 'plain') for mesh in ground.markings(roads.lines)),
        ]
        for item in standing:
            placed = self._stage.wear(look_beside(item))
            placed.place(item.pose)
            self._built.append(placed)

    def render(
        self, ego: Pose, actors: Sequence[Actor] = (), heads: Sequence[SignalHead] = ()
    ) -> ByteArray:
        """Draw one picture.

        :param ego: base_link, map
        :param actors: everybody else; models go by kind and size, colours by id
        :param heads: traffic lights
        :returns: ``(H, W, 3)`` uint8 RGB
        """
        x, y, z = self._rasterizer.look_from(ego)
        self._sky.follow(x, y, z)
        self._grass.set_pos(x, y, 0.0)
        things: list[Actor | SignalHead] = [*actors, *heads]
        wanted = {
            _key(thing): thing
            for thing in things
            if math.hypot(thing.pose.x_m - ego.x_m, thing.pose.y_m - ego.y_m) < VISIBLE_M
        }
        for key in [key for key in self._shown if key not in wanted]:
            self._shown.pop(key).remove_node()
        for key, thing in wanted.items():
            if key not in self._shown:
                self._shown[key] = self._dress(thing)
            self._shown[key].place(thing.pose)
        return self._rasterizer.draw()

    def close(self) -> None:
        """Free the camera."""
        self._rasterizer.close()

    def _lay(self, mesh: Mesh, layer: str, texture: str) -> Any:
        node = self._ground.attach_new_node(node_of(mesh, layer))
        node.set_texture(self._textures[texture])
        _paint_flat(node, layer)
        return node

    def _dress(self, thing: Actor | SignalHead) -> _Placed:
        if isinstance(thing, SignalHead):
            return self._stage.hang(thing)
        return self._stage.wear(look_of(thing))


class _Placed:
    """A model on the ground, and its shadow."""

    def __init__(self, *nodes: Any) -> None:
        self._nodes = nodes

    def place(self, pose: Pose) -> None:
        for node in self._nodes:
            node.set_pos_hpr(pose.x_m, pose.y_m, 0.0, math.degrees(pose.yaw_rad), 0.0, 0.0)

    def remove_node(self) -> None:
        for node in self._nodes:
            node.remove_node()


class _Stage:
    """Makes models and their shadows; every mesh is kept once."""

    def __init__(self, root: Any, spot: Any) -> None:
        from panda3d.core import TransparencyAttrib

        self._models = root.attach_new_node('models')
        self._models.set_shader(shader_of(shaders.MODEL_VERTEX, shaders.MODEL_FRAGMENT))
        self._shadows = root.attach_new_node('shadows')
        self._shadows.set_shader(shader_of(shaders.SHADOW_VERTEX, shaders.SHADOW_FRAGMENT))
        self._shadows.set_texture(spot)
        self._shadows.set_transparency(TransparencyAttrib.M_alpha)
        _paint_flat(self._shadows, 'shadows')
        self._spot = node_of(ground.square(1.0, WHITE), 'shadow')
        self._nodes: dict[str, Any] = {}

    def set_darkness(self, darkness: float) -> None:
        """:param darkness: of shadows, 0 ... 1"""
        self._shadows.set_shader_input('darkness', darkness)

    def wear(self, look: Look) -> _Placed:
        body = self._attach(self._node(look.model), look.tint, look.scale)
        shadow = self._shadows.attach_new_node('shadow')
        # a transform belongs to a node, and meshes are shared: each wearer has a holder of its own
        spot = shadow.attach_new_node('holder')
        spot.attach_new_node(self._spot)
        spot.set_scale(SHADOW_GROWTH * look.size_m[0], SHADOW_GROWTH * look.size_m[1], 1.0)
        return _Placed(body, shadow)

    def hang(self, head: SignalHead) -> _Placed:
        """Build a traffic light that shows its state."""
        arm = math.hypot(head.pole[0] - head.pose.x_m, head.pole[1] - head.pose.y_m)
        name = f'signal {head.height_m:.2f} {arm:.2f}'
        if name not in self._nodes:
            mesh = join([signal_head(head.height_m), signal_pole(head.height_m, arm)])
            self._nodes[name] = node_of(mesh, name)
        body = self._attach(self._nodes[name], WHITE)
        lamp = body.attach_new_node('holder')
        lamp.attach_new_node(self._node(f'lamp-{head.state.value}'))
        lamp.set_z(head.height_m)
        return _Placed(body)

    def _attach(
        self, node: Any, tint: Rgb, scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    ) -> Any:
        body = self._models.attach_new_node('body')
        holder = body.attach_new_node('holder')
        holder.attach_new_node(node)
        holder.set_scale(*scale)
        body.set_color_scale(*tint, 1.0)
        return body

    def _node(self, name: str) -> Any:
        if name not in self._nodes:
            self._nodes[name] = node_of(asset_pack.MODELS[name](), name)
        return self._nodes[name]


def _key(thing: Actor | SignalHead) -> str:
    """What must look different has another key."""
    if isinstance(thing, SignalHead):
        return f'{thing.id} {thing.state.value}'
    return f'{thing.id} {look_of(thing).model}'


def _paint_flat(node: Any, layer: str) -> None:
    node.set_bin('background', FIRST_LAYER + LAYERS.index(layer))
    node.set_depth_test(False)
    node.set_depth_write(False)
    node.set_two_sided(True)
