"""Roads with a planner node on them, taken down after each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def make_road() -> Iterator[Callable]:
    """Return a function from node parameters to a road; all are closed afterwards."""
    pytest.importorskip('rclpy')
    from road import Road

    roads = []

    def make(**parameters) -> Road:
        roads.append(Road(**parameters))
        return roads[-1]

    yield make
    for road in roads:
        road.close()


@pytest.fixture
def scripted(monkeypatch):
    """A planner played by the test, in place of the model that the node would load."""
    pytest.importorskip('rclpy')
    from scripted_planner import ScriptedPlanner

    from emma_planner.ros import planner_node

    planner = ScriptedPlanner()
    monkeypatch.setattr(planner_node, 'build_planner', lambda config: planner)
    return planner
