"""The world among ROS nodes: the same drives as in one process, and what happens when one dies."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from simulation.drives_by_hand import CAR

pytest.importorskip('rclpy')
pytest.importorskip('metadrive')

import rclpy
from rclpy.parameter import Parameter

from emma_planner import assemble
from emma_planner.config import PlannerConfig, update_config
from emma_planner.recordings.plan_log import read_plan_log
from emma_planner.replay.live import prepare_dds
from emma_planner.ros.node_process import NodeFiles, start_node, stop_node
from emma_planner.ros.simulation_node import SimulationNode
from emma_planner.simulation.bridge.node_drives import drive_over_ros
from emma_planner.simulation.bridge.node_processes import (
    PLANNER_NODE,
    TOPICS,
    NodeProcesses,
    simulation_config,
)
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.config import REAL_TIME
from emma_planner.simulation.drive import End
from emma_planner.simulation.drives.drive_task import DriveTask, run_task
from emma_planner.simulation.drives.drivers import follower_config
from emma_planner.simulation.scenario import scenario_of
from emma_planner.simulation.scoring.scores import score_drive

pytestmark = [pytest.mark.ros, pytest.mark.sim, pytest.mark.timeout(280)]
LOOKING = (str(Path(__file__).with_name('looking_planner.py')),)
CONFIG = PlannerConfig(planner='constant-action')
SECONDS = 8.0


def _tasks(folder: Path) -> list[DriveTask]:
    scenarios = [replace(scenario_of('val', k), time_limit_s=SECONDS) for k in (0, 1)]
    camera = CameraSettings(width=160, height=90)
    return [DriveTask(item, '', CONFIG, camera, folder / item.name, None) for item in scenarios]


def _node(latency_s: float | None) -> SimulationNode:
    config = simulation_config(CONFIG, latency_s)
    given = [Parameter(name, value=value) for name, value in asdict(config).items()]
    return SimulationNode(parameter_overrides=given)


@pytest.fixture
def context():
    """rclpy, with the Fast DDS profile for pictures."""
    prepare_dds()
    rclpy.init(args=[])
    yield
    rclpy.try_shutdown()


@pytest.mark.slow
def test_lock_step_over_ros_is_the_drive_of_one_process(context, tmp_path, monkeypatch):
    from looking_planner import LookingPlanner

    monkeypatch.setattr(assemble, 'build_planner', lambda config: LookingPlanner())
    assemble.planner_of_process.cache_clear()
    alone = [run_task(task) for task in _tasks(tmp_path / 'alone')]
    node = _node(None)
    try:
        with NodeProcesses(CONFIG, tmp_path / 'nodes', planner=LOOKING) as nodes:
            node.find_dead = nodes.find_dead
            done = drive_over_ros(node, node.config, _tasks(tmp_path / 'ros'), nodes.start)
            over_ros = [record for _, record in done]
    finally:
        node.close()
        assemble.planner_of_process.cache_clear()
    for one, other in zip(alone, over_ros, strict=True):
        assert one.poses.shape == other.poses.shape
        assert np.abs(one.poses - other.poses).max() < 1e-6
        assert score_drive(one).driving_score == pytest.approx(score_drive(other).driving_score)
        assert np.ptp(one.poses[:, 0]) > 5.0


@pytest.mark.slow
def test_a_planner_that_is_killed_ends_the_drive_which_is_kept_and_says_why(context, tmp_path):
    node = _node(0.0)
    task = replace(_tasks(tmp_path)[0], latency_s=0.0)
    task = replace(task, scenario=replace(task.scenario, time_limit_s=120.0))
    try:
        with NodeProcesses(CONFIG, tmp_path / 'nodes', planner=LOOKING) as nodes:
            heard: list[str] = []

            def find_dead() -> str:
                plans = task.folder / 'plans.jsonl'
                if not heard and plans.exists() and plans.read_text().count('\n') > 6:
                    heard.append('killed')
                    os.kill(nodes.running[PLANNER_NODE].pid, signal.SIGKILL)
                    nodes.running[PLANNER_NODE].wait()
                return nodes.find_dead()

            node.find_dead = find_dead
            ((_, record),) = drive_over_ros(node, node.config, [task], nodes.start)
    finally:
        node.close()
    assert record.end is End.PLANNER_LOST
    assert 'planner_node ended by SIGKILL' in record.detail
    assert abs(record.speeds_mps[-1]) < 0.2  # it has stopped
    assert score_drive(record).route_completion < 100.0
    assert (task.folder / 'drive/metadata.yaml').exists()


@pytest.mark.slow
def test_in_real_time_a_planner_and_a_follower_drive_by_the_worlds_clock(context, tmp_path):
    config = replace(
        simulation_config(CONFIG, 0.0), mode=REAL_TIME, real_time_factor=0.5, answer_timeout_s=60.0
    )
    planner = update_config(CONFIG, {'autostart': True, **TOPICS}, 'test')
    follower = follower_config(CAR)
    node = SimulationNode(
        parameter_overrides=[Parameter(name, value=v) for name, v in asdict(config).items()]
    )
    running = []
    try:
        for name, parameters in (('planner_node', planner), ('follower_node', follower)):
            files = NodeFiles(tmp_path / f'{name}.yaml', tmp_path / f'{name}.log')
            code = ('-m', f'emma_planner.ros.{name}')
            running.append(start_node(code, asdict(parameters), files))
        task = _tasks(tmp_path / 'drives')[0]
        begin = time.monotonic()
        ((_, record),) = drive_over_ros(node, node.config, [task])
    finally:
        node.close()
        for process in running:
            stop_node(process)
    assert record.end is End.TIMEOUT, record.detail
    assert record.seconds == pytest.approx(SECONDS, abs=0.2)
    assert time.monotonic() - begin > SECONDS / config.real_time_factor
    _, plans = read_plan_log(task.folder / 'plans.jsonl')
    stamps = [plan['stamp_ns'] for plan in plans]
    assert len(stamps) > SECONDS * CONFIG.rate_hz / 2
    assert stamps == sorted(stamps)
    assert (task.folder / 'drive/metadata.yaml').exists()
