"""``emma``: the commands. Arguments only; what a command does stands in ``command_<name>.py``."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from emma_planner import __version__
from emma_planner.arguments import (
    latency,
    number_ranges,
    picture_size,
    positive_count,
    positive_number,
    scenario_range,
    share,
)
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
    _add_drive(commands)
    _add_evaluate(commands)
    _add_ablate(commands)
    _add_saliency(commands)
    _add_report(commands)
    _add_dataset(commands)
    _add_model(commands)
    _add_train(commands)
    return parser


def _add_replay(commands: argparse._SubParsersAction[_Parser]) -> None:
    replay = commands.add_parser(
        'replay',
        help='plan a recording and score the plans',
        description='Plan a rosbag2 (sqlite3, MCAP) or rosbag1 recording; write the plan log, a '
        'bag for RViz and Foxglove, and metrics; print a table.',
    )
    replay.add_argument(
        'bag',
        type=Path,
        nargs='?',
        metavar='BAG',
        help='bag folder or file (default the shipped recording)',
    )
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


def _add_drive(commands: argparse._SubParsersAction[_Parser]) -> None:
    drive = commands.add_parser(
        'drive',
        help='drive scenarios in closed loop and score the drives',
        description='Drive in the simulator in lock-step: an MCAP bag and a plan log per drive, '
        'scores.json, and a table. Planners: expert, expert-path (the expert at rate_hz, as '
        'paths), mllm, or a kinematic baseline. A run that was cut off goes on.',
    )
    drive.add_argument('--list', action='store_true', help='show the scenarios, drive none')
    drive.add_argument('--split', default='val', help='train, val or test (default val)')
    drive.add_argument(
        '--seeds',
        type=number_ranges,
        metavar='A-B',
        help='scenarios of the split, as 0-49 or 3,7,10-12 (default the first hundred)',
    )
    drive.add_argument(
        '--time-limit',
        type=positive_number,
        metavar='SECONDS',
        help="longest drive, not the scenario's own",
    )
    _add_out(drive, 'out/drive')
    _add_common(drive)
    _add_loop(drive)
    drive.add_argument(
        '--image-rate',
        type=float,
        default=0.0,
        metavar='HZ',
        help='pictures in the bag (default those that the planner takes)',
    )
    drive.add_argument('--film', choices=('webp', 'mp4'), help='write a film of each drive')
    drive.add_argument(
        '--ros',
        action='store_true',
        help='planner and follower as ROS nodes in processes of their own: the same drives',
    )
    _add_scale(drive)


def _add_evaluate(commands: argparse._SubParsersAction[_Parser]) -> None:
    evaluate = commands.add_parser(
        'evaluate',
        help='score plans against what was driven',
        description='Plan data sets, nuScenes or recordings and score the plans; or score results '
        'that are there: predictions (JSON lines), plan logs, folders of earlier runs, of '
        'LightEMMA and of OpenEMMA. The kinematic baselines stand beside them. A run that was '
        'cut off goes on.',
    )
    evaluate.add_argument(
        'inputs', type=Path, nargs='+', metavar='INPUT', help='what to plan, or results'
    )
    _add_out(evaluate, 'out/evaluate')
    evaluate.add_argument(
        '--truth',
        type=Path,
        metavar='PATH',
        help='recording of a plan log, nuScenes folder of OpenEMMA results',
    )
    _add_source(evaluate)
    _add_common(evaluate)
    _add_scale(evaluate)


def _add_ablate(commands: argparse._SubParsersAction[_Parser]) -> None:
    ablate = commands.add_parser(
        'ablate',
        help='score plans with inputs taken away, put wrong or set otherwise',
        description='Plan the same windows as they are and in variants; print what each changes, '
        'with intervals and significance. Variants are names (image_blank), severities (fog:3), '
        'parameters (history_steps=0), several joined by +, or sets of them '
        '(config/evaluation/variants.yaml). A run that was cut off goes on.',
    )
    ablate.add_argument('inputs', type=Path, nargs='*', metavar='INPUT', help='what to plan')
    ablate.add_argument(
        '--drive',
        type=scenario_range,
        metavar='SPLIT:A-B',
        help='scenarios to drive with each variant too, as val:0-9',
    )
    _add_loop(ablate)
    ablate.add_argument(
        '--variants',
        type=lambda text: text.split(','),
        default=['ablations'],
        metavar='NAME,...',
        help='variants or sets of them (default ablations)',
    )
    ablate.add_argument('--sets', type=Path, metavar='YAML', help='file of sets of variants')
    _add_out(ablate, 'out/ablate')
    _add_source(ablate)
    _add_common(ablate)
    _add_scale(ablate)


def _add_saliency(commands: argparse._SubParsersAction[_Parser]) -> None:
    saliency = commands.add_parser(
        'saliency',
        help='draw where a planner looks',
        description='Draw over pictures how far the plan moves when a part is covered '
        '(occlusion), how much each pixel moves the likelihood of the plan (gradient), or how '
        'much the actions attend to each token of the picture (attention); the last two for a '
        'model in this process.',
    )
    saliency.add_argument('inputs', type=Path, nargs='+', metavar='INPUT', help='what to plan')
    saliency.add_argument(
        '--kinds',
        type=lambda text: text.split(','),
        default=['occlusion', 'gradient', 'attention'],
        metavar='KIND,...',
        help='occlusion, gradient, attention (default all)',
    )
    saliency.add_argument(
        '--windows', type=positive_count, default=6, help='how many windows (default 6)'
    )
    saliency.add_argument(
        '--out',
        type=Path,
        default=Path('out/saliency'),
        help='output folder (default out/saliency)',
    )
    _add_source(saliency)
    _add_common(saliency)


def _add_report(commands: argparse._SubParsersAction[_Parser]) -> None:
    report = commands.add_parser(
        'report',
        help='make one HTML page of results',
        description='Make one HTML file, which needs no network, of folders that emma evaluate, '
        'emma ablate and emma drive left: figures, charts, plans and drives to look at.',
    )
    report.add_argument('folders', type=Path, nargs='+', metavar='FOLDER', help='of results')
    report.add_argument(
        '--out', type=Path, default=Path('out/report.html'), help='file (default out/report.html)'
    )
    report.add_argument(
        '--markdown',
        type=Path,
        metavar='FILE',
        help='write the figures into this file too, as a README, between its marks',
    )
    report.add_argument('--title', default='How good is the planner', help='of the page')
    report.add_argument('--commit', default='', help='said on the page (default that of the code)')
    report.add_argument('--machine', default='', help='said on the page')
    report.add_argument('--seed', type=int, default=0, help='of the bootstrap')


def _add_out(command: argparse.ArgumentParser, folder: str) -> None:
    command.add_argument(
        '--out', type=Path, default=Path(folder), help=f'output folder (default {folder})'
    )
    command.add_argument(
        '--overwrite', action='store_true', help='replace results of an earlier run in --out'
    )


def _add_loop(command: argparse.ArgumentParser) -> None:
    command.add_argument('--density', type=float, help="traffic density, not the scenario's own")
    command.add_argument(
        '--latency',
        type=latency,
        default=0.0,
        metavar='SECONDS',
        help="simulated time from image to path, or 'measured' (default 0)",
    )
    command.add_argument(
        '--camera',
        type=picture_size,
        default=(640, 360),
        metavar='WxH',
        help='size of the front camera [px] (default 640x360)',
    )


def _add_source(command: argparse.ArgumentParser) -> None:
    _add_every(command, 'least time between windows of a recording or a data set')
    command.add_argument(
        '--split', default='', help='nuScenes: split of the devkit (default val or mini_val)'
    )
    command.add_argument(
        '--cameras',
        type=int,
        default=1,
        choices=(1, 6),
        help='nuScenes: front camera, or all six (default 1)',
    )


def _add_dataset(commands: argparse._SubParsersAction[_Parser]) -> None:
    dataset = commands.add_parser('dataset', help='make data sets to learn from')
    actions = dataset.add_subparsers(dest='action', required=True, metavar='ACTION')
    build = actions.add_parser(
        'build',
        help='drive the expert and write labelled examples',
        description='Drive the expert through scenarios and write pictures, history, chain of '
        'thought and future, in shards; a build that was cut off goes on.',
    )
    build.add_argument('--out', type=Path, required=True, help='folder of the data set')
    build.add_argument('--split', default='train', help='train, val or test (default train)')
    build.add_argument(
        '--seeds',
        type=number_ranges,
        required=True,
        metavar='A-B',
        help='scenarios of the split, as 0-399',
    )
    _add_every(build, 'between examples')
    build.add_argument(
        '--disturbed',
        type=share,
        default=0.5,
        metavar='SHARE',
        help='scenarios in which pushes take the car off its line, 0 to 1 (default 0.5)',
    )
    build.add_argument(
        '--pilot',
        default='',
        metavar='MODEL',
        help="checkpoint that drives in the expert's place; the expert says what it would do",
    )
    _add_scale(build)
    build.add_argument('--quiet', action='store_true', help='no progress bar')

    bags = actions.add_parser(
        'from-bags',
        help='make examples of recordings with a camera and ego motion',
        description='Write what a planner would have seen at each picture of a recording, and '
        'the motion that was recorded after it. A teacher may write the chain of thought.',
    )
    bags.add_argument('bags', type=Path, nargs='+', metavar='BAG', help='bag folder or file')
    bags.add_argument('--out', type=Path, required=True, help='folder of the data set')
    _add_every(bags, 'least time between examples')
    bags.add_argument(
        '--teach', action='store_true', help='let the model of --model write the chain of thought'
    )
    _add_common(bags)


def _add_model(commands: argparse._SubParsersAction[_Parser]) -> None:
    model = commands.add_parser('model', help='make models')
    actions = model.add_subparsers(dest='action', required=True, metavar='ACTION')
    init = actions.add_parser(
        'init',
        help='make the small model with random weights',
        description='Write a small multimodal model of stock LLaVA classes with a convolutional '
        'vision tower, its tokenizer and its processor; its weights are random.',
    )
    init.add_argument('folder', type=Path, metavar='FOLDER', help='where it is written')
    init.add_argument('--seed', type=int, default=0, help='of the weights (default 0)')
    prune = actions.add_parser(
        'prune',
        help='write a smaller checkpoint',
        description='Write a checkpoint without the weakest neurons of its feed-forward layers '
        '(smaller, faster), or with the smallest weights at 0. Train it on; measure it with '
        'emma ablate --variants model=FOLDER.',
    )
    prune.add_argument('model', type=Path, metavar='MODEL', help='checkpoint folder')
    prune.add_argument('folder', type=Path, metavar='FOLDER', help='where it is written')
    prune.add_argument('--share', type=share, default=0.25, help='what goes (default 0.25)')
    prune.add_argument(
        '--kind', choices=('neurons', 'weights'), default='neurons', help='(default neurons)'
    )
    average = actions.add_parser(
        'average',
        help='write the mean of two checkpoints',
        description='Write the mean of a checkpoint and of what it became by training on.',
    )
    average.add_argument('model', type=Path, metavar='MODEL', help='checkpoint folder')
    average.add_argument('other', type=Path, metavar='OTHER', help='checkpoint folder')
    average.add_argument('folder', type=Path, metavar='FOLDER', help='where it is written')
    average.add_argument(
        '--share', type=share, default=0.5, help='of OTHER in the mean (default 0.5)'
    )
    export = actions.add_parser(
        'export',
        help='write a checkpoint in half precision',
        description='Write a checkpoint in bfloat16: half the size, as the shipped model is.',
    )
    export.add_argument('model', type=Path, metavar='MODEL', help='checkpoint folder')
    export.add_argument('folder', type=Path, metavar='FOLDER', help='where it is written')


def _add_train(commands: argparse._SubParsersAction[_Parser]) -> None:
    train = commands.add_parser(
        'train',
        help='train one stage of a model',
        description='Train the stage that a YAML file describes; the same command goes on with '
        'a run that was cut off. Under torchrun or accelerate launch it runs on many devices.',
    )
    train.add_argument('config', type=Path, metavar='CONFIG', help='parameter file (YAML)')
    _add_set(train)
    train.add_argument('--quiet', action='store_true', help='no progress bar')


def _add_every(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument(
        '--every',
        type=positive_number,
        default=0.5,
        metavar='SECONDS',
        help=f'{what} (default 0.5)',
    )


def _add_set(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        '--set',
        action='append',
        default=[],
        metavar='KEY=VALUE',
        help='set one parameter; may be repeated',
    )


def _add_scale(command: argparse.ArgumentParser) -> None:
    scale = command.add_argument_group('scale')
    scale.add_argument('--workers', type=positive_count, default=1, help='processes (default 1)')
    scale.add_argument(
        '--ray', metavar='ADDRESS', help="of a Ray cluster; 'local' starts one on this machine"
    )


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        '--model',
        help='checkpoint or adapter folder, hub id, server URL, or untrained[:architecture] '
        '(default the shipped emma-small)',
    )
    command.add_argument('--planner', help='mllm or a kinematic baseline')
    command.add_argument('--config', type=Path, metavar='YAML', help='parameter file')
    command.add_argument(
        '--preset', choices=preset_names(), help='topic names and camera of a source'
    )
    _add_set(command)
    command.add_argument('--seed', type=int, help='seed of sampling and of untrained weights')
    command.add_argument('--quiet', action='store_true', help='no progress bar and no table')


if __name__ == '__main__':
    sys.exit(main())
