"""``emma train CONFIG``: train one stage, or go on with a run that was cut off."""

from __future__ import annotations

import argparse
import os

from emma_planner.command_options import FAILED, USAGE, assignments, fail
from emma_planner.config import ConfigError
from emma_planner.planning.chat import ModelError
from emma_planner.progress import ProgressBar
from emma_planner.recordings.dataset import DatasetError
from emma_planner.training.train import train
from emma_planner.training.train_config import TrainError, read_train_config

NAME = 'train'


def run(arguments: argparse.Namespace) -> int:
    """Run the command; errors end in one line on stderr.

    :returns: 0 done, 1 failed, 2 wrong usage
    """
    try:
        config = read_train_config(arguments.config, assignments(arguments.set))
    except (ConfigError, TrainError) as err:
        return fail(NAME, err, USAGE)
    # under torchrun the first process speaks for all
    is_shown = not arguments.quiet and os.environ.get('RANK', '0') == '0'
    try:
        with ProgressBar(config.steps, 'steps', shown=is_shown) as bar:
            folder = train(config, lambda step, told: bar.update(step, f'loss {told["loss"]:.3f}'))
    except (DatasetError, ModelError, OSError, TrainError) as err:
        return fail(NAME, err, FAILED)
    if is_shown:
        print(f'model in {folder}')
    return 0
