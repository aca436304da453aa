"""Charts as SVG that takes its colours from the page, so that they suit a light and a dark one.

Numbers in, SVG text out. Knows no planner and no file.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emma_planner.planning.types import FloatArray

LEAST_VIEW_M = 10.0
INK, FAINT = '#010203', '#020304'
SERIES = ('#030405', '#040506', '#050607', '#060708', '#070809', '#08090a')
"""Stand-ins that become the page's colours."""
_COLOURS = {
    INK: 'var(--ink)',
    FAINT: 'var(--faint)',
    **{colour: f'var(--series-{k})' for k, colour in enumerate(SERIES, 1)},
}
_PREAMBLE = re.compile(r'^.*?(?=<svg )', re.DOTALL)
_METADATA = re.compile(r'<metadata>.*?</metadata>\s*', re.DOTALL)
_GROUP_ID = re.compile(r'<g id="[^"]*"')


@dataclass(frozen=True, eq=False)
class Line:
    """One line with its band.

    :param low: lower end of the band, None without
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    is_reference: bool = False


def line_chart(lines: Sequence[Line], *, x_label: str, y_label: str, title: str = '') -> str:
    """Draw lines; a reference is thin and dashed."""
    figure, axes = _figure(4.6, 3.0, title)
    for number, line in enumerate(lines):
        colour = SERIES[number % len(SERIES)]
        style = '--' if line.is_reference else '-'
        width = 1.2 if line.is_reference else 2.0
        marker = '' if line.is_reference else 'o'
        axes.plot(
            line.x, line.y, style, color=colour, lw=width, marker=marker, ms=3.5, label=line.label
        )
        if line.low is not None and line.high is not None:
            axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.15, lw=0)
    axes.set_ylim(bottom=0.0)
    _finish(axes, x_label, y_label, legend=len(lines) > 1)
    return _svg(figure)


def bar_chart(
    labels: Sequence[str],
    series: Sequence[tuple[str, Sequence[float]]],
    *,
    y_label: str,
    title: str = '',
) -> str:
    """Draw groups of bars."""
    figure, axes = _figure(4.6, 3.0, title)
    places, width = np.arange(len(labels)), 0.8 / max(len(series), 1)
    for number, (name, values) in enumerate(series):
        left = places + (number - (len(series) - 1) / 2.0) * width
        axes.bar(left, values, width * 0.92, color=SERIES[number % len(SERIES)], label=name)
    axes.set_xticks(places, labels)
    axes.set_ylim(bottom=0.0)
    _finish(axes, '', y_label, legend=len(series) > 1)
    return _svg(figure)


def stacked_chart(
    labels: Sequence[str], stages: Sequence[tuple[str, Sequence[float]]], *, x_label: str
) -> str:
    """Draw horizontal bars of parts, one after the other."""
    figure, axes = _figure(6.4, 0.7 + 0.4 * len(labels), '')
    left = np.zeros(len(labels))
    places = np.arange(len(labels))[::-1]
    for number, (name, values) in enumerate(stages):
        axes.barh(places, values, 0.6, left=left, color=SERIES[number % len(SERIES)], label=name)
        left = left + np.asarray(values)
    axes.set_yticks(places, labels)
    _finish(axes, x_label, '', legend=False)
    # beside the bars, where it hides none of them
    _legend(axes, loc='center left', bbox_to_anchor=(1.0, 0.5))
    return _svg(figure)


def interval_chart(
    labels: Sequence[str],
    means: Sequence[float],
    lows: Sequence[float],
    highs: Sequence[float],
    *,
    x_label: str,
) -> str:
    """Draw a mean with its interval for each label, around a line at 0."""
    figure, axes = _figure(6.4, 0.8 + 0.26 * len(labels), '')
    places = np.arange(len(labels))[::-1]
    middle, low, high = (np.asarray(v, dtype=np.float64) for v in (means, lows, highs))
    spread = np.nan_to_num(np.stack([middle - low, high - middle]), nan=0.0)
    axes.barh(places, middle, 0.62, color=SERIES[0], alpha=0.75)
    axes.errorbar(middle, places, xerr=spread, fmt='none', ecolor=INK, elinewidth=1.2, capsize=2.5)
    axes.axvline(0.0, color=INK, lw=0.8)
    axes.set_yticks(places, labels)
    axes.set_ylim(-0.6, len(labels) - 0.4)
    _finish(axes, x_label, '', legend=False)
    return _svg(figure)


def path_chart(paths: Sequence[tuple[str, FloatArray]]) -> str:
    """Draw paths seen from above, x forward and up, y left; equal scales.

    :param paths: label and ``(N, 2)`` x [m], y [m]
    """
    figure, axes = _figure(2.3, 2.3, '')
    for number, (label, path) in enumerate(paths):
        style = '-' if number == 0 else '--'
        axes.plot(
            -path[:, 1],
            path[:, 0],
            style,
            color=SERIES[number],
            lw=1.8,
            marker='o',
            ms=2.5,
            label=label,
        )
    _make_square(axes, [path for _, path in paths], is_turned=True)
    axes.xaxis.set_major_formatter(lambda value, _: f'{0.0 - value:g}')
    _finish(axes, 'left [m]', 'forward [m]', legend=True)
    return _svg(figure)


def map_chart(route: FloatArray, events: Sequence[tuple[str, float, float]]) -> str:
    """Draw a driven route with what went wrong on it, map frame.

    :param route: ``(N, 2)`` x [m], y [m]
    :param events: what, x [m], y [m]
    """
    figure, axes = _figure(3.0, 3.0, '')
    axes.plot(route[:, 0], route[:, 1], color=SERIES[0], lw=2.0, label='driven')
    axes.plot(*route[0], 'o', color=INK, ms=5, label='start')
    kinds = sorted({kind for kind, *_ in events})
    for number, kind in enumerate(kinds, 1):
        places = np.array([(x, y) for name, x, y in events if name == kind])
        axes.plot(
            places[:, 0], places[:, 1], 'X', color=SERIES[number % len(SERIES)], ms=8, label=kind
        )
    _make_square(axes, [route], is_turned=False)
    _finish(axes, 'x [m]', 'y [m]', legend=True)
    return _svg(figure)


def _make_square(axes: Any, paths: Sequence[FloatArray], *, is_turned: bool) -> None:
    """Show all with equal scales; turned: x upwards, y to the left."""
    axes.set_aspect('equal', adjustable='box')
    points = np.vstack(paths)
    across = [points[:, 0], points[:, 1]]
    middles = [(values.min() + values.max()) / 2.0 for values in across]
    reach = max(max(float(np.ptp(values)) for values in across) * 0.55, LEAST_VIEW_M / 2.0)
    if is_turned:
        axes.set_xlim(-middles[1] - reach, -middles[1] + reach)
        axes.set_ylim(middles[0] - reach, middles[0] + reach)
    else:
        axes.set_xlim(middles[0] - reach, middles[0] + reach)
        axes.set_ylim(middles[1] - reach, middles[1] + reach)


def _figure(width: float, height: float, title: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout='constrained')
    axes = figure.add_subplot()
    if title:
        axes.set_title(title, fontsize=10, color=INK)
    return figure, axes


def _finish(axes: Any, x_label: str, y_label: str, *, legend: bool) -> None:
    axes.set_xlabel(x_label, fontsize=9, color=INK)
    axes.set_ylabel(y_label, fontsize=9, color=INK)
    axes.tick_params(labelsize=8, color=FAINT, labelcolor=INK)
    axes.grid(color=FAINT, lw=0.5)
    axes.set_axisbelow(True)
    axes.set_facecolor('none')
    for name, spine in axes.spines.items():
        spine.set_color(FAINT)
        spine.set_visible(name in ('left', 'bottom'))
    if legend:
        _legend(axes)


def _legend(axes: Any, **place: Any) -> None:
    axes.legend(fontsize=8, frameon=False, labelcolor=INK, **place)


def _svg(figure: Any) -> str:
    import matplotlib as mpl

    file = io.StringIO()
    with mpl.rc_context(
        {'svg.fonttype': 'none', 'svg.hashsalt': _next_salt(), 'font.family': 'sans-serif'}
    ):
        figure.savefig(file, format='svg', transparent=True, metadata={'Date': None})
    text = _METADATA.sub('', _PREAMBLE.sub('', file.getvalue()))
    text = _GROUP_ID.sub('<g', text)  # the same in every chart
    for stand_in, colour in _COLOURS.items():
        text = text.replace(stand_in, colour)
    return text


_salts = iter(range(10**9))


def _next_salt() -> str:
    """Ids must differ between the charts of a page."""
    return str(next(_salts))
