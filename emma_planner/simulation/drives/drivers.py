"""Who drives: a planner through its inputs and a follower, or the expert.

A driver sees every observation and answers with a control. Planners get what the ROS node gets
(messages of image, ego motion and command) and nothing of the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from emma_planner.config import PlannerConfig
from emma_planner.control.config import FollowerConfig
from emma_planner.control.control import Control
from emma_planner.control.following import Following
from emma_planner.control.timed_path import FollowState, PathError, TimedPath
from emma_planner.planning.fallback import Source
from emma_planner.planning.planner import Planner
from emma_planner.planning.types import NS_PER_S, FloatArray, Reasoning
from emma_planner.ros.control_messages import path_of, state_of
from emma_planner.ros.conversions import image_message, string_message
from emma_planner.ros.messages import MessageFactory
from emma_planner.ros.stepped_planner import Planned, SteppedPlanner
from emma_planner.ros.world_messages import CAMERA, MAP, odometry_message
from emma_planner.simulation.config import EXPERT
from emma_planner.simulation.drives.plan_ticks import PlanTicks
from emma_planner.simulation.expert.expert import Expert, ExpertPlan
from emma_planner.simulation.observation import Observation, VehicleShape

EXPERT_PATH = 'expert-path'
EXPERT_STEP_S = 0.1
CAR_LIMITS: dict[str, Any] = {
    'max_acceleration_mps2': 2.9,
    'max_deceleration_mps2': 8.0,
    'actuation_delay_s': 0.05,
}
"""Of the simulated car, for a follower."""


class DriverLostError(Exception):
    """Who drives answers no more, and the car has been stopped; the message says who."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What a driver follows now, for films.

    :param path_map: ``(N, 3)`` x [m], y [m], yaw [rad], map, 0.5 s apart
    """

    path_map: FloatArray | None = None
    source: Source = Source.NONE
    reason: str = ''
    reasoning: Reasoning = field(default_factory=Reasoning)

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> Shown:
        """Return what is followed after a record of the plan log; it may lack words."""
        driven, words = record['driven']['poses'], record.get('reasoning', {})
        return cls(
            np.array(driven) if driven else None,
            Source(record['source']),
            record['reason'] or '',
            Reasoning(
                words.get('scene', ''), tuple(words.get('objects', ())), words.get('intent', '')
            ),
        )


class Driver(Protocol):
    """Decides in a closed loop."""

    shown: Shown
    name: str

    def needs_image(self, stamp_ns: int) -> bool:
        """Whether the observation at this time must have a picture."""
        ...

    def control(self, observation: Observation) -> Control:
        """Decide for the next step."""
        ...


def follower_config(vehicle: VehicleShape) -> FollowerConfig:
    """Parameters of the follower for the simulated car."""
    return FollowerConfig(wheelbase_m=vehicle.wheelbase_m, **CAR_LIMITS)


class ExpertDriver:
    """The privileged expert, replanning at every step; the follower tracks it.

    :param period_s: time between plans
    :param spacing: takes every n-th pose of the expert's 0.1 s steps

    ``is_driving`` says whether its control is what the car does; who drives in its place says no.
    """

    def __init__(self, vehicle: VehicleShape, period_s: float = 0.0, spacing: int = 1) -> None:
        self.name = EXPERT if spacing == 1 else EXPERT_PATH
        self.shown = Shown()
        self.plan: ExpertPlan | None = None
        self.is_driving = True
        self._expert = Expert(vehicle)
        self._following = Following(follower_config(vehicle))
        self._period_ns = round(period_s * NS_PER_S)
        self._spacing = spacing
        self._next_ns = 0

    def needs_image(self, stamp_ns: int) -> bool:
        """The expert looks at the truth."""
        return False

    def control(self, observation: Observation) -> Control:
        """Replan when it is time, and follow."""
        now_ns = observation.stamp_ns
        self._following.observe(FollowState(now_ns, observation.pose, observation.speed_mps))
        if now_ns >= self._next_ns:
            self._next_ns = now_ns + self._period_ns
            self._take(observation)
        return self._following.control()

    def _take(self, observation: Observation) -> None:
        now_ns = observation.stamp_ns
        self.plan = self._expert.plan(observation, is_driven=self.is_driving)
        step_ns = round(EXPERT_STEP_S * self._spacing * NS_PER_S)
        poses = self.plan.poses[self._spacing - 1 :: self._spacing]
        stamps = tuple(now_ns + (k + 1) * step_ns for k in range(len(poses)))
        self._following.take_path(TimedPath(now_ns, MAP, poses, stamps))
        every = self.plan.poses[4::5]
        path = np.vstack([observation.pose.as_array(), every])
        facts = self.plan.facts
        reasoning = Reasoning(intent=f'{facts.longitudinal}, {facts.lateral}: {facts.limit}')
        self.shown = Shown(path, Source.PLAN, '', reasoning)


class PlannerDriver:
    """A planner in lock-step: the world waits, and its latency passes as simulated time.

    :param topics: the planner's outputs besides the path that is followed
    :param latency_s: seconds from image to path, or None for what each plan really took
    :param on_record: takes each record of the plan log
    """

    def __init__(
        self,
        planner: Planner,
        config: PlannerConfig,
        vehicle: VehicleShape,
        topics: Mapping[str, Any],
        make: MessageFactory,
        *,
        latency_s: float | None,
        start_ns: int,
        on_record: Callable[[dict[str, Any]], None],
    ) -> None:
        self.name = planner.name
        self.shown = Shown()
        self._make = make
        self._follower_config = follower_config(vehicle)
        self._following = Following(self._follower_config)
        outputs = {**topics, 'path': _Tee(topics['path'], self._take_path)}
        self._stepped = SteppedPlanner(planner, config, outputs, make)
        self._on_record = on_record
        self._ticks: PlanTicks[Planned] = PlanTicks(config.rate_hz, latency_s, start_ns)
        self._command = ''

    def needs_image(self, stamp_ns: int) -> bool:
        """At a tick, unless the last plan is still being made."""
        return self._ticks.is_due(stamp_ns)

    def control(self, observation: Observation) -> Control:
        """Let the planner see, publish what has become ready, follow."""
        now_ns = observation.stamp_ns
        odometry = odometry_message(self._make, observation)
        self._stepped.receive('odometry', odometry)
        self._following.observe(state_of(odometry, self._follower_config.base_offset_m))
        if observation.command != self._command:
            self._command = observation.command
            self._stepped.receive('command', string_message(self._make, self._command))
        if observation.image is not None and self.needs_image(now_ns):
            self._publish_ready(now_ns)
            image = image_message(self._make, observation.image, now_ns, CAMERA)
            self._stepped.receive('image', image)
            self._plan(now_ns)
        self._publish_ready(now_ns)
        return self._following.control()

    def _plan(self, now_ns: int) -> None:
        self._ticks.begin(now_ns)
        planned = self._stepped.plan(now_ns)
        self._ticks.put(planned, now_ns, planned.plan.latency.total_ms / 1e3)

    def _publish_ready(self, now_ns: int) -> None:
        planned = self._ticks.take(now_ns)
        if planned is None:
            return
        record = self._stepped.publish(planned, now_ns)
        self._on_record(record)
        self.shown = Shown.of_record(record)

    def _take_path(self, message: Any) -> None:
        # one that cannot be followed leaves the last one, as in the follower node
        with suppress(PathError):
            self._following.take_path(path_of(message, MAP))


class _Tee:
    """A publisher that also hands on what is published."""

    def __init__(self, publisher: Any, take: Callable[[Any], None]) -> None:
        self._publisher = publisher
        self._take = take

    def get_subscription_count(self) -> int:
        """Of the publisher."""
        return int(self._publisher.get_subscription_count())

    def publish(self, message: Any) -> None:
        """Publish, then hand on."""
        self._publisher.publish(message)
        self._take(message)
