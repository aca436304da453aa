"""The NAVSIM and alpasim formulae, and what a drive's scores hold."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from simulation.drives_by_hand import infraction, record

from emma_planner.simulation.drive import DriveRecord, End, InfractionKind
from emma_planner.simulation.scoring.scores import DriveScores, PdmTerms, score_drive

HALF = 101
COLLISIONS = {
    InfractionKind.COLLISION_PEDESTRIAN: 0.0,
    InfractionKind.COLLISION_VEHICLE: 0.0,
    InfractionKind.COLLISION_STATIC: 0.5,
}
PERFECT = PdmTerms(1.0, 1.0, 1.0, 1.0, 1.0)


def _scores(*kinds: object, expert_m: float | None = None, **changes: object) -> DriveScores:
    return score_drive(record(*kinds, **changes), expert_m)  # type: ignore[arg-type]


def _hard_braking() -> np.ndarray:
    return np.where(np.arange(201) < 100, 10.0, 0.0)


def test_perfect_drive_scores_exactly_100_everywhere():
    scores = _scores()
    assert scores.driving_score == scores.driving_score_2_1 == scores.bench2drive_score == 100.0
    assert scores.pdm == PERFECT
    assert scores.pdm.score == scores.alpasim_score == scores.route_completion == 100.0
    assert scores.success
    assert scores.comfort == 1.0
    assert not scores.off_road
    assert (scores.off_lane, scores.infractions, scores.collisions) == (0.0, (), 0)


def test_scores_say_what_was_driven():
    scores = _scores(num=HALF, end=End.BLOCKED, detail='stood')
    assert (scores.scenario, scores.planner) == ('val-000', 'by hand')
    assert (scores.end, scores.detail) == (End.BLOCKED, 'stood')
    assert scores.seconds == pytest.approx(10.0)
    assert scores.driven_km == pytest.approx(0.1)


@pytest.mark.parametrize(
    ('term', 'score'),
    [
        ('no_collision', 0.0),
        ('drivable_area', 0.0),
        ('time_to_collision', 100.0 * 7.0 / 12.0),
        ('comfort', 100.0 * 10.0 / 12.0),
        ('progress', 100.0 * 7.0 / 12.0),
    ],
)
def test_each_term_of_the_pdm_score_alone_costs_its_weight(term, score):
    assert replace(PERFECT, **{term: 0.0}).score == pytest.approx(score)


@pytest.mark.parametrize(('kind', 'expected'), COLLISIONS.items())
def test_collision_at_fault_costs_navsim_and_alpasim(kind, expected):
    scores = _scores(kind)
    assert scores.pdm == replace(PERFECT, no_collision=expected)
    assert scores.pdm.score == 100.0 * expected
    assert scores.alpasim_score == 0.0
    assert (scores.collisions, scores.collisions_at_fault) == (1, 1)


@pytest.mark.parametrize('kind', COLLISIONS)
def test_collision_that_others_caused_costs_neither(kind):
    scores = _scores(infraction(kind, at_fault=False))
    assert scores.pdm.score == scores.alpasim_score == 100.0
    assert (scores.collisions, scores.collisions_at_fault) == (1, 0)


def test_worst_collision_decides():
    both = _scores(InfractionKind.COLLISION_STATIC, InfractionKind.COLLISION_VEHICLE)
    assert both.pdm.no_collision == 0.0
    twice = _scores(InfractionKind.COLLISION_STATIC, InfractionKind.COLLISION_STATIC)
    assert twice.pdm.no_collision == 0.5


@pytest.mark.parametrize(
    'kind', [kind for kind in InfractionKind if kind not in {*COLLISIONS, InfractionKind.OFF_ROAD}]
)
def test_other_infractions_are_none_to_navsim_and_alpasim(kind):
    scores = _scores(kind)
    assert scores.pdm.score == scores.alpasim_score == 100.0
    assert scores.infractions == ((kind, 1),)


def test_one_step_off_the_road_is_off_road():
    on_road = np.ones(201)
    on_road[77] = 0.0
    for scores in (_scores(on_road=on_road), _scores(InfractionKind.OFF_ROAD)):
        assert scores.off_road
        assert scores.pdm == replace(PERFECT, drivable_area=0.0)
        assert scores.alpasim_score == 0.0


@pytest.mark.parametrize(('seconds', 'expected'), [(0.99, 0.0), (1.0, 1.0), (0.0, 0.0)])
def test_one_moment_below_one_second_to_a_collision_fails(seconds, expected):
    times = np.full(201, np.inf)
    times[120] = seconds
    assert _scores(time_to_collision_s=times).pdm.time_to_collision == expected


def test_one_uncomfortable_segment_fails_navsim_and_costs_its_share_of_comfort():
    scores = _scores(speeds_mps=_hard_braking())
    assert scores.pdm.comfort == 0.0
    assert scores.comfort == pytest.approx(0.8)


@pytest.mark.parametrize(('num', 'score'), [(1, 0.0), (81, 50.0), (161, 100.0), (181, 100.0)])
def test_alpasim_is_full_from_80_percent_of_the_progress(num, score):
    assert _scores(num=num, end=End.TIMEOUT).alpasim_score == pytest.approx(score)


def test_leaving_the_route_is_0_to_alpasim():
    assert _scores(end=End.DEVIATED).alpasim_score == 0.0


def test_progress_is_relative_to_the_experts():
    half = {'num': HALF, 'end': End.TIMEOUT}
    assert _scores(**half).pdm.progress == 0.5
    assert _scores(**half, expert_m=125.0).pdm.progress == pytest.approx(0.8)
    assert _scores(**half, expert_m=125.0).alpasim_score == pytest.approx(100.0)
    assert _scores(**half, expert_m=80.0).pdm.progress == 1.0
    assert _scores(num=2, end=End.TIMEOUT, expert_m=5.0).pdm.progress == 1.0
    assert _scores(num=2, end=End.TIMEOUT, expert_m=5.1).pdm.progress < 0.2


def test_infractions_are_counted_by_class():
    scores = _scores(
        InfractionKind.RED_LIGHT, InfractionKind.COLLISION_STATIC, InfractionKind.RED_LIGHT
    )
    assert scores.infractions == (
        (InfractionKind.COLLISION_STATIC, 1),
        (InfractionKind.RED_LIGHT, 2),
    )


def test_mirrored_drive_scores_the_same():
    rng = np.random.default_rng(0)
    rates, speeds = rng.normal(0.0, 0.1, 201), 10.0 + rng.normal(0.0, 0.1, 201)
    left = _scores(yaw_rates_radps=rates, speeds_mps=speeds)
    right = _scores(yaw_rates_radps=-rates, speeds_mps=speeds)
    assert left == right


def test_drive_of_one_sample_is_scored():
    scores = _scores(num=1, end=End.INTERRUPTED)
    assert (scores.driving_score, scores.seconds, scores.driven_km) == (0.0, 0.0, 0.0)
    assert scores.pdm.score == pytest.approx(100.0 * 7.0 / 12.0)


def _broken(**changes: object) -> DriveRecord:
    return record(**changes)  # type: ignore[arg-type]


def test_records_that_do_not_fit_are_errors():
    with pytest.raises(ValueError, match='val-000: need a drive of at least 1 sample, got none'):
        score_drive(_broken(num=0))
    with pytest.raises(ValueError, match='val-000: need 201 in_lane as there are poses, got 200'):
        score_drive(_broken(in_lane=np.ones(200)))
    with pytest.raises(ValueError, match='need a route longer than 0 m, got 0 m'):
        score_drive(_broken(route_length_m=0.0))


@pytest.mark.parametrize(
    ('field', 'message'),
    [
        ('speeds_mps', 'need speeds without NaN'),
        ('yaw_rates_radps', 'need yaw rates without NaN'),
        ('route_s_m', 'need route_s without NaN'),
        ('time_to_collision_s', 'need times to collision without NaN'),
    ],
)
def test_nan_in_a_record_is_an_error_that_names_it(field, message):
    values = np.ones(201)
    values[9] = np.nan
    with pytest.raises(ValueError, match=message):
        score_drive(_broken(**{field: values}))


def test_poses_that_are_not_finite_are_an_error():
    poses = np.zeros((201, 3))
    poses[5, 1] = np.inf
    with pytest.raises(ValueError, match='val-000: need finite poses'):
        score_drive(_broken(poses=poses))


@pytest.mark.parametrize('expert_m', [0.0, -1.0, math.nan])
def test_expert_that_got_nowhere_is_an_error(expert_m):
    with pytest.raises(ValueError, match='need an expert progress above 0 m'):
        score_drive(record(), expert_m)
