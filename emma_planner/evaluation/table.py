"""The closing table of a run as plain text, at most 100 columns wide.

In: summaries of the planner and of the baselines, plan counts, latencies. Out: a string. A figure
that no sample supports is a dash. Knows no terminal and no file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from emma_planner.evaluation.counts import Tally, TickCounts
from emma_planner.evaluation.metrics import (
    GROSS_M,
    HORIZONS_S,
    MISS_M,
    Percentiles,
    Summary,
)
from emma_planner.intervals import Figure

WIDTH = 100
NAME_WIDTH = 22
_CONVENTIONS = ('at_horizon', 'averaged', 'window')
_GAP = '  '
_LEGEND = (
    'at horizon: at that instant; averaged: mean up to it; window: mean over the second before it',
    'every trajectory that a planner gave is scored, a rejected one too',
)


def closing_table(
    planners: Sequence[tuple[str, Summary]],
    baselines: Sequence[tuple[str, Summary]],
    *,
    counts: TickCounts | None = None,
    words: Sequence[tuple[str, Figure]] = (),
    latencies: Sequence[tuple[str, Percentiles]] = (),
) -> str:
    """Format the results of a run.

    :param planners: (name, summary) of what was run
    :param baselines: the same for the kinematic baselines; the best by ADE gets a star
    :param counts: how the ticks ended
    :param words: (name, share) of what was said
    :param latencies: (stage, percentiles) in the order to print
    :returns: lines of at most 100 columns, without a newline at the end
    """
    best = _best(baselines)
    rows = [(name, summary) for name, summary in planners]
    rows += [
        (f'{_shorten(name, NAME_WIDTH - 2)} *' if index == best else name, summary)
        for index, (name, summary) in enumerate(baselines)
    ]
    parts = [_l2_lines(rows), _overall_lines(rows, best is not None)] if rows else []
    if counts is not None:
        parts.append(_count_lines(counts))
    if any(math.isfinite(figure.mean) for _, figure in words):
        parts.append(_word_lines(words))
    if latencies:
        parts.append(_latency_lines(latencies))
    return '\n\n'.join('\n'.join(lines) for lines in parts)


def _best(baselines: Sequence[tuple[str, Summary]]) -> int | None:
    """Index of the baseline with the lowest ADE, None when none was scored."""
    scored = [
        (summary.ade.mean, index)
        for index, (_, summary) in enumerate(baselines)
        if math.isfinite(summary.ade.mean)
    ]
    return min(scored)[1] if scored else None


def _l2_lines(rows: Sequence[tuple[str, Summary]]) -> list[str]:
    names = [convention.replace('_', ' ') for convention in _CONVENTIONS]
    group = 6 * len(HORIZONS_S)
    heads = ''.join(_GAP + '  ' + f' {name} '.center(group - 2, '-') for name in names)
    seconds = ''.join(f'{horizon} s'.rjust(6) for horizon in HORIZONS_S)
    lines = ['L2 [m]'.ljust(NAME_WIDTH) + heads, ' ' * NAME_WIDTH + (_GAP + seconds) * len(names)]
    for name, summary in rows:
        cells = [
            _GAP + ''.join(_metres(figure).rjust(6) for figure in getattr(summary, convention))
            for convention in _CONVENTIONS
        ]
        lines.append(_shorten(name, NAME_WIDTH).ljust(NAME_WIDTH) + ''.join(cells))
    return [line.rstrip() for line in lines]


def _overall_lines(rows: Sequence[tuple[str, Summary]], starred: bool) -> list[str]:
    heads = ('ADE [m] (95 %)', 'FDE [m] (95 %)', f'FDE > {MISS_M:g} m', f'> {GROSS_M:g} m in 1 s')
    lines = [_overall_row('overall', heads, 'scored')]
    for name, summary in rows:
        cells = (
            _with_interval(summary.ade),
            _with_interval(summary.fde),
            _percent(summary.miss_rate),
            _percent(summary.gross_failure_rate),
        )
        lines.append(_overall_row(name, cells, f'{summary.num_scored}/{summary.n}'))
    lines += _left_out(rows)
    if starred:
        lines.append('* best baseline (lowest ADE)')
    return [*lines, *_LEGEND]


def _overall_row(name: str, cells: Sequence[str], scored: str) -> str:
    first, second, miss, gross = cells
    row = _shorten(name, NAME_WIDTH).ljust(NAME_WIDTH) + first.rjust(20) + second.rjust(20)
    return f'{row}{miss.rjust(11)}{gross.rjust(15)}{scored.rjust(12)}'


def _left_out(rows: Sequence[tuple[str, Summary]]) -> list[str]:
    """What is not behind the figures of the rows, said once where it is the same for all."""
    said = [_left_out_of(summary) for _, summary in rows]
    if len(rows) > 1 and len(set(said)) == 1:
        return [f'all: {said[0]}'] if said[0] else []
    return [
        f'{_shorten(name, NAME_WIDTH)}: {line}'
        for (name, _), line in zip(rows, said, strict=True)
        if line
    ]


def _left_out_of(summary: Summary) -> str:
    parts = [
        (summary.num_unplanned, 'without a trajectory'),
        (summary.num_not_scorable, 'without ground truth'),
        (summary.num_short, 'scored to the end of a shorter recording'),
    ]
    return ', '.join(f'{number} {what}' for number, what in parts if number)


def _count_lines(counts: TickCounts) -> list[str]:
    missed = f', {counts.missed} more missed while the model was busy' if counts.missed else ''
    rejected = counts.plans - counts.valid
    return [
        _count_row('ticks', counts.ticks, missed.removeprefix(', ')),
        _count_row('no input', counts.ticks - counts.plans, _listed(counts.no_input)),
        _count_row('plans', counts.plans),
        _count_row('  valid', counts.valid, _share(counts.valid, counts.plans)),
        _count_row('  rejected', rejected, _listed(counts.rejected)),
        f'{"driven".ljust(NAME_WIDTH)}{" " * 8}   {_listed(counts.driven)}'.rstrip(),
    ]


def _count_row(name: str, count: int, note: str = '') -> str:
    return f'{name.ljust(NAME_WIDTH)}{count:8d}   {note}'.rstrip()


def _listed(tally: Tally) -> str:
    said = ', '.join(f'{_shorten(name, NAME_WIDTH)} {count}' for name, count in tally)
    room = WIDTH - NAME_WIDTH - 11
    return said if len(said) <= room else said[: room - 1] + '…'


def _word_lines(words: Sequence[tuple[str, Figure]]) -> list[str]:
    lines = ['said rightly'.ljust(NAME_WIDTH) + ''.join(name.rjust(18) for name, _ in words)]
    lines.append(' ' * NAME_WIDTH + ''.join(_share_of(figure).rjust(18) for _, figure in words))
    return lines


def _share_of(figure: Figure) -> str:
    """As 96.5 (94.1-98.2) %."""
    if not math.isfinite(figure.mean):
        return '-'
    mean, low, high = (100.0 * value for value in (figure.mean, figure.low, figure.high))
    return f'{mean:.1f} ({low:.0f}-{high:.0f}) %' if math.isfinite(low) else f'{mean:.1f} %'


def _latency_lines(latencies: Sequence[tuple[str, Percentiles]]) -> list[str]:
    heads = ''.join(head.rjust(10) for head in ('p50', 'p95', 'p99', 'plans'))
    lines = ['latency [ms]'.ljust(NAME_WIDTH) + heads]
    for stage, latency in latencies:
        values = (latency.p50_ms, latency.p95_ms, latency.p99_ms)
        cells = ''.join(_milliseconds(value).rjust(10) for value in values)
        name = _shorten(stage, NAME_WIDTH).ljust(NAME_WIDTH)
        lines.append(f'{name}{cells}{str(latency.n).rjust(10)}')
    return lines


def _metres(figure: Figure) -> str:
    return _number(figure.mean)


def _number(value: float) -> str:
    """At most 5 characters: 0.39, 12.3, 1234, 1e+06."""
    if not math.isfinite(value):
        return '-'
    for digits in (2, 1, 0):
        text = f'{value:.{digits}f}'
        if len(text) <= 5:
            return text
    return f'{value:.0e}'


def _with_interval(figure: Figure) -> str:
    if not math.isfinite(figure.mean):
        return '-'
    if not math.isfinite(figure.low):
        return _number(figure.mean)
    return f'{_number(figure.mean)} ({_number(figure.low)}-{_number(figure.high)})'


def _percent(figure: Figure) -> str:
    return f'{100.0 * figure.mean:.1f} %' if math.isfinite(figure.mean) else '-'


def _share(part: int, whole: int) -> str:
    return f'{100.0 * part / whole:.1f} %' if whole else ''


def _milliseconds(value: float) -> str:
    if not math.isfinite(value):
        return '-'
    return f'{value:.1f}' if value < 1e6 else f'{value:.1e}'


def _shorten(text: str, width: int) -> str:
    """Text of at most this width, the middle left out: ends tell models and folders apart."""
    text = ' '.join(text.split())
    if len(text) <= width:
        return text
    tail = (width - 2) // 2
    return f'{text[: width - 2 - tail]}..{text[-tail:]}'
