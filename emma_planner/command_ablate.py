"""``emma ablate``: the same windows with something taken away, put wrong or set otherwise."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emma_planner.command_evaluate import ERRORS, planned_run
from emma_planner.command_options import FAILED, USAGE, config_of, fail, interrupted_once, why
from emma_planner.config import ConfigError, PlannerConfig
from emma_planner.evaluation.compare import compare, paired_errors
from emma_planner.evaluation.open_loop import Scores, score
from emma_planner.evaluation.predictions import Prediction
from emma_planner.intervals import figure_to_json
from emma_planner.recordings.dataset import write_json
from emma_planner.resources import ResourceError, config_path
from emma_planner.runs.ablation import BASE, Ablation, ablations, read_sets
from emma_planner.runs.run_folder import ABLATIONS, METRICS

NAME = 'ablate'
DRIVES = 'drives'


def run(arguments: argparse.Namespace) -> int:
    """Run the command; errors end in one line on stderr.

    :returns: 0 done, 1 failed, 2 wrong usage
    """
    try:
        config = config_of(arguments)
        sets = read_sets(arguments.sets or config_path('evaluation/variants.yaml'))
        variants = ablations(arguments.variants, sets, config)
        if not (arguments.inputs or arguments.drive):
            raise ConfigError('need an INPUT or --drive, got none')
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
    measured: list[_Measured] = []
    error: BaseException | None = None
    for variant in [Ablation(BASE, config, ''), *variants]:
        try:
            measured.append(_measure(arguments, variant))
        except (*ERRORS, KeyboardInterrupt) as err:
            error = err
            break
    if not measured:
        raise error or RuntimeError('nothing was measured')
    base, *others = measured
    rows = [_compared(base, other, config.seed) for other in others]
    found: dict[str, Any] = {
        'complete': error is None,
        'base': _base_json(base),
        'variants': rows,
    }
    write_json(arguments.out / ABLATIONS, found)
    if not arguments.quiet:
        print(ablation_table(found['base'], rows))
        print(f'\nresults   {arguments.out}')
    if error is not None:
        kept = f'kept {len(rows)} of {len(variants)} variants in {arguments.out}'
        return fail(NAME, f'{why(error)}; {kept}', FAILED)
    return 0


@dataclass(frozen=True, eq=False)
class _Measured:
    """What came of one variant.

    :param predictions: none without inputs
    :param scores: of them, None without
    :param drives: a ScoreSummary, None without scenarios
    """

    variant: Ablation
    predictions: list[Prediction]
    scores: Scores | None
    drives: Any


def _measure(arguments: argparse.Namespace, variant: Ablation) -> _Measured:
    """Plan and drive; what an earlier run has planned is taken from it."""
    predictions: list[Prediction] = []
    scores, drives = None, None
    if arguments.inputs:
        predictions, scores = _plan(arguments, arguments.out / variant.folder, variant.config)
    if arguments.drive:
        from emma_planner.runs.drive_ablation import DriveOptions, drive_variant

        split, numbers = arguments.drive
        options = DriveOptions(
            split, numbers, arguments.latency, arguments.density, arguments.camera
        )
        drives = drive_variant(
            arguments.out / DRIVES / variant.folder,
            variant.config,
            options,
            workers=arguments.workers,
            ray_address=arguments.ray,
        )
    return _Measured(variant, predictions, scores, drives)


def _plan(
    arguments: argparse.Namespace, folder: Path, config: PlannerConfig
) -> tuple[list[Prediction], Scores]:
    """Plan all windows, or take those of an earlier run; score them."""
    name, found, error = planned_run(arguments, folder, arguments.inputs, config, folder.name)
    if error is not None:
        raise error
    scores = score(found, name, seed=config.seed)
    write_json(folder / METRICS, {'complete': True, 'runs': [scores.to_json()]})
    return found, scores


def _base_json(base: _Measured) -> dict[str, Any]:
    found: dict[str, Any] = {'planner': None, 'baselines': {}, 'driving_score': None}
    found['total_ms'] = median_ms(base.predictions)
    if base.scores is not None:
        found |= base.scores.to_json()
    if base.drives is not None:
        found['driving_score'] = figure_to_json(base.drives.driving_score)
    return found


def _compared(base: _Measured, other: _Measured, seed: int) -> dict[str, Any]:
    row: dict[str, Any] = {'name': other.variant.name, 'kind': other.variant.kind}
    row |= {'ade_m': None, 'failed': None, 'driving_score': None, 'total_ms': None}
    if base.predictions:
        before, after, failed, scenes = paired_errors(base.predictions, other.predictions)
        row['ade_m'] = compare(before, after, scenes, seed=seed).to_json()
        row['failed'] = compare(failed[:, 0], failed[:, 1], scenes, seed=seed).to_json()
        row['total_ms'] = median_ms(other.predictions)
    if base.drives is not None:
        from emma_planner.runs.drive_ablation import compare_scores

        row['driving_score'] = compare_scores(base.drives, other.drives, seed).to_json()
    return row


def median_ms(predictions: list[Prediction]) -> float | None:
    """Return the median time of a plan, None where none was measured."""
    took = sorted(item.latency.total_ms for item in predictions if item.latency.total_ms > 0.0)
    return took[len(took) // 2] if took else None


def ablation_table(base: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Format the variants: error, change with its interval, chance, failures; driving score."""
    parts = []
    if base['planner'] is not None:
        start = {**base['planner']['ade_m'], 'total_ms': base['total_ms']}
        parts.append(_table('ADE [m]', start, rows, 'ade_m', 2))
    if base['driving_score'] is not None:
        parts.append(_table('score', base['driving_score'], rows, 'driving_score', 1))
    parts.append(
        'masked: inputs are changed, the model is asked all the same; '
        'real: with less, more or otherwise\n'
        'change: mean over what both have; p: sign-flip permutation over scenes'
    )
    return '\n\n'.join(parts)


def _table(
    head: str, base: dict[str, Any], rows: list[dict[str, Any]], key: str, digits: int
) -> str:
    lines = [
        f'{"":<32}{"kind":<9}{head:>8}{"change (95 %)":>24}{"p":>9}{"failed":>9}{"ms":>7}',
        f'{BASE:<32}{"":<9}{_number(base["mean"], digits):>8}{"":>42}'
        f'{_number(base.get("total_ms"), 0):>7}',
    ]
    for row in rows:
        found = row[key]
        is_planned = key == 'ade_m'
        failed = row['failed']['after'] if is_planned else None
        lines.append(
            f'{row["name"][:31]:<32}{row["kind"]:<9}{_number(found["after"], digits):>8}'
            f'{_interval(found["change"], digits):>24}{_chance(found["p_value"]):>9}'
            f'{"-" if failed is None else f"{100 * failed:.1f} %":>9}'
            f'{_number(row["total_ms"] if is_planned else None, 0):>7}'
        )
    return '\n'.join(lines)


def _number(value: float | None, digits: int) -> str:
    return '-' if value is None or not math.isfinite(value) else f'{value:.{digits}f}'


def _interval(figure: dict[str, Any], digits: int) -> str:
    if figure['mean'] is None:
        return '-'
    mean = f'{figure["mean"]:+.{digits}f}'
    if figure['low'] is None:
        return mean
    return f'{mean} ({figure["low"]:+.{digits}f} {figure["high"]:+.{digits}f})'


def _chance(value: float | None) -> str:
    if value is None:
        return '-'
    return f'{value:.4f}' if value >= 1e-4 else '<0.0001'
