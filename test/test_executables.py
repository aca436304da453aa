"""Entry points say in a line what is missing, and pass on what there is."""

from __future__ import annotations

import argparse
import importlib
import sys

import pytest

from emma_planner import cli, executables
from emma_planner.arguments import positive_number


@pytest.mark.parametrize(
    'name', ['planner_node', 'follower_node', 'simulation_node', 'bag_player']
)
def test_without_ros_the_extra_is_named(monkeypatch, capsys, name):
    monkeypatch.setitem(sys.modules, 'rclpy', None)
    monkeypatch.delitem(sys.modules, f'emma_planner.ros.{name}', raising=False)
    assert getattr(executables, name)() == 1
    line = capsys.readouterr().err
    assert line.startswith(f'{name}: need rclpy')
    assert "pip install 'emma_planner[ros]'" in line
    assert line.count('\n') == 1


def test_without_opencv_the_extra_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, 'cv2', None)
    for module in [m for m in sys.modules if m.startswith('emma_planner.')]:
        if module not in ('emma_planner.cli', 'emma_planner.executables'):
            monkeypatch.delitem(sys.modules, module)
    assert cli.main(['replay', str(tmp_path)]) == 1
    line = capsys.readouterr().err
    assert line.startswith('emma replay: need cv2')
    assert "pip install 'emma_planner[ros]'" in line


def test_the_status_is_that_of_the_node(monkeypatch):
    pytest.importorskip('rclpy')
    module = importlib.import_module('emma_planner.ros.planner_node')
    monkeypatch.setattr(module, 'main', lambda: 7)
    assert executables.planner_node() == 7


@pytest.mark.parametrize('text', ['0', '-1', 'nan', 'inf', 'x', ''])
def test_what_is_no_number_above_zero_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match='need a number above 0'):
        positive_number(text)


def test_a_number_above_zero_is_taken():
    assert positive_number('0.5') == 0.5
