"""What can be seen is made from scratch: whole models of plausible size, textures without seam."""

from __future__ import annotations

import numpy as np
import pytest

from emma_planner.simulation.picture.appearance import VEHICLE_SIZES_M
from emma_planner.simulation.picture.asset_pack import MODELS, PALETTES, textures
from emma_planner.simulation.picture.meshes import Finish


@pytest.mark.parametrize('name', sorted(MODELS))
def test_a_model_is_whole_and_stands_on_the_ground(name):
    mesh = MODELS[name]()
    assert len(mesh.points) == len(mesh.normals) == len(mesh.colours)
    assert len(mesh.points) % 3 == 0
    assert np.isfinite(mesh.points).all()
    assert np.linalg.norm(mesh.normals, axis=1) == pytest.approx(1.0)
    assert set(mesh.colours[:, 3]) <= {finish.value for finish in Finish}
    if not name.startswith('lamp'):
        assert mesh.points[:, 2].min() == pytest.approx(0.0, abs=0.06)
    middle = (mesh.points.min(axis=0) + mesh.points.max(axis=0)) / 2
    assert abs(middle[1]) < 0.1 + 0.1 * np.ptp(mesh.points[:, 1])


def test_cars_are_as_large_as_cars_and_people_as_people():
    longest = max(length for length, _, _ in VEHICLE_SIZES_M.values())
    for name in MODELS:
        length, width, height = np.ptp(MODELS[name]().points, axis=0)
        if name.split()[0] in VEHICLE_SIZES_M:
            assert 3.5 < length <= longest + 0.3
            assert 1.5 < width < 2.5
        if name.startswith('pedestrian'):
            assert 1.5 < height < 2.0


@pytest.mark.parametrize('name', ['asphalt', 'grass', 'clouds', 'shadow'])
def test_a_texture_repeats_without_a_seam(name):
    pixels = textures()[name].astype(float)
    for axis in (0, 1):
        inner = np.abs(np.diff(pixels, axis=axis)).mean()
        seam = np.abs(np.take(pixels, 0, axis) - np.take(pixels, -1, axis)).mean()
        assert seam < 1.5 * inner + 1.0


def test_it_is_the_same_every_time():
    first, second = textures(), textures()
    assert all((first[name] == second[name]).all() for name in first)
    for name, make in MODELS.items():
        assert (make().points == make().points).all(), name


def test_tints_are_for_models_that_exist():
    assert set(PALETTES) <= set(MODELS)
