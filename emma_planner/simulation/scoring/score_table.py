"""Scores as plain text, at most 100 columns wide: a line per drive, the summary below.

In: a summary. Out: a string. A figure that no drive supports is a dash. Knows no terminal.
"""

from __future__ import annotations

import math

from emma_planner.intervals import Figure
from emma_planner.simulation.drive import InfractionKind
from emma_planner.simulation.scoring.score_summary import ScoreSummary
from emma_planner.simulation.scoring.scores import LABEL, DriveScores

WIDTH = 100
NAME_WIDTH = 14
TITLE_WIDTH = 36
_HEADS = ('CARLA', '2.1', 'B2D', 'PDM', 'route %', 'success', 's')
_CELL_WIDTHS = (6, 6, 6, 6, 8, 8, 6)
_END_WIDTH = 15
_ROOM = WIDTH - NAME_WIDTH - sum(_CELL_WIDTHS) - _END_WIDTH


def score_table(summary: ScoreSummary) -> str:
    """Format a summary.

    :returns: lines of at most 100 columns, without a newline at the end
    """
    parts = [_drive_lines(summary), _overall_lines(summary), _infraction_lines(summary)]
    return '\n\n'.join('\n'.join(lines) for lines in parts)


def _drive_lines(summary: ScoreSummary) -> list[str]:
    lines = [_row('scenario', _HEADS, 'end', 'infractions')]
    for drive in summary.drives:
        cells = (
            _number(drive.driving_score),
            _number(drive.driving_score_2_1),
            _number(drive.bench2drive_score),
            _number(drive.pdm.score),
            _number(drive.route_completion),
            'yes' if drive.success else 'no',
            f'{drive.seconds:.0f}',
        )
        lines.append(
            _row(drive.scenario, cells, drive.end.value.replace('_', ' '), _listed(drive))
        )
    return lines


def _row(name: str, cells: tuple[str, ...], end: str, infractions: str) -> str:
    middle = ''.join(cell.rjust(width) for cell, width in zip(cells, _CELL_WIDTHS, strict=True))
    row = f'{_shorten(name, NAME_WIDTH).ljust(NAME_WIDTH)}{middle}{f"  {end}".ljust(_END_WIDTH)}'
    return f'{row}{_shorten(infractions, _ROOM)}'.rstrip()


def _listed(drive: DriveScores) -> str:
    said = [_short(kind) + (f' {count}' if count > 1 else '') for kind, count in drive.infractions]
    return ', '.join(said) or '-'


def _overall_lines(summary: ScoreSummary) -> list[str]:
    rows = (
        ('driving score, CARLA 2.0', summary.driving_score, 1.0),
        ('driving score, CARLA 2.1', summary.driving_score_2_1, 1.0),
        ('driving score, Bench2Drive (B2D)', summary.bench2drive_score, 1.0),
        ('success [%]', summary.success_rate, 100.0),
        ('route completion [%]', summary.route_completion, 1.0),
        ('drives off road [%]', summary.off_road_rate, 100.0),
        ('way outside the own lanes [%]', summary.off_lane, 1.0),
        ('comfortable time [%]', summary.comfort, 100.0),
        ('PDM score, NAVSIM', summary.pdm_score, 1.0),
        ('  no collision at fault [%]', summary.pdm_no_collision, 100.0),
        ('  drivable area [%]', summary.pdm_drivable_area, 100.0),
        ('  time to collision [%]', summary.pdm_time_to_collision, 100.0),
        ('  comfort [%]', summary.pdm_comfort, 100.0),
        ('  progress [%]', summary.pdm_progress, 100.0),
        ('scene score, alpasim', summary.alpasim_score, 1.0),
    )
    driven = f'{len(summary.drives)} drives, {summary.driven_km:.1f} km, {summary.seconds:.0f} s'
    return [
        f'{driven.ljust(TITLE_WIDTH)}{"mean".rjust(7)}   95 %',
        *(
            f'{title.ljust(TITLE_WIDTH)}{_with_interval(figure, scale, 1)}'
            for title, figure, scale in rows
        ),
        f'{LABEL}; intervals over scenarios',
    ]


def _infraction_lines(summary: ScoreSummary) -> list[str]:
    rows = [
        ('collisions', sum(drive.collisions for drive in summary.drives)),
        ('  at fault', sum(drive.collisions_at_fault for drive in summary.drives)),
    ]
    rates = [summary.collisions_per_km, summary.collisions_at_fault_per_km]
    happened = [entry for entry in summary.infractions if entry.count]
    rows += [(_short(entry.kind), entry.count) for entry in happened]
    rates += [entry.per_km for entry in happened]
    return [
        f'{"infractions".ljust(TITLE_WIDTH - 8)}{"count".rjust(8)}{"per km".rjust(7)}   95 %',
        *(
            f'{title.ljust(TITLE_WIDTH - 8)}{count:8d}{_with_interval(rate, 1.0, 2)}'
            for (title, count), rate in zip(rows, rates, strict=True)
        ),
    ]


def _short(kind: InfractionKind) -> str:
    return kind.value.removeprefix('collision_').replace('_', ' ')


def _with_interval(figure: Figure, scale: float, digits: int) -> str:
    mean, low, high = (scale * value for value in (figure.mean, figure.low, figure.high))
    said = f'{mean:.{digits}f}' if math.isfinite(mean) else '-'
    interval = f'   {low:.{digits}f} - {high:.{digits}f}' if math.isfinite(low) else ''
    return f'{said.rjust(7)}{interval}'


def _number(value: float) -> str:
    return f'{value:.1f}' if math.isfinite(value) else '-'


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + '…'
