"""What a report is made from: folders of runs, of ablations and of drives."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emma_planner.evaluation.open_loop import Scores, score
from emma_planner.evaluation.predictions import Prediction, PredictionError
from emma_planner.intervals import Figure
from emma_planner.runs.run_folder import ABLATIONS, RUN, SALIENCY, is_run, read_run
from emma_planner.simulation.scoring.score_files import SCORES

DRIVE_FIGURES = (
    ('driving_score', 'driving score', 1.0, ''),
    ('success_rate', 'success', 100.0, ' %'),
    ('route_completion', 'route completion', 1.0, ' %'),
    ('off_road_rate', 'drives off the road', 100.0, ' %'),
    ('collisions_per_km', 'collisions per km', 1.0, ''),
)
"""Key in scores.json, name, factor to the unit."""

_SEVERITY = re.compile(r'(\w+):(\d+)')
_ATTACK = re.compile(r'attack=(\w+)\+attack_size=(\d+)')

VARIANT_FIGURES = (('ade_m', 'ADE [m]', 2), ('driving_score', 'driving score', 1))
"""Key in ablations.json, name, digits that are told."""


class ReportError(Exception):
    """A report cannot be made; the message says what was needed and found."""


@dataclass(frozen=True, eq=False)
class Run:
    """An open-loop run.

    :param about: of its run.json
    """

    folder: Path
    name: str
    about: dict[str, Any]
    predictions: list[Prediction]
    scores: Scores


@dataclass(frozen=True, eq=False)
class Drives:
    """A run of drives: scores.json."""

    folder: Path
    scores: dict[str, Any]

    def figures(self) -> list[tuple[str, Figure, str]]:
        """Name, figure and unit of what is told of drives."""
        found = []
        for key, name, factor, unit in DRIVE_FIGURES:
            low, high = self.scores['intervals'][key]
            mean, low, high = (
                math.nan if value is None else factor * value
                for value in (self.scores[key], low, high)
            )
            found.append((name, Figure(mean, low, high, self.scores['num_drives']), unit))
        return found


@dataclass(frozen=True, eq=False)
class Ablation:
    """Variants of a run: ablations.json."""

    folder: Path
    base: dict[str, Any]
    variants: list[dict[str, Any]]

    @property
    def planner(self) -> str:
        """Name of the planner."""
        return str(self.base['planner']['name']) if self.base['planner'] else 'base'

    def start(self, key: str) -> float | None:
        """Return a figure of the planner as it is, None where it was not measured.

        :param key: ``ade_m`` or ``driving_score``
        """
        values = self.base['planner'] and self.base['planner']['ade_m']
        if key == 'driving_score':
            values = self.base['driving_score']
        return float(values['mean']) if values else None

    def best_baseline(self) -> tuple[str, float] | None:
        """Return name and ADE [m] of the kinematic baseline with the least."""
        errors = {
            name: float(summary['ade_m']['mean'])
            for name, summary in self.base['baselines'].items()
        }
        return min(errors.items(), key=lambda item: item[1], default=None)

    def plain(self) -> list[dict[str, Any]]:
        """Return variants that are there or not."""
        return [row for row in self.variants if _degree(row['name']) is None]

    def severities(self) -> dict[str, dict[int, dict[str, Any]]]:
        """Return variants that come in degrees, by name and severity."""
        found: dict[str, dict[int, dict[str, Any]]] = {}
        for row in self.variants:
            if degree := _degree(row['name']):
                name, level = degree
                found.setdefault(name, {})[level] = row
        return {name: dict(sorted(rows.items())) for name, rows in found.items()}


def _degree(variant: str) -> tuple[str, int] | None:
    """Name and severity of a fault, name and size of an attack, or None."""
    if found := _SEVERITY.fullmatch(variant):
        return found[1].replace('_', ' '), int(found[2])
    if found := _ATTACK.fullmatch(variant):
        return f'{found[1].upper()}, of 255', int(found[2])
    return None


@dataclass(frozen=True, eq=False)
class Saliency:
    """Pictures of where a planner looks: saliency.json."""

    folder: Path
    planner: str
    pictures: list[dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Results:
    """All that goes into a report."""

    runs: list[Run]
    drives: list[Drives]
    ablations: list[Ablation]
    saliency: list[Saliency]


def read_results(folders: list[Path], seed: int = 0) -> Results:
    """Read folders of any kind.

    :raises ReportError: one is none of a run, of ablations or of drives, or is empty
    """
    results = Results([], [], [], [])
    for folder in folders:
        if is_run(folder):
            results.runs.append(_run(folder, seed))
        elif (folder / ABLATIONS).is_file():
            values = _json(folder / ABLATIONS)
            results.ablations.append(Ablation(folder, values['base'], values['variants']))
        elif (folder / SALIENCY).is_file():
            values = _json(folder / SALIENCY)
            results.saliency.append(Saliency(folder, values['planner'], values['pictures']))
        elif (folder / SCORES).is_file():
            results.drives.append(Drives(folder, _json(folder / SCORES)))
        else:
            raise ReportError(
                f'{folder}: need a folder of emma evaluate, ablate, saliency or drive, got none '
                f'of {RUN}, {ABLATIONS}, {SALIENCY}, {SCORES}'
            )
    return results


def _run(folder: Path, seed: int) -> Run:
    try:
        name, predictions = read_run(folder)
    except PredictionError as err:
        raise ReportError(str(err)) from err
    if not predictions:
        raise ReportError(f'{folder}: need a scene at least, got none')
    about = _json(folder / RUN)
    return Run(folder, name, about, predictions, score(predictions, name, seed=seed))


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as err:
        raise ReportError(f'{path}: need JSON, got {err}') from err
    if not isinstance(values, dict):
        raise ReportError(f'{path}: need an object, got {type(values).__name__}')
    return values
