"""Scores of a plan log: perfect plans score 0, and a failure is counted, never dropped."""

from __future__ import annotations

import json

import numpy as np
import pytest
from synthetic_bags import Motion, braking, circle, straight

from emma_planner.evaluation.ground_truth import GroundTruth
from emma_planner.evaluation.open_loop import score_records
from emma_planner.planning.ego_tracks import PoseSample
from emma_planner.planning.kinematics import invert

T0_NS = 1_700_000_000_123_456_789
BASELINES = ['constant-action', 'constant-velocity', 'half-acceleration']


def truth_of(motion: Motion, duration_s=20.0, hz=20):
    poses = [
        PoseSample(T0_NS + round(k * 1e9 / hz), *motion(k / hz)[:3])
        for k in range(round(duration_s * hz) + 1)
    ]
    return GroundTruth(poses)


def record(time_s, motion=None, *, actions=None, reason=None, total_ms=5.0, speed=8.0, kappa=0.02):
    """A record as the plan log has it, with a steady history."""
    stamp_ns = T0_NS + round(time_s * 1e9)
    x, y, yaw, *_ = (motion or circle())(time_s)
    return {
        'stamp_ns': stamp_ns,
        'tick_ns': stamp_ns,
        'frame_id': 'odom',
        'history': {'speeds_mps': [speed] * 10, 'curvatures_1pm': [kappa] * 10},
        'ego_pose': [x, y, yaw],
        'command': 'follow lane',
        'reasoning': {'scene': '', 'objects': [], 'intent': ''},
        'detail': '',
        'tokens': {'prompt': 0, 'generated': 0},
        'speeds_mps': None if actions is None else actions[0].tolist(),
        'curvatures_1pm': None if actions is None else actions[1].tolist(),
        'reason': reason,
        'fallback': reason is not None,
        'source': 'plan' if reason is None else 'stop',
        'latency_ms': {'encode': 1.0, 'reason': 2.0, 'plan': 2.0, 'total': total_ms},
    }


def steady(speed=8.0, kappa=0.02):
    return np.full(10, speed), np.full(10, kappa)


def unplanned(time_s):
    """A tick whose inputs did not allow a plan."""
    return {**record(time_s, reason='short_history', total_ms=0.0), 'history': None}


def figures(summary):
    return (*summary.at_horizon, *summary.averaged, *summary.window, summary.ade, summary.fde)


@pytest.mark.parametrize('motion', [circle(), circle(8.0, -0.1), straight(), braking()])
def test_perfect_plans_score_zero(motion):
    truth, records = truth_of(motion), []
    for time_s in np.arange(0.0, 12.0, 0.5):
        actions = invert(truth.future(T0_NS + round(time_s * 1e9))[0])
        records.append(record(time_s, motion, actions=actions))
    scores = score_records(records, truth, 'perfect')
    for figure in figures(scores.planner[1]):
        assert figure.mean == pytest.approx(0.0, abs=1e-6)
    assert scores.planner[1].miss_rate.mean == 0.0
    assert scores.planner[0] == 'perfect'


def test_baselines_on_a_steady_circle_score_almost_zero():
    records = [record(t, actions=steady()) for t in np.arange(0.0, 12.0, 0.5)]
    scores = score_records(records, truth_of(circle()), 'x')
    summaries = dict(scores.baselines)
    assert list(summaries) == BASELINES
    for name in ('constant-action', 'half-acceleration'):
        for figure in figures(summaries[name]):
            assert figure.mean == pytest.approx(0.0, abs=1e-4)
    # 8 m/s for 5 s: the chord of the arc of 40 m beside 40 m straight on
    straight_on = np.array([40.0, 0.0]) - np.array(circle()(5.0)[:2])
    assert summaries['constant-velocity'].at_horizon[-1].mean == pytest.approx(
        np.hypot(*straight_on), abs=1e-3
    )


def test_an_error_along_the_path_is_measured_in_metres():
    records = [record(0.0, straight(), actions=steady(9.0, 0.0))]
    scores = score_records(records, truth_of(straight()), 'fast')
    means = [figure.mean for figure in scores.planner[1].at_horizon]
    assert means == pytest.approx([1.0, 2.0, 3.0, 5.0])


def test_a_future_that_ends_early_is_scored_as_far_as_it_goes():
    records = [record(t, actions=steady()) for t in (0.0, 3.0, 7.0, 9.9)]
    scores = score_records(records, truth_of(circle(), duration_s=10.0), 'x')
    summary = scores.planner[1]
    assert (scores.windows, scores.planned) == (2, 2)
    assert (summary.n, summary.num_scored, summary.num_short) == (4, 3, 1)
    assert summary.num_not_scorable == 1
    assert [figure.n for figure in summary.at_horizon] == [3, 3, 3, 2]


def test_a_gap_in_the_poses_is_not_scored():
    poses = [
        PoseSample(T0_NS + round(t * 1e9), *circle()(t)[:3])
        for t in np.arange(0.0, 12.0, 0.1)
        if not 3.0 < t < 5.5
    ]
    scores = score_records([record(0.0, actions=steady())], GroundTruth(poses), 'x')
    assert scores.windows == 0
    assert [figure.n for figure in scores.planner[1].at_horizon] == [1, 1, 1, 0]


def test_failures_are_counted_and_never_dropped():
    records = [
        unplanned(0.0),
        record(1.0, actions=steady()),
        record(2.0, reason='model_error'),
        record(3.0, reason='format'),
        record(4.0, actions=steady(50.0), reason='implausible'),
    ]
    scores = score_records(records, truth_of(circle()), 'x')
    summary = scores.planner[1]
    assert (scores.counts.ticks, scores.counts.plans, scores.counts.valid) == (5, 4, 1)
    assert dict(scores.counts.no_input) == {'short_history': 1}
    assert dict(scores.counts.rejected) == dict.fromkeys(
        ['model_error', 'format', 'implausible'], 1
    )
    # an implausible trajectory is one: it is scored, the two without are said to be missing
    assert (summary.n, summary.num_scored, summary.num_unplanned) == (4, 2, 2)
    assert (scores.windows, scores.planned) == (4, 2)
    for _, baseline in scores.baselines:
        assert (baseline.n, baseline.num_scored) == (4, 4)


def test_latency_is_measured_over_what_the_model_did():
    records = [unplanned(0.0), *(record(t, total_ms=10.0 * t) for t in (1.0, 2.0, 3.0))]
    scores = score_records(
        [{**item, 'reason': 'format'} for item in records], truth_of(circle()), 'x'
    )
    total = dict(scores.latencies)['total']
    assert (total.p50_ms, total.n) == (20.0, 3)
    assert [stage for stage, _ in scores.latencies] == ['encode', 'reason', 'plan', 'total']


@pytest.mark.parametrize(
    'records',
    [[], [unplanned(0.0)], [record(1.0, reason='format')], [record(19.9, actions=steady())]],
    ids=['nothing', 'no history', 'no plan', 'no future'],
)
def test_without_a_single_score_there_is_still_a_table_and_json(records):
    scores = score_records(records, truth_of(circle()), 'x')
    text = json.dumps(scores.to_json(), allow_nan=False)
    assert json.loads(text)['counts']['ticks'] == len(records)
    assert 'constant-velocity' in scores.table()


def test_json_has_no_nan_and_every_part():
    records = [record(t, actions=steady()) for t in np.arange(0.0, 12.0, 0.5)]
    values = score_records(records, truth_of(circle()), 'x').to_json()
    json.dumps(values, allow_nan=False)
    assert set(values) == {
        'planner', 'baselines', 'counts', 'words', 'rejected', 'latency_ms', 'generated_tokens',
        'windows',
    }  # fmt: skip
    assert values['planner']['name'] == 'x'
    assert set(values['planner']['l2_m']) == {'at_horizon', 'averaged', 'window'}
    assert list(values['baselines']) == BASELINES
    assert values['windows'] == {'complete': 24, 'planned': 24}


def test_the_same_records_and_seed_give_the_same_intervals():
    records = [record(t, actions=steady(8.0 + 0.2 * t)) for t in np.arange(0.0, 12.0, 0.5)]
    first, again = (
        score_records(records, truth_of(circle()), 'x', seed=3).to_json() for _ in range(2)
    )
    assert first == again
    assert first['planner']['ade_m']['low'] < first['planner']['ade_m']['mean']
