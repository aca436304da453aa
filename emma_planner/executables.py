"""Entry points of ``ros2 run`` and pip: say in a line when ROS 2 is missing.

The nodes import rclpy where they are defined, so an entry point into them would end in a
traceback on a machine that has neither a distribution nor the wheels.
"""

from __future__ import annotations

import importlib
import sys


def planner_node() -> int:
    """Run :mod:`emma_planner.ros.planner_node`."""
    return _run('planner_node')


def follower_node() -> int:
    """Run :mod:`emma_planner.ros.follower_node`."""
    return _run('follower_node')


def simulation_node() -> int:
    """Run :mod:`emma_planner.ros.simulation_node`."""
    return _run('simulation_node')


def bag_player() -> int:
    """Run :mod:`emma_planner.ros.bag_player`."""
    return _run('bag_player')


def _run(name: str) -> int:
    try:
        module = importlib.import_module(f'emma_planner.ros.{name}')
    except ModuleNotFoundError as err:
        print(f'{name}: {missing(err)}', file=sys.stderr)
        return 1
    return int(module.main())


def missing(err: ModuleNotFoundError) -> str:
    """Say which extra a missing module comes with."""
    return f"need {err.name}; source a ROS 2 distribution, or pip install 'emma_planner[ros]'"
