"""Many drives: means, rates and what is written to scores.json."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from simulation.drives_by_hand import infraction, record

from emma_planner.simulation.drive import DriveRecord, End, InfractionKind
from emma_planner.simulation.scoring.score_summary import (
    ScoreSummary,
    drive_from_json,
    drive_to_json,
    summarise,
    summary_to_json,
)
from emma_planner.simulation.scoring.scores import LABEL, score_drive


def _summary(*records: DriveRecord) -> ScoreSummary:
    return summarise([score_drive(drive) for drive in records])


def _drives() -> list[DriveRecord]:
    blameless = infraction(InfractionKind.COLLISION_VEHICLE, at_fault=False)
    return [
        record(name='val-000'),
        record(InfractionKind.COLLISION_PEDESTRIAN, blameless, name='val-001'),
        record(InfractionKind.OFF_ROAD, name='val-002', num=101, end=End.TIMEOUT),
        record(InfractionKind.RED_LIGHT, name='val-003'),
    ]


def test_perfect_drives_have_perfect_figures_of_no_width():
    summary = _summary(record(name='a'), record(name='b'))
    for figure in (summary.driving_score, summary.pdm_score, summary.alpasim_score):
        assert (figure.mean, figure.low, figure.high, figure.n) == (100.0, 100.0, 100.0, 2)
    assert summary.success_rate.mean == 1.0
    assert summary.collisions_per_km.mean == summary.off_road_rate.mean == 0.0


def test_means_are_over_drives():
    summary = _summary(*_drives())
    assert summary.driving_score.mean == pytest.approx((100.0 + 30.0 + 50.0 + 70.0) / 4)
    assert summary.route_completion.mean == pytest.approx(87.5)
    assert summary.success_rate.mean == 0.25
    assert summary.off_road_rate.mean == 0.25
    assert summary.pdm_no_collision.mean == 0.75
    assert summary.seconds == pytest.approx(70.0)
    assert summary.driven_km == pytest.approx(0.7)


def test_means_stand_under_their_own_names():
    drive = score_drive(
        record(
            InfractionKind.COLLISION_STATIC,
            num=141,
            end=End.TIMEOUT,
            in_lane=np.repeat((0.0, 1.0), (15, 126)),
            nearby_speeds_mps=np.full(141, 15.0),
            speeds_mps=np.where(np.arange(141) < 100, 10.0, 0.0),
        ),
        expert_progress_m=190.0,
    )
    summary = summarise([drive])
    values = {
        'driving_score': drive.driving_score,
        'driving_score_2_1': drive.driving_score_2_1,
        'bench2drive_score': drive.bench2drive_score,
        'route_completion': drive.route_completion,
        'off_lane': drive.off_lane,
        'comfort': drive.comfort,
        'pdm_score': drive.pdm.score,
        'pdm_no_collision': drive.pdm.no_collision,
        'pdm_progress': drive.pdm.progress,
    }
    assert len(set(values.values())) == len(values)
    for name, value in values.items():
        assert getattr(summary, name).mean == value


def test_events_are_counted_over_the_distance_of_all_drives():
    summary = _summary(*_drives())
    assert summary.collisions_per_km.mean == pytest.approx(2 / 0.7)
    assert summary.collisions_at_fault_per_km.mean == pytest.approx(1 / 0.7)
    counts = {entry.kind: entry.count for entry in summary.infractions}
    assert set(counts) == set(InfractionKind)
    assert {kind for kind, count in counts.items() if count} == {
        InfractionKind.COLLISION_PEDESTRIAN,
        InfractionKind.COLLISION_VEHICLE,
        InfractionKind.OFF_ROAD,
        InfractionKind.RED_LIGHT,
    }
    for entry in summary.infractions:
        assert entry.per_km.mean == pytest.approx(entry.count / 0.7)


def test_order_of_the_drives_does_not_matter():
    drives = [*_drives(), record(name='val-001'), record(InfractionKind.YIELD, name='val-004')]
    rng = np.random.default_rng(0)
    texts = {
        json.dumps(summary_to_json(_summary(*[drives[index] for index in order])))
        for order in (rng.permutation(len(drives)) for _ in range(5))
    }
    assert len(texts) == 1
    assert [drive.scenario for drive in _summary(*drives[::-1]).drives] == [
        'val-000',
        'val-001',
        'val-001',
        'val-002',
        'val-003',
        'val-004',
    ]


def test_interval_draws_scenarios_and_not_drives():
    good = [record(name='a') for _ in range(20)]
    bad = [record(InfractionKind.RED_LIGHT, name='b') for _ in range(20)]
    grouped = _summary(*good, *bad).driving_score
    assert (grouped.low, grouped.high) == (70.0, 100.0)
    assert math.isnan(_summary(*good).driving_score.low)


def test_json_has_the_promised_keys():
    data = summary_to_json(_summary(*_drives()))
    promised = {
        'driving_score',
        'success_rate',
        'route_completion',
        'off_road_rate',
        'collisions_per_km',
        'seconds',
        'intervals',
        'infractions',
        'drives',
        'label',
    }
    assert promised <= set(data)
    assert data['label'] == LABEL == 'CARLA formula, MetaDrive worlds'
    low, high = data['intervals']['driving_score']
    assert low < data['driving_score'] < high
    assert data['infractions']['red_light']['count'] == 1
    assert len(data['drives']) == data['num_drives'] == 4


def test_json_of_a_drive_holds_its_scores_and_reasons():
    drive = _drives()[1]
    data = drive_to_json(score_drive(drive))
    assert (data['scenario'], data['end'], data['success']) == ('val-001', 'arrived', False)
    assert data['driving_score'] == pytest.approx(30.0)
    assert data['pdm']['score'] == 0.0
    assert data['infractions'] == {'collision_pedestrian': 1, 'collision_vehicle': 1}
    assert json.loads(json.dumps(data)) == data


def test_scores_of_a_drive_are_read_as_they_were_written():
    for drive in _drives():
        scores = score_drive(drive)
        assert drive_from_json(json.loads(json.dumps(drive_to_json(scores)))) == scores


def test_json_has_null_where_nothing_supports_a_figure():
    still = record(
        InfractionKind.COLLISION_VEHICLE,
        num=5,
        poses=np.zeros((5, 3)),
        route_s_m=np.zeros(5),
        end=End.BLOCKED,
    )
    data = summary_to_json(_summary(still))
    text = json.dumps(data, allow_nan=False)
    assert data['collisions_per_km'] is None
    assert data['intervals']['driving_score'] == [None, None]
    assert 'NaN' not in text


def test_nothing_to_summarise_is_an_error():
    with pytest.raises(ValueError, match='need at least one drive to summarise, got none'):
        summarise([])
