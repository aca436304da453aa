"""The figures of a report as Markdown, written between two marks of a file such as a README."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emma_planner.evaluation.metrics import HORIZONS_S, Summary
from emma_planner.intervals import Figure
from emma_planner.report.results import (
    DRIVE_FIGURES,
    VARIANT_FIGURES,
    Ablation,
    Drives,
    ReportError,
    Results,
    Run,
)

BEGIN, END = '<!-- results: emma report -->', '<!-- end of results -->'


def write_between_marks(path: Path, text: str) -> None:
    """Replace what is between the marks of a file.

    :raises ReportError: the file has no marks, or cannot be written
    """
    try:
        before = path.read_text(encoding='utf-8')
        head, begin, rest = before.partition(BEGIN)
        _, end, tail = rest.partition(END)
        if not (begin and end):
            raise ReportError(f'{path}: need the marks {BEGIN} and {END}, got none')
        path.write_text(f'{head}{BEGIN}\n\n{text.strip()}\n\n{END}{tail}', encoding='utf-8')
    except OSError as err:
        raise ReportError(f'{path}: need a file that can be written, got {err.strerror}') from err


def to_markdown(results: Results, about: Sequence[tuple[str, str]]) -> str:
    """Return all figures."""
    told = ', '.join(f'{key} {value}' for key, value in about)
    parts = [f'Measured at {told}; `emma report` wrote this. Intervals are 95 %, over scenes.']
    parts += [_run(run) for run in results.runs]
    if results.drives:
        parts.append(_drives(results.drives))
    for ablation in results.ablations:
        if ablation.plain():
            parts.append(_ablation(ablation))
        parts += _severities(ablation)
    return '\n\n'.join(parts) + '\n'


def _run(run: Run) -> str:
    scores = run.scores
    own = [] if scores.planner[0] in dict(scores.baselines) else [scores.planner]
    sources = ', '.join(run.about.get('sources', ()))
    lines = [
        f'**Open loop, {sources}**: {scores.planner[1].n} windows of '
        f'{len({item.scene for item in run.predictions})} scenes; L2 averaged to the horizon [m]',
        '',
        '| planner | ' + ' | '.join(f'{h} s' for h in HORIZONS_S) + ' | ADE | failed |',
        '|---' * (len(HORIZONS_S) + 3) + '|',
    ]
    for name, summary in [*own, *scores.baselines]:
        failed = _percent(scores.failed) if (name, summary) in own else '0.0 %'
        lines.append(f'| {name} | {_l2(summary)} | {_span(summary.ade, 2)} | {failed} |')
    words = [(name, f) for name, f in scores.words if math.isfinite(f.mean)]
    if words:
        said = ', '.join(f'{name} {_percent_span(figure)}' for name, figure in words)
        lines += ['', f'Said rightly: {said}.']
    timed = dict(scores.latencies)['total']
    if timed.n:
        lines += ['', f'A plan takes {timed.p50_ms:.0f} ms (median), {timed.p95_ms:.0f} ms (p95).']
    return '\n'.join(lines)


def _l2(summary: Summary) -> str:
    return ' | '.join(_number(figure.mean, 2) for figure in summary.averaged)


def _drives(all_drives: Sequence[Drives]) -> str:
    names = [name for _, name, *_ in DRIVE_FIGURES]
    lines = [
        '**Closed loop**',
        '',
        '| planner | drives | ' + ' | '.join(names) + ' |',
        '|---' * (len(names) + 2) + '|',
    ]
    for drives in all_drives:
        scores = drives.scores
        cells = [f'{_span(figure, 1)}{unit}' for _, figure, unit in drives.figures()]
        which = f'{scores["num_drives"]} of {scores["split"]}'
        name = f'{scores["planner"]} ({drives.folder.name})'
        lines.append(f'| {name} | {which} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def _ablation(ablation: Ablation) -> str:
    lines = [
        f'**Variants of {ablation.planner}** (masked: the input is changed; '
        'real: the model is asked with less, more or otherwise)',
        '',
        '| variant | kind | ADE [m] | change | p | driving score | change | p |',
        '|---' * 8 + '|',
    ]
    for row in ablation.plain():
        cells = [cell for key, _, digits in VARIANT_FIGURES for cell in _changed(row[key], digits)]
        lines.append(f'| {row["name"]} | {row["kind"]} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def _severities(ablation: Ablation) -> list[str]:
    """A table for each figure: what comes in degrees, over its severity."""
    faults = ablation.severities()
    levels = sorted({level for rows in faults.values() for level in rows})
    tables = []
    for key, label, digits in VARIANT_FIGURES:
        start = ablation.start(key)
        if not faults or start is None:
            continue
        title = f'**{ablation.planner} under faults**: {label} by severity, '
        title += f'{start:.{digits}f} as it is'
        best = ablation.best_baseline()
        if key == 'ade_m' and best is not None:
            title += f', {best[1]:.{digits}f} of {best[0]}, the best baseline'
        lines = [title, '', '| fault | ' + ' | '.join(map(str, levels)) + ' |']
        lines.append('|---' * (len(levels) + 1) + '|')
        for name, rows in faults.items():
            found = [(rows.get(level) or {}).get(key) for level in levels]
            cells = [_number(item['after'] if item else None, digits) for item in found]
            lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
        tables.append('\n'.join(lines))
    return tables


def _changed(found: dict[str, Any] | None, digits: int) -> list[str]:
    if not found or found['after'] is None:
        return ['–', '–', '–']
    change = found['change']
    span = _number(change['mean'], digits, sign='+')
    if change['low'] is not None:
        low, high = (_number(change[end], digits, sign='+') for end in ('low', 'high'))
        span += f' ({low} to {high})'
    p_value = found['p_value']
    chance = '–' if p_value is None else '< 0.001' if p_value < 0.001 else f'{p_value:.3f}'
    return [_number(found['after'], digits), span, chance]


def _span(figure: Figure, digits: int) -> str:
    if not math.isfinite(figure.low):
        return _number(figure.mean, digits)
    low, high = (_number(value, digits) for value in (figure.low, figure.high))
    return f'{_number(figure.mean, digits)} ({low}–{high})'


def _percent_span(figure: Figure) -> str:
    mean, low, high = (100.0 * value for value in (figure.mean, figure.low, figure.high))
    return f'{_span(Figure(mean, low, high, figure.n), 1)} %'


def _percent(value: float) -> str:
    return f'{100.0 * value:.1f} %'


def _number(value: float | None, digits: int, sign: str = '') -> str:
    if value is None or not math.isfinite(value):
        return '–'
    return f'{value:{sign}.{digits}f}'
