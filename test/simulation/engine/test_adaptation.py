"""The simulator is the one that is known, or it is said what is missing and what to do."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.engine import adaptation
from emma_planner.simulation.engine.adaptation import AdaptationError, prepare
from emma_planner.simulation.picture.rasterizer import RenderingError


def _no_package(name):
    raise metadata.PackageNotFoundError(name)


def test_no_simulator_is_said_with_the_extra_to_install(monkeypatch):
    monkeypatch.setattr(metadata, 'version', _no_package)
    monkeypatch.setattr(sys, 'version_info', (3, 11, 0))
    with pytest.raises(AdaptationError, match=r'need metadrive-simulator 0\.4\.3, got none: pip'):
        prepare(None)


def test_where_python_is_too_new_an_environment_of_its_own_is_offered(monkeypatch):
    monkeypatch.setattr(metadata, 'version', _no_package)
    monkeypatch.setattr(sys, 'version_info', (3, 12, 1))
    with pytest.raises(AdaptationError, match=r'no package for Python 3\.12; make simulator'):
        prepare(None)


def test_another_version_is_refused_with_both_named(monkeypatch):
    monkeypatch.setattr(metadata, 'version', lambda name: '0.5.0')
    with pytest.raises(AdaptationError, match=r'need metadrive-simulator 0\.4\.3, got 0\.5\.0'):
        prepare(None)


def test_a_machine_that_cannot_draw_is_refused_with_a_camera_alone(monkeypatch):
    pytest.importorskip('metadrive')

    def no_pipe():
        raise RenderingError('need libEGL.so.1 to render, got none: apt-get install libegl1')

    monkeypatch.setattr(adaptation, 'open_pipe', no_pipe)
    with pytest.raises(AdaptationError, match=r'need libEGL\.so\.1.*apt-get'):
        prepare(CameraSettings())
    assert prepare(None)['use_render'] is False


WITHOUT_NETWORK = """
import socket
def refuse(*arguments, **options):
    raise AssertionError('the simulator wants the network')
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from emma_planner.control.control import Control
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.scenario import scenario_of
from emma_planner.simulation.world import World
world = World(CameraSettings(width=160, height=90))
world.reset(scenario_of('train', 0))
print(world.step(Control(0.0, 0.0, 0.0), render=True).image.shape)
"""


@pytest.mark.sim
def test_a_world_starts_and_draws_without_network():
    pytest.importorskip('metadrive')
    result = subprocess.run(
        [sys.executable, '-c', WITHOUT_NETWORK],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert '(90, 160, 3)' in result.stdout
