"""SIGINT and SIGTERM as a wish that a long run takes notice of when it can."""

from __future__ import annotations

import signal
from typing import Any


class Interruption:
    """Notes SIGINT and SIGTERM, so that a step is ended and its state kept."""

    def __init__(self) -> None:
        self.is_wanted = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, *_: object) -> None:
        self.is_wanted = True
