"""The state of a training run on disk: whole or not there, the newest one is gone on from."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from emma_planner.recordings.dataset import write_json
from emma_planner.training.train_config import TrainConfig, TrainError

RUN, STATES, MODEL = 'run.json', 'states', 'model'


def begin_run(folder: Path, config: TrainConfig, facts: dict[str, Any]) -> None:
    """Make the folder of a run, or check that it is this run's.

    :raises TrainError: it is another run's
    """
    path = folder / RUN
    if path.exists():
        there = json.loads(path.read_text(encoding='utf-8')).get('config_hash')
        if there != config.hash():
            raise TrainError(
                f'{folder}: need the run that was begun here ({there}), got other parameters '
                f'({config.hash()}); name another folder'
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, {'config_hash': config.hash(), **facts})


def newest_state(folder: Path) -> tuple[int, Path] | None:
    """Return the last whole state: steps done, and its folder."""
    states = sorted((folder / STATES).glob('step-*'))
    return (int(states[-1].name.removeprefix('step-')), states[-1]) if states else None


def publish_state(aside: Path, folder: Path, step: int) -> None:
    """Rename a state into place, then drop older ones."""
    for path in aside.rglob('*'):
        if path.is_file():
            with path.open('rb') as file:
                os.fsync(file.fileno())
    states = folder / STATES
    states.mkdir(exist_ok=True)
    target = states / f'step-{step:08d}'
    shutil.rmtree(target, ignore_errors=True)
    aside.rename(target)
    for old in sorted(states.glob('step-*'))[:-1]:
        shutil.rmtree(old)
