"""``emma dataset build``: drive the expert and write labelled examples."""

from __future__ import annotations

import argparse
import math

from emma_planner.command_options import FAILED, USAGE, fail, interrupted_once
from emma_planner.planning.chat import ModelError
from emma_planner.progress import ProgressBar
from emma_planner.simulation.drives.fan_out import FanOutError
from emma_planner.simulation.scenario import ScenarioError, split_size
from emma_planner.simulation.world import WorldError
from emma_planner.training.dataset_build import SCENARIOS_A_SHARD, BuildOptions, build_dataset
from emma_planner.training.dataset_format import DatasetError

NAME = 'dataset'


def run(arguments: argparse.Namespace) -> int:
    """Run the command; errors end in one line on stderr.

    :returns: 0 done, 1 failed, 2 wrong usage
    """
    try:
        options = _options(arguments)
    except ScenarioError as err:
        return fail(NAME, err, USAGE)
    shards = math.ceil(len(options.numbers) / SCENARIOS_A_SHARD)
    try:
        with (
            interrupted_once(),
            ProgressBar(shards, 'shards', shown=not arguments.quiet) as bar,
        ):
            count = build_dataset(
                arguments.out,
                options,
                workers=arguments.workers,
                ray_address=arguments.ray,
                progress=lambda done, total, _: bar.update(done, f'{done} of {total}'),
            )
    except KeyboardInterrupt:
        return fail(NAME, 'interrupted; run the same command to go on', FAILED)
    except (DatasetError, FanOutError, ModelError, OSError, WorldError) as err:
        return fail(NAME, err, FAILED)
    if not arguments.quiet:
        print(f'{count} examples in {arguments.out}')
    return 0


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
