"""Planner and follower as a simulated world hears them: messages without DDS, no real time.

:class:`Nodes` is a port. The planner drives straight on at 5 m/s, the follower is the real one;
answers come when the world spins, and a test may lose, spoil or delay them.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_typestore
from simulation.drives_by_hand import CAR, START_NS, STEP_NS, observation

from emma_planner.control.config import FollowerConfig
from emma_planner.control.control import Control
from emma_planner.control.following import Following
from emma_planner.planning.fallback import DrivenPath, Source
from emma_planner.ros.control_messages import ControlMessages, path_of, state_of
from emma_planner.ros.conversions import Status, diagnostics_message, path_message, stamp_of
from emma_planner.ros.messages import BagMessages
from emma_planner.ros.world_port import FOLLOWER, PLANNER, Inbox
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.drives.drivers import Driver
from emma_planner.simulation.observation import Observation

CAMERA = CameraSettings(width=32, height=18)
TOPICS = ('image', 'image/compressed', 'camera_info', 'odometry', 'odometry/control')
TOPICS += ('path/effective', 'command', '/clock')
SPEED_MPS = 5.0


class Output:
    """A publisher; what it publishes is kept and handed on."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.listeners = 1
        self.react: Callable[[Any], None] = lambda message: None

    def get_subscription_count(self) -> int:
        return self.listeners

    def publish(self, message: Any) -> None:
        self.sent.append(message)
        self.react(message)


class Nodes:
    """A port with a planner and a follower behind it."""

    def __init__(self) -> None:
        self.make = BagMessages(get_typestore(Stores.ROS2_HUMBLE))
        self.outputs = {topic: Output() for topic in TOPICS}
        self.inbox = Inbox({PLANNER: 'planner', FOLLOWER: 'follower'})
        self.speakers = dict.fromkeys(('/clock', 'path', 'control', 'reasoning'), 1)
        self.said: list[tuple[int, str]] = []
        self.dead = ''
        self.now_s = 1000.0
        self.heartbeats = {PLANNER: 1.0, FOLLOWER: 1.0}
        """Seconds between signs of life, by role."""
        self.takes_s = 0.0
        """Wall-clock time that a plan takes."""
        self.spoil: dict[str, Callable[[Any], Any]] = defaultdict(lambda: lambda message: message)
        """Changes an answer on its way, or loses it by None; by topic."""
        self.following = Following(FollowerConfig(wheelbase_m=CAR.wheelbase_m))
        self.overhear: Callable[[Any], None] = lambda path: None
        """What else hears the planner's paths."""
        self.controls: list[Control] = []
        self._messages = ControlMessages(self.make, FollowerConfig())
        self._under_way: list[tuple[float, Callable[[], None]]] = []
        self._beaten_s = dict.fromkeys(self.heartbeats, 0.0)
        self._odometry: Any = None
        self.outputs['image'].react = self._plan
        self.outputs['odometry'].react = lambda message: setattr(self, '_odometry', message)
        self.outputs['path/effective'].react = self._take_path
        self.outputs['odometry/control'].react = self._follow

    # the port

    def spin(self, seconds: float) -> None:
        ready = [item for item in self._under_way if item[0] <= self.now_s]
        if ready:
            self._under_way.remove(ready[0])
            ready[0][1]()
            return
        self.now_s += max(seconds, 1e-4)
        for role, period_s in self.heartbeats.items():
            if self.now_s - self._beaten_s[role] >= period_s:
                self._beaten_s[role] = self.now_s
                statuses = [Status(f'{role}: inputs', 0, 'waiting')]
                message = diagnostics_message(self.make, statuses, 0, role)
                self.inbox.on_diagnostics(message, self.now_s)

    def steady_s(self) -> float:
        return self.now_s

    def count_speakers(self, topic: str) -> int:
        return self.speakers.get(topic, 0)

    def wait_until_received(self, topic: str) -> None:
        assert self.outputs[topic].sent

    def dead_process(self) -> str:
        return self.dead

    def say(self, level: int, text: str) -> None:
        self.said.append((level, text))

    def errors(self) -> str:
        return '\n'.join(text for level, text in self.said if level == 2)

    def silence(self, role: str) -> None:
        """From now on nothing comes from the planner, or from the follower."""
        for topic in {PLANNER: ('path', 'reasoning'), FOLLOWER: ('control', 'path_taken')}[role]:
            self.spoil[topic] = lambda message: None
        self.heartbeats[role] = math.inf

    def answer(self, topic: str, message: Any, after_s: float = 0.0) -> None:
        """Send an answer, which comes when the world spins."""
        take = {
            'path': self.inbox.on_path,
            'reasoning': self.inbox.on_reasoning,
            'control': self.inbox.on_control,
            'path_taken': self.inbox.on_path_taken,
        }[topic]
        if (message := self.spoil[topic](message)) is not None:
            due_s = self.now_s + after_s
            self._under_way.append((due_s, lambda: self._deliver(topic, take, message)))

    def _deliver(self, topic: str, take: Callable[[Any, float], None], message: Any) -> None:
        take(message, self.now_s)
        if topic == 'path':
            self.overhear(message)

    # planner and follower

    def plan(self, stamp_ns: int) -> None:
        """Plan straight on from the last odometry."""
        pose = self._odometry.pose.pose.position
        times = 0.5 * np.arange(1, 11)
        poses = np.column_stack([pose.x + SPEED_MPS * times, np.full((10, 2), (pose.y, 0.0))])
        stamps = tuple(stamp_ns + round(time * 1e9) for time in times)
        path = DrivenPath(Source.PLAN, 'map', stamps, poses, np.full(10, SPEED_MPS))
        self.answer('path', path_message(self.make, path, stamp_ns), self.takes_s)
        record = {
            'model': 'straight-on',
            'stamp_ns': stamp_ns,
            'command': self.outputs['command'].sent[-1].data,
            'history': {'speeds_mps': [self._odometry.twist.twist.linear.x]},
            'ego_pose': [pose.x, pose.y, 0.0],
            'latency_ms': {'total': 250.0},
            'driven': {'poses': poses.tolist()},
            'source': 'plan',
            'reason': None,
            'reasoning': {'scene': 'a road', 'objects': [], 'intent': 'go on'},
        }
        self.answer('reasoning', SimpleNamespace(data=json.dumps(record)), self.takes_s)

    def _plan(self, image: Any) -> None:
        self.plan(stamp_of(image.header))

    def _take_path(self, message: Any) -> None:
        self.following.take_path(path_of(message, 'map'))
        self.answer('path_taken', message.header)

    def _follow(self, odometry: Any) -> None:
        state = state_of(odometry, 0.0)
        self.following.observe(state)
        self.controls.append(self.following.control())
        message = self._messages.message(self.controls[-1], state.stamp_ns, state.speed_mps)
        self.answer('control', message)


class Trip:
    """A car on a straight road that does what a driver says; the first 5 s it stands."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.now = replace(observation(speed_mps=0.0), image=None)
        self.controls: list[Control] = []

    def go(self, seconds: float, each: Callable[[Observation], None] | None = None) -> Trip:
        """Drive on.

        :param each: called before each step
        """
        for _ in range(round(seconds / 0.1)):
            if each is not None:
                each(self.now)
            self.step(self.driver.control(self.now))
        return self

    def step(self, control: Control) -> None:
        self.controls.append(control)
        time_s = (self.now.stamp_ns + STEP_NS - START_NS) / 1e9
        stands = time_s <= 5.0
        speed = max(self.now.speed_mps + 0.1 * control.acceleration_mps2, 0.0) * (not stands)
        place = self.now.pose.x_m + 0.1 * speed
        after = observation(time_s, place, speed_mps=speed)
        wanted = time_s >= 5.0 and self.driver.needs_image(after.stamp_ns)
        picture = np.full((18, 32, 3), 90, np.uint8) if wanted else None
        self.now = replace(after, image=picture)
