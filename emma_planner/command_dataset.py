"""``emma dataset``: examples to learn from, of the expert's drives or of recordings."""

from __future__ import annotations

import argparse
import math

from emma_planner.assemble import build_planner
from emma_planner.command_options import FAILED, USAGE, config_of, fail, interrupted_once
from emma_planner.config import ConfigError
from emma_planner.fan_out import FanOutError
from emma_planner.planning.chat import ModelError
from emma_planner.progress import ProgressBar
from emma_planner.recordings.bags import BagError
from emma_planner.recordings.dataset import DatasetError
from emma_planner.recordings.topics import TopicError
from emma_planner.resources import ResourceError
from emma_planner.simulation.scenario import ScenarioError, split_size
from emma_planner.simulation.world import WorldError
from emma_planner.training.dataset_build import SCENARIOS_A_SHARD, BuildOptions, build_dataset
from emma_planner.training.dataset_from_bag import build_from_bags

NAME = 'dataset'
ERRORS = (BagError, DatasetError, FanOutError, ModelError, OSError, TopicError, WorldError)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; errors end in one line on stderr.

    :returns: 0 done, 1 failed, 2 wrong usage
    """
    make = {'build': _build, 'from-bags': _from_bags}[arguments.action]
    try:
        with interrupted_once():
            count = make(arguments)
    except (ConfigError, ResourceError, ScenarioError) as err:
        return fail(NAME, err, USAGE)
    except KeyboardInterrupt:
        return fail(NAME, 'interrupted; run the same command to go on', FAILED)
    except ERRORS as err:
        return fail(NAME, err, FAILED)
    if not arguments.quiet:
        print(f'{count} examples in {arguments.out}')
    return 0


def _build(arguments: argparse.Namespace) -> int:
    options = _options(arguments)
    shards = math.ceil(len(options.numbers) / SCENARIOS_A_SHARD)
    with ProgressBar(shards, 'shards', shown=not arguments.quiet) as bar:
        return build_dataset(
            arguments.out,
            options,
            workers=arguments.workers,
            ray_address=arguments.ray,
            progress=lambda done, total, _: bar.update(done, f'{done} of {total}'),
        )


def _from_bags(arguments: argparse.Namespace) -> int:
    config = config_of(arguments)
    teacher = build_planner(config) if arguments.teach else None
    with ProgressBar(len(arguments.bags), 'bags', shown=not arguments.quiet) as bar:
        return build_from_bags(
            arguments.out,
            arguments.bags,
            config,
            every_s=arguments.every,
            teacher=teacher,
            progress=lambda done, count: bar.update(done, f'{count} examples'),
        )


def _options(arguments: argparse.Namespace) -> BuildOptions:
    size = split_size(arguments.split)
    beyond = [number for number in arguments.seeds if number >= size]
    if beyond:
        raise ScenarioError(f'{arguments.split}: need seeds below {size}, got {beyond[0]}')
    return BuildOptions(
        split=arguments.split,
        numbers=tuple(arguments.seeds),
        every_s=arguments.every,
        disturbed=arguments.disturbed,
        pilot=arguments.pilot,
    )
