"""Planner and follower in other processes, in lock-step: the world waits for plan and control.

One step: the clock and what is sensed go out; at a tick the picture, and the world waits for the
path of its stamp. The planner's latency passes as simulated time: only then the path goes on to
the follower, on ``path/effective``, and the world waits until it is taken. Then the follower gets
the odometry, on ``odometry/control``, and the world waits for the one control that answers it.
Every answer is known by its stamp or its number, so nothing depends on how fast messages are. The
planner runs with ``on_image``, the follower with ``on_odometry``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from emma_planner.control.control import Control
from emma_planner.planning.types import NS_PER_S
from emma_planner.ros.conversions import stamp_of
from emma_planner.ros.world_messages import odometry_message
from emma_planner.ros.world_port import FOLLOWER, PLANNER, WorldPort
from emma_planner.ros.world_voice import IMAGE, ODOMETRY, WorldVoice
from emma_planner.simulation.bridge.remote_driver import (
    POLL_S,
    BridgeError,
    LostError,
    Record,
    RemoteDriver,
    Team,
    trimmed,
)
from emma_planner.simulation.drives.plan_ticks import PlanTicks
from emma_planner.simulation.observation import Observation, VehicleShape
from emma_planner.simulation.world import BEGIN_NS

CONTROL_ODOMETRY, EFFECTIVE_PATH = 'odometry/control', 'path/effective'
PING_S = 0.2
PING_NS = 1_000_000
SAME = 1e-9
Found = TypeVar('Found')


class LockStepDriver(RemoteDriver):
    """A driver whose every decision is waited for.

    :raises BridgeError: answers that no lock-step can be built on
    """

    def __init__(
        self, port: WorldPort, voice: WorldVoice, vehicle: VehicleShape, team: Team
    ) -> None:
        super().__init__(port, voice, vehicle, team)
        latency_s = self._config.latency_s
        self._ticks: PlanTicks[tuple[Any, Record | None]] = PlanTicks(
            self._config.plan_rate_hz, None if latency_s < 0.0 else latency_s, BEGIN_NS
        )
        self._has_met = False

    def needs_image(self, stamp_ns: int) -> bool:
        """At a tick, unless the last plan is still being made."""
        return self._ticks.is_due(stamp_ns)

    def control(self, observation: Observation) -> Control:
        """Ask planner and follower, and wait for them."""
        now_ns = observation.stamp_ns
        if not self._has_met:
            self._begin(observation)
        self._voice.clock(now_ns)
        odometry = self._observe(observation)
        if self._lost is not None:
            return self._stop(observation)
        try:
            if observation.image is not None and self.needs_image(now_ns):
                self._publish_ready(now_ns)
                self._plan(observation)
            self._publish_ready(now_ns)
            self._follow(odometry, now_ns)
        except LostError as err:
            self._lose(err, observation)
            return self._stop(observation)
        return self._usable_control(now_ns)

    # at the start

    def _begin(self, observation: Observation) -> None:
        self._meet((IMAGE, ODOMETRY, CONTROL_ODOMETRY, EFFECTIVE_PATH), ('path', 'control'))
        self._has_met = True
        self._ping(observation)

    def _ping(self, observation: Observation) -> None:
        """Ask the follower until it is heard: the first answers may not find their way yet.

        What is asked lies before the drive, so that its time set back forgets all of it.
        """
        port, asked = self._port, 0
        begin_s = port.steady_s()
        while not port.inbox.controls:
            asked += 1
            earlier_ns = observation.stamp_ns - NS_PER_S // 2 + asked * PING_NS
            self._ask_follower(odometry_message(port.make, _at(observation, earlier_ns)))
            self._spin_for(PING_S)
            if port.steady_s() - begin_s > self._config.start_timeout_s:
                raise BridgeError(
                    'need a control for each odometry on odometry/control, got none; '
                    'lock-step needs a follower with on_odometry'
                )
        self._spin_for(PING_S)
        port.inbox.clear()

    def _spin_for(self, seconds: float) -> None:
        end_s = self._port.steady_s() + seconds
        while (left_s := end_s - self._port.steady_s()) > 0.0:
            self._port.spin(left_s)

    # the planner

    def _plan(self, observation: Observation) -> None:
        now_ns = observation.stamp_ns
        self._ticks.begin(now_ns)
        inbox = self._port.inbox
        begin_s = self._port.steady_s()
        self._voice.picture(observation)
        path = self._wait(PLANNER, 'path', lambda: _of_stamp(inbox.paths, now_ns, _path_stamp))
        took_s = self._port.steady_s() - begin_s
        record = None
        if self._port.count_speakers('reasoning'):
            record = self._wait(
                PLANNER, 'reasoning', lambda: _of_stamp(inbox.records, now_ns, _record_stamp)
            )
            _check_inputs(record, observation)
            took_s = record['latency_ms']['total'] / 1e3
        self._voice.jpeg_too(observation)  # only now: it must not be planned instead
        self._ticks.put((path, record), now_ns, took_s)

    def _publish_ready(self, now_ns: int) -> None:
        ready = self._ticks.take(now_ns)
        if ready is None:
            return
        message, record = ready
        if record is not None:
            self._show(record)
        is_usable, path = self._read_path(trimmed(message, now_ns))
        if not is_usable:
            return
        self._following.take_path(path)
        stamp_ns = stamp_of(message.header)
        self._port.outputs[EFFECTIVE_PATH].publish(message)
        taken = self._port.inbox.taken_ns
        self._wait(FOLLOWER, 'path_taken', lambda: _of_stamp(taken, stamp_ns, int))

    # the follower

    def _follow(self, odometry: Any, now_ns: int) -> None:
        controls = self._port.inbox.controls
        if controls:
            raise LostError(
                f'{len(controls)} more on control than odometry on {CONTROL_ODOMETRY}: the '
                'follower was told to stop, or another one is there'
            )
        self._ask_follower(odometry)
        self._read_control(
            self._wait(FOLLOWER, 'control', lambda: controls.popleft() if controls else None),
            now_ns,
        )

    def _ask_follower(self, odometry: Any) -> None:
        self._port.outputs[CONTROL_ODOMETRY].publish(odometry)

    def _wait(self, role: str, what: str, find: Callable[[], Found | None]) -> Found:
        since_s = self._port.steady_s()
        while (found := find()) is None:
            self._port.spin(POLL_S)
            if self._port.inbox.bad_record:
                raise BridgeError(self._port.inbox.bad_record)
            self._check_alive(role, since_s, what)
            if self._port.steady_s() - since_s > (limit_s := self._config.plan_timeout_s):
                raise LostError(f'no {what} from the {role} within {limit_s:g} s')
        return found


def _path_stamp(message: Any) -> int:
    return stamp_of(message.header)


def _record_stamp(record: Record) -> int:
    return int(record['stamp_ns'])


def _of_stamp(kept: Any, stamp_ns: int, stamp: Callable[[Any], int]) -> Any:
    """Take what has this stamp, and throw away what is older.

    :raises BridgeError: something is of a time that has not come
    """
    while kept:
        item = kept.popleft()
        if stamp(item) == stamp_ns:
            return item
        if stamp(item) > stamp_ns:
            raise BridgeError(f'need an answer for {stamp_ns} ns, got one for {stamp(item)} ns')
    return None


def _check_inputs(record: Record, observation: Observation) -> None:
    """Check that a plan was made from what is so now.

    :raises BridgeError: a message was lost or overtaken on its way to the planner
    """
    if record.get('command') != observation.command and observation.command:
        raise BridgeError(
            f'need a plan for {observation.command!r}, got one for {record.get("command")!r}'
        )
    if record.get('history') is None or record.get('ego_pose') is None:
        return
    pose = observation.pose.as_array()
    speed_mps = record['history']['speeds_mps'][-1]
    turned = np.exp(1j * (record['ego_pose'][2] - pose[2])) - 1.0
    error = max(
        float(np.abs(np.array(record['ego_pose'][:2]) - pose[:2]).max()),
        abs(turned),
        abs(speed_mps - observation.speed_mps),
    )
    if error > SAME:
        raise BridgeError(
            f'need a plan from the ego state of its image, got one that is off by {error:g}; '
            'lock-step needs a planner with on_image'
        )


def _at(observation: Observation, stamp_ns: int) -> Observation:
    return replace(observation, stamp_ns=stamp_ns)
