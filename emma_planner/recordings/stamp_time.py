"""The time of a recording by its header stamps, for recordings made under another clock.

A bag recorded in wall time from a simulator, or from a bag that was itself replayed, has stamps
that lie far from the time of recording. Its planner saw the stamps' time, so replay follows that.
"""

from __future__ import annotations

from typing import Any

from emma_planner.planning.ego_tracks import JUMP_NS
from emma_planner.ros.conversions import stamp_of

APART_NS = 1_000_000_000
"""Further apart than any sensor's latency: the stamps are of another clock."""


class StampClock:
    """Gives messages the time of their stamps; jitter does not set it back.

    :param start_ns: time until the first stamp [ns]
    """

    def __init__(self, start_ns: int) -> None:
        self._now_ns = start_ns

    def time_of(self, message: Any) -> int:
        """Return the time of a message; one without a header comes with the one before.

        :param message: with its fields
        """
        stamp_ns = header_stamp(message)
        if stamp_ns is not None and not 0 <= self._now_ns - stamp_ns <= JUMP_NS:
            self._now_ns = stamp_ns
        return self._now_ns


def header_stamp(message: Any) -> int | None:
    """Stamp of a message [ns], None for one that has none."""
    header = getattr(message, 'header', None)
    stamp_ns = None if header is None else stamp_of(header)
    return stamp_ns or None  # 0 is a stamp that was never set
