"""How well one drive went, as the field scores driving.

A record of a drive in, scores out: CARLA leaderboard 2.0 and 2.1, Bench2Drive, NAVSIM's PDM score
and alpasim's scene score. The formulae are theirs, the worlds are not: figures compare planners
in these worlds and not with those leaderboards (:data:`LABEL`). Knows no world and no file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.drive import DriveRecord, End, Infraction, InfractionKind
from emma_planner.simulation.scoring.carla_scores import (
    bench2drive_score,
    driving_score,
    driving_score_2_1,
    is_success,
    off_lane_percent,
    progress_m,
    route_completion,
    speed_percents,
)
from emma_planner.simulation.scoring.comfort import comfortable_segments

LABEL = 'CARLA formula, MetaDrive worlds'
TTC_S = 1.0
"""A shorter time to collision fails NAVSIM's TTC term (arXiv 2406.15349, section 3.2)."""
SHORT_PROGRESS_M = 5.0
"""Where the best driver does not get further, progress is full (PDMScorerConfig)."""
FULL_PROGRESS = 0.8
"""Share of the reference's progress that is enough (alpasim, progress_saturation_threshold)."""
COLLISIONS = (
    InfractionKind.COLLISION_PEDESTRIAN,
    InfractionKind.COLLISION_VEHICLE,
    InfractionKind.COLLISION_STATIC,
)
_AGENTS = COLLISIONS[:2]


@dataclass(frozen=True)
class PdmTerms:
    """NAVSIM's terms of one drive, 0 to 1."""

    no_collision: float
    drivable_area: float
    time_to_collision: float
    comfort: float
    progress: float

    @property
    def score(self) -> float:
        """PDM score, 0 to 100: NC · DAC · (5 EP + 5 TTC + 2 C) / 12.

        NAVSIM v1, arXiv 2406.15349, eq. 1.
        """
        weighted = 5.0 * self.progress + 5.0 * self.time_to_collision + 2.0 * self.comfort
        return 100.0 * self.no_collision * self.drivable_area * weighted / 12.0


@dataclass(frozen=True)
class DriveScores:
    """Scores of one drive; scores and percentages are 0 to 100.

    :param route_completion: [%]
    :param driving_score: CARLA leaderboard 2.0
    :param driving_score_2_1: CARLA leaderboard 2.1
    :param bench2drive_score: Bench2Drive's driving score
    :param success: Bench2Drive's
    :param comfort: share of 2 s segments within the limits, 0 to 1
    :param alpasim_score: alpasim's scene score
    :param off_lane: part of the driven route outside lanes of the ego's direction [%]
    :param speed_percents: ego over traffic speed per stage of the route that counts [%]
    :param off_road: some of the ego was off the drivable surface at some time
    :param driven_km: by the ego
    :param infractions: counts by class, without zeros, in the order of the classes
    :param events: the infractions themselves
    :param collisions: of any class, also of a standing ego
    """

    scenario: str
    planner: str
    end: End
    detail: str
    seconds: float
    driven_km: float
    route_completion: float
    driving_score: float
    driving_score_2_1: float
    bench2drive_score: float
    success: bool
    comfort: float
    pdm: PdmTerms
    alpasim_score: float
    off_road: bool
    off_lane: float
    speed_percents: tuple[float, ...]
    infractions: tuple[tuple[InfractionKind, int], ...]
    events: tuple[Infraction, ...]
    collisions: int
    collisions_at_fault: int

    @property
    def is_over(self) -> bool:
        """Whether it came to an end of its own."""
        return self.end is not End.INTERRUPTED


def score_drive(record: DriveRecord, expert_progress_m: float | None = None) -> DriveScores:
    """Score one drive.

    :param expert_progress_m: how far along the route the expert got in this scenario, the
        reference of NAVSIM's and alpasim's progress; None for the whole route
    :raises ValueError: arrays of the record do not match or are not finite, or a length or a
        progress is not positive
    """
    _check(record, expert_progress_m)
    segments = comfortable_segments(record.speeds_mps, record.yaw_rates_radps, record.step_s)
    reference = record.route_length_m if expert_progress_m is None else expert_progress_m
    counts = Counter(infraction.kind for infraction in record.infractions)
    hits = [infraction for infraction in record.infractions if infraction.kind in COLLISIONS]
    steps = np.diff(record.poses[:, :2], axis=0)
    return DriveScores(
        scenario=record.scenario.name,
        planner=record.planner,
        end=record.end,
        detail=record.detail,
        seconds=record.seconds,
        driven_km=float(np.hypot(steps[:, 0], steps[:, 1]).sum()) / 1000.0,
        route_completion=route_completion(record),
        driving_score=driving_score(record),
        driving_score_2_1=driving_score_2_1(record),
        bench2drive_score=bench2drive_score(record),
        success=is_success(record),
        comfort=float(segments.mean()),
        pdm=pdm_terms(record, segments, reference),
        alpasim_score=alpasim_score(record, reference),
        off_road=is_off_road(record),
        off_lane=off_lane_percent(record),
        speed_percents=speed_percents(record),
        infractions=tuple((kind, counts[kind]) for kind in InfractionKind if counts[kind]),
        events=tuple(record.infractions),
        collisions=len(hits),
        collisions_at_fault=sum(hit.at_fault for hit in hits),
    )


def pdm_terms(record: DriveRecord, segments: NDArray[np.bool_], reference_m: float) -> PdmTerms:
    """NAVSIM's terms over a whole drive in place of a plan of 4 s.

    NAVSIM v1 (arXiv 2406.15349, section 3.2; PDMScorer). NC is 0 after a collision at fault with
    a road user and 0.5 with an object; DAC is 0 when some of the ego left the drivable surface;
    TTC is 0 when it was ever below 1 s; C is 1 when all limits were kept throughout; EP is the
    progress over the reference's, 1 where that is 5 m or less. One lapse in a long drive costs
    as much as one in 4 s.

    :param segments: verdicts of :func:`comfortable_segments`
    :param reference_m: progress of the expert
    """
    blamed = {hit.kind for hit in record.infractions if hit.at_fault and hit.kind in COLLISIONS}
    no_collision = 0.0 if blamed.intersection(_AGENTS) else 0.5 if blamed else 1.0
    short = reference_m <= SHORT_PROGRESS_M
    return PdmTerms(
        no_collision=no_collision,
        drivable_area=float(not is_off_road(record)),
        time_to_collision=float(not (record.time_to_collision_s < TTC_S).any()),
        comfort=float(segments.all()),
        progress=1.0 if short else min(progress_m(record) / reference_m, 1.0),
    )


def alpasim_score(record: DriveRecord, reference_m: float) -> float:
    """0 after a collision at fault, off road or off the route; else min(progress / 0.8, 1), in %.

    NVlabs/alpasim, src/eval/src/eval/aggregation/scene_score.py; progress relative to the
    reference's.

    :param reference_m: progress of the expert
    """
    collided = any(hit.at_fault and hit.kind in COLLISIONS for hit in record.infractions)
    if collided or is_off_road(record) or record.end is End.DEVIATED:
        return 0.0
    return 100.0 * min(progress_m(record) / reference_m / FULL_PROGRESS, 1.0)


def is_off_road(record: DriveRecord) -> bool:
    """Whether some of the ego was off the drivable surface at some time (alpasim, offroad.py)."""
    left = any(event.kind is InfractionKind.OFF_ROAD for event in record.infractions)
    return left or bool((record.on_road == 0.0).any())


def _check(record: DriveRecord, expert_progress_m: float | None) -> None:
    name, num = record.scenario.name, len(record.poses)
    arrays: dict[str, FloatArray] = {
        'speeds': record.speeds_mps,
        'yaw rates': record.yaw_rates_radps,
        'route_s': record.route_s_m,
        'on_road': record.on_road,
        'in_lane': record.in_lane,
        'times to collision': record.time_to_collision_s,
        'nearby speeds': record.nearby_speeds_mps,
    }
    if not num:
        raise ValueError(f'{name}: need a drive of at least 1 sample, got none')
    for what, values in arrays.items():
        if len(values) != num:
            raise ValueError(f'{name}: need {num} {what} as there are poses, got {len(values)}')
        if what != 'nearby speeds' and np.isnan(values).any():
            raise ValueError(f'{name}: need {what} without NaN')
    if not np.isfinite(record.poses).all():
        raise ValueError(f'{name}: need finite poses')
    if not record.route_length_m > 0.0:
        raise ValueError(f'{name}: need a route longer than 0 m, got {record.route_length_m:g} m')
    if expert_progress_m is not None and not expert_progress_m > 0.0:
        raise ValueError(f'{name}: need an expert progress above 0 m, got {expert_progress_m:g} m')
