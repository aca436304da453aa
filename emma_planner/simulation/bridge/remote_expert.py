"""The expert in this process, what it senses and plans said over ROS for whoever looks on."""

from __future__ import annotations

import numpy as np

from emma_planner.control.control import Control
from emma_planner.planning.fallback import DrivenPath, Source
from emma_planner.planning.types import DT_NS, DT_S
from emma_planner.ros.conversions import path_message
from emma_planner.ros.world_messages import MAP
from emma_planner.ros.world_port import WorldPort
from emma_planner.ros.world_voice import WorldVoice
from emma_planner.simulation.bridge.real_time_driver import Pace
from emma_planner.simulation.drives.drivers import ExpertDriver
from emma_planner.simulation.observation import Observation, VehicleShape


class RemoteExpert(ExpertDriver):
    """The expert, published.

    :param pace: None in lock-step, where nobody is waited for
    :param period_ns: between pictures
    """

    def __init__(
        self,
        port: WorldPort,
        voice: WorldVoice,
        vehicle: VehicleShape,
        *,
        pace: Pace | None,
        period_ns: int,
    ) -> None:
        super().__init__(vehicle)
        self._port = port
        self._voice = voice
        self._pace = pace
        self._image_period_ns = period_ns
        self._next_image_ns = 0

    def needs_image(self, stamp_ns: int) -> bool:
        """At the camera's rate."""
        return stamp_ns >= self._next_image_ns

    def control(self, observation: Observation) -> Control:
        """Drive a step and tell of it."""
        now_ns = observation.stamp_ns
        self._voice.clock(now_ns)
        self._voice.motion(observation)
        if observation.image is not None and self.needs_image(now_ns):
            self._next_image_ns = now_ns + self._image_period_ns
            self._voice.picture(observation)
            self._voice.jpeg_too(observation)
        control = super().control(observation)
        self._publish_path(now_ns)
        if self._pace is None:
            self._port.spin(0.0)
        else:
            self._pace.wait(now_ns)
        self._port.inbox.clear()
        return control

    def _publish_path(self, now_ns: int) -> None:
        path = self.shown.path_map
        if path is None:
            return
        stamps = tuple(now_ns + (k + 1) * DT_NS for k in range(len(path) - 1))
        speeds = np.hypot(*np.diff(path[:, :2], axis=0).T) / DT_S
        driven = DrivenPath(Source.PLAN, MAP, stamps, path[1:], speeds)
        self._port.outputs['path'].publish(path_message(self._port.make, driven, now_ns))
