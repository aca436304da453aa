"""Plan a recording in lock-step: time stands still while the planner thinks.

Messages arrive in the order of recording and ticks come at whole multiples of the period, as at
the live node under ``/clock``; so both see the same inputs for the same image. A message of the
time of a tick comes before it, as the player sends it before the clock. There is no deadline here:
the same recording and seed give the same plans on any machine, however slow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from emma_planner.assemble import build_inputs
from emma_planner.config import PlannerConfig
from emma_planner.planning.ego_tracks import EgoTracks
from emma_planner.planning.planner import Planner, failed_plan, plan_snapshot
from emma_planner.planning.types import NS_PER_S, InputError
from emma_planner.recordings.bags import MAX_SILENCE_NS, BagMessage, BagReader
from emma_planner.recordings.topics import InputTopics
from emma_planner.replay.outputs import BagOutputs
from emma_planner.ros.conversions import EGO_READERS, stamp_of
from emma_planner.ros.diagnostics import Counters
from emma_planner.ros.images import to_rgb
from emma_planner.ros.plan_publisher import PlanPublisher

NAME = 'planner'
"""The live node's default name, so that both bags read alike."""


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
        self._planner = planner
        self._topics = topics
        self._roles = topics.names()
        self._period_ns = round(NS_PER_S / config.rate_hz)
        self._next_tick_ns = 0
        self._inputs = build_inputs(config)
        self._counters = Counters()
        self._outputs = outputs
        self._publisher = PlanPublisher(
            outputs.topics,
            outputs.make,
            self._inputs,
            self._counters,
            config,
            name=NAME,
            model=planner.name,
        )

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
            self._receive(message)
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

    def _receive(self, message: BagMessage) -> None:
        role = self._roles[message.topic]
        decoded = message.decode()
        if role == 'image':
            self._counters.images += 1
            self._inputs.add_image(stamp_of(decoded.header), decoded)
        elif role == 'camera_info':
            self._publisher.camera_info = decoded
        elif role == 'command':
            self._inputs.command = decoded.data
        else:
            self._counters.ego_messages += 1
            self._inputs.add_ego(EGO_READERS[role][1](decoded), role)

    def _tick(self, tick_ns: int) -> dict[str, Any]:
        self._counters.ticks += 1
        self._outputs.now_ns = tick_ns
        try:
            snapshot = self._inputs.snapshot(tick_ns)
        except InputError as err:
            return self._publisher.publish(None, failed_plan(tick_ns, err), tick_ns)
        plan = plan_snapshot(self._planner, snapshot, to_rgb)
        self._counters.planned += 1
        self._counters.valid += plan.valid
        return self._publisher.publish(snapshot, plan, tick_ns)
