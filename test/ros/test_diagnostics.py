"""A plan as four lines of diagnostics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emma_planner.planning.fallback import DrivenPath, Source
from emma_planner.planning.kinematics import integrate
from emma_planner.planning.types import (
    INPUT_REASONS,
    Latency,
    Plan,
    Reason,
    Reasoning,
    TokenCounts,
    Trajectory,
)
from emma_planner.ros.conversions import Status
from emma_planner.ros.diagnostics import (
    ERROR,
    OK,
    STALE,
    WARN,
    Counters,
    plan_statuses,
    waiting_status,
)

MODEL_REASONS = ('format', 'length', 'implausible', 'history_echo', 'timeout', 'model_error')


def _plan(curvature: float = 0.0, **fields) -> Plan:
    speeds, curvatures = np.full(10, 5.0), np.full(10, curvature)
    trajectory = Trajectory(speeds, curvatures, integrate(speeds, curvatures))
    return replace(Plan(stamp_ns=0, trajectory=trajectory), **fields)


def _driven(source: Source = Source.PLAN, count: int = 10) -> DrivenPath:
    stamps = tuple(range(1, count + 1))
    return DrivenPath(source, 'odom', stamps, np.zeros((count, 3)), np.full(count, 5.0))


def _statuses(
    plan: Plan, driven: DrivenPath | None = None, age_ms: float | None = 42.4, **counts: int
) -> dict[str, Status]:
    statuses = plan_statuses(
        plan,
        driven or _driven(),
        Counters(**counts),
        name='planner',
        model='m',
        age_ms=age_ms,
        rate_hz=1.987,
    )
    assert [status.name.split(': ')[0] for status in statuses] == ['planner'] * 4
    return {status.name.split(': ')[1]: status for status in statuses}


def test_a_valid_plan_is_ok_in_all_four():
    statuses = _statuses(_plan(reasoning=Reasoning('dry', (), 'keep speed')))
    assert list(statuses) == ['inputs', 'inference', 'reasoning', 'plan']
    assert {status.level for status in statuses.values()} == {OK}
    assert dict(statuses['plan'].values)['fallback'] == 'false'
    assert dict(statuses['plan'].values)['reason'] == ''


def test_what_is_driven_in_place_of_what_the_model_wrote_is_said():
    assert _statuses(_plan())['plan'].message == 'ok'
    slowed = _statuses(replace(_plan(), detail='slowed before the red light'))['plan']
    assert (slowed.level, slowed.message) == (OK, 'slowed before the red light')


@pytest.mark.parametrize('reason', Reason)
def test_every_reason_appears_in_its_own_status_and_in_the_plan(reason):
    plan = Plan(0, None, reason=reason, detail='need a, got b')
    statuses = _statuses(plan, _driven(Source.STOP))
    guilty, innocent = (
        ('inference', 'inputs') if reason.value in MODEL_REASONS else ('inputs', 'inference')
    )
    assert dict(statuses[guilty].values)['reason'] == reason.value
    assert statuses[guilty].message == f'{reason.value}: need a, got b'
    assert statuses[guilty].level == (ERROR if guilty == 'inference' else WARN)
    assert dict(statuses[innocent].values)['reason'] == ''
    assert statuses[innocent].level == OK
    assert dict(statuses['plan'].values)['reason'] == reason.value
    assert statuses['plan'].message == f'{reason.value}: driving stop'


def test_reasons_are_split_into_inputs_and_model():
    assert {reason.value for reason in set(Reason) - INPUT_REASONS} == set(MODEL_REASONS)


@pytest.mark.parametrize(
    ('source', 'level'),
    [(Source.LAST_PLAN, WARN), (Source.STOP, ERROR), (Source.NONE, ERROR)],
)
def test_each_fallback_has_its_level(source, level):
    plan = Plan(0, None, reason=Reason.FORMAT, detail='-')
    status = _statuses(plan, _driven(source))['plan']
    assert status.level == level
    assert dict(status.values)['source'] == source.value
    assert dict(status.values)['fallback'] == 'true'


def test_a_plan_that_came_after_its_own_horizon_is_an_error():
    status = _statuses(_plan(), _driven(count=0))['plan']
    assert status.level == ERROR
    assert 'every pose has passed' in status.message
    assert dict(status.values)['target speed [m/s]'] == '0.00'


@pytest.mark.parametrize(
    ('intent', 'curvature', 'level', 'said'),
    [
        ('turn left', 0.05, OK, 'yes'),
        ('turn left', -0.05, WARN, 'no'),
        ('turn left', 0.0, WARN, 'no'),
        ('stop at the light', 0.0, WARN, 'no'),
        ('whatever', 0.0, OK, 'unknown'),
        ('', 0.0, OK, 'unknown'),
    ],
)
def test_an_intent_that_the_plan_does_not_follow_warns(intent, curvature, level, said):
    status = _statuses(_plan(curvature, reasoning=Reasoning('s', ('o',), intent)))['reasoning']
    assert status.level == level
    assert dict(status.values)['intent agrees with plan'] == said
    assert status.message == (intent or 'no intent stated')


def test_a_picture_of_nothing_known_warns():
    reasoning = Reasoning('unknown.', (), 'go straight, keep speed.')
    status = _statuses(_plan(reasoning=reasoning))['reasoning']
    assert status.level == WARN
    assert status.message == 'the picture shows nothing known: go straight, keep speed.'
    plan = replace(_plan(reasoning=reasoning), detail='half-acceleration in its place')
    assert _statuses(plan)['reasoning'].message == 'half-acceleration in its place'
    known = _statuses(_plan(reasoning=replace(reasoning, scene='an unknown road.')))['reasoning']
    assert known.level == OK


def test_without_a_trajectory_no_intent_can_be_checked():
    plan = Plan(0, None, Reasoning('', (), 'turn left'), Reason.FORMAT, '-')
    assert dict(_statuses(plan)['reasoning'].values)['intent agrees with plan'] == 'unknown'


def test_every_object_has_a_line():
    values = dict(
        _statuses(_plan(reasoning=Reasoning('s', ('car', 'dog'), '')))['reasoning'].values
    )
    assert (values['object 1'], values['object 2'], values['scene']) == ('car', 'dog', 's')


def test_counts_latencies_and_tokens_are_told():
    plan = _plan(latency=Latency(1.4, 2.4, 3.4, 7.4), tokens=TokenCounts(100, 20))
    counts = {
        'ticks': 1,
        'planned': 2,
        'valid': 3,
        'deadline_misses': 4,
        'superseded': 5,
        'images': 6,
        'ego_messages': 7,
        'time_jumps': 8,
    }
    statuses = _statuses(plan, **counts)
    inference, inputs = dict(statuses['inference'].values), dict(statuses['inputs'].values)
    assert inference == {
        'reason': '',
        'model': 'm',
        'rate [Hz]': '1.99',
        'latency total [ms]': '7',
        'latency encode [ms]': '1',
        'latency reason [ms]': '2',
        'latency plan [ms]': '3',
        'tokens prompt': '100',
        'tokens generated': '20',
        'ticks': '1',
        'plans': '2',
        'plans valid': '3',
        'deadline misses': '4',
        'superseded': '5',
    }
    assert inputs == {
        'reason': '',
        'image age [ms]': '42',
        'images': '6',
        'ego messages': '7',
        'time jumps': '8',
    }


def test_without_an_image_it_has_no_age():
    plan = Plan(0, None, reason=Reason.NO_IMAGE, detail='-')
    assert dict(_statuses(plan, age_ms=None)['inputs'].values)['image age [ms]'] == ''


@pytest.mark.parametrize(
    ('clock_runs', 'level', 'word'), [(True, OK, 'tick'), (False, STALE, '/clock')]
)
def test_the_heartbeat_says_what_is_waited_for(clock_runs, level, word):
    status = waiting_status(Counters(images=3), name='planner', clock_runs=clock_runs)
    assert (status.name, status.level) == ('planner: inputs', level)
    assert word in status.message
    assert dict(status.values)['images'] == '3'
