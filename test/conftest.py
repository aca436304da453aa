"""What every test run needs before rclpy is imported: a DDS domain of its own on this machine.

The wheels of rclpy start Python a second time, and children inherit the environment: what is set
here holds for nodes in this process and for those that a test starts.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

FASTDDS_PROFILE = Path(__file__).parents[1] / 'config' / 'fastdds.xml'
LAST_DOMAIN = 101
"""Domains above reach into the ephemeral ports of Linux (ROS 2 documentation, ROS_DOMAIN_ID)."""


def pytest_configure() -> None:
    # workers of pytest-xdist are processes of their own, so each gets its own domain
    os.environ['ROS_DOMAIN_ID'] = str(os.getpid() % LAST_DOMAIN + 1)
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ['ROS_PYTHON_CHECK_FIELDS'] = '1'
    os.environ.setdefault('FASTDDS_DEFAULT_PROFILES_FILE', str(FASTDDS_PROFILE))


@pytest.fixture(autouse=True, scope='module')
def a_world_for_each_module():
    """Close the world that tasks of this process share: the simulator's engine is one."""
    yield
    tasks = sys.modules.get('emma_planner.simulation.drives.drive_task')
    if tasks is not None:
        for world in tasks._worlds.values():
            world.close()
        tasks._worlds.clear()


@pytest.fixture
def ctrl_c():
    """Tests that run in the background have Ctrl-C ignored, and would hand that down."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
