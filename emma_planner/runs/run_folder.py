"""The folder of a run: what it is of, a file of predictions for each scene, metrics.

    OUT/run.json            sources, parameters
    OUT/scenes/00000-*.jsonl
    OUT/metrics.json

A scene's file is there whole or not at all, so a run that was cut off goes on where it was.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emma_planner.evaluation.predictions import Prediction, read_predictions
from emma_planner.recordings.dataset import write_json

RUN, SCENES, METRICS = 'run.json', 'scenes', 'metrics.json'
ABLATIONS, SALIENCY = 'ablations.json', 'saliency.json'
"""What emma ablate and emma saliency leave in their folders."""


class RunError(Exception):
    """The folder of a run cannot be used."""


def begin_run(folder: Path, about: Mapping[str, Any], *, overwrite: bool = False) -> None:
    """Begin a run, or go on with the same one.

    :param about: what the run is of
    :raises RunError: another run is there, or other files
    """
    path = folder / RUN
    about = json.loads(json.dumps(about))
    try:
        if overwrite and path.exists():
            shutil.rmtree(folder / SCENES, ignore_errors=True)
            (folder / METRICS).unlink(missing_ok=True)
            path.unlink()
        if path.exists():
            _check_same(folder, json.loads(path.read_text(encoding='utf-8')), about)
        elif folder.exists() and any(folder.iterdir()):
            raise RunError(f'{folder}: need an empty folder or that of a run, got other files')
        (folder / SCENES).mkdir(parents=True, exist_ok=True)
        write_json(path, about)
    except (OSError, ValueError) as err:
        raise RunError(f'{folder}: need a writable folder of a run, got {err}') from err


def scene_file(folder: Path, number: int, scene: str) -> Path:
    """Return the file of a scene."""
    plain = re.sub(r'[^A-Za-z0-9._-]+', '_', scene)[:80]
    return folder / SCENES / f'{number:05d}-{plain}.jsonl'


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run."""
    return (folder / RUN).is_file()


def read_run(folder: Path) -> tuple[str, list[Prediction]]:
    """Read all scenes that are there.

    :returns: name of the planner, and predictions in the order of the scenes
    :raises PredictionError: a file cannot be read
    """
    name, found = '', []
    for path in sorted((folder / SCENES).glob('*.jsonl')):
        planner, predictions = read_predictions(path)
        name = planner or name
        found += predictions
    return name, found


def _check_same(folder: Path, there: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    differs: Sequence[str] = sorted(
        key for key in {*there, *about} if there.get(key) != about.get(key)
    )
    if differs:
        raise RunError(
            f'{folder}: need the run that was begun here, got another {", ".join(differs)}; '
            'name another --out or give --overwrite'
        )
