"""What a simulated world has of ROS: where it speaks, what it has heard, and when; no rclpy.

:class:`Inbox` keeps what planner and follower say until a driver takes it.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

from emma_planner.ros.conversions import stamp_of
from emma_planner.ros.messages import MessageFactory

PLANNER, FOLLOWER = 'planner', 'follower'


class WorldPort(Protocol):
    """The world's place among the nodes.

    ``outputs`` maps a topic to its publisher; topics of packages that are not installed are
    missing.
    """

    make: MessageFactory
    outputs: Mapping[str, Any]
    inbox: Inbox

    def spin(self, seconds: float) -> None:
        """Let messages come in: until one has, or for this long of wall-clock time."""
        ...

    def steady_s(self) -> float:
        """Wall-clock time that never jumps [s]."""
        ...

    def count_speakers(self, topic: str) -> int:
        """How many nodes publish on a topic."""
        ...

    def wait_until_received(self, topic: str) -> None:
        """Wait until what was published on a topic has reached all who listen reliably."""
        ...

    def dead_process(self) -> str:
        """Which of the processes that belong to this world has ended, and how; '' for none."""
        ...

    def say(self, level: int, text: str) -> None:
        """Report in /diagnostics."""
        ...


class Inbox:
    """What planner and follower said, and when they were heard.

    :param names: :data:`PLANNER` and :data:`FOLLOWER` to the name of their node, as the statuses
        in /diagnostics begin
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self.paths: deque[Any] = deque()
        self.records: deque[dict[str, Any]] = deque()
        self.controls: deque[Any] = deque()
        self.taken_ns: deque[int] = deque()
        """Stamps of the paths that the follower has."""
        self.heard_s: dict[str, float] = {}
        self.bad_record = ''
        self._names = names

    def clear(self) -> None:
        """Forget what was said; when it was heard is remembered."""
        for kept in (self.paths, self.records, self.controls, self.taken_ns):
            kept.clear()

    def on_path(self, message: Any, now_s: float) -> None:
        """Take nav_msgs/Path."""
        self.heard_s[PLANNER] = now_s
        self.paths.append(message)

    def on_reasoning(self, message: Any, now_s: float) -> None:
        """Take a line of the plan log; one that is none is kept as ``bad_record``."""
        self.heard_s[PLANNER] = now_s
        try:
            record = json.loads(message.data)
            _ = (record['stamp_ns'], record['latency_ms']['total'], record['driven']['poses'])
        except (ValueError, KeyError, TypeError) as err:
            self.bad_record = f'need a line of the plan log, got {type(err).__name__}: {err}'
        else:
            self.records.append(record)

    def on_control(self, message: Any, now_s: float) -> None:
        """Take a control."""
        self.heard_s[FOLLOWER] = now_s
        self.controls.append(message)

    def on_path_taken(self, message: Any, now_s: float) -> None:
        """Take the header of a path that the follower has."""
        self.heard_s[FOLLOWER] = now_s
        self.taken_ns.append(stamp_of(message))

    def on_diagnostics(self, message: Any, now_s: float) -> None:
        """Take a sign of life."""
        for status in message.status:
            for role, name in self._names.items():
                if status.name.startswith(f'{name}: '):
                    self.heard_s[role] = now_s
