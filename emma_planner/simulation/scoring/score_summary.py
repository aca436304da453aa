"""Scores over many drives: means and events per kilometre with intervals over scenarios.

Scores of single drives in, figures and plain values for ``scores.json`` out. The order of the
drives does not matter. Knows no formula of a score and no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emma_planner.intervals import (
    Figure,
    figure_to_json,
    finite_or_none,
    mean_figures,
    ratio_figures,
)
from emma_planner.planning.types import FloatArray
from emma_planner.simulation.drive import End, Infraction, InfractionKind
from emma_planner.simulation.scoring.scores import LABEL, DriveScores, PdmTerms


@dataclass(frozen=True)
class InfractionFigure:
    """How often one class of infraction happened.

    :param per_km: over all that was driven
    """

    kind: InfractionKind
    count: int
    per_km: Figure


@dataclass(frozen=True)
class ScoreSummary:
    """Scores of a set of drives; scores are 0 to 100, rates and terms 0 to 1.

    Means are over drives; what is per kilometre is a sum over all drives by the distance of all.
    Fields named as those of :class:`~emma_planner.simulation.scoring.scores.DriveScores` are
    their means.

    :param drives: by name of the scenario
    :param seconds: simulated time of all drives [s]
    :param driven_km: distance of all drives
    :param success_rate: share of drives that succeeded
    :param off_road_rate: share of drives that left the drivable surface
    :param infractions: every class, in their order
    """

    drives: tuple[DriveScores, ...]
    seconds: float
    driven_km: float
    driving_score: Figure
    driving_score_2_1: Figure
    bench2drive_score: Figure
    success_rate: Figure
    route_completion: Figure
    off_road_rate: Figure
    off_lane: Figure
    comfort: Figure
    pdm_score: Figure
    pdm_no_collision: Figure
    pdm_drivable_area: Figure
    pdm_time_to_collision: Figure
    pdm_comfort: Figure
    pdm_progress: Figure
    alpasim_score: Figure
    collisions_per_km: Figure
    collisions_at_fault_per_km: Figure
    infractions: tuple[InfractionFigure, ...]


def summarise(drives: Sequence[DriveScores], *, seed: int = 0) -> ScoreSummary:
    """Summarise drives; intervals draw whole scenarios with replacement.

    :param seed: of the bootstrap
    :raises ValueError: no drives
    """
    if not drives:
        raise ValueError('need at least one drive to summarise, got none')
    ordered = sorted(drives, key=lambda drive: (drive.scenario, drive.planner, drive.seconds))
    scenes = [drive.scenario for drive in ordered]
    values = [list(_means(drive).values()) for drive in ordered]
    means = mean_figures(np.array(values), scenes, seed=seed)
    distance = np.array([drive.driven_km for drive in ordered])
    counts = np.array([_counts(drive) for drive in ordered], dtype=np.float64)
    collisions, at_fault, *rates = ratio_figures(counts, distance, scenes, seed=seed)
    return ScoreSummary(
        drives=tuple(ordered),
        seconds=float(sum(drive.seconds for drive in ordered)),
        driven_km=float(distance.sum()),
        collisions_per_km=collisions,
        collisions_at_fault_per_km=at_fault,
        infractions=_infractions(counts, rates),
        **dict(zip(_means(ordered[0]), means, strict=True)),
    )


def summary_to_json(summary: ScoreSummary) -> dict[str, Any]:
    """Plain values for ``scores.json``; None for what no drive supports, never NaN.

    Means stand at the top, their intervals under ``intervals`` by the same names.
    """
    figures = {name: value for name, value in vars(summary).items() if isinstance(value, Figure)}
    return {
        'label': LABEL,
        'num_drives': len(summary.drives),
        'seconds': summary.seconds,
        'driven_km': summary.driven_km,
        **{name: finite_or_none(figure.mean) for name, figure in figures.items()},
        'intervals': {
            name: [finite_or_none(figure.low), finite_or_none(figure.high)]
            for name, figure in figures.items()
        },
        'infractions': {
            entry.kind.value: {'count': entry.count, 'per_km': figure_to_json(entry.per_km)}
            for entry in summary.infractions
        },
        'drives': [drive_to_json(drive) for drive in summary.drives],
    }


def drive_to_json(drive: DriveScores) -> dict[str, Any]:
    """Plain values of one drive."""
    return {
        **vars(drive),
        'end': drive.end.value,
        'pdm': {'score': drive.pdm.score, **vars(drive.pdm)},
        'speed_percents': list(drive.speed_percents),
        'infractions': {kind.value: count for kind, count in drive.infractions},
        'events': [{**vars(event), 'kind': event.kind.value} for event in drive.events],
    }


def drive_from_json(values: Mapping[str, Any]) -> DriveScores:
    """Read what :func:`drive_to_json` wrote.

    :raises KeyError: something is missing
    :raises TypeError: something is there that is none of it
    :raises ValueError: no such end or infraction
    """
    pdm = {name: value for name, value in values['pdm'].items() if name != 'score'}
    counts = ((InfractionKind(kind), count) for kind, count in values['infractions'].items())
    events = ({**event, 'kind': InfractionKind(event['kind'])} for event in values['events'])
    read = {
        'end': End(values['end']),
        'pdm': PdmTerms(**pdm),
        'speed_percents': tuple(values['speed_percents']),
        'infractions': tuple(counts),
        'events': tuple(Infraction(**event) for event in events),
    }
    return DriveScores(**{**values, **read})


def _means(drive: DriveScores) -> dict[str, float]:
    """What is averaged over drives, by the names of :class:`ScoreSummary`."""
    return {
        'driving_score': drive.driving_score,
        'driving_score_2_1': drive.driving_score_2_1,
        'bench2drive_score': drive.bench2drive_score,
        'success_rate': float(drive.success),
        'route_completion': drive.route_completion,
        'off_road_rate': float(drive.off_road),
        'off_lane': drive.off_lane,
        'comfort': drive.comfort,
        'pdm_score': drive.pdm.score,
        'pdm_no_collision': drive.pdm.no_collision,
        'pdm_drivable_area': drive.pdm.drivable_area,
        'pdm_time_to_collision': drive.pdm.time_to_collision,
        'pdm_comfort': drive.pdm.comfort,
        'pdm_progress': drive.pdm.progress,
        'alpasim_score': drive.alpasim_score,
    }


def _counts(drive: DriveScores) -> list[int]:
    """What is counted per kilometre: collisions, those at fault, then every class."""
    by_kind = dict(drive.infractions)
    classes = [by_kind.get(kind, 0) for kind in InfractionKind]
    return [drive.collisions, drive.collisions_at_fault, *classes]


def _infractions(counts: FloatArray, rates: list[Figure]) -> tuple[InfractionFigure, ...]:
    totals = counts.sum(axis=0)[2:]
    return tuple(
        InfractionFigure(kind, int(total), rate)
        for kind, total, rate in zip(InfractionKind, totals, rates, strict=True)
    )
