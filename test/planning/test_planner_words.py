"""What is driven where plan and chain of thought disagree: intent, unknown scene, red light."""

from __future__ import annotations

import numpy as np
import pytest
from planning.scripted_model import CODEC, ScriptedModel, planner_of

from emma_planner.planning.actions import ActionTokens
from emma_planner.planning.baselines import half_acceleration
from emma_planner.planning.chat import ModelError
from emma_planner.planning.checks import PlausibilityLimits
from emma_planner.planning.types import Reason

PLAN = CODEC.encode(np.full(10, 8.0), np.full(10, 0.01))
TOKENS = ActionTokens()
SLOWER = 'Scene: road\nObjects: none\nIntent: go straight, decelerate'


def _written(first, last, curvature=0.0):
    return TOKENS.encode(np.linspace(first, last, 10), np.full(10, curvature))


KEEPS, SLOWS, TURNS = _written(8.0, 8.0), _written(8.0, 5.0), _written(8.0, 5.0, 0.03)


def _plan_of(answers, make_input, time_limit_s=None, **options):
    model = ScriptedModel(answers, seconds=0.1)
    plan = planner_of(model, codec=TOKENS, **options).plan(make_input(speeds=8.0), time_limit_s)
    return plan, model


def test_a_plan_that_does_what_its_intent_says_is_asked_for_once(make_input):
    plan, model = _plan_of([SLOWER, SLOWS], make_input)
    assert plan.valid
    assert [asked['again'] for asked in model.asked] == [False, False]
    assert model.asked[1]['reply_format'].quantiles == (0.5, 0.5) * 10


def test_a_plan_that_does_not_do_what_its_intent_says_is_asked_for_again(make_input):
    plan, model = _plan_of([SLOWER, KEEPS, TURNS, SLOWS], make_input)
    assert plan.valid
    assert plan.trajectory.speeds_mps[-1] == pytest.approx(5.0, abs=0.1)
    assert plan.replies == (SLOWER, SLOWS)
    assert len(plan.prompts) == 2
    assert plan.tokens.generated == 10 + 11 + 12 + 13
    assert plan.latency.plan_ms == pytest.approx(31.0 + 32.0 + 33.0)
    _, first, second, third = model.asked
    assert (first['again'], second['again'], third['again']) == (False, True, True)
    assert second['text'] == third['text'] == first['text']
    (slower, straight), (faster, righter) = (
        asked['reply_format'].quantiles[:2] for asked in (second, third)
    )
    assert slower < straight == 0.5
    assert faster == slower
    assert righter < 0.5


def test_each_try_leans_farther(make_input):
    plan, model = _plan_of([SLOWER] + [KEEPS] * 5, make_input, intent_tries=4)
    quantiles = [asked['reply_format'].quantiles[0] for asked in model.asked[1:]]
    assert quantiles == sorted(set(quantiles), reverse=True)
    assert len(quantiles) == 5
    assert quantiles[-1] > 0.0
    assert plan.replies == (SLOWER, KEEPS)


@pytest.mark.parametrize('broken', ['no', _written(30.0, 38.0), ModelError('lost')])
def test_a_try_that_fails_leaves_the_first_plan(make_input, broken):
    plan, model = _plan_of([SLOWER, KEEPS, broken], make_input)
    assert plan.valid
    assert plan.replies == (SLOWER, KEEPS)
    assert len(model.asked) == 3


UNKNOWN = 'Scene: unknown.\nObjects: none.\nIntent: go straight, keep speed.'


def test_in_a_scene_that_the_model_does_not_know_it_goes_on_and_says_so(make_input):
    plan, model = _plan_of([UNKNOWN, SLOWS], make_input)
    assert plan.valid
    expected = half_acceleration(make_input(speeds=8.0).history)
    assert (plan.trajectory.poses == expected.poses).all()
    assert plan.trajectory.speeds_mps[-1] == 8.0
    assert 'unknown' in plan.detail
    assert len(model.asked) == len(plan.prompts) == len(plan.replies) == 1
    assert plan.latency.plan_ms == 0.0
    plan, _ = _plan_of([UNKNOWN, KEEPS], make_input, unknown_scene='model')
    assert plan.replies == (UNKNOWN, KEEPS)
    assert plan.detail == ''


def test_going_on_is_checked_as_a_plan_is(make_input):
    model = ScriptedModel([UNKNOWN])
    plan = planner_of(model).plan(make_input(speeds=30.0, curvatures=0.1))
    assert plan.reason is Reason.IMPLAUSIBLE


RED = 'Scene: straight, red light 12 m.\nObjects: none.\nIntent: go straight, stop, red light.'
STOPS_LATE = TOKENS.encode(np.maximum(np.arange(8.0, -2.0, -1.0), 0.0), np.zeros(10))


def test_a_plan_that_passes_the_red_light_that_its_words_name_stands_before_it(make_input):
    plan, _ = _plan_of([RED, STOPS_LATE], make_input)
    assert plan.valid
    assert plan.trajectory.poses[-1, 0] == pytest.approx(10.0, abs=0.5)
    assert plan.replies == (RED, STOPS_LATE)
    assert 'red light' in plan.detail


def test_before_a_red_light_it_brakes_no_harder_than_is_plausible(make_input):
    limits = PlausibilityLimits(max_acceleration_mps2=4.0)
    plan, _ = _plan_of([RED.replace('12 m', '9 m'), STOPS_LATE], make_input, limits=limits)
    speeds = np.concatenate([[8.0], plan.trajectory.speeds_mps])
    assert -4.1 < np.diff(speeds).min() / 0.5 < -3.8


@pytest.mark.parametrize(
    ('words', 'options'),
    [
        (RED, {'red_light': 'model'}),
        (RED.replace('red light 12', 'red light 3'), {}),
        (RED.replace('red light 12', 'green light 12'), {}),
        (RED.replace('red light 12', 'yellow light 12'), {}),
        (RED.replace('red light 12', 'red light 40'), {}),
        (RED.replace('red light 12 m', 'no light'), {}),
    ],
)
def test_other_plans_are_driven_as_they_are(make_input, words, options):
    plan, _ = _plan_of([words, STOPS_LATE], make_input, **options)
    assert plan.trajectory.poses[-1, 0] == pytest.approx(18.0, abs=0.2)
    assert plan.detail == ''


def test_without_tries_or_time_the_first_plan_is_driven(make_input):
    for options in ({'intent_tries': 0}, {'time_limit_s': 0.25}):
        plan, model = _plan_of([SLOWER, KEEPS, SLOWS], make_input, **options)
        assert plan.valid
        assert plan.replies == (SLOWER, KEEPS)
        assert len(model.asked) == 2


def test_a_plan_in_words_is_asked_for_once_whatever_its_intent(make_input):
    model = ScriptedModel([SLOWER, PLAN])
    plan = planner_of(model).plan(make_input(speeds=8.0))
    assert plan.valid
    assert len(model.asked) == 2
