"""The table of scores is complete, aligned and narrow enough."""

from __future__ import annotations

import numpy as np
from simulation.drives_by_hand import record

from emma_planner.simulation.drive import DriveRecord, End, InfractionKind
from emma_planner.simulation.scoring.score_summary import summarise
from emma_planner.simulation.scoring.score_table import WIDTH, score_table
from emma_planner.simulation.scoring.scores import LABEL, score_drive


def _table(*records: DriveRecord) -> str:
    return score_table(summarise([score_drive(drive) for drive in records]))


def _drives() -> list[DriveRecord]:
    vehicle = InfractionKind.COLLISION_VEHICLE
    return [
        record(name='val-001'),
        record(vehicle, InfractionKind.RED_LIGHT, vehicle, name='val-000'),
        record(name='val-002', num=101, end=End.PLANNER_LOST),
    ]


def _line(table: str, name: str) -> str:
    (line,) = [line for line in table.splitlines() if line.startswith(name)]
    return ' '.join(line[len(name) :].split())


def test_every_drive_has_a_line_in_the_order_of_names():
    lines = _table(*_drives()).splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ['val-000', 'val-001', 'val-002']
    assert lines[4] == ''


def test_line_of_a_drive_holds_scores_end_and_infractions():
    table = _table(*_drives())
    scores = '25.2 35.7 25.2 0.0 100.0 no 20'
    assert _line(table, 'val-000') == f'{scores} arrived vehicle 2, red light'
    assert _line(table, 'val-001') == '100.0 100.0 100.0 100.0 100.0 yes 20 arrived -'
    assert _line(table, 'val-002').endswith(' 50.0 no 10 planner lost -')


def test_summary_has_means_intervals_and_the_label():
    table = _table(*_drives())
    assert _line(table, 'driving score, CARLA 2.0') == '58.4 25.2 - 100.0'
    assert _line(table, 'success [%]') == '33.3 0.0 - 100.0'
    assert _line(table, '3 drives, 0.5 km, 50 s') == 'mean 95 %'
    assert _line(table, 'vehicle').startswith('2 4.00 ')
    assert _line(table, 'collisions').startswith('2 4.00 ')
    assert LABEL in table


def test_classes_that_did_not_happen_have_no_line():
    assert 'stop sign' not in _table(*_drives())
    assert 'red light' not in _table(record())


def test_figures_without_support_are_dashes_and_one_scenario_has_no_interval():
    still = record(num=5, poses=np.zeros((5, 3)), route_s_m=np.zeros(5), end=End.BLOCKED)
    table = _table(still)
    assert _line(table, 'collisions') == '0 -'
    assert _line(table, 'driving score, CARLA 2.0') == '0.0'
    assert 'nan' not in table


def test_no_line_is_wider_than_the_terminal_and_columns_stay_apart():
    kinds = list(InfractionKind) * 12
    long = record(*kinds, name='a-scenario-with-a-name-that-never-ends', num=9999, end=End.TIMEOUT)
    table = _table(long, record(name='b'), *_drives())
    assert max(map(len, table.splitlines())) <= WIDTH
    assert '…' in table
    head, *rows = table.splitlines()[:6]
    column = head.index('end')
    assert all(row[column - 1] == ' ' != row[column] for row in rows)
    assert {row[: column - 2].rstrip()[-1].isdigit() for row in rows} == {True}
