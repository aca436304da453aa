"""``emma replay``: plan a recording, write what came of it, print the table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emma_planner.assemble import build_planner
from emma_planner.command_options import FAILED, USAGE, config_of, fail, interrupted_once
from emma_planner.config import UNTRAINED, ConfigError, PlannerConfig
from emma_planner.evaluation.ground_truth import GroundTruth
from emma_planner.evaluation.open_loop import Scores, score_records
from emma_planner.planning.chat import ModelError
from emma_planner.planning.ego_tracks import EgoTracks
from emma_planner.planning.types import NS_PER_S, Reason
from emma_planner.progress import ProgressBar
from emma_planner.recordings.bags import BagError, BagReader, BagWriter
from emma_planner.recordings.plan_log import PlanLogError, PlanLogHeader, PlanLogWriter
from emma_planner.recordings.topics import InputTopics, TopicError, find_topics
from emma_planner.replay.live import LiveError, replay_live
from emma_planner.replay.lockstep import LockStep, read_ego_motion
from emma_planner.replay.outputs import (
    LATCHED,
    BagOutputs,
    OutputError,
    check_folder,
    output_paths,
    prepare_folder,
    remove_results,
    write_metrics,
)
from emma_planner.resources import ResourceError, recording_path

NAME = 'replay'
ERRORS = (
    BagError,
    TopicError,
    ModelError,
    OutputError,
    PlanLogError,
    LiveError,
    ResourceError,
)

Progress = Callable[[int], None]
Outcome = tuple[str, list[dict[str, Any]], Exception | None]
"""Name of the planner, records of the plan log, and why it ended early."""


def run(arguments: argparse.Namespace) -> int:
    """Run the command; errors end in one line on stderr.

    :returns: 0 done, 1 failed, 2 wrong usage
    """
    try:
        if arguments.bag is None:
            arguments.bag = recording_path()
        _check_options(arguments)
        config = config_of(arguments)
    except (ConfigError, ResourceError) as err:
        return fail(NAME, err, USAGE)
    try:
        with interrupted_once():
            return _run(arguments, config)
    except ERRORS as err:
        return fail(NAME, err, FAILED)
    except KeyboardInterrupt:
        return fail(NAME, f'{arguments.bag}: interrupted before the first tick', FAILED)


def _check_options(arguments: argparse.Namespace) -> None:
    if arguments.live and arguments.every_image:
        raise ConfigError('--every-image: need a replay in lock-step, got --live')
    if arguments.rate is not None and not arguments.live:
        raise ConfigError('--rate: need --live, got a replay in lock-step, which is not timed')


def _run(arguments: argparse.Namespace, config: PlannerConfig) -> int:
    folder = arguments.out or Path('out') / f'replay-{arguments.bag.stem}'
    with BagReader(arguments.bag) as reader:
        topics = find_topics(reader.topics, config)
        if reader.follow_stamps(set(topics.ego.values())) and not arguments.quiet:
            print('clock     header stamps: they lie far from the time of recording')
        truth, damage = _ground_truth(reader, topics)
        plan = _live if arguments.live else _lockstep
        try:
            with _progress(reader, shown=not arguments.quiet) as show:
                name, records, error = plan(arguments, config, reader, topics, folder, show)
        except OSError as err:  # a full disk, while writing the bag
            kept = 'kept what was written before'
            raise OutputError(f'{folder}: need room to write, got {err}; {kept}') from err
    error = error or damage
    if not records:
        remove_results(folder)
        raise error or BagError(f'{arguments.bag}: need one tick at least, got none')
    period_ns = 0 if arguments.every_image else round(NS_PER_S / config.rate_hz)
    scores = score_records(records, truth, name, period_ns=period_ns, seed=config.seed)
    about = {
        'model': name,
        'bag': arguments.bag.name,
        'live': bool(arguments.live),
        'config_hash': config.hash(),
        'complete': error is None,
    }
    write_metrics(folder, scores, about)
    if not arguments.quiet:
        _print_results(name, scores, topics, folder)
    if error is not None:
        return fail(NAME, f'{error}; kept {len(records)} ticks in {folder}', FAILED)
    if all(record['history'] is None for record in records):
        return fail(NAME, _nothing_planned(arguments.bag, records), FAILED)
    if down := _model_down(records):
        return fail(NAME, f'{down}; results in {folder}', FAILED)
    return 0


@contextmanager
def _progress(reader: BagReader, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """Give a function that takes the time reached [ns]."""
    total_s = (reader.end_ns - reader.start_ns) / NS_PER_S
    with ProgressBar(total_s, reader.path.name, shown=shown) as bar:

        def show(reached_ns: int) -> None:
            reached_s = (reached_ns - reader.start_ns) / NS_PER_S
            bar.update(reached_s, f'{reached_s:.1f} of {total_s:.1f} s')

        yield show


def _ground_truth(reader: BagReader, topics: InputTopics) -> tuple[GroundTruth, BagError | None]:
    tracks, damage = EgoTracks(keep_ns=None), None
    try:
        read_ego_motion(reader, topics, tracks)
    except BagError as err:
        damage = err
    return GroundTruth(tracks.poses), damage


def _lockstep(
    arguments: argparse.Namespace,
    config: PlannerConfig,
    reader: BagReader,
    topics: InputTopics,
    folder: Path,
    show: Progress,
) -> Outcome:
    check_folder(folder, overwrite=arguments.overwrite)
    planner = build_planner(config)
    prepare_folder(folder, overwrite=arguments.overwrite)
    header = PlanLogHeader(config.planner, planner.name, config.hash(), arguments.bag.name)
    paths = output_paths(folder)
    records: list[dict[str, Any]] = []
    error: Exception | None = None
    with PlanLogWriter(paths['plan log'], header) as log, BagWriter(paths['bag'], LATCHED) as bag:
        outputs = BagOutputs(bag, overlay=not arguments.no_overlay)
        session = LockStep(planner, config, topics, outputs)
        try:
            for record in session.run(reader, every_image=arguments.every_image, on_progress=show):
                records.append(record)
                log.write(record)
        except BagError as err:
            error = err
        except KeyboardInterrupt:
            error = BagError(f'{arguments.bag}: interrupted')
    return planner.name, records, error


def _live(
    arguments: argparse.Namespace,
    config: PlannerConfig,
    reader: BagReader,
    topics: InputTopics,
    folder: Path,
    show: Progress,
) -> Outcome:
    prepare_folder(folder, overwrite=arguments.overwrite)
    try:
        return replay_live(
            config,
            reader,
            topics,
            folder,
            rate=arguments.rate or 1.0,
            overlay=not arguments.no_overlay,
            on_progress=show,
        )
    except (LiveError, KeyboardInterrupt):  # no tick yet
        remove_results(folder)
        raise


def _print_results(name: str, scores: Scores, topics: InputTopics, folder: Path) -> None:
    inputs = ', '.join(f'{role}: {topic}' for topic, role in topics.names().items())
    print(f'planner   {name}')
    print(f'inputs    {inputs}')
    print(
        f'windows   {scores.windows} with 5 s of history and of future, '
        f'{scores.planned} with a trajectory'
    )
    if name.startswith(UNTRAINED):
        print('note      random weights: plans are rejected and the fallback is driven')
    print()
    print(scores.table())
    print()
    for what, path in output_paths(folder).items():
        print(f'{what:<9} {path}')


def _nothing_planned(bag: Path, records: list[dict[str, Any]]) -> str:
    last = records[-1]
    return f'{bag}: no tick could be planned; last: {last["reason"]}: {last["detail"]}'


def _model_down(records: list[dict[str, Any]]) -> str | None:
    """Say so when the model had failed for good by the end, such as a server that went away."""
    planned = [record for record in records if record['history'] is not None]
    failed = [record for record in planned if record['reason'] == Reason.MODEL_ERROR.value]
    if not failed or planned[-1] is not failed[-1]:
        return None
    return (
        f'need a model that answers to the end, got {Reason.MODEL_ERROR} in {len(failed)} of '
        f'{len(planned)} plans, last: {failed[-1]["detail"]}'
    )
