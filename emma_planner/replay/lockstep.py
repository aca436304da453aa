"""Plan a recording in lock-step: time stands still while the planner thinks.

Messages arrive in the order of recording and ticks come at whole multiples of the period, as at
the live node under ``/clock``; so both see the same inputs for the same image. There is no
deadline here: the same recording and seed give the same plans on any machine, however slow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from emma_planner.assemble import build_inputs, build_path_keeper
from emma_planner.config import PlannerConfig
from emma_planner.planning.ego_tracks import EgoTracks
from emma_planner.planning.fallback import DrivenPath, PathKeeper
from emma_planner.planning.inputs import InputBuffer, Snapshot
from emma_planner.planning.planner import Planner, failed_plan, plan_snapshot
from emma_planner.planning.types import NS_PER_S, InputError, Plan
from emma_planner.recordings.bags import BagMessage, BagReader
from emma_planner.recordings.topics import InputTopics
from emma_planner.ros.conversions import EGO_READERS, stamp_of
from emma_planner.ros.images import to_rgb


@dataclass(frozen=True, eq=False)
class PlannedTick:
    """What happened at one tick.

    :param tick_ns: time of the tick [ns]
    :param snapshot: None where the inputs did not allow a plan
    :param camera_info: the newest CameraInfo message, None without
    """

    tick_ns: int
    snapshot: Snapshot | None
    plan: Plan
    driven: DrivenPath
    camera_info: Any


def read_ego_motion(reader: BagReader, topics: InputTopics, tracks: EgoTracks) -> None:
    """Read all ego motion of a recording, for the ground truth.

    :param tracks: filled as far as the recording can be read
    :raises BagError: damaged in the middle
    """
    kinds = {topic: kind for kind, topic in topics.ego.items()}
    for message in reader.messages(set(kinds)):
        kind = kinds[message.topic]
        tracks.add(EGO_READERS[kind][1](message.decode()), kind)


def replay(
    reader: BagReader,
    topics: InputTopics,
    planner: Planner,
    config: PlannerConfig,
    *,
    every_image: bool = False,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Iterator[PlannedTick]:
    """Plan a recording, tick by tick.

    :param every_image: tick at every image instead of at the rate
    :param on_progress: called with the time reached [ns]
    :raises BagError: damaged in the middle; all ticks before have been handed out
    """
    session = _Session(planner, config, topics)
    period_ns = round(NS_PER_S / config.rate_hz)
    next_tick_ns = -(-reader.start_ns // period_ns) * period_ns
    for message in reader.messages(set(topics.names())):
        while not every_image and message.log_ns > next_tick_ns:
            yield session.tick(next_tick_ns)
            next_tick_ns += period_ns
        session.receive(message)
        on_progress(message.log_ns)
        if every_image and message.topic == topics.image:
            yield session.tick(message.log_ns)
    if not every_image and reader.end_ns >= next_tick_ns:
        yield session.tick(next_tick_ns)


class _Session:
    """The planner with its inputs and its last valid path."""

    def __init__(self, planner: Planner, config: PlannerConfig, topics: InputTopics) -> None:
        self._planner = planner
        self._roles = topics.names()
        self._inputs: InputBuffer = build_inputs(config)
        self._keeper: PathKeeper = build_path_keeper(config)
        self._camera_info: Any = None

    def receive(self, message: BagMessage) -> None:
        role = self._roles[message.topic]
        decoded = message.decode()
        if role == 'image':
            self._inputs.add_image(stamp_of(decoded.header), decoded)
        elif role == 'camera_info':
            self._camera_info = decoded
        elif role == 'command':
            self._inputs.command = decoded.data
        else:
            self._inputs.add_ego(EGO_READERS[role][1](decoded), role)

    def tick(self, tick_ns: int) -> PlannedTick:
        snapshot = None
        try:
            snapshot = self._inputs.snapshot(tick_ns)
        except InputError as err:
            plan = failed_plan(tick_ns, err)
        else:
            plan = plan_snapshot(self._planner, snapshot, to_rgb)
        if plan.valid and snapshot is not None:
            driven = self._keeper.accept(plan, snapshot.history)
        else:
            ego = self._inputs.latest_ego(tick_ns)
            driven = self._keeper.fallback(tick_ns, ego, self._inputs.ego.frame_id)
        return PlannedTick(tick_ns, snapshot, plan, driven, self._camera_info)
