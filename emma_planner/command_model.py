"""``emma model init``: make the small model, with random weights."""

from __future__ import annotations

import argparse

from emma_planner.command_options import FAILED, fail
from emma_planner.training.build_model import SmallModel, init_model

NAME = 'model'


def run(arguments: argparse.Namespace) -> int:
    """Run the command; errors end in one line on stderr.

    :returns: 0 done, 1 failed
    """
    folder = arguments.folder
    if folder.exists() and any(folder.iterdir()):
        return fail(NAME, f'{folder}: need an empty folder, got files', FAILED)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        count = init_model(folder, SmallModel(), seed=arguments.seed)
    except OSError as err:
        return fail(NAME, err, FAILED)
    print(f'{count:,} parameters in {folder}')
    return 0
