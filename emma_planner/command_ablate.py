"""``emma ablate``: the same windows with something taken away, put wrong or set otherwise."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from emma_planner.command_evaluate import ERRORS, run_tasks, scene_tasks
from emma_planner.command_options import FAILED, USAGE, config_of, fail, interrupted_once
from emma_planner.config import ConfigError, PlannerConfig
from emma_planner.evaluation.compare import compare, errors_of
from emma_planner.evaluation.open_loop import score
from emma_planner.evaluation.predictions import Prediction
from emma_planner.recordings.dataset import write_json
from emma_planner.resources import ResourceError, config_path
from emma_planner.runs.ablation import BASE, Ablation, ablations, read_sets
from emma_planner.runs.open_source import SourceOptions
from emma_planner.runs.run_folder import METRICS, begin_run, read_run

NAME = 'ablate'
RESULTS = 'ablations.json'


def run(arguments: argparse.Namespace) -> int:
    """Run the command; errors end in one line on stderr.

    :returns: 0 done, 1 failed, 2 wrong usage
    """
    try:
        config = config_of(arguments)
        sets = read_sets(arguments.sets or config_path('evaluation/variants.yaml'))
        variants = ablations(arguments.variants, sets, config)
    except (ConfigError, ResourceError) as err:
        return fail(NAME, err, USAGE)
    try:
        with interrupted_once():
            return _run(arguments, config, variants)
    except ERRORS as err:
        return fail(NAME, err, FAILED)
    except KeyboardInterrupt:
        return fail(NAME, 'interrupted before the first variant', FAILED)


def _run(arguments: argparse.Namespace, config: PlannerConfig, variants: list[Ablation]) -> int:
    base, error = _plan(arguments, arguments.out / BASE, config)
    if error is not None:
        raise error
    rows: list[dict[str, Any]] = []
    for variant in variants:
        found, error = _plan(arguments, arguments.out / variant.folder, variant.config)
        if error is not None:
            break
        rows.append(_compared(variant, base, found, config.seed))
    own = score(base, BASE, seed=config.seed)
    write_json(
        arguments.out / RESULTS,
        {'complete': error is None, 'base': own.to_json(), 'variants': rows},
    )
    if not arguments.quiet:
        print(ablation_table(float(own.planner[1].ade.mean), rows))
        print(f'\nresults   {arguments.out}')
    if error is not None:
        why = 'interrupted' if isinstance(error, KeyboardInterrupt) else error
        kept = f'kept {len(rows)} of {len(variants)} variants in {arguments.out}'
        return fail(NAME, f'{why}; {kept}', FAILED)
    return 0


def _plan(
    arguments: argparse.Namespace, folder: Path, config: PlannerConfig
) -> tuple[list[Prediction], BaseException | None]:
    """Plan all windows, or take those of an earlier run; score them."""
    options = SourceOptions(arguments.every, arguments.split, arguments.cameras)
    tasks = scene_tasks(folder, arguments.inputs, options, config)
    about = {
        'sources': [path.name for path in arguments.inputs],
        'scenes': len(tasks),
        'every_s': options.every_s,
        'config_hash': config.hash(),
    }
    begin_run(folder, about, overwrite=arguments.overwrite)
    error = run_tasks(tasks, arguments, label=folder.name)
    name, found = read_run(folder)
    if error is None:
        scores = score(found, name, seed=config.seed)
        write_json(folder / METRICS, {'complete': True, 'runs': [scores.to_json()]})
    return found, error


def _compared(
    variant: Ablation, base: list[Prediction], found: list[Prediction], seed: int
) -> dict[str, Any]:
    before, after, failed, scenes = errors_of(base, found)
    ade = compare(before, after, scenes, seed=seed)
    failures = compare(failed[:, 0], failed[:, 1], scenes, seed=seed)
    return {
        'name': variant.name,
        'kind': variant.kind,
        'ade_m': ade.to_json(),
        'failed': failures.to_json(),
    }


def ablation_table(base_m: float, rows: list[dict[str, Any]]) -> str:
    """Format the variants: error, change with its interval, chance, failures."""
    lines = [
        f'{"":<34}{"kind":<9}{"ADE [m]":>8}{"change (95 %)":>24}{"p":>9}{"failed":>10}',
        f'{BASE:<34}{"":<9}{base_m:>8.2f}',
    ]
    for row in rows:
        ade, failed = row['ade_m'], row['failed']
        share = failed['after']
        lines.append(
            f'{row["name"][:33]:<34}{row["kind"]:<9}{_number(ade["after"]):>8}'
            f'{_interval(ade["change"]):>24}{_chance(ade["p_value"]):>9}'
            f'{"-" if share is None else f"{100 * share:.1f} %":>10}'
        )
    return '\n'.join(
        [
            *lines,
            'masked: inputs are changed, the model is asked all the same; removed: not asked for',
            'change: mean over the windows that both plan; p: sign-flip permutation over scenes',
        ]
    )


def _number(value: float | None) -> str:
    return '-' if value is None or not math.isfinite(value) else f'{value:.2f}'


def _interval(figure: dict[str, Any]) -> str:
    if figure['mean'] is None:
        return '-'
    if figure['low'] is None:
        return f'{figure["mean"]:+.2f}'
    return f'{figure["mean"]:+.2f} ({figure["low"]:+.2f} {figure["high"]:+.2f})'


def _chance(value: float | None) -> str:
    if value is None:
        return '-'
    return f'{value:.4f}' if value >= 1e-4 else '<0.0001'
