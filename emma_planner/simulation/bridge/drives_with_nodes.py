"""``emma drive --ros``: the world in this process, planner and follower as nodes of their own."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from emma_planner.replay.live import prepare_dds
from emma_planner.simulation.bridge.node_drives import drive_over_ros
from emma_planner.simulation.bridge.node_processes import NodeProcesses, simulation_config
from emma_planner.simulation.bridge.remote_driver import BridgeError
from emma_planner.simulation.drive import DriveRecord
from emma_planner.simulation.drives.drive_task import DriveTask


def drive_with_nodes(
    tasks: Sequence[DriveTask], folder: Path
) -> Iterator[tuple[int, DriveRecord]]:
    """Drive tasks in lock-step over DDS; the same drives as in one process.

    :param tasks: of one planner
    :param folder: takes parameters and logs of the nodes
    :returns: number of the task, and its record
    :raises BridgeError: no ROS 2, or the nodes do not come
    """
    prepare_dds()
    try:  # rclpy reads the environment when it is loaded
        simulation_node = importlib.import_module('emma_planner.ros.simulation_node')
    except ImportError as err:
        raise BridgeError(
            f'need ROS 2 for --ros, got {err}; source a distribution or '
            "pip install 'emma_planner[ros]'"
        ) from err
    config = simulation_config(tasks[0].config, tasks[0].latency_s)
    with (
        simulation_node.opened(config) as node,
        NodeProcesses(tasks[0].config, folder) as nodes,
    ):
        node.find_dead = nodes.find_dead
        yield from drive_over_ros(node, config, tasks, nodes.start)
