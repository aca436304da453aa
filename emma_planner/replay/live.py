"""Plan a recording live: a planner node in another process, the recording played over DDS.

What the node publishes is recorded; its ``reasoning`` lines are the plan log. Ticks that the node
drops because it is busy are missing there, as they would be on the road.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from emma_planner.config import PlannerConfig, update_config
from emma_planner.planning.types import NS_PER_S
from emma_planner.recordings.bags import BagError, BagReader, BagWriter
from emma_planner.recordings.plan_log import PlanLogHeader, PlanLogWriter
from emma_planner.recordings.topics import InputTopics, absolute
from emma_planner.replay.outputs import LATCHED, NAMESPACE, BagOutputs, output_paths
from emma_planner.resources import fastdds_environment
from emma_planner.ros.node_process import NodeFiles, how_it_ended, start_node, stop_node

START_LIMIT_S = 600.0
"""Longest wait for the node to load its model."""
QUIET_LIMIT_S = 10.0
"""Longest wait, beyond a plan's deadline, for the last plans."""
NODE_LOG = 'planner.log'
NODE_PARAMETERS = 'planner.yaml'

_LOG_HEAD = re.compile(r'^(\[[^\]]*\] ?){2,3}: ')
"""Level, time and node of a line that rclpy logs."""


class LiveError(Exception):
    """The planner node could not be started or ended early."""


def prepare_dds() -> None:
    """Set what DDS reads from the environment, where it is not set: large images, localhost.

    Over the default transports of Fast DDS nearly all best-effort images of 1600x900 are lost.
    """
    os.environ.update(fastdds_environment(os.environ))
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')


def topics_in_config(config: PlannerConfig, topics: InputTopics, image_type: str) -> PlannerConfig:
    """Return the parameters with the recording's topic names."""
    key = 'image_topic' if image_type.endswith('/Image') else 'compressed_topic'
    names = {key: topics.image, **{f'{kind}_topic': name for kind, name in topics.ego.items()}}
    if topics.camera_info:
        names['camera_info_topic'] = topics.camera_info
    if topics.command:
        names['command_topic'] = topics.command
    absolutes = {key: absolute(name) for key, name in names.items()}
    return update_config(config, absolutes, 'recording')


@contextmanager
def planner_process(config: PlannerConfig, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a planner node in simulation time; its log is kept in the folder."""
    files = NodeFiles(folder / NODE_PARAMETERS, folder / NODE_LOG)
    files.log.unlink(missing_ok=True)
    code = ('-m', 'emma_planner.ros.planner_node')
    parameters = {**asdict(config), 'autostart': True}
    process = start_node(code, parameters, files, ('-r', f'__ns:={NAMESPACE}'))
    try:
        yield process
    finally:
        stop_node(process)


def last_line(log: Path) -> str:
    """What the node said last, for the error line."""
    lines = [line for line in log.read_text(errors='replace').splitlines() if line.strip()]
    return _LOG_HEAD.sub('', lines[-1].strip()) if lines else 'it said nothing'


class PlanCollector:
    """Writes the plan log from the node's ``reasoning`` lines as they come; a context manager.

    :param path: of the plan log; made with the first line, which names the model
    """

    def __init__(self, path: Path, config: PlannerConfig, bag: Path) -> None:
        self.bag = bag
        self.records: list[dict[str, Any]] = []
        self._path = path
        self._config = config
        self._log: PlanLogWriter | None = None

    def __enter__(self) -> PlanCollector:
        return self

    def __exit__(self, *_: object) -> None:
        if self._log is not None:
            self._log.__exit__()

    @property
    def name(self) -> str:
        """Name of what plans, as the node says it."""
        return self.records[-1]['model'] if self.records else self._config.planner

    def add(self, line: str) -> None:
        """Take one line of ``reasoning``."""
        record = json.loads(line)
        self.records.append(record)
        if self._log is None:
            header = PlanLogHeader(
                self._config.planner, record['model'], self._config.hash(), self.bag.name
            )
            self._log = PlanLogWriter(self._path, header)
        self._log.write(record)

    def slowest_s(self) -> float:
        """Longest time that a plan has taken [s]."""
        return max((r['latency_ms']['total'] for r in self.records), default=0.0) / 1e3


def replay_live(
    config: PlannerConfig,
    reader: BagReader,
    topics: InputTopics,
    folder: Path,
    *,
    rate: float,
    overlay: bool,
    on_progress: Callable[[int], None],
) -> tuple[str, list[dict[str, Any]], Exception | None]:
    """Play a recording to a planner node and collect its plans.

    :param folder: prepared output folder
    :param rate: times real time
    :param on_progress: called with the time reached [ns]
    :returns: the planner's name, the records of the plan log, and why it ended early
    :raises LiveError: no ROS 2, or the node did not become active
    """
    prepare_dds()
    node = _replay_node()
    of_recording = topics_in_config(config, topics, reader.topics[topics.image])
    paths = output_paths(folder)
    with (
        planner_process(of_recording, folder) as process,
        BagWriter(paths['bag'], LATCHED) as bag,
        PlanCollector(paths['plan log'], config, reader.path) as collector,
        node.Session(
            lambda: node.ReplayNode(
                reader,
                topics,
                BagOutputs(bag, overlay=overlay),
                bag,
                namespace=NAMESPACE,
                rate=rate,
                period_ns=round(NS_PER_S / config.rate_hz),
                on_line=collector.add,
            ),
            is_alive=lambda: process.poll() is None,
        ) as session,
    ):
        _wait(session, process, folder)
        limit_s = config.deadline_s + QUIET_LIMIT_S
        error = _play(session, process, folder, collector, limit_s, on_progress)
    return collector.name, collector.records, error


def _replay_node() -> ModuleType:
    try:  # rclpy reads the environment when it is loaded
        return importlib.import_module('emma_planner.ros.replay_node')
    except ImportError as err:
        raise LiveError(
            f'need ROS 2 for a live replay, got {err}; source a distribution or '
            "pip install 'emma_planner[ros]'"
        ) from err


def _wait(session: Any, process: subprocess.Popen[bytes], folder: Path) -> None:
    try:
        session.wait_for_planner(START_LIMIT_S)
    except BagError as err:
        said = f': {last_line(folder / NODE_LOG)}' if process.poll() is not None else ''
        raise LiveError(f'{err}{said}') from err


def _play(
    session: Any,
    process: subprocess.Popen[bytes],
    folder: Path,
    collector: PlanCollector,
    limit_s: float,
    on_progress: Callable[[int], None],
) -> Exception | None:
    """Play to the end and return what cut it short."""
    try:
        session.play(on_progress)
        session.wait_for_quiet(collector.slowest_s, limit_s)
    except BagError as err:
        return err if process.poll() is None else _ended(err, process, folder)
    except KeyboardInterrupt:
        return BagError(f'{collector.bag}: interrupted')
    return None


def _ended(err: BagError, process: subprocess.Popen[bytes], folder: Path) -> BagError:
    """How the node ended, beside when."""
    how = how_it_ended(process.returncode)
    return BagError(f'{err} {how}, see {folder / NODE_LOG}')
