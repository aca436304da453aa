"""One drive: world and driver in lock-step, watched and recorded until it ends."""

from __future__ import annotations

from collections.abc import Callable

from emma_planner.simulation.drive import DriveRecord, End
from emma_planner.simulation.drives.drive_files import DriveFiles
from emma_planner.simulation.drives.drive_recorder import DriveRecorder
from emma_planner.simulation.drives.drivers import Driver, DriverLostError
from emma_planner.simulation.observation import Observation, VehicleShape
from emma_planner.simulation.scenario import Scenario
from emma_planner.simulation.world import BEGIN_NS, STEP_NS, World

MakeDriver = Callable[[VehicleShape, DriveFiles], Driver]


def run_drive(
    world: World, scenario: Scenario, make_driver: MakeDriver, files: DriveFiles
) -> DriveRecord:
    """Drive a scenario to its end; an interruption or a lost driver ends the drive, and keeps it.

    :param files: opened; takes everything that is seen and done
    """
    observation = world.reset(scenario)
    files.start(world.vehicle)
    driver = make_driver(world.vehicle, files)
    recorder = DriveRecorder(scenario, world.vehicle, driver.name)
    end, detail = End.INTERRUPTED, 'interrupted'
    try:
        while recorder.monitor.end is None:
            observation = _step(world, driver, files, observation)
            if observation.stamp_ns >= BEGIN_NS:
                recorder.add(observation)
                files.show(observation, driver, world.roads, recorder)
        end = recorder.monitor.end
        detail = '' if end is End.ARRIVED else recorder.monitor.infractions[-1].detail
    except DriverLostError as err:
        end, detail = End.PLANNER_LOST, str(err)
    except KeyboardInterrupt:
        if observation.stamp_ns < BEGIN_NS:
            raise
    record = recorder.record(end, detail)
    files.finish(observation, driver, world.roads, recorder, record)
    return record


def _step(
    world: World, driver: Driver, files: DriveFiles, observation: Observation
) -> Observation:
    files.observe(observation)
    control = driver.control(observation)
    files.write_control(observation.stamp_ns, control)
    next_ns = observation.stamp_ns + STEP_NS
    wanted = next_ns >= BEGIN_NS and (driver.needs_image(next_ns) or files.needs_image(next_ns))
    return world.step(control, render=wanted)
