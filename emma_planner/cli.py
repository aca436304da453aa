"""``emma``: the commands. Arguments only; what a command does stands in ``command_<name>.py``."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from emma_planner import __version__
from emma_planner.arguments import positive_number
from emma_planner.executables import missing
from emma_planner.resources import preset_names


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    :returns: 0 done, 1 failed, 2 wrong usage
    """
    arguments = _parser().parse_args(argv)
    try:
        command = importlib.import_module(f'emma_planner.command_{arguments.command}')
    except ModuleNotFoundError as err:
        print(f'emma {arguments.command}: {missing(err)}', file=sys.stderr)
        return 1
    return int(command.run(arguments))


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; the usage is a --help away."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f'{self.prog}: {message}; see {self.prog} --help\n')


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog='emma', description='Plan driving with a multimodal language model.')
    parser.add_argument('--version', action='version', version=f'emma_planner {__version__}')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    _add_replay(commands)
    return parser


def _add_replay(commands: argparse._SubParsersAction[_Parser]) -> None:
    replay = commands.add_parser(
        'replay',
        help='plan a recording and score the plans',
        description='Plan a rosbag2 (sqlite3, MCAP) or rosbag1 recording; write the plan log, a '
        'bag for RViz and Foxglove, and metrics; print a table.',
    )
    replay.add_argument('bag', type=Path, metavar='BAG', help='bag folder or file')
    replay.add_argument('--out', type=Path, help='output folder (default out/replay-<bag name>)')
    replay.add_argument(
        '--overwrite', action='store_true', help='replace results of an earlier run in --out'
    )
    _add_common(replay)
    replay.add_argument(
        '--every-image', action='store_true', help='plan every image, not at rate_hz'
    )
    replay.add_argument('--no-overlay', action='store_true', help='draw no pictures into the bag')
    live = replay.add_argument_group('live replay, over DDS')
    live.add_argument(
        '--live',
        action='store_true',
        help='play the bag with /clock to a planner node in another process',
    )
    live.add_argument(
        '--rate', type=positive_number, metavar='FACTOR', help='play speed (default 1.0)'
    )


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        '--model', help='checkpoint folder, hub id, server URL, or untrained[:architecture]'
    )
    command.add_argument('--planner', help='mllm or a kinematic baseline')
    command.add_argument('--config', type=Path, metavar='YAML', help='parameter file')
    command.add_argument(
        '--preset', choices=preset_names(), help='topic names and camera of a source'
    )
    command.add_argument(
        '--set',
        action='append',
        default=[],
        metavar='KEY=VALUE',
        help='set one parameter; may be repeated',
    )
    command.add_argument('--seed', type=int, help='seed of sampling and of untrained weights')
    command.add_argument('--quiet', action='store_true', help='no progress bar and no table')


if __name__ == '__main__':
    sys.exit(main())
