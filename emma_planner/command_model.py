"""``emma model``: random weights for a new model; smaller ones and means of trained ones."""

from __future__ import annotations

import argparse

from emma_planner.command_options import FAILED, fail
from emma_planner.planning.chat import ModelError
from emma_planner.training.build_model import SmallModel, init_model
from emma_planner.training.finished_model import average_models, export_model, prune_model

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
        if arguments.action == 'export':
            size = export_model(arguments.model, folder)
            print(f'{size / 1e6:.1f} MB of weights in {folder}')
        elif arguments.action == 'average':
            size = average_models(arguments.model, arguments.other, folder, arguments.share)
            print(f'{size / 1e6:.1f} MB of weights in {folder}')
        elif arguments.action == 'prune':
            before, after, gone = prune_model(
                arguments.model, folder, arguments.kind, arguments.share
            )
            print(
                f'{gone:,} weights gone or 0; {before / 1e6:.1f} MB before, '
                f'{after / 1e6:.1f} MB in {folder}'
            )
        else:
            count = init_model(folder, SmallModel(), seed=arguments.seed)
            print(f'{count:,} parameters in {folder}')
    except (ModelError, OSError) as err:
        return fail(NAME, err, FAILED)
    return 0
