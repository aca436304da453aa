"""The closing table is complete, aligned and narrow enough."""

from __future__ import annotations

import numpy as np
import pytest

from emma_planner.evaluation import metrics
from emma_planner.evaluation.counts import TickCounts
from emma_planner.evaluation.table import NAME_WIDTH, WIDTH, closing_table


def _summary(distance: float, num: int = 5, **options: object) -> metrics.Summary:
    truth = np.zeros((num, 10, 2))
    return metrics.summarise(truth + np.array([distance, 0.0]), truth, **options)  # type: ignore[arg-type]


def _row(table: str, name: str, block: int = 0) -> list[str]:
    lines = [line for line in table.splitlines() if line.startswith(name)]
    return lines[block][NAME_WIDTH:].split()


BASELINES = [
    ('constant-action', _summary(1.1)),
    ('constant-velocity', _summary(2.5)),
    ('half-acceleration', _summary(0.9)),
]
COUNTS = TickCounts(
    ticks=14,
    missed=2,
    no_input=(('short_history', 4),),
    rejected=(('timeout', 2), ('format', 1)),
    driven=(('plan', 7), ('stop', 7)),
)
LATENCIES = [('total', metrics.percentiles(np.arange(101.0))), ('reason', metrics.percentiles([]))]


def _table() -> str:
    return closing_table(
        [('mllm', _summary(1.25, num_unplanned=3))], BASELINES, counts=COUNTS, latencies=LATENCIES
    )


def test_rows_hold_the_three_conventions_at_four_horizons():
    errors = np.zeros((1, 10, 2))
    predicted = errors.copy()
    predicted[0, :, 0] = 0.5 * np.arange(1, 11)
    table = closing_table([('grow', metrics.summarise(predicted, errors))], [])
    row = ' '.join(_row(table, 'grow'))
    assert row == '1.00 2.00 3.00 5.00 0.75 1.25 1.75 2.75 0.75 1.75 2.75 4.75'
    first = table.splitlines()[0]
    positions = [first.index(name) for name in ('at horizon', 'averaged', 'window')]
    assert positions == sorted(positions)


def test_best_baseline_and_only_it_has_a_star():
    table = _table()
    starred = [line for line in table.splitlines() if line[:NAME_WIDTH].rstrip().endswith(' *')]
    assert len(starred) == 2  # once in either block
    assert all(line.startswith('half-acceleration *') for line in starred)
    assert '* best baseline (lowest ADE)' in table


def test_baselines_that_were_not_scored_have_no_star():
    empty = metrics.summarise([], [])
    assert '*' not in closing_table([('mllm', _summary(1.0))], [('constant-action', empty)])


def test_planner_is_never_marked_as_a_baseline():
    table = closing_table([('mllm', _summary(0.1))], BASELINES)
    assert 'mllm *' not in table


def test_counts_and_failures_by_reason_are_in_the_table():
    table = _table()
    missed = '14 2 more missed while the model was busy'
    assert _row(table, 'ticks') == missed.split()
    assert _row(table, 'no input') == ['4', 'short_history', '4']
    assert _row(table, 'plans') == ['10']
    assert _row(table, '  valid') == ['7', '70.0', '%']
    assert _row(table, '  rejected') == ['3', 'timeout', '2,', 'format', '1']
    assert _row(table, 'driven') == ['plan', '7,', 'stop', '7']


def test_samples_behind_no_figure_are_named():
    table = _table()
    assert 'mllm: 3 without a trajectory' in table
    assert _row(table, 'mllm', block=1)[-1] == '5/8'


def test_latency_percentiles_are_in_the_table_and_a_dash_where_none():
    table = _table()
    assert _row(table, 'total') == ['50.0', '95.0', '99.0', '101']
    assert _row(table, 'reason') == ['-', '-', '-', '0']


def test_empty_summary_is_all_dashes():
    table = closing_table([('mllm', metrics.summarise([], []))], [])
    assert _row(table, 'mllm') == ['-'] * 12
    assert 'nan' not in table


def test_nothing_to_say_is_an_empty_string():
    assert closing_table([], []) == ''


@pytest.mark.parametrize('distance', [0.0, 0.004, 9.996, 99.95, 999.6, 1e5, 1e12])
def test_no_line_is_wider_than_the_terminal_and_columns_stay_apart(distance):
    name = 'a/very/long/model/folder/with-a-name-that-never-ends'
    rng = np.random.default_rng(0)
    truth = np.zeros((20, 10, 2))
    predicted = truth + distance * rng.uniform(0.5, 1.5, (20, 10, 1))
    summary = metrics.summarise(predicted, truth, num_unplanned=10**6)
    table = closing_table(
        [(name, summary)],
        [(name, summary)],
        counts=TickCounts(10**7, 10**6, ((name, 10**6),), ((name, 10**6),) * 9),
        latencies=[(name, metrics.Percentiles(1e9, 1e9, 1e9, 10**8))],
    )
    assert max(map(len, table.splitlines())) <= WIDTH
    assert len(_row(table, 'a/very')) == 12


def test_columns_are_aligned_under_their_heads():
    lines = _table().splitlines()
    ends = {len(line) for line in lines[0:6]}
    assert len(ends) == 1
    overall = next(index for index, line in enumerate(lines) if line.startswith('overall'))
    assert len({len(line) for line in lines[overall : overall + 5]}) == 1


def test_a_long_name_keeps_its_beginning_and_its_end():
    table = closing_table([('qwen2-vl-2b-instruct-finetuned-2026', _summary(1.0))], [])
    assert 'qwen2-vl-2..' in table
    assert 'tuned-2026' in table
