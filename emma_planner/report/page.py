"""The report: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emma_planner import __version__
from emma_planner.evaluation.manoeuvres import balanced_ade_m, by_manoeuvre, errors_of
from emma_planner.evaluation.metrics import HORIZONS_S, Summary, displacement
from emma_planner.evaluation.open_loop import blocks, predicted_and_truth
from emma_planner.intervals import Figure, mean_figures
from emma_planner.planning.types import DT_S, NUM_STEPS
from emma_planner.report.ablations import shown_ablation
from emma_planner.report.charts import (
    Line,
    bar_chart,
    interval_chart,
    line_chart,
    stacked_chart,
)
from emma_planner.report.closed_loop import shown_drives
from emma_planner.report.gallery import gallery, jpeg_url, read_picture
from emma_planner.report.results import Drives, ReportError, Results, Run, Saliency
from emma_planner.resources import config_path

TEMPLATE = 'report/page.html.jinja'
SPEED_EDGES_MPS = (0.0, 0.5, 3.0, 6.0, 9.0, 12.0, math.inf)
CURVATURE_EDGES_1PM = (0.0, 0.002, 0.01, 0.03, 0.1, math.inf)
CONVENTIONS = ('at_horizon', 'averaged', 'window')


def write_report(
    path: Path, results: Results, *, title: str, about: Sequence[tuple[str, str]]
) -> int:
    """Write the page; return its size [bytes].

    :param about: what is said of the report at its top, as commit and machine
    :raises ReportError: there is nothing to report, or it cannot be written
    """
    if not any(vars(results).values()):
        raise ReportError('need results to report, got none')
    text = _render(
        title=title,
        about=[*about, ('emma_planner', __version__)],
        runs=[_run(run) for run in results.runs],
        compared=_compared(results.runs),
        drives=[_drives(drives) for drives in results.drives],
        ablations=[shown_ablation(ablation) for ablation in results.ablations],
        saliency=[_saliency(saliency) for saliency in results.saliency],
        horizons=HORIZONS_S,
        conventions=[(name, name.replace('_', ' ')) for name in CONVENTIONS],
    )
    data = text.encode('utf-8')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as err:
        raise ReportError(f'{path}: need a writable file, got {err.strerror}') from err
    return len(data)


def _render(**values: Any) -> str:
    from jinja2 import Environment, StrictUndefined

    # what a model wrote is data: everything is escaped but our own charts, marked safe there
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(
        config_path(TEMPLATE).read_text(encoding='utf-8')
    )
    return str(page.render(**values))


def _run(run: Run) -> dict[str, Any]:
    scores, manoeuvres = run.scores, by_manoeuvre(run.predictions)
    own = scores.planner[0] not in dict(scores.baselines)
    rows = ([scores.planner] if own else []) + list(scores.baselines)
    return {
        'name': run.name,
        'folder': run.folder.name,
        'sources': ', '.join(run.about.get('sources', ())),
        'windows': len(run.predictions),
        'scenes': len({item.scene for item in run.predictions}),
        'rows': [_row(name, summary) for name, summary in rows],
        'words': [(name, _percent(f.mean), _percent(f.low), _percent(f.high))
                  for name, f in scores.words if math.isfinite(f.mean)],
        'rejected': scores.reasons,
        'latencies': [(stage, item.p50_ms, item.p95_ms, item.p99_ms, item.n)
                      for stage, item in scores.latencies if item.n],
        'tokens': scores.generated,
        'horizon': _over_horizon(run),
        'by_speed': _by_bins(run, 'speed'),
        'by_curvature': _by_bins(run, 'curvature'),
        'by_manoeuvre': _by_manoeuvre(manoeuvres),
        'balanced': balanced_ade_m(manoeuvres),
        'gallery': gallery(run.predictions),
    }  # fmt: skip


def _row(name: str, summary: Summary) -> dict[str, Any]:
    return {
        'name': name,
        'l2': {kind: [f.mean for f in getattr(summary, kind)] for kind in CONVENTIONS},
        'ade': summary.ade,
        'miss': _percent(summary.miss_rate.mean),
        'gross': _percent(summary.gross_failure_rate.mean),
        'unplanned': summary.num_unplanned,
        'short': summary.num_short,
        'scored': summary.num_scored,
        'n': summary.n,
    }


def _over_horizon(run: Run) -> str:
    """Mean L2 at each waypoint with its interval, beside the baselines."""
    predicted, truth, known = predicted_and_truth(run.predictions)
    errors = np.where(known, displacement(predicted, truth), np.nan)
    labels = [
        label
        for label, item in zip(blocks(run.predictions), run.predictions, strict=True)
        if item.poses is not None
    ]
    figures = mean_figures(errors, labels) if len(errors) else []
    times = [DT_S * (k + 1) for k in range(NUM_STEPS)]
    lines = []
    if figures:
        lines.append(
            Line(
                run.name,
                times,
                [f.mean for f in figures],
                [f.low for f in figures],
                [f.high for f in figures],
            )
        )
    lines += [
        Line(name, list(map(float, HORIZONS_S)), [f.mean for f in s.at_horizon], is_reference=True)
        for name, s in run.scores.baselines
        if name != run.name
    ]
    return line_chart(lines, x_label='horizon [s]', y_label='L2 at that instant [m]')


def _by_bins(run: Run, what: str) -> str:
    """Mean ADE by the present speed or by the sharpest curvature that was driven."""
    errors = errors_of(run.predictions)
    values = np.array([_value(item, what) for item in run.predictions])
    edges = SPEED_EDGES_MPS if what == 'speed' else CURVATURE_EDGES_1PM
    labels, means = [], []
    for low, high in itertools.pairwise(edges):
        inside = (values >= low) & (values < high) & np.isfinite(errors)
        if inside.any():
            top = f'-{high:g}' if math.isfinite(high) else '+'
            labels.append(f'{low:g}{top}\nn={int(inside.sum())}')
            means.append(float(errors[inside].mean()))
    if not labels:
        return ''
    unit = 'present speed [m/s]' if what == 'speed' else 'sharpest curvature driven [1/m]'
    return bar_chart(labels, [('ADE', means)], y_label='ADE [m]', title=f'by {unit}')


def _by_manoeuvre(rows: Sequence[tuple[str, int, Figure]]) -> str:
    """ADE with its interval for each manoeuvre."""
    found = [row for row in rows if math.isfinite(row[2].mean)]
    if not found:
        return ''
    figures = [figure for *_, figure in found]
    return interval_chart(
        [f'{name} (n={count})' for name, count, _ in found],
        [figure.mean for figure in figures],
        [figure.low for figure in figures],
        [figure.high for figure in figures],
        x_label='ADE [m]',
    )


def _value(item: Any, what: str) -> float:
    if what == 'speed':
        return math.nan if item.history is None else abs(float(item.history[-1, 0]))
    poses = np.vstack([np.zeros(3), item.truth])
    steps = np.linalg.norm(np.diff(poses[:, :2], axis=0), axis=1)
    with np.errstate(divide='ignore', invalid='ignore'):
        bends = np.where(steps > 0.5, np.abs(np.diff(poses[:, 2])) / steps, 0.0)
    return float(np.nanmax(bends)) if np.isfinite(bends).any() else math.nan


def _compared(runs: Sequence[Run]) -> str:
    """Latency of all runs, stage by stage."""
    timed = [run for run in runs if any(item.n for _, item in run.scores.latencies)]
    if not timed:
        return ''
    names = ('encode', 'reason', 'plan')
    stages = [
        (name, [float(np.nan_to_num(dict(run.scores.latencies)[name].p50_ms)) for run in timed])
        for name in names
    ]
    labels = [run.folder.name for run in timed]
    return stacked_chart(labels, stages, x_label='median time of a plan [ms]')


def _drives(drives: Drives) -> dict[str, Any]:
    scores = drives.scores
    return {
        'folder': drives.folder.name,
        'planner': scores['planner'],
        'split': scores['split'],
        'count': scores['num_drives'],
        'figures': drives.figures(),
        'shown': shown_drives(drives.folder, scores['drives']),
    }


def _saliency(saliency: Saliency) -> dict[str, Any]:
    shown = []
    for row in saliency.pictures:
        rgb = read_picture(saliency.folder / row['picture'])
        if rgb is not None:
            title = f'{row["kind"]}: {row["scene"]} at {row["stamp_ns"] / 1e9:.1f} s'
            shown.append((title, jpeg_url(rgb)))
    return {'planner': saliency.planner, 'folder': saliency.folder.name, 'shown': shown}


def _percent(value: float) -> float:
    return 100.0 * value
