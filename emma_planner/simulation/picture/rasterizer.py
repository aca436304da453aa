"""Panda3D off screen: a camera, meshes and textures, drawn on request only.

Runs on Mesa's CPU rasterizer through EGL without a display, and on a GPU where there is one. Knows
nothing of roads and cars.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from emma_planner.planning.types import ByteArray, Pose
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.picture.meshes import Mesh

LIBRARY = 'libEGL.so.1'
INSTALL = 'apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri'
PIPE = 'p3headlessgl'
MULTISAMPLES = 4
"""Smooth edges; Mesa's CPU rasterizer allows no more."""
NEAR_M, FAR_M = 0.1, 2000.0


class RenderingError(Exception):
    """Nothing can be drawn here."""


def open_pipe() -> Any:
    """Return Panda3D's way to draw without a display.

    :raises RenderingError: no Panda3D, no EGL, or no driver behind it
    """
    try:
        from panda3d.core import GraphicsPipeSelection, load_prc_file_data
    except ImportError as err:
        raise RenderingError("need panda3d to render: pip install 'emma_planner[sim]'") from err
    try:
        ctypes.CDLL(LIBRARY)
    except OSError as err:
        raise RenderingError(f'need {LIBRARY} to render, got none: {INSTALL}') from err
    load_prc_file_data('', 'notify-level-display fatal\nnotify-level-glgsg fatal')
    pipe = GraphicsPipeSelection.get_global_ptr().make_module_pipe(PIPE)
    if pipe is None or not pipe.is_valid():
        raise RenderingError(f'need a driver behind {LIBRARY} to render, got none: {INSTALL}')
    return pipe


class Rasterizer:
    """A camera that looks at ``root``.

    :raises RenderingError: nothing can be drawn here
    """

    def __init__(self, settings: CameraSettings) -> None:
        from panda3d.core import GraphicsEngine, NodePath

        self._settings = settings
        pipe = open_pipe()
        self.root = NodePath('scene')
        self._engine = GraphicsEngine()
        self._output, self._texture = self._make_output(pipe)
        self._camera = self._make_camera()

    def _make_output(self, pipe: Any) -> tuple[Any, Any]:
        from panda3d.core import (
            FrameBufferProperties,
            GraphicsOutput,
            GraphicsPipe,
            Texture,
            WindowProperties,
        )

        # reading a multisampled EGL surface gives one sample of each pixel, reading a buffer on a
        # host their mean
        flags = GraphicsPipe.BF_refuse_window
        plain = FrameBufferProperties()
        plain.set_rgba_bits(8, 8, 8, 0)
        small = WindowProperties.size(1, 1)
        host = self._engine.make_output(pipe, 'host', 0, plain, small, flags)
        properties = FrameBufferProperties(plain)
        properties.set_depth_bits(24)
        properties.set_multisamples(MULTISAMPLES)
        size = WindowProperties.size(self._settings.width, self._settings.height)
        output = host and self._engine.make_output(
            pipe, 'camera', 0, properties, size, flags, host.get_gsg(), host
        )
        if output is None:
            raise RenderingError(
                f'need an off-screen buffer of {self._settings.width} x'
                f' {self._settings.height} px, got none: {INSTALL}'
            )
        texture = Texture('picture')
        output.add_render_texture(texture, GraphicsOutput.RTM_copy_ram)
        output.set_active(False)
        output.set_clear_color((0.0, 0.0, 0.0, 1.0))
        return output, texture

    def _make_camera(self) -> Any:
        from panda3d.core import AntialiasAttrib, Camera, PerspectiveLens

        settings = self._settings
        lens = PerspectiveLens()
        lens.set_film_size(settings.width, settings.height)
        lens.set_focal_length(settings.fx)
        lens.set_near_far(NEAR_M, FAR_M)
        camera = self.root.attach_new_node(Camera('camera', lens))
        self._output.make_display_region().set_camera(camera)
        self.root.set_antialias(AntialiasAttrib.M_multisample)
        return camera

    def look_from(self, base: Pose) -> tuple[float, float, float]:
        """Put the camera where it is on a car.

        :param base: base_link, map
        :returns: where it is, x, y, z [m], map
        """
        ahead, left, up = self._settings.position_m
        cos, sin = math.cos(base.yaw_rad), math.sin(base.yaw_rad)
        place = (base.x_m + cos * ahead - sin * left, base.y_m + sin * ahead + cos * left, up)
        self._camera.set_pos(*place)
        self._camera.set_hpr(math.degrees(base.yaw_rad) - 90.0, -self._settings.pitch_deg, 0.0)
        return place

    def draw(self) -> ByteArray:
        """Return the picture, ``(H, W, 3)`` uint8 RGB."""
        self._output.set_active(True)
        self._engine.render_frame()
        self._output.set_active(False)
        size = (self._settings.height, self._settings.width, -1)
        pixels = np.frombuffer(self._texture.get_ram_image(), dtype=np.uint8).reshape(size)
        return np.ascontiguousarray(pixels[::-1, :, 2::-1])

    def close(self) -> None:
        """Free the buffer."""
        self._engine.remove_all_windows()
        self.root.remove_node()


def node_of(mesh: Mesh, name: str) -> Any:
    """Return a mesh as a node to attach."""
    from panda3d.core import (
        Geom,
        GeomEnums,
        GeomNode,
        GeomTriangles,
        GeomVertexData,
        GeomVertexFormat,
    )

    count = len(mesh.points)
    rows = np.zeros(count, dtype=[('place', '<f4', 3), ('normal', '<f4', 3), ('colour', 'u1', 4)])
    rows['place'], rows['normal'] = mesh.points, mesh.normals
    rows['colour'] = np.round(np.clip(mesh.colours, 0.0, 1.0) * 255.0)
    data = GeomVertexData(name, GeomVertexFormat.get_v3n3c4(), GeomEnums.UH_static)
    data.unclean_set_num_rows(count)
    data.modify_array_handle(0).set_data(rows.tobytes())
    triangles = GeomTriangles(GeomEnums.UH_static)
    triangles.add_next_vertices(count)
    geom = Geom(data)
    geom.add_primitive(triangles)
    node = GeomNode(name)
    node.add_geom(geom)
    return node


def texture_of(pixels: ByteArray, name: str) -> Any:
    """Return a repeating texture of ``(H, W, 3)`` uint8 RGB."""
    from panda3d.core import SamplerState, Texture

    texture = Texture(name)
    height, width = pixels.shape[:2]
    texture.setup_2d_texture(width, height, Texture.T_unsigned_byte, Texture.F_rgb8)
    texture.set_compression(Texture.CM_off)
    texture.set_ram_image_as(np.ascontiguousarray(pixels[::-1]).tobytes(), 'RGB')
    texture.set_wrap_u(SamplerState.WM_repeat)
    texture.set_wrap_v(SamplerState.WM_repeat)
    texture.set_minfilter(SamplerState.FT_linear_mipmap_linear)
    texture.set_magfilter(SamplerState.FT_linear)
    return texture


def shader_of(vertex: str, fragment: str) -> Any:
    """Return a program of two GLSL texts."""
    from panda3d.core import Shader

    return Shader.make(Shader.SL_GLSL, vertex, fragment)


def set_inputs(node: Any, values: Mapping[str, ArrayLike]) -> None:
    """Set numbers and vectors of 3 or 4 that the programs on a node read."""
    from panda3d.core import LVecBase3f, LVecBase4f

    for name, value in values.items():
        numbers = np.asarray(value, dtype=np.float64).reshape(-1).tolist()
        if len(numbers) == 1:
            node.set_shader_input(name, numbers[0])
        else:
            node.set_shader_input(name, {3: LVecBase3f, 4: LVecBase4f}[len(numbers)](*numbers))
