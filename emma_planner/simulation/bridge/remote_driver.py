"""What drivers in other processes have in common: paths, controls, loss, and the stop after it.

Planner and follower speak through a :class:`~emma_planner.ros.world_port.WorldPort`. A follower of
the world's own goes along with what is followed; when nobody answers any more it stops the car
comfortably along the last path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emma_planner.control.control import Control
from emma_planner.control.following import Following
from emma_planner.control.timed_path import PathError, TimedPath
from emma_planner.planning.types import NS_PER_S
from emma_planner.ros.control_messages import control_of, path_of, state_of
from emma_planner.ros.conversions import stamp_of
from emma_planner.ros.world_messages import MAP
from emma_planner.ros.world_port import PLANNER, WorldPort
from emma_planner.ros.world_voice import COMPRESSED, IMAGE, WorldVoice
from emma_planner.simulation.config import SimulationConfig
from emma_planner.simulation.drives.drivers import DriverLostError, Shown, follower_config
from emma_planner.simulation.observation import Observation, VehicleShape
from emma_planner.simulation.world import START_NS

OK, WARN, ERROR = 0, 1, 2
POLL_S = 0.02
STANDING_MPS = 0.05
LONGEST_STOP_S = 20.0
SETTLE_S = 0.5
"""Time set back at the start of a drive must have been taken in before anything is sensed."""
FIRST_WORD_S = 3.0
"""A planner with a heartbeat has been heard by then."""
CROWD_S = 30.0
Record = dict[str, Any]


class BridgeError(Exception):
    """Planner and follower do not come, or what comes is not what lock-step needs."""


class LostError(Exception):
    """Planner or follower answers no more."""


@dataclass(frozen=True)
class Team:
    """Who drives, and what to do with it.

    :param name: of what plans, for tables
    :param on_record: takes each record of the plan log
    """

    name: str
    config: SimulationConfig
    on_record: Callable[[Record], None]


class RemoteDriver:
    """Base of drivers over ROS; not a driver itself."""

    def __init__(
        self, port: WorldPort, voice: WorldVoice, vehicle: VehicleShape, team: Team
    ) -> None:
        self.name = team.name
        self.shown = Shown()
        self._port = port
        self._voice = voice
        self._config = team.config
        self._on_record = team.on_record
        self._following = Following(follower_config(vehicle))
        self._control: Control | None = None
        self._control_ns = 0
        self._lost: str | None = None
        self._lost_ns = 0

    def _meet(self, inputs: tuple[str, ...], answers: tuple[str, ...]) -> None:
        """Wait until planner and follower listen and speak, with the clock at the start.

        :param inputs: topics that somebody must listen to
        :param answers: topics that somebody must publish
        :raises BridgeError: they do not come, or others are in the way
        """
        port = self._port
        begin_s = port.steady_s()
        settled_s = None
        while settled_s is None or port.steady_s() - settled_s < SETTLE_S:
            self._voice.clock(START_NS)
            port.spin(POLL_S)
            waited_s = port.steady_s() - begin_s
            missing, crowd = self._missing(inputs, answers), self._crowd(('/clock', *answers))
            if missing or crowd:
                settled_s = None
                self._check_wait(missing, crowd, waited_s)
            elif PLANNER in port.inbox.heard_s or waited_s > FIRST_WORD_S:
                settled_s = settled_s or port.steady_s()
        port.inbox.clear()

    def _check_wait(self, missing: str, crowd: str, waited_s: float) -> None:
        limit_s = self._config.start_timeout_s
        if dead := self._port.dead_process():
            raise BridgeError(f'{dead} before the drive began')
        if crowd and waited_s > CROWD_S:  # one that was killed is seen until then
            raise BridgeError(f'{crowd}; stop the others or set another ROS_DOMAIN_ID')
        if missing and waited_s > limit_s:
            raise BridgeError(f'need planner and follower within {limit_s:g} s: {missing}')

    def _crowd(self, topics: tuple[str, ...]) -> str:
        for topic in topics:
            if (count := self._port.count_speakers(topic)) > 1:
                return f'need one node that publishes {topic}, got {count}'
        return ''

    def _missing(self, inputs: tuple[str, ...], answers: tuple[str, ...]) -> str:
        outputs = self._port.outputs
        heard = {topic for topic, output in outputs.items() if output.get_subscription_count()}
        if COMPRESSED in heard:
            heard.add(IMAGE)  # either will do
        deaf = [topic for topic in inputs if topic not in heard]
        mute = [topic for topic in answers if not self._port.count_speakers(topic)]
        parts = [f'nobody listens to {", ".join(deaf)}'] if deaf else []
        return '; '.join([*parts, *([f'nobody publishes {", ".join(mute)}'] if mute else [])])

    def _observe(self, observation: Observation) -> Any:
        """Say what is sensed; the world's own follower sees it too.

        :returns: the odometry message
        """
        odometry = self._voice.motion(observation)
        self._following.observe(state_of(odometry, 0.0))
        return odometry

    def _read_path(self, message: Any) -> tuple[bool, TimedPath | None]:
        """Return whether a path can be used, and the path, None for an empty one."""
        try:
            return True, path_of(message, MAP)
        except PathError as err:
            self._port.say(ERROR, f'path refused: {err}')
            return False, None

    def _read_control(self, message: Any, now_ns: int) -> None:
        """Take a control that can be used."""
        try:
            self._control, self._control_ns = control_of(message), now_ns
        except ValueError as err:
            self._port.say(ERROR, f'control refused: {err}')

    def _usable_control(self, now_ns: int) -> Control:
        """Return the last good control, or the world's own stop where it is too old."""
        age_s = (now_ns - self._control_ns) / NS_PER_S
        is_fresh = self._control is not None and age_s < self._config.control_timeout_s
        if not is_fresh:
            # whatever the planner says: it is not for the world to follow
            self._following.take_path(None)
        own = self._following.control(now_ns)
        if is_fresh and self._control is not None:
            return self._control
        if self._control is not None:
            self._port.say(
                WARN,
                f'need a usable control each {self._config.control_timeout_s:g} s, the last one '
                f'came {age_s:.1f} s ago: comfortable stop',
            )
        return own

    def _show(self, record: Record) -> None:
        self._on_record(record)
        self.name = str(record.get('model', self.name))
        self.shown = Shown.of_record(record)

    def _check_alive(self, role: str, since_s: float, what: str) -> None:
        """Check that an answer can still come.

        :param role: who owes it
        :param since_s: steady time since when
        :raises LostError: its process ended, or it is silent for too long
        """
        if dead := self._port.dead_process():
            raise LostError(dead)
        heard_s = max(self._port.inbox.heard_s.get(role, since_s), since_s)
        silent_s = self._port.steady_s() - heard_s
        if silent_s > self._config.answer_timeout_s:
            raise LostError(f'no {what} and no sign of life from the {role} for {silent_s:.1f} s')

    def _lose(self, err: LostError, observation: Observation) -> None:
        time_s = (observation.stamp_ns - START_NS) / NS_PER_S
        self._lost, self._lost_ns = (
            f'{err}, since {time_s:.1f} s of the drive',
            observation.stamp_ns,
        )
        self._port.say(ERROR, f'{self._lost}: stopping')
        self._port.inbox.heard_s.clear()
        self._following.take_path(None)

    def _stop(self, observation: Observation) -> Control:
        """Stop along the last path.

        :raises DriverLostError: the car stands
        """
        control = self._following.control()
        stopping_s = (observation.stamp_ns - self._lost_ns) / NS_PER_S
        if abs(observation.speed_mps) < STANDING_MPS or stopping_s > LONGEST_STOP_S:
            raise DriverLostError(self._lost)
        return control


def trimmed(message: Any, now_ns: int) -> Any:
    """Drop the poses of a path that have passed when it takes effect; changes the message."""
    message.poses = [pose for pose in message.poses if stamp_of(pose.header) > now_ns]
    return message
