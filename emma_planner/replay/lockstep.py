"""Plan a recording in lock-step: time stands still while the planner thinks.

Messages arrive in the order of recording and ticks come at whole multiples of the period, as at
the live node under ``/clock``; so both see the same inputs for the same image. A message of the
time of a tick comes before it, as the player sends it before the clock. There is no deadline here:
the same recording and seed give the same plans on any machine, however slow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from emma_planner.config import PlannerConfig
from emma_planner.planning.ego_tracks import EgoTracks
from emma_planner.planning.planner import Planner
from emma_planner.planning.types import NS_PER_S
from emma_planner.recordings.bags import MAX_SILENCE_NS, BagReader
from emma_planner.recordings.topics import InputTopics
from emma_planner.replay.outputs import BagOutputs
from emma_planner.ros.conversions import EGO_READERS
from emma_planner.ros.stepped_planner import SteppedPlanner


def read_ego_motion(reader: BagReader, topics: InputTopics, tracks: EgoTracks) -> None:
    """Read all ego motion of a recording, for the ground truth.

    :param tracks: filled as far as the recording can be read
    :raises BagError: damaged in the middle
    """
    kinds = {topic: kind for kind, topic in topics.ego.items()}
    for message in reader.messages(set(kinds)):
        kind = kinds[message.topic]
        tracks.add(EGO_READERS[kind][1](message.decode()), kind)


class LockStep:
    """The planner with its inputs, fed from a recording.

    :param outputs: where plans are published to
    """

    def __init__(
        self, planner: Planner, config: PlannerConfig, topics: InputTopics, outputs: BagOutputs
    ) -> None:
        self._planner = SteppedPlanner(planner, config, outputs.topics, outputs.make)
        self._topics = topics
        self._roles = topics.names()
        self._period_ns = round(NS_PER_S / config.rate_hz)
        self._next_tick_ns = 0
        self._outputs = outputs

    def run(
        self,
        reader: BagReader,
        *,
        every_image: bool = False,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> Iterator[dict[str, Any]]:
        """Plan a recording, tick by tick.

        :param every_image: tick at every image instead of at the rate
        :param on_progress: called with the time reached [ns]
        :returns: records of the plan log as they come
        :raises BagError: damaged in the middle; all ticks before have been handed out
        """
        self._next_tick_ns = self._tick_after(reader.start_ns - 1)
        for message in reader.messages(set(self._roles)):
            if not every_image:
                yield from self._ticks_until(message.log_ns - 1)
            self._planner.receive(self._roles[message.topic], message.decode())
            on_progress(message.log_ns)
            if every_image and message.topic == self._topics.image:
                yield self._tick(message.log_ns)
        if not every_image:
            yield from self._ticks_until(reader.end_ns)

    def _ticks_until(self, time_ns: int) -> Iterator[dict[str, Any]]:
        if time_ns - self._next_tick_ns > MAX_SILENCE_NS:
            self._next_tick_ns = self._tick_after(time_ns)
        while self._next_tick_ns <= time_ns:
            yield self._tick(self._next_tick_ns)
            self._next_tick_ns += self._period_ns

    def _tick_after(self, time_ns: int) -> int:
        return (time_ns // self._period_ns + 1) * self._period_ns

    def _tick(self, tick_ns: int) -> dict[str, Any]:
        self._outputs.now_ns = tick_ns
        return self._planner.publish(self._planner.plan(tick_ns), tick_ns)
