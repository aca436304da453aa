"""Variants as charts and rows: what each changes of the error and of the driving score."""

from __future__ import annotations

import math
from typing import Any

from emma_planner.report.charts import Line, interval_chart, line_chart
from emma_planner.report.results import VARIANT_FIGURES, Ablation


def shown_ablation(ablation: Ablation) -> dict[str, Any]:
    """Return what the page shows of a folder of variants."""
    charts, curves, starts = [], [], []
    for key, label, _ in VARIANT_FIGURES:
        if plain := [row for row in ablation.plain() if _is_measured(row, key)]:
            charts.append(_bars(plain, key, label))
        start = ablation.start(key)
        if start is not None:
            starts.append((label, start))
            curves += _curves(ablation, key, label, start)
    return {
        'folder': ablation.folder.name,
        'planner': ablation.planner,
        'starts': starts,
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


def _curves(ablation: Ablation, key: str, label: str, start: float) -> list[str]:
    """A chart for each fault: a figure over its severity, beside the best baseline."""
    charts = []
    best = ablation.best_baseline() if key == 'ade_m' else None
    for name, rows in ablation.severities().items():
        changes = {k: row[key]['change'] for k, row in rows.items() if _is_measured(row, key)}
        if not changes:
            continue
        levels = [0, *changes]
        mean, low, high = (
            [start, *[start + _or_nan(change[end]) for change in changes.values()]]
            for end in ('mean', 'low', 'high')
        )
        lines = [Line('planner', levels, mean, low, high)]
        if best is not None:
            other, value = best
            lines.append(Line(other, [0, levels[-1]], [value, value], is_reference=True))
        charts.append(line_chart(lines, x_label='severity', y_label=label, title=name))
    return charts


def _is_measured(row: dict[str, Any], key: str) -> bool:
    return bool(row[key]) and row[key]['after'] is not None


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
