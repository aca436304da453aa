"""Variants as charts and rows: what each changes of the error and of the driving score."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from typing import Any

from emma_planner.report.charts import Line, interval_chart, line_chart
from emma_planner.report.results import Ablation

_SEVERITY = re.compile(r'(\w+):(\d)')
FIGURES = (('ade_m', 'ADE [m]'), ('driving_score', 'driving score'))


def shown_ablation(ablation: Ablation) -> dict[str, Any]:
    """Return what the page shows of a folder of variants."""
    base, charts, curves = ablation.base, [], []
    starts = {
        'ade_m': base['planner'] and base['planner']['ade_m']['mean'],
        'driving_score': base['driving_score'] and base['driving_score']['mean'],
    }
    for key, label in FIGURES:
        rows = [row for row in ablation.variants if row[key] and row[key]['after'] is not None]
        plain = [row for row in rows if not _SEVERITY.fullmatch(row['name'])]
        if plain:
            charts.append(_bars(plain, key, label))
        if start := starts[key]:
            references = _references(base) if key == 'ade_m' else {}
            curves += _curves(rows, key, label, start, references)
    name = base['planner']['name'] if base['planner'] else 'base'
    return {
        'folder': ablation.folder.name,
        'planner': name,
        'starts': [(label, starts[key]) for key, label in FIGURES if starts[key] is not None],
        'bars': charts,
        'curves': curves,
        'rows': ablation.variants,
    }


def _bars(rows: list[dict[str, Any]], key: str, label: str) -> str:
    changes = [row[key]['change'] for row in rows]
    return interval_chart(
        [f'{row["name"]} ({row["kind"]})' for row in rows],
        *[[_or_nan(change[end]) for change in changes] for end in ('mean', 'low', 'high')],
        x_label=f'change of {label}',
    )


def _references(base: dict[str, Any]) -> dict[str, float]:
    """The best baseline's error."""
    errors = {name: summary['ade_m']['mean'] for name, summary in base['baselines'].items()}
    best = min(errors, key=lambda name: errors[name], default='')
    return {best: errors[best]} if best else {}


def _curves(
    rows: list[dict[str, Any]], key: str, label: str, start: float, references: dict[str, float]
) -> list[str]:
    """A chart for each fault: a figure over its severity, beside the best baseline."""
    by_name: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for row in rows:
        if name_and_level := _SEVERITY.fullmatch(row['name']):
            name, level = name_and_level.groups()
            by_name[name].append((int(level), row[key]['change']))
    charts = []
    for name, found in by_name.items():
        found.sort(key=lambda item: item[0])
        levels = [0, *[level for level, _ in found]]
        mean, low, high = (
            [start, *[start + _or_nan(change[end]) for _, change in found]]
            for end in ('mean', 'low', 'high')
        )
        lines = [Line('planner', levels, mean, low, high)]
        for other, value in references.items():
            lines.append(Line(other, [0, levels[-1]], [value, value], is_reference=True))
        title = name.replace('_', ' ')
        charts.append(line_chart(lines, x_label='severity', y_label=label, title=title))
    return charts


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
