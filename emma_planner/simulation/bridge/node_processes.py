"""Planner and follower as processes of a drive over ROS: started, watched, stopped."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from emma_planner.config import PlannerConfig, update_config
from emma_planner.ros.node_process import NodeFiles, how_it_ended, start_node, stop_node
from emma_planner.simulation.bridge.lock_step_driver import CONTROL_ODOMETRY, EFFECTIVE_PATH
from emma_planner.simulation.config import SimulationConfig
from emma_planner.simulation.drives.drivers import follower_config
from emma_planner.simulation.observation import VehicleShape

PLANNER_NODE, FOLLOWER_NODE = 'planner_node', 'follower_node'
LONGEST_DEADLINE_S = 600.0
TOPICS = {
    'image_topic': 'image',
    'compressed_topic': 'image/compressed',
    'camera_info_topic': 'camera_info',
    'odometry_topic': 'odometry',
    'command_topic': 'command',
}


class NodeProcesses:
    """A planner and a follower for drives in lock-step; a context manager.

    :param folder: takes parameters and logs of the nodes
    :param planner: what to run in place of planner_node
    :param host: interpreter and environment of the nodes, this process's own by default
    """

    def __init__(
        self,
        config: PlannerConfig,
        folder: Path,
        planner: tuple[str, ...] = ('-m', 'emma_planner.ros.planner_node'),
        host: tuple[str, Mapping[str, str] | None] = (sys.executable, None),
    ) -> None:
        self._config = config
        self._folder = folder
        self._commands = {
            PLANNER_NODE: planner,
            FOLLOWER_NODE: ('-m', 'emma_planner.ros.follower_node'),
        }
        self._python, self._environment = host
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> NodeProcesses:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.running.values():
            stop_node(process)

    def start(self, vehicle: VehicleShape) -> None:
        """Start those that do not run."""
        follower = replace(
            follower_config(vehicle),
            on_odometry=True,
            path_topic=EFFECTIVE_PATH,
            odometry_topic=CONTROL_ODOMETRY,
        )
        # a world that waits is no reason to give a plan up
        values = {'on_image': True, 'deadline_s': LONGEST_DEADLINE_S, 'autostart': True, **TOPICS}
        planner = update_config(self._config, values, 'lock-step')
        for name, parameters in ((PLANNER_NODE, planner), (FOLLOWER_NODE, follower)):
            if name not in self.running or self.running[name].poll() is not None:
                self.running[name] = self._start(name, asdict(parameters))

    def find_dead(self) -> str:
        """Say which process has ended, and how; '' for none."""
        for name, process in self.running.items():
            if (code := process.poll()) is not None:
                return f'{name} ended {how_it_ended(code)}, see {self._folder / name}.log'
        return ''

    def _start(self, name: str, parameters: dict[str, Any]) -> subprocess.Popen[bytes]:
        files = NodeFiles(self._folder / f'{name}.yaml', self._folder / f'{name}.log')
        return start_node(
            self._commands[name],
            parameters,
            files,
            python=self._python,
            environment=self._environment,
        )


def simulation_config(config: PlannerConfig, latency_s: float | None) -> SimulationConfig:
    """Return the world's side of drives with these processes."""
    return SimulationConfig(
        mode='lock-step',
        plan_rate_hz=config.rate_hz,
        latency_s=-1.0 if latency_s is None else latency_s,
    )
