"""The folder of a run of drives: scores.json beside one folder a drive.

The scores are written after each drive, so a run that was cut off goes on where it was.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emma_planner.recordings.dataset import write_text
from emma_planner.simulation.scoring.score_summary import (
    ScoreSummary,
    drive_from_json,
    summary_to_json,
)
from emma_planner.simulation.scoring.scores import DriveScores

SCORES = 'scores.json'
DRIVE_NAME = re.compile(r'(train|val|test)-\d+')
"""Folders of drives, and nothing else, are removed."""
MEASURED = 'measured'


class OutFolderError(Exception):
    """The output folder cannot be used."""


@dataclass(frozen=True)
class DriveSettings:
    """What a run of drives is of: drives of other settings are not mixed with its own.

    :param density: traffic density where it is not each scenario's own
    :param latency_s: simulated time from image to path, None for what each plan took
    :param driver: an expert, or empty for the planner of the configuration
    :param time_limit_s: of a drive where it is not the scenario's own
    :param camera: width and height of its pictures [px], None for the usual
    """

    split: str
    density: float | None
    latency_s: float | None
    config_hash: str
    driver: str = ''
    time_limit_s: float | None = None
    camera: tuple[int, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``scores.json``."""
        return {
            **asdict(self),
            'latency_s': MEASURED if self.latency_s is None else self.latency_s,
            'camera': None if self.camera is None else list(self.camera),
        }


def clear_out_folder(folder: Path, *, overwrite: bool) -> None:
    """Remove results of an earlier run, where that is wanted.

    :raises OutFolderError: there are some, and they are not to be overwritten
    """
    drives = [path for path in sorted(folder.glob('*-*')) if DRIVE_NAME.fullmatch(path.name)]
    if not (folder / SCORES).exists() and not drives:
        return
    if not overwrite:
        raise _taken(folder)
    for path in drives:
        shutil.rmtree(path)
    (folder / SCORES).unlink(missing_ok=True)


def begin_drives(
    folder: Path, settings: DriveSettings, scenarios: Collection[str], *, overwrite: bool
) -> list[DriveScores]:
    """Begin a run of drives, or go on with the same one.

    :param scenarios: names of what is to be driven; what is left of a drive of one of them that
        did not come to its end is removed
    :returns: scores of the drives that are there, in all those of the folder
    :raises OutFolderError: results of another run are there, or of this one and all of it; the
        scores cannot be read
    """
    if overwrite or not (folder / SCORES).exists():
        clear_out_folder(folder, overwrite=overwrite)
        return []
    path, wanted = folder / SCORES, settings.to_json()
    try:
        there = json.loads(path.read_text(encoding='utf-8'))
        differs = [key for key in wanted if there.get(key) != wanted[key]]
        drives = [] if differs else [drive_from_json(values) for values in there['drives']]
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as err:
        raise OutFolderError(f'{path}: need scores of drives, got {err!r}') from err
    if differs:
        raise OutFolderError(
            f'{folder}: need the drives that were begun here, got another {", ".join(differs)}; '
            'name another folder or say overwrite'
        )
    kept = [drive for drive in drives if drive.is_over]
    left = set(scenarios) - {drive.scenario for drive in kept}
    if not left:
        raise _taken(folder)
    for name in left:
        shutil.rmtree(folder / name, ignore_errors=True)
    return kept


def write_scores(
    folder: Path, summary: ScoreSummary, settings: DriveSettings, *, complete: bool
) -> None:
    """Write what was driven and how it was scored; a file that is there is replaced in one go.

    :param complete: all drives that were asked for are in it
    """
    about = {
        'planner': summary.drives[0].planner,
        **settings.to_json(),
        'complete': complete,
    }
    text = json.dumps({**about, **summary_to_json(summary)}, indent=2, allow_nan=False)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / SCORES, text + '\n')


def _taken(folder: Path) -> OutFolderError:
    return OutFolderError(
        f'{folder}: need a folder without results, got some; name another one or say overwrite'
    )
