"""The camera: a pinhole that puts every point where its intrinsics say, or says what it lacks."""

from __future__ import annotations

import ctypes
import math
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from emma_planner.planning.types import Pose
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.picture.meshes import Finish, faces
from emma_planner.simulation.picture.rasterizer import (
    Rasterizer,
    RenderingError,
    node_of,
    open_pipe,
    shader_of,
)

needs_panda3d = pytest.mark.skipif(find_spec('panda3d') is None, reason='needs panda3d')
CAMERA = CameraSettings(width=320, height=200, fov_deg=80.0, pitch_deg=4.0)
EGO = Pose(30.0, -12.0, 0.7)


def _pixel(x_m: float, y_m: float, z_m: float) -> tuple[float, float]:
    """Column and row of a point in the ego's frame: a pinhole, done by hand."""
    ahead, left, up = np.array([x_m, y_m, z_m]) - CAMERA.position_m
    pitch = math.radians(CAMERA.pitch_deg)
    depth = math.cos(pitch) * ahead - math.sin(pitch) * up
    down = -math.sin(pitch) * ahead - math.cos(pitch) * up
    return CAMERA.cx - CAMERA.fx * left / depth, CAMERA.cy + CAMERA.fy * down / depth


def _plate(x_m: float, y_m: float, z_m: float, half_m: float) -> np.ndarray:
    """Two triangles across the ego's way, in the map."""
    corners = np.array([(0, s, t) for s, t in ((1, -1), (-1, -1), (-1, 1), (1, 1))]) * half_m
    corners += np.array([x_m, y_m, z_m])
    cos, sin = math.cos(EGO.yaw_rad), math.sin(EGO.yaw_rad)
    corners[:, :2] = corners[:, :2] @ np.array([[cos, sin], [-sin, cos]]) + (EGO.x_m, EGO.y_m)
    return corners[[[0, 1, 2], [0, 2, 3], [2, 1, 0], [3, 2, 0]]]


@needs_panda3d
@pytest.mark.parametrize(
    'place', [(12.0, 0.0, 1.5), (12.0, 4.0, 1.0), (20.0, -9.0, 4.0), (8.0, 2.0, 0.3)]
)
def test_a_point_is_drawn_where_the_intrinsics_say(place):
    rasterizer = Rasterizer(CAMERA)
    try:
        node = rasterizer.root.attach_new_node(
            node_of(faces(_plate(*place, half_m=0.4), (1.0, 1.0, 1.0), Finish.GLOWING), 'plate')
        )
        node.set_shader(shader_of(PLAIN_VERTEX, PLAIN_FRAGMENT))
        rasterizer.look_from(EGO)
        lit = rasterizer.draw()[..., 0] / 255.0  # the share of each pixel that is covered
    finally:
        rasterizer.close()
    rows, columns = np.indices(lit.shape)
    u, v = _pixel(*place)
    assert (columns * lit).sum() / lit.sum() == pytest.approx(u, abs=0.15)
    assert (rows * lit).sum() / lit.sum() == pytest.approx(v, abs=0.15)
    side = CAMERA.fx * 0.8 / (place[0] - CAMERA.position_m[0])
    assert lit.sum() == pytest.approx(side**2, rel=0.05)


PLAIN_VERTEX = """#version 150
uniform mat4 p3d_ModelViewProjectionMatrix;
in vec4 p3d_Vertex;
void main() { gl_Position = p3d_ModelViewProjectionMatrix * p3d_Vertex; }
"""
PLAIN_FRAGMENT = """#version 150
out vec4 colour;
void main() { colour = vec4(1.0); }
"""


@needs_panda3d
def test_no_egl_is_said_with_the_packages_to_install(monkeypatch):
    def missing(name):
        raise OSError(f'{name}: cannot open shared object file')

    monkeypatch.setattr(ctypes, 'CDLL', missing)
    with pytest.raises(RenderingError, match=r'need libEGL\.so\.1 to render.*apt-get install'):
        open_pipe()


@needs_panda3d
def test_egl_without_a_driver_is_said_too():
    code = 'from emma_planner.simulation.picture.rasterizer import open_pipe; open_pipe()'
    result = subprocess.run(
        [sys.executable, '-c', code],
        env={**os.environ, '__EGL_VENDOR_LIBRARY_FILENAMES': '/nowhere/vendor.json'},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 'RenderingError: need a driver behind libEGL.so.1 to render' in result.stderr


def test_no_panda3d_is_said_with_the_extra_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'panda3d', None)
    monkeypatch.setitem(sys.modules, 'panda3d.core', None)
    with pytest.raises(RenderingError, match=r"need panda3d.*pip install 'emma_planner\[sim\]'"):
        open_pipe()
