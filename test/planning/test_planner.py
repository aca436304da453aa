"""One conversation per plan, and a reason code for everything that can go wrong in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planning.scripted_model import CODEC, ScriptedModel, planner_of

from emma_planner.planning.actions import ActionTokens, TextActions
from emma_planner.planning.chat import ModelError, Stop, TextFormat
from emma_planner.planning.inputs import Snapshot
from emma_planner.planning.kinematics import integrate
from emma_planner.planning.planner import (
    choose_codec,
    failed_plan,
    plan_snapshot,
)
from emma_planner.planning.prompts import Told
from emma_planner.planning.types import InputError, PlanningError, Reason, Reasoning

THOUGHT = 'Scene: road\nObjects: bus\nIntent: go on'
PLAN = CODEC.encode(np.full(10, 8.0), np.full(10, 0.01))


def test_a_plan_is_one_conversation_of_two_turns(make_input):
    model = ScriptedModel([THOUGHT, PLAN])
    planner_input = make_input()
    plan = planner_of(model, reason_tokens=77).plan(planner_input)
    assert plan.valid
    assert plan.detail == ''
    assert len(model.started) == 1
    assert model.started[0][0] is planner_input.frames
    first, second = model.asked
    assert (first['max_tokens'], first['reply_format']) == (77, None)
    assert second['max_tokens'] == CODEC.max_tokens
    assert isinstance(second['reply_format'], TextFormat)
    assert plan.prompts == (first['text'], second['text'])
    assert plan.replies == (THOUGHT, PLAN)
    assert plan.reasoning == Reasoning('road', ('bus',), 'go on')
    assert plan.stamp_ns == planner_input.stamp_ns


def test_a_model_that_is_not_to_see_is_shown_nothing(make_input):
    model = ScriptedModel([THOUGHT, PLAN])
    assert planner_of(model, told=Told(images=False)).plan(make_input()).valid
    assert model.started[0][0] == ()
    assert 'Camera' not in model.asked[0]['text']


@pytest.mark.parametrize('is_told', [True, False])
def test_a_model_is_shown_the_earlier_pictures_or_not(make_input, is_told):
    model = ScriptedModel([THOUGHT, PLAN])
    given = make_input()
    given = replace(given, earlier=(given.frames[0], None))
    assert planner_of(model, told=Told(earlier=is_told)).plan(given).valid
    assert model.earlier == [given.earlier if is_told else ()]


def test_the_trajectory_is_the_integrated_reply(make_input):
    trajectory = planner_of(ScriptedModel([THOUGHT, PLAN])).plan(make_input()).trajectory
    np.testing.assert_allclose(trajectory.speeds_mps, 8.0)
    np.testing.assert_allclose(trajectory.curvatures_1pm, 0.01)
    np.testing.assert_array_equal(
        trajectory.poses, integrate(trajectory.speeds_mps, trajectory.curvatures_1pm)
    )


def test_without_reasoning_there_is_one_turn(make_input):
    model = ScriptedModel([PLAN])
    plan = planner_of(model, use_reasoning=False).plan(make_input())
    assert plan.valid
    assert plan.reasoning == Reasoning()
    assert [asked['reply_format'] for asked in model.asked] == [CODEC.reply_format]
    assert 'Route command' in model.asked[0]['text']
    assert (plan.latency.reason_ms, plan.latency.plan_ms) == (0.0, 30.0)


def test_latency_and_tokens_add_up(make_input):
    model = ScriptedModel([THOUGHT, PLAN], seconds=0.25)
    plan = planner_of(model).plan(make_input())
    assert plan.latency.encode_ms == 2.0 + 3.0
    assert (plan.latency.reason_ms, plan.latency.plan_ms) == (30.0, 31.0)
    assert plan.latency.total_ms == pytest.approx(500.0)
    assert (plan.tokens.prompt, plan.tokens.generated) == (200, 10 + 11)


def test_time_of_a_plan_that_got_no_further_than_reasoning_is_reasoning_time(make_input):
    plan = planner_of(ScriptedModel([THOUGHT, ModelError('out of memory')])).plan(make_input())
    assert (plan.latency.reason_ms, plan.latency.plan_ms) == (30.0, 0.0)
    assert (plan.tokens.prompt, plan.tokens.generated) == (100, 10)


def _ramp_echo(codec) -> tuple[str, dict]:
    history = {'speeds': np.linspace(2.03, 7.77, 10), 'curvatures': np.linspace(0, 0.03, 10)}
    return codec.encode(history['speeds'], history['curvatures']), history


@pytest.mark.parametrize(
    ('answers', 'stops', 'reason', 'detail'),
    [
        ([ModelError('no server')], [], Reason.MODEL_ERROR, 'no server'),
        ([THOUGHT, ModelError('crashed')], [], Reason.MODEL_ERROR, 'crashed'),
        ([THOUGHT, ModelError('slow', Reason.TIMEOUT)], [], Reason.TIMEOUT, 'slow'),
        (['Sce'], [Stop.TIMEOUT], Reason.TIMEOUT, 'got 10 tokens'),
        ([THOUGHT, PLAN[:40]], [Stop.END, Stop.TIMEOUT], Reason.TIMEOUT, 'got 21 tokens'),
        ([THOUGHT, PLAN[:40]], [Stop.END, Stop.LENGTH], Reason.LENGTH, 'need 10 pairs'),
        ([THOUGHT, 'I am'], [Stop.END, Stop.LENGTH], Reason.LENGTH, 'need 10 pairs'),
        ([THOUGHT, PLAN[:40]], [], Reason.LENGTH, 'need 10 pairs'),
        ([THOUGHT, 'I will slow down.'], [], Reason.FORMAT, 'got none in'),
        ([THOUGHT, ''], [], Reason.FORMAT, 'got none in'),
        ([THOUGHT, PLAN.replace('8.00', 'NaN', 1)], [], Reason.FORMAT, 'finite'),
        ([THOUGHT, PLAN.replace('8.00', '1e200')], [], Reason.IMPLAUSIBLE, '|speed|'),
        ([THOUGHT, PLAN.replace('8.00', '1e308')], [], Reason.IMPLAUSIBLE, '|speed|'),
        ([THOUGHT, PLAN.replace('1.00', '1e300')], [], Reason.IMPLAUSIBLE, '|curvature|'),
    ],
)
def test_every_failure_is_a_plan_with_its_reason(make_input, answers, stops, reason, detail):
    plan = planner_of(ScriptedModel(answers, stops=stops)).plan(make_input())
    assert plan.reason is reason
    assert detail in plan.detail
    assert not plan.valid


@pytest.mark.parametrize('number', ['1e200', '1e308'])
def test_actions_whose_arcs_overflow_are_implausible_and_have_no_trajectory(make_input, number):
    overflowing = PLAN.replace('8.00', number).replace('1.00', number)
    plan = planner_of(ScriptedModel([THOUGHT, overflowing])).plan(make_input())
    assert plan.reason is Reason.IMPLAUSIBLE
    assert plan.trajectory is None
    assert plan.replies[-1] == overflowing


def test_an_implausible_plan_keeps_its_trajectory(make_input):
    plan = planner_of(ScriptedModel([THOUGHT, PLAN])).plan(make_input(speeds=30.0))
    assert plan.reason is Reason.IMPLAUSIBLE
    assert plan.trajectory is not None
    np.testing.assert_allclose(plan.trajectory.speeds_mps, 8.0)


def test_a_whole_plan_cut_in_its_chatter_is_judged_by_its_numbers(make_input):
    stops = [Stop.LENGTH, Stop.LENGTH]
    model = ScriptedModel([THOUGHT, PLAN + ' Because'], stops=stops)
    assert planner_of(model).plan(make_input()).valid
    model = ScriptedModel([THOUGHT, PLAN + ' Because'], stops=stops)
    assert planner_of(model).plan(make_input(speeds=30.0)).reason is Reason.IMPLAUSIBLE


@pytest.mark.parametrize('codec', [TextActions(), ActionTokens()])
def test_the_history_written_again_is_an_echo_in_either_format(make_input, codec):
    echo, history = _ramp_echo(codec)
    plan = planner_of(ScriptedModel([THOUGHT, echo]), codec).plan(make_input(**history))
    assert plan.reason is Reason.HISTORY_ECHO
    assert plan.trajectory is not None


def test_standing_still_after_reversing_is_no_echo(make_input):
    stand = CODEC.encode(np.zeros(10), np.zeros(10))
    plan = planner_of(ScriptedModel([THOUGHT, stand])).plan(
        make_input(speeds=np.linspace(-3.0, -0.2, 10))
    )
    assert plan.valid


def test_the_history_and_then_the_plan_is_too_long(make_input):
    echo, history = _ramp_echo(CODEC)
    plan = planner_of(ScriptedModel([THOUGHT, echo + PLAN])).plan(make_input(**history))
    assert plan.reason is Reason.LENGTH


def test_each_turn_gets_the_time_that_is_left(make_input):
    model = ScriptedModel([THOUGHT, PLAN], seconds=0.4)
    plan = planner_of(model).plan(make_input(), time_limit_s=1.0)
    assert plan.valid
    assert [asked['time_limit_s'] for asked in model.asked] == pytest.approx([1.0, 0.6])


def test_time_that_runs_out_between_the_turns_is_a_timeout(make_input):
    model = ScriptedModel([THOUGHT, PLAN], seconds=1.0)
    plan = planner_of(model).plan(make_input(), time_limit_s=1.0)
    assert plan.reason is Reason.TIMEOUT
    assert plan.detail == 'need a plan within 1 s, got 10 tokens in 1.00 s'
    assert len(model.asked) == len(plan.prompts) == 1


def test_a_plan_that_comes_late_is_a_timeout_even_if_the_model_did_not_notice(make_input):
    model = ScriptedModel([THOUGHT, PLAN], seconds=0.6)
    plan = planner_of(model).plan(make_input(), time_limit_s=1.0)
    assert plan.reason is Reason.TIMEOUT
    assert plan.trajectory is None
    assert plan.replies == (THOUGHT, PLAN)


def test_without_a_limit_the_model_gets_none(make_input):
    model = ScriptedModel([THOUGHT, PLAN], seconds=1e6)
    assert planner_of(model).plan(make_input()).valid
    assert [asked['time_limit_s'] for asked in model.asked] == [None, None]


@pytest.mark.parametrize('seed', range(20))
def test_no_reply_makes_planning_raise(make_input, seed):
    random = np.random.default_rng(seed)
    noise = bytes(random.integers(0, 256, 400, dtype=np.uint8)).decode('latin-1')
    numbers = 10.0 ** random.uniform(-320, 308, (10, 2)) * random.choice([-1, 1], (10, 2))
    for answer in (noise, str(numbers.tolist())):
        plan = planner_of(ScriptedModel([noise, answer])).plan(make_input())
        assert plan.reason in (Reason.FORMAT, Reason.LENGTH, Reason.IMPLAUSIBLE)


def test_an_error_of_the_program_is_not_hidden(make_input):
    with pytest.raises(ZeroDivisionError):
        planner_of(ScriptedModel([ZeroDivisionError()])).plan(make_input())


def test_the_seed_depends_on_the_stamp_only(make_input, t0_ns):
    stamps = [t0_ns + k * 500_000_000 for k in range(5)]

    def seeds(planned, seed=3):
        model = ScriptedModel([THOUGHT, PLAN])
        planner = planner_of(model, seed=seed)
        for stamp_ns in planned:
            model.asked.clear()
            planner.plan(make_input(stamp_ns=stamp_ns))
        return dict(zip(planned, (seed for _, seed in model.started), strict=True))

    every, some = seeds(stamps), seeds(stamps[::2])
    assert some == {stamp_ns: every[stamp_ns] for stamp_ns in stamps[::2]}
    assert len(set(every.values())) == 5
    assert all(0 <= seed < 2**31 for seed in every.values())
    assert set(seeds(stamps, seed=4).values()).isdisjoint(every.values())


def test_a_planner_bears_the_name_of_its_model():
    assert planner_of(ScriptedModel([])).name == 'scripted'


@pytest.mark.parametrize(
    ('action_format', 'has_tokens', 'codec'),
    [
        ('auto', False, TextActions),
        ('auto', True, ActionTokens),
        ('text', True, TextActions),
        ('tokens', True, ActionTokens),
    ],
)
def test_auto_takes_tokens_where_the_vocabulary_has_them(action_format, has_tokens, codec):
    model = ScriptedModel([], tokens=has_tokens)
    assert isinstance(choose_codec(model, action_format), codec)


def test_the_step_of_a_plan_in_text_is_the_one_asked_for():
    codec = choose_codec(ScriptedModel([]), 'auto', 2.5)
    assert 'exactly 2 pairs' in codec.instructions()
    with pytest.raises(ModelError, match=r'plan_step_s: need a step of 0\.5, 1, 2\.5 s, got 2 s'):
        choose_codec(ScriptedModel([]), 'text', 2.0)
    with pytest.raises(ModelError, match=r'plan_step_s: need 0\.5 s with action tokens, got 1 s'):
        choose_codec(ScriptedModel([], tokens=True), 'auto', 1.0)


def test_tokens_that_the_model_lacks_are_a_model_error():
    with pytest.raises(ModelError, match='scripted lacks them; use action_format text'):
        choose_codec(ScriptedModel([]), 'tokens')


def test_a_snapshot_is_decoded_and_planned(make_history):
    history = make_history()
    snapshot = Snapshot(history.stamp_ns, b'image', history, 'turn right')
    model = ScriptedModel([THOUGHT, PLAN])
    rgb = np.full((2, 3, 3), 7, dtype=np.uint8)
    plan = plan_snapshot(planner_of(model), snapshot, lambda image: rgb)
    assert plan.valid
    (frame,) = model.started[0][0]
    assert (frame.name, frame.stamp_ns) == ('front', history.stamp_ns)
    np.testing.assert_array_equal(frame.rgb, rgb)
    assert 'turn right' in plan.prompts[0]


def test_an_image_that_cannot_be_decoded_gives_a_plan_with_its_reason(make_history):
    def decode(image):
        raise InputError(Reason.IMAGE_TRUNCATED, 'need 10 bytes, got 3')

    history = make_history()
    model = ScriptedModel([THOUGHT, PLAN])
    snapshot = Snapshot(history.stamp_ns, b'image', history, '')
    plan = plan_snapshot(planner_of(model), snapshot, decode)
    assert (plan.reason, plan.detail) == (Reason.IMAGE_TRUNCATED, 'need 10 bytes, got 3')
    assert plan.stamp_ns == history.stamp_ns
    assert not model.started


def test_a_failed_plan_stands_for_its_error():
    plan = failed_plan(7, PlanningError(Reason.NO_IMAGE, 'none'))
    assert (plan.stamp_ns, plan.reason, plan.detail) == (7, Reason.NO_IMAGE, 'none')


FAST = CODEC.encode(np.full(10, 14.0), np.full(10, 0.04))
CALM = CODEC.encode(np.full(10, 8.0), np.full(10, 0.011))


def test_of_several_plans_the_one_that_ranks_first_is_driven(make_input):
    model = ScriptedModel([THOUGHT, FAST, THOUGHT, PLAN, THOUGHT, CALM])
    plan = planner_of(model, num_samples=3).plan(make_input(speeds=np.full(10, 8.0)))
    assert plan.valid
    assert plan.replies[1] in (PLAN, CALM)
    assert len({seed for _, seed in model.started}) == 3
    assert plan.tokens.generated == sum(10 + k for k in range(6))
    assert plan.latency.reason_ms == pytest.approx(30.0 + 32.0 + 34.0)


def test_plans_that_failed_are_not_ranked(make_input):
    model = ScriptedModel([THOUGHT, 'no', THOUGHT, PLAN])
    plan = planner_of(model, num_samples=2).plan(make_input(speeds=np.full(10, 8.0)))
    assert plan.valid
    assert plan.replies[1] == PLAN


def test_when_all_fail_the_first_reason_is_told(make_input):
    model = ScriptedModel([THOUGHT, 'no', THOUGHT, 'nor'])
    plan = planner_of(model, num_samples=2).plan(make_input())
    assert plan.reason is Reason.FORMAT
    assert plan.replies[1] == 'no'


def test_no_further_plan_is_begun_when_time_is_up(make_input):
    model = ScriptedModel([THOUGHT, PLAN] * 4, seconds=0.2)
    plan = planner_of(model, num_samples=4).plan(make_input(), time_limit_s=0.75)
    assert plan.valid
    assert len(model.started) == 2


def test_one_sample_is_the_plan_as_it_was(make_input):
    one = planner_of(ScriptedModel([THOUGHT, FAST]), num_samples=1).plan(make_input())
    assert one.replies[1] == FAST
