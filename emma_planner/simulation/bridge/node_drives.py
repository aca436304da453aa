"""Drives over ROS: the tasks of ``emma drive``, driven through a port by who is on the other side.

Used by the simulator's node and by ``emma drive --ros``; knows no rclpy.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from emma_planner.arguments import number_ranges
from emma_planner.config import ConfigError, PlannerConfig
from emma_planner.planning.types import NS_PER_S
from emma_planner.recordings.bags import BagError
from emma_planner.recordings.plan_log import PlanLogError, PlanLogHeader
from emma_planner.ros.conversions import printable
from emma_planner.ros.world_voice import WorldVoice
from emma_planner.simulation.bridge.lock_step_driver import LockStepDriver
from emma_planner.simulation.bridge.real_time_driver import Pace, RealTimeDriver
from emma_planner.simulation.bridge.remote_driver import BridgeError, Team
from emma_planner.simulation.bridge.remote_expert import RemoteExpert
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.config import EXPERT, LOCK_STEP, MEASURED_S, OWN, SimulationConfig
from emma_planner.simulation.drive import DriveRecord, End
from emma_planner.simulation.drives.drive_files import DriveFiles, FilesOptions
from emma_planner.simulation.drives.drive_task import DriveTask, run_with
from emma_planner.simulation.drives.drivers import Driver
from emma_planner.simulation.film.film_files import FilmError
from emma_planner.simulation.observation import VehicleShape
from emma_planner.simulation.scenario import ScenarioError, scenario_of
from emma_planner.simulation.scoring.score_files import (
    DriveSettings,
    OutFolderError,
    clear_out_folder,
    write_scores,
)
from emma_planner.simulation.scoring.score_summary import summarise
from emma_planner.simulation.scoring.score_table import score_table
from emma_planner.simulation.scoring.scores import score_drive
from emma_planner.simulation.world import WorldError

ERRORS = (BagError, BridgeError, FilmError, OSError, OutFolderError, PlanLogError, WorldError)
Prepare = Callable[[VehicleShape], None]


def drive_over_ros(
    port: Any, config: SimulationConfig, tasks: Sequence[DriveTask], prepare: Prepare | None = None
) -> Iterator[tuple[int, DriveRecord]]:
    """Drive tasks one after the other.

    :param port: a :class:`~emma_planner.ros.simulation_node.SimulationNode`
    :param prepare: called with the vehicle before each drive; starts planner and follower
    :returns: number of the task, and its record
    :raises BridgeError: planner and follower do not come, or cannot be in lock-step
    """
    for number, task in enumerate(tasks):
        port.doing = f'{task.scenario.name}, drive {number + 1} of {len(tasks)}'
        name = EXPERT if config.driver == EXPERT else task.driver or task.config.planner
        header = PlanLogHeader(name, name, task.config.hash(), task.scenario.name)

        def make_driver(
            vehicle: VehicleShape, files: DriveFiles, task: DriveTask = task, name: str = name
        ) -> Driver:
            if prepare is not None:
                prepare(vehicle)
            return _driver(port, config, task, name, vehicle, files)

        try:
            record = run_with(task, header, make_driver)
        finally:
            port.record = None
        yield number, record
        if record.end is End.INTERRUPTED:
            return


def _driver(
    port: Any,
    config: SimulationConfig,
    task: DriveTask,
    name: str,
    vehicle: VehicleShape,
    files: DriveFiles,
) -> Driver:
    voice = WorldVoice(port, task.camera)
    port.record = lambda topic, kind, cdr: files.write_raw(topic, kind, cdr, voice.now_ns)
    if config.driver == EXPERT:
        waits = config.mode == LOCK_STEP
        pace = None if waits else Pace(port, voice, config.real_time_factor)
        rate_hz = config.plan_rate_hz if waits else config.image_rate_hz
        period_ns = round(NS_PER_S / rate_hz)
        return RemoteExpert(port, voice, vehicle, pace=pace, period_ns=period_ns)
    team = Team(name, config, files.log)
    kind = LockStepDriver if config.mode == LOCK_STEP else RealTimeDriver
    return kind(port, voice, vehicle, team)


def tasks_of(config: SimulationConfig) -> list[DriveTask]:
    """Return what a node's parameters ask for.

    :raises ConfigError: no such seeds
    """
    try:
        numbers = number_ranges(config.seeds)
    except argparse.ArgumentTypeError as err:
        raise ConfigError(f'seeds: {err}') from err
    density = None if config.density == OWN else config.density
    try:
        scenarios = [
            scenario_of(config.split, number, density, config.time_limit_s or None)
            for number in numbers
        ]
    except ScenarioError as err:
        raise ConfigError(str(err)) from err
    latency_s = None if config.latency_s == MEASURED_S else config.latency_s
    film = '' if config.film == 'none' else config.film
    return [
        DriveTask(
            scenario=scenario,
            driver=config.driver,
            config=PlannerConfig(),
            camera=CameraSettings(width=config.camera_width_px, height=config.camera_height_px),
            folder=Path(config.out_folder).expanduser() / scenario.name,
            latency_s=latency_s,
            files=FilesOptions(film=film),
        )
        for scenario in scenarios
    ]


def drive_node(port: Any, config: SimulationConfig) -> int:
    """Drive what a node's parameters ask for; keep and score it.

    :returns: 0 driven, 1 not or not all of it
    """
    folder = Path(config.out_folder).expanduser()
    records: list[DriveRecord] = []
    error: BaseException | None = None
    try:
        tasks = tasks_of(config)
        clear_out_folder(folder, overwrite=config.overwrite)
        for _, record in drive_over_ros(port, config, tasks):
            records.append(record)
            port.get_logger().info(printable(_line(record)))
    except (*ERRORS, ConfigError, KeyboardInterrupt) as err:
        error = err
    is_complete = bool(records) and error is None and records[-1].end is not End.INTERRUPTED
    if records:
        summary = summarise([score_drive(record) for record in records])
        settings = DriveSettings(
            split=config.split,
            density=tasks[0].scenario.traffic_density if config.density != OWN else None,
            latency_s=tasks[0].latency_s,
            config_hash=config.hash(),
            driver=config.driver,
            time_limit_s=config.time_limit_s or None,
            camera=(config.camera_width_px, config.camera_height_px),
        )
        write_scores(folder, summary, settings, complete=is_complete)
        print(f'{score_table(summary)}\n\nresults   {folder}')
    if error is not None and not isinstance(error, KeyboardInterrupt):
        print(f'simulation_node: {" ".join(str(error).split())}', file=sys.stderr)
    return 0 if is_complete else 1


def _line(record: DriveRecord) -> str:
    detail = f' ({record.detail})' if record.detail else ''
    return f'{record.scenario.name}: {record.end.value}{detail} after {record.seconds:.1f} s'
