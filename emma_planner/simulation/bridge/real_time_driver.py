"""Planner and follower in other processes, in real time: the world does not wait for them."""

from __future__ import annotations

from emma_planner.control.control import Control
from emma_planner.planning.types import NS_PER_S
from emma_planner.ros.world_port import FOLLOWER, PLANNER, WorldPort
from emma_planner.ros.world_voice import IMAGE, ODOMETRY, WorldVoice
from emma_planner.simulation.bridge.remote_driver import LostError, RemoteDriver, Team
from emma_planner.simulation.observation import Observation, VehicleShape
from emma_planner.simulation.world import BEGIN_NS, STEP_NS

CLOCK_S = 0.01
"""``/clock`` goes on this often between two steps."""


class Pace:
    """Lets simulated time pass no faster than it should.

    :param factor: simulated seconds per second
    """

    def __init__(self, port: WorldPort, voice: WorldVoice, factor: float) -> None:
        self._port = port
        self._voice = voice
        self._factor = factor
        self._begin_s: float | None = None
        self.late_s = 0.0
        """Wall-clock time by which the world has fallen behind, in all."""

    def wait(self, now_ns: int) -> None:
        """Wait until the step that began at ``now_ns`` is over."""
        port = self._port
        if self._begin_s is None:
            self._begin_s = port.steady_s() - now_ns / NS_PER_S / self._factor
        due_s = self._begin_s + (now_ns + STEP_NS) / NS_PER_S / self._factor
        if (late_s := port.steady_s() - due_s) > 0.0:
            self._begin_s += late_s  # no catching up
            self.late_s += late_s
        port.spin(0.0)
        while (left_s := due_s - port.steady_s()) > 0.0:
            port.spin(min(left_s, CLOCK_S))
            passed_ns = STEP_NS - round((due_s - port.steady_s()) * self._factor * NS_PER_S)
            self._voice.clock(now_ns + min(max(passed_ns, 0), STEP_NS - 1))


class RealTimeDriver(RemoteDriver):
    """A driver whose newest control counts."""

    def __init__(
        self, port: WorldPort, voice: WorldVoice, vehicle: VehicleShape, team: Team
    ) -> None:
        super().__init__(port, voice, vehicle, team)
        self._pace = Pace(port, voice, self._config.real_time_factor)
        self._period_ns = round(NS_PER_S / self._config.image_rate_hz)
        self._next_ns = 0
        self._path_s: float | None = None
        self._control_s: float | None = None

    def needs_image(self, stamp_ns: int) -> bool:
        """At the camera's rate."""
        return stamp_ns >= self._next_ns

    def control(self, observation: Observation) -> Control:
        """Say what is sensed, let the step pass, and take the newest control."""
        now_ns = observation.stamp_ns
        if self._control_s is None:
            self._meet((IMAGE, ODOMETRY), ('path', 'control'))
        if self._path_s is None or self._control_s is None or now_ns < BEGIN_NS:
            # nothing is owed before there is something to plan from
            self._path_s = self._control_s = self._port.steady_s()
        self._voice.clock(now_ns)
        self._observe(observation)
        if observation.image is not None and self.needs_image(now_ns):
            while self._next_ns <= now_ns:
                self._next_ns = max(self._next_ns + self._period_ns, now_ns)
            self._voice.picture(observation)
            self._voice.jpeg_too(observation)
        self._pace.wait(now_ns)
        if self._lost is not None:
            return self._stop(observation)
        self._take(now_ns)
        try:
            self._check(PLANNER, 'path', self._path_s)
            self._check(FOLLOWER, 'control', self._control_s)
        except LostError as err:
            self._lose(err, observation)
            return self._stop(observation)
        return self._usable_control(now_ns)

    def _take(self, now_ns: int) -> None:
        inbox = self._port.inbox
        while inbox.records:
            self._show(inbox.records.popleft())
        while inbox.paths:
            self._path_s = self._port.steady_s()
            is_usable, path = self._read_path(inbox.paths.popleft())
            if is_usable:
                self._following.take_path(path)
        while inbox.controls:
            self._control_s = self._port.steady_s()
            self._read_control(inbox.controls.popleft(), now_ns)
        inbox.taken_ns.clear()

    def _check(self, role: str, what: str, last_s: float) -> None:
        if dead := self._port.dead_process():
            raise LostError(dead)
        silent_s = self._port.steady_s() - last_s
        if silent_s > self._config.answer_timeout_s:
            raise LostError(f'no {what} from the {role} for {silent_s:.1f} s')
