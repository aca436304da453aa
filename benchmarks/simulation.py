"""The world's costs: pictures, steps, memory, samples; and that a seed is the same drive always.

Every part runs in a process of its own. Needs a machine that does nothing else: the load average
is printed first, CPU times suffer less than wall times.

    python benchmarks/simulation.py [--quick] [--only frames speed memory resets samples seeds]
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emma_planner.config import PlannerConfig
from emma_planner.planning.kinematics import wrap_angle
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.drives.drive_task import EXPERT, DriveTask, run_task, world_of_process
from emma_planner.simulation.drives.drivers import ExpertDriver
from emma_planner.simulation.labels.samples import collect_samples
from emma_planner.simulation.observation import ActorKind, Observation
from emma_planner.simulation.scenario import Scenario, scenario_of
from emma_planner.simulation.world import BEGIN_NS, START_NS, World

CAMERA = CameraSettings(width=640, height=360)
SAMPLE_CAMERA = CameraSettings(width=448, height=252)
IN_VIEW_M = 120.0
CARS = 10
BUSY, USUAL = 0.4, 0.1
WAIT_S = (BEGIN_NS - START_NS) / 1e9


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    frames: int = 300
    drives: int = 6
    resets: int = 200
    sampled: int = 12
    hashed_steps: int = 300


QUICK = Size(frames=40, drives=2, resets=40, sampled=3, hashed_steps=100)


@dataclass(frozen=True)
class Row:
    """One measurement.

    :param needed: limit in words, empty without one
    """

    what: str
    needed: str
    measured: str
    ok: bool = True


class TimedScene:
    """Takes the CPU time of every picture."""

    def __init__(self, scene: Any) -> None:
        self.spent_ms = 0.0
        self._scene = scene

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scene, name)

    def render(self, *arguments: Any) -> Any:
        """Render, and keep how long it took."""
        begin = time.process_time()
        picture = self._scene.render(*arguments)
        self.spent_ms = 1e3 * (time.process_time() - begin)
        return picture


def cars_in_view(now: Observation) -> int:
    """Count the cars within 120 m that the camera can see if nothing is between."""
    half = np.radians(CAMERA.fov_deg / 2.0)
    count = 0
    for actor in now.truth.actors:
        x, y = actor.pose.x_m - now.pose.x_m, actor.pose.y_m - now.pose.y_m
        bearing = wrap_angle(np.arctan2(y, x) - now.pose.yaw_rad)
        near = np.hypot(x, y) <= IN_VIEW_M and abs(bearing) <= half
        count += actor.kind is ActorKind.VEHICLE and near
    return int(count)


def frames(size: Size) -> list[Row]:
    """CPU time of pictures with many cars in view."""
    world: Any = world_of_process(CAMERA)
    scene = world._scene = TimedScene(world._scene)
    alone: list[float] = []
    whole: list[float] = []
    bare: list[float] = []
    for number in range(200):
        now, driver = world.reset(scenario_of('train', number, BUSY)), ExpertDriver(world.vehicle)
        for _ in range(250):
            control, busy = driver.control(now), cars_in_view(now) >= CARS
            looks = busy and now.stamp_ns >= BEGIN_NS and now.stamp_ns // 100_000_000 % 2 == 0
            begin = time.process_time()
            now = world.step(control, render=looks)
            spent_ms = 1e3 * (time.process_time() - begin)
            if looks:
                alone.append(scene.spent_ms)
            if busy and now.stamp_ns > BEGIN_NS:
                (whole if looks else bare).append(spent_ms)
            if now.arrived:
                break
        if len(alone) >= size.frames:
            break
    needed, ok = '<= 60 ms', float(np.median(alone)) <= 60.0
    return [
        Row(f'picture 640x360, >= {CARS} cars in view, CPU', needed, spread(alone), ok),
        Row('step with such a picture, CPU', '', spread(whole)),
        Row('step without a picture, as many cars, CPU', '', spread(bare)),
    ]


def spread(values_ms: list[float]) -> str:
    """Median and 95th percentile in words."""
    p50, p95 = np.percentile(values_ms, (50, 95))
    return f'p50 {p50:.1f} ms, p95 {p95:.1f} ms, n {len(values_ms)}'


def speed(size: Size) -> list[Row]:
    """Simulated time per wall time of whole drives with files, resets included."""
    trivial = drives('', CAMERA, size)
    expert = drives(EXPERT, None, size)
    return [
        Row(
            'constant-action at 2 Hz, 640x360, lock-step',
            '>= 4 x',
            f'{trivial:.1f} x real time',
            trivial >= 4.0,
        ),
        Row('expert without camera', '', f'{expert:.1f} x real time'),
    ]


def drives(driver: str, camera: CameraSettings | None, size: Size) -> float:
    """Drive some scenarios; return simulated seconds per wall second."""
    config = PlannerConfig(planner='constant-action')
    world_of_process(camera)
    simulated_s, begin = 0.0, time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(size.drives):
            scenario = scenario_of('val', number, USUAL)
            task = DriveTask(scenario, driver, config, camera, Path(folder) / scenario.name)
            simulated_s += run_task(task).seconds + WAIT_S
    return simulated_s / (time.perf_counter() - begin)


def memory(size: Size) -> list[Row]:
    """Peak of a process that only has a world, and drives with pictures."""
    world = world_of_process(CAMERA)
    for number in range(size.drives):
        now, driver = world.reset(scenario_of('train', number, BUSY)), ExpertDriver(world.vehicle)
        for k in range(200):
            now = world.step(driver.control(now), render=k % 5 == 0)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    return [Row('peak memory of a world', '<= 1500 MB', f'{peak_mb:.0f} MB', peak_mb <= 1500.0)]


def resets(size: Size) -> list[Row]:
    """Memory over many worlds."""
    world, early_mb = world_of_process(CAMERA), 0.0
    for number in range(size.resets):
        world.reset(scenario_of('train', number), render=True)
        if number + 1 == size.resets // 10:
            early_mb = resident_mb()
    late_mb = resident_mb()
    growth = 100.0 * (late_mb / early_mb - 1.0)
    measured = f'{growth:+.1f} %: {early_mb:.0f} MB after {size.resets // 10}, {late_mb:.0f} MB'
    return [Row(f'memory over {size.resets} resets', '<= 5 %', measured, growth <= 5.0)]


def resident_mb() -> float:
    """Memory that this process holds now."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 2**20


def samples(size: Size) -> list[Row]:
    """Labelled samples of scenarios as they are drawn, resets included."""
    world = world_of_process(SAMPLE_CAMERA)
    count, size_kb, begin = 0, 0.0, time.perf_counter()
    for number in range(size.sampled):
        for sample in collect_samples(world, scenario_of('train', number)):
            count += 1
            size_kb += len(sample.jpeg) / 1e3
    per_hour = 3600.0 * count / (time.perf_counter() - begin)
    measured = f'{per_hour:,.0f} an hour, {size_kb / count:.0f} kB each, n {count}'
    return [Row('samples 448x252', '>= 15,000', measured, per_hour >= 15_000)]


def seeds(size: Size) -> list[Row]:
    """One seed alone, after others, and once more in another process."""
    first = [in_process(hashed, size, others) for others in ((), (3, 4), ())]
    same = len(set(first)) == 1
    measured = 'equal' if same else f'differ: {", ".join(item[:8] for item in first)}'
    return [Row('a seed alone, after others, in another process', 'equal', measured, same)]


def hashed(size: Size, others: tuple[int, ...]) -> str:
    """Drive other seeds, then one; return the hash of all that moved."""
    world = world_of_process(None)
    for number in others:
        drive_hash(world, scenario_of('train', number, BUSY), size.hashed_steps)
    return drive_hash(world, scenario_of('train', 5, BUSY), size.hashed_steps)


def drive_hash(world: World, scenario: Scenario, steps: int) -> str:
    """Let the expert drive; return the hash of the poses of all, every step."""
    now, driver, digest = world.reset(scenario), ExpertDriver(world.vehicle), hashlib.sha256()
    for _ in range(steps):
        now = world.step(driver.control(now))
        poses = [now.pose, *(actor.pose for actor in now.truth.actors)]
        digest.update(np.array([pose.as_array() for pose in poses]).tobytes())
    return digest.hexdigest()


def in_process(part: Any, *arguments: Any) -> Any:
    """Run something in a process of its own."""
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(part, *arguments).result()


PARTS = (frames, speed, memory, resets, samples, seeds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [part.__name__ for part in PARTS]
    parser.add_argument('--quick', action='store_true', help='a tenth of the work')
    parser.add_argument('--only', nargs='+', choices=names, default=names)
    options = parser.parse_args()
    size = QUICK if options.quick else Size()
    print(f'load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs')
    for part in PARTS:
        if part.__name__ in options.only:
            for row in in_process(part, size):
                verdict = '' if not row.needed else ('ok' if row.ok else 'MISSED')
                print(f'{row.what:<50}{row.needed:<12}{row.measured:<42}{verdict}', flush=True)


if __name__ == '__main__':
    main()
