"""The folder of a run of drives: scores.json beside one folder a drive."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from emma_planner.simulation.scoring.score_summary import ScoreSummary, summary_to_json

SCORES = 'scores.json'
DRIVE_NAME = re.compile(r'(train|val|test)-\d+')
"""Folders of drives, and nothing else, are removed."""


class OutFolderError(Exception):
    """The output folder cannot be used."""


def clear_out_folder(folder: Path, *, overwrite: bool) -> None:
    """Remove results of an earlier run, where that is wanted.

    :raises OutFolderError: there are some, and they are not to be overwritten
    """
    drives = [path for path in sorted(folder.glob('*-*')) if DRIVE_NAME.fullmatch(path.name)]
    if not (folder / SCORES).exists() and not drives:
        return
    if not overwrite:
        raise OutFolderError(
            f'{folder}: need a folder without results, got some; name another one or say overwrite'
        )
    for path in drives:
        shutil.rmtree(path)
    (folder / SCORES).unlink(missing_ok=True)


def write_scores(
    folder: Path,
    summary: ScoreSummary,
    *,
    split: str,
    density: float | None,
    latency_s: float | None,
    config_hash: str,
    complete: bool,
) -> None:
    """Write what was driven and how it was scored.

    :param density: traffic density where it is not each scenario's own
    :param latency_s: None for what each plan took
    :param complete: all drives that were asked for are in it
    """
    about = {
        'planner': summary.drives[0].planner,
        'split': split,
        'density': density,
        'latency_s': 'measured' if latency_s is None else latency_s,
        'config_hash': config_hash,
        'complete': complete,
    }
    text = json.dumps({**about, **summary_to_json(summary)}, indent=2, allow_nan=False)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SCORES).write_text(text + '\n', encoding='utf-8')
