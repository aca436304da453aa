"""Instants of a recording: what a planner would have been given, and what was then driven."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emma_planner.assemble import build_inputs
from emma_planner.config import PlannerConfig
from emma_planner.evaluation.ground_truth import GroundTruth
from emma_planner.planning.ego_tracks import EgoTracks
from emma_planner.planning.inputs import Snapshot
from emma_planner.planning.types import (
    NS_PER_S,
    FloatArray,
    InputError,
    PlannerInput,
)
from emma_planner.recordings.bags import BagReader
from emma_planner.recordings.topics import InputTopics, find_topics
from emma_planner.replay.lockstep import read_ego_motion
from emma_planner.ros.conversions import EGO_READERS, stamp_of
from emma_planner.ros.images import to_rgb


@dataclass(frozen=True, eq=False)
class Instant:
    """A picture with a whole history.

    :param poses: ``(10, 3)`` x [m], y [m], yaw [rad] then driven, base_link of t0
    :param known: ``(10,)`` where they are known
    """

    snapshot: Snapshot
    poses: FloatArray
    known: NDArray[np.bool_]

    def planner_input(self) -> PlannerInput:
        """Decode the pictures.

        :raises InputError: it cannot be decoded
        """
        return self.snapshot.planner_input(to_rgb)


def ground_truth(bag: Path, config: PlannerConfig) -> GroundTruth:
    """Read what was driven in a recording.

    :raises BagError: the recording cannot be read
    :raises TopicError: it has no ego motion
    """
    with BagReader(bag) as reader:
        return _topics_and_truth(reader, config)[1]


def instants(bag: Path, config: PlannerConfig, every_s: float) -> Iterator[Instant]:
    """Return the instants of a recording in order.

    :param config: topics and limits, as for a replay
    :param every_s: least time between them
    :raises BagError: the recording cannot be read
    :raises TopicError: it has no camera or no ego motion
    """
    with BagReader(bag) as reader:
        topics, truth = _topics_and_truth(reader, config)
        inputs, roles, next_ns = build_inputs(config), topics.names(), 0
        for message in reader.messages(set(roles)):
            role, decoded = roles[message.topic], message.decode()
            if role in EGO_READERS:
                inputs.add_ego(EGO_READERS[role][1](decoded), role)
            elif role == 'command':
                inputs.command = decoded.data
            elif role == 'image':
                inputs.add_image(stamp_of(decoded.header), decoded)
                if message.log_ns < next_ns:
                    continue
                try:
                    snapshot = inputs.snapshot(message.log_ns)
                except InputError:
                    continue
                next_ns = message.log_ns + round(every_s * NS_PER_S)
                yield Instant(snapshot, *truth.future(snapshot.stamp_ns))


def _topics_and_truth(reader: BagReader, config: PlannerConfig) -> tuple[InputTopics, GroundTruth]:
    topics = find_topics(reader.topics, config)
    reader.follow_stamps(set(topics.ego.values()))
    tracks = EgoTracks(keep_ns=None)
    read_ego_motion(reader, topics, tracks)
    return topics, GroundTruth(tracks.poses)
