"""Labelled samples: a picture, the motion before it, what is to be said, the motion after it.

The expert drives a scenario in a world with a camera. History and future come from the ego motion
by the same code as in planning and evaluation. Knows no prompts and no files.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from emma_planner.assemble import planner_of_process
from emma_planner.config import PlannerConfig
from emma_planner.evaluation.ground_truth import GroundTruth
from emma_planner.planning.ego_tracks import EgoMeasurement, EgoTracks
from emma_planner.planning.history import HistoryLimits, build_history, gate_curvature
from emma_planner.planning.kinematics import invert, to_base
from emma_planner.planning.types import (
    DT_NS,
    DT_S,
    NS_PER_S,
    NUM_STEPS,
    EgoHistory,
    FloatArray,
    Trajectory,
)
from emma_planner.recordings.dataset import DIGITS
from emma_planner.ros.world_messages import MAP
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.drives.drive_task import world_of_process
from emma_planner.simulation.drives.drivers import ExpertDriver
from emma_planner.simulation.labels.disturbance import Disturbance
from emma_planner.simulation.labels.patches import Grid, patch_labels
from emma_planner.simulation.labels.pilot import Pilot
from emma_planner.simulation.labels.scene_facts import SceneFacts, scene_facts
from emma_planner.simulation.observation import Observation
from emma_planner.simulation.picture.jpeg import to_jpeg
from emma_planner.simulation.scenario import Scenario
from emma_planner.simulation.scoring.infractions import InfractionMonitor
from emma_planner.simulation.world import BEGIN_NS, STEP_NS, World

FUTURE_NS = NUM_STEPS * DT_NS
STEPS_PER_POSE = 5
"""The expert plans a pose each 0.1 s."""
ROLLS_MPS = 0.1
"""A slower step has no curvature of its own: the springs of a car that stands move it too."""
JPEG_START = b'\xff\xd8\xff'


@dataclass(frozen=True, eq=False)
class Sample:
    """One instant of a drive of the expert.

    :param scenario: its name
    :param stamp_ns: t0, of the picture [ns]
    :param jpeg: the front camera
    :param command: route command
    :param patches: classes and distance bins of the picture's patches
    :param planned: what the expert planned at t0, from what could be known then
    :param future: what was then driven; what was planned where a disturbance came in between, or
        where a pilot drives
    """

    scenario: str
    stamp_ns: int
    jpeg: bytes
    command: str
    history: EgoHistory
    facts: SceneFacts
    patches: tuple[Grid, Grid]
    planned: Trajectory
    future: Trajectory

    def __post_init__(self) -> None:
        if not self.scenario or not self.command:
            raise ValueError(
                f'need a scenario and a command, got {self.scenario!r} and {self.command!r}'
            )
        if self.stamp_ns != self.history.stamp_ns:
            raise ValueError(
                f'need history up to {self.stamp_ns} ns, got {self.history.stamp_ns} ns'
            )
        if not self.jpeg.startswith(JPEG_START):
            raise ValueError(f'need a JPEG picture, got bytes {self.jpeg[:3].hex(" ") or "none"}')
        if self.command != self.facts.command:
            raise ValueError(f'need facts for {self.command!r}, got {self.facts.command!r}')


@dataclass(frozen=True)
class CollectTask:
    """Samples of one scenario, for any process."""

    scenario: Scenario
    camera: CameraSettings
    every_s: float = DT_S
    is_disturbed: bool = False
    pilot: PlannerConfig | None = None
    """Who drives in the expert's place."""


@dataclass(frozen=True, eq=False)
class _Instant:
    """A sample before its future is known.

    :param planned: ``(10, 3)`` poses of the expert's plan, map
    """

    jpeg: bytes
    history: EgoHistory
    facts: SceneFacts
    patches: tuple[Grid, Grid]
    planned: FloatArray


def collect_task(task: CollectTask) -> list[Sample]:
    """Collect in this process's world, which is kept for the next task."""
    world = world_of_process(task.camera)
    disturbance = Disturbance(task.scenario.seed) if task.is_disturbed else None
    pilot = None
    if task.pilot is not None:
        world.reset(task.scenario)  # a world has a vehicle once it was reset
        pilot = Pilot(planner_of_process(task.pilot), world.vehicle)
    return list(collect_samples(world, task.scenario, task.every_s, disturbance, pilot))


def collect_samples(
    world: World,
    scenario: Scenario,
    every_s: float = DT_S,
    disturbance: Disturbance | None = None,
    pilot: Pilot | None = None,
) -> Iterator[Sample]:
    """Let the expert drive a scenario to its end, and hand samples out as it goes.

    The last 5 s of a drive of the expert are nobody's t0: their future was not driven.

    :param world: with a camera
    :param every_s: between samples, from the moment the ego may drive; a whole number of the
        world's steps
    :param disturbance: pushes the car off its line, so that samples show how to come back
    :param pilot: drives in the expert's place; every future is then what the expert planned
    :raises ValueError: no camera, or no such period
    """
    camera, every_ns = world.camera, round(every_s * NS_PER_S)
    if camera is None:
        raise ValueError('need a world with a camera for samples, got one without')
    if every_ns <= 0 or every_ns % STEP_NS:
        raise ValueError(f'need a period of n x {STEP_NS / NS_PER_S:g} s, got {every_s:g} s')
    tracks, waiting = EgoTracks(), deque[_Instant]()
    pushed_ns = -FUTURE_NS
    for now, driver in _drive(world, scenario, every_ns, disturbance, pilot):
        tracks.add(_measurement(now), 'odometry')
        if now.image is not None and driver.plan is not None:
            facts = scene_facts(now, driver.plan.facts, scenario.weather, camera, world.vehicle)
            history = build_history(
                tracks.poses, tracks.twists, tracks.frame_id, now.stamp_ns, HistoryLimits()
            )
            planned = driver.plan.poses[STEPS_PER_POSE - 1 :: STEPS_PER_POSE]
            patches = patch_labels(now, camera)
            waiting.append(_Instant(to_jpeg(now.image), history, facts, patches, planned))
            if pilot is not None:
                pilot.plan(now.image, history, now.command)
        if disturbance is not None and disturbance.is_on:
            pushed_ns = now.stamp_ns
        if waiting and pilot is not None:
            yield _sample(waiting.popleft(), None, scenario)
        elif waiting and now.stamp_ns >= waiting[0].history.stamp_ns + FUTURE_NS:
            instant = waiting.popleft()
            is_pushed = pushed_ns >= instant.history.stamp_ns
            yield _sample(instant, None if is_pushed else tracks, scenario)


def to_record(sample: Sample) -> dict[str, Any]:
    """Return all but the picture, ready for JSON; keys as in the plan log."""
    history = sample.history
    return {
        'scenario': sample.scenario,
        'stamp_ns': sample.stamp_ns,
        'frame_id': history.frame_id,
        'command': sample.command,
        'ego_pose': history.ego_pose.as_array().tolist(),
        'history': actions_json(history.speeds_mps, history.curvatures_1pm),
        'facts': dataclasses.asdict(sample.facts),
        'planned': trajectory_json(sample.planned),
        'future': trajectory_json(sample.future),
        'patches': {
            name: ''.join(DIGITS[value] for value in grid.ravel().tolist())
            for name, grid in zip(('classes', 'depths'), sample.patches, strict=True)
        },
    }


def _drive(
    world: World,
    scenario: Scenario,
    every_ns: int,
    disturbance: Disturbance | None,
    pilot: Pilot | None,
) -> Iterator[tuple[Observation, ExpertDriver]]:
    """Every step of a drive: what is seen, and who has planned."""
    now = world.reset(scenario)
    driver = ExpertDriver(world.vehicle)
    monitor = InfractionMonitor(scenario, world.vehicle)
    while monitor.end is None:
        control = driver.control(now)
        if disturbance is not None:
            control = disturbance.apply(control, now)
        yield now, driver
        if pilot is not None:
            if pilot.is_lost(now):
                return
            own = pilot.control(now)
            driver.is_driving = driver.plan is not None and pilot.is_helped(now, driver.plan)
            if not driver.is_driving:
                control = own
        driven_ns = now.stamp_ns + STEP_NS - BEGIN_NS
        render = driven_ns >= 0 and driven_ns % every_ns == 0
        now = world.step(control, render=render)
        if driven_ns >= 0:
            monitor.observe(now)
    driver.control(now)
    yield now, driver


def _measurement(now: Observation) -> EgoMeasurement:
    pose = (now.pose.x_m, now.pose.y_m, now.pose.yaw_rad)
    return EgoMeasurement(now.stamp_ns, MAP, pose, (now.speed_mps, now.yaw_rate_radps))


def _sample(instant: _Instant, tracks: EgoTracks | None, scenario: Scenario) -> Sample:
    """Finish a sample.

    :param tracks: where the ego then drove, None to take what was planned
    """
    stamp_ns = instant.history.stamp_ns
    planned = future = trajectory_of(to_base(instant.planned, instant.history.ego_pose))
    if tracks is not None:
        poses, known = GroundTruth(tracks.poses).future(stamp_ns)
        assert known.all()
        future = trajectory_of(poses)
    return Sample(
        scenario=scenario.name,
        stamp_ns=stamp_ns,
        jpeg=instant.jpeg,
        command=instant.facts.command,
        history=instant.history,
        facts=instant.facts,
        patches=instant.patches,
        planned=planned,
        future=future,
    )


def trajectory_of(poses: FloatArray) -> Trajectory:
    """Actions of driven poses.

    :param poses: ``(10, 3)`` x [m], y [m], yaw [rad] in base_link of t0, 0.5 s apart
    """
    speeds, curvatures = invert(poses)
    times_s = DT_S * np.arange(1, len(poses) + 1, dtype=np.float64)
    yaw_rates = np.asarray(speeds * curvatures, dtype=np.float64)
    return Trajectory(speeds, gate_curvature(times_s, speeds, yaw_rates, ROLLS_MPS), poses)


def actions_json(speeds_mps: FloatArray, curvatures_1pm: FloatArray) -> dict[str, list[float]]:
    """Return actions ready for JSON; keys as in the plan log."""
    return {'speeds_mps': speeds_mps.tolist(), 'curvatures_1pm': curvatures_1pm.tolist()}


def trajectory_json(trajectory: Trajectory) -> dict[str, Any]:
    """Return actions and the poses they lead to, ready for JSON."""
    actions = actions_json(trajectory.speeds_mps, trajectory.curvatures_1pm)
    return {**actions, 'poses': trajectory.poses.tolist()}
