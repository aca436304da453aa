"""A run of drives goes on where it was cut off, and mixes no drives of other settings."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from simulation.drives_by_hand import record

from emma_planner.simulation.drive import End
from emma_planner.simulation.scoring.score_files import (
    SCORES,
    DriveSettings,
    OutFolderError,
    begin_drives,
    write_scores,
)
from emma_planner.simulation.scoring.score_summary import summarise
from emma_planner.simulation.scoring.scores import score_drive

SETTINGS = DriveSettings('val', 0.1, None, 'abc', 'expert', 6.0, (640, 360))
NAMES = ('val-000', 'val-001', 'val-002')


def _write(folder, *names, complete=False, **changes):
    drives = [score_drive(record(name=name, **changes)) for name in names]
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_scores(folder, summarise(drives), SETTINGS, complete=complete)
    return drives


def test_a_new_folder_holds_no_drives(tmp_path):
    assert begin_drives(tmp_path / 'new', SETTINGS, NAMES, overwrite=False) == []


def test_drives_that_are_there_are_kept_and_what_is_half_done_is_removed(tmp_path):
    drives = _write(tmp_path, *NAMES[:2])
    (tmp_path / NAMES[2] / 'drive').mkdir(parents=True)
    assert begin_drives(tmp_path, SETTINGS, NAMES, overwrite=False) == drives
    assert (tmp_path / NAMES[0]).exists()
    assert not (tmp_path / NAMES[2]).exists()


def test_an_interrupted_drive_is_driven_again(tmp_path):
    _write(tmp_path, NAMES[0], end=End.INTERRUPTED)
    assert begin_drives(tmp_path, SETTINGS, NAMES, overwrite=False) == []
    assert not (tmp_path / NAMES[0]).exists()


def test_a_run_can_be_made_longer_and_keeps_what_it_has(tmp_path):
    drives = _write(tmp_path, *NAMES[:2], complete=True)
    assert begin_drives(tmp_path, SETTINGS, NAMES[1:], overwrite=False) == drives
    assert (tmp_path / NAMES[0]).exists()


def test_a_run_that_is_whole_is_kept_unless_told_otherwise(tmp_path):
    _write(tmp_path, *NAMES, complete=True)
    with pytest.raises(OutFolderError, match='need a folder without results'):
        begin_drives(tmp_path, SETTINGS, NAMES, overwrite=False)
    assert (tmp_path / SCORES).exists()
    assert begin_drives(tmp_path, SETTINGS, NAMES, overwrite=True) == []
    assert not (tmp_path / SCORES).exists()


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        ({'split': 'test'}, 'split'),
        ({'density': None}, 'density'),
        ({'latency_s': 0.2}, 'latency_s'),
        ({'config_hash': 'other'}, 'config_hash'),
        ({'driver': ''}, 'driver'),
        ({'time_limit_s': None}, 'time_limit_s'),
        ({'camera': (448, 252)}, 'camera'),
    ],
)
def test_drives_of_other_settings_are_not_mixed(tmp_path, change, named):
    _write(tmp_path, NAMES[0])
    with pytest.raises(OutFolderError, match=f'got another {named}; name another folder'):
        begin_drives(tmp_path, replace(SETTINGS, **change), NAMES, overwrite=False)
    assert (tmp_path / NAMES[0]).exists()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{"drives"', 'need scores of drives, got JSONDecodeError'),
        ('[]', "need scores of drives, got .*'list'"),
        ('{}', 'got another split, density'),
    ],
)
def test_scores_that_cannot_be_read_are_named_and_kept(tmp_path, text, message):
    (tmp_path / SCORES).write_text(text)
    with pytest.raises(OutFolderError, match=message):
        begin_drives(tmp_path, SETTINGS, NAMES, overwrite=False)
    assert (tmp_path / SCORES).read_text() == text


@pytest.mark.parametrize('missing', ['pdm', 'events', 'seconds'])
def test_scores_that_lack_something_are_named(tmp_path, missing):
    _write(tmp_path, NAMES[0])
    values = json.loads((tmp_path / SCORES).read_text())
    del values['drives'][0][missing]
    (tmp_path / SCORES).write_text(json.dumps(values))
    with pytest.raises(OutFolderError, match=f'need scores of drives, got .*{missing}'):
        begin_drives(tmp_path, SETTINGS, NAMES, overwrite=False)
