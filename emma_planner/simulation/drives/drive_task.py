"""A drive as a task for any process: what is to be driven, by whom, and where results go."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from emma_planner.assemble import planner_of_process
from emma_planner.config import PlannerConfig
from emma_planner.recordings.plan_log import PlanLogHeader
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.config import EXPERT
from emma_planner.simulation.drive import DriveRecord
from emma_planner.simulation.drives.closed_loop import MakeDriver, run_drive
from emma_planner.simulation.drives.drive_files import DriveFiles, FilesOptions
from emma_planner.simulation.drives.drivers import EXPERT_PATH, Driver, ExpertDriver, PlannerDriver
from emma_planner.simulation.observation import VehicleShape
from emma_planner.simulation.scenario import Scenario
from emma_planner.simulation.world import BEGIN_NS, World

EXPERTS = (EXPERT, EXPERT_PATH)
"""The expert replanning at every step; and as a planner's plans are: at its rate, 0.5 s apart."""
PATH_SPACING = 5
"""The expert's poses are 0.1 s apart."""


@dataclass(frozen=True)
class DriveTask:
    """One drive.

    :param driver: one of :data:`EXPERTS`, or empty: the planner of ``config``
    :param latency_s: simulated time from image to path; None for what each plan really took
    :param folder: of this drive's files
    """

    scenario: Scenario
    driver: str
    config: PlannerConfig
    camera: CameraSettings | None
    folder: Path
    latency_s: float | None = 0.0
    files: FilesOptions = field(default_factory=FilesOptions)


def run_task(task: DriveTask) -> DriveRecord:
    """Drive; the world and the planner of this process are kept for the next task."""
    planner = None if task.driver in EXPERTS else planner_of_process(task.config)
    name = task.driver if planner is None else planner.name
    header = PlanLogHeader(
        task.driver or task.config.planner, name, task.config.hash(), task.scenario.name
    )

    def make_driver(vehicle: VehicleShape, files: DriveFiles) -> Driver:
        if planner is None:
            if task.driver == EXPERT_PATH:
                return ExpertDriver(vehicle, 1.0 / task.config.rate_hz, PATH_SPACING)
            return ExpertDriver(vehicle)
        return PlannerDriver(
            planner,
            task.config,
            vehicle,
            files.topics,
            files.make,
            latency_s=task.latency_s,
            start_ns=BEGIN_NS,
            on_record=files.log,
        )

    return run_with(task, header, make_driver)


def run_with(task: DriveTask, header: PlanLogHeader, make_driver: MakeDriver) -> DriveRecord:
    """Drive with whoever is made for it, in this process's world.

    :param header: of the plan log
    """
    world = world_of_process(task.camera)
    with DriveFiles(task.folder, header, task.camera, task.files) as files:
        return run_drive(world, task.scenario, make_driver, files)


_worlds: dict[CameraSettings | None, World] = {}


def world_of_process(camera: CameraSettings | None) -> World:
    """Return this process's world; another camera needs another world."""
    if camera not in _worlds:
        for world in _worlds.values():
            world.close()
        _worlds.clear()
        _worlds[camera] = World(camera)
    return _worlds[camera]
