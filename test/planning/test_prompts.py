"""The two questions: everything the model must know is said once, in the units it answers in."""

from __future__ import annotations

import numpy as np
import pytest

from emma_planner.planning.actions import ActionTokens, TextActions, format_pairs
from emma_planner.planning.prompts import Told, plan_prompt, reason_prompt


def test_the_first_question_tells_camera_command_and_history(make_input):
    planner_input = make_input(
        command='turn left', speeds=np.arange(10.0), curvatures=np.linspace(-0.1, 0.1, 10)
    )
    text = reason_prompt(planner_input, TextActions())
    history = planner_input.history
    for part in (
        'Camera: front',
        'Route command: turn left.',
        'The last 5 s in steps of 0.5 s, oldest first',
        '[speed m/s, curvature 1/(100 m), left positive]',
        format_pairs(history.speeds_mps, history.curvatures_1pm),
    ):
        assert part in text


def test_the_first_question_asks_for_the_three_parts_by_the_labels_that_are_parsed(make_input):
    lines = reason_prompt(make_input(), TextActions()).splitlines()
    assert [line.split(':')[0] for line in lines[-3:]] == ['Scene', 'Objects', 'Intent']


@pytest.mark.parametrize('codec', [TextActions(), ActionTokens()])
def test_the_second_question_does_not_tell_the_situation_again(make_input, codec):
    text = plan_prompt(make_input(), codec, reasoned=True)
    assert codec.instructions() in text
    assert 'Route command' not in text


@pytest.mark.parametrize('codec', [TextActions(), ActionTokens()])
def test_without_reasoning_the_only_question_tells_all(make_input, codec):
    text = plan_prompt(make_input(), codec, reasoned=False)
    assert codec.instructions() in text
    assert reason_prompt(make_input(), codec).splitlines()[0] in text


def test_history_and_answer_are_in_the_same_form(make_input):
    """A model that copies the form of the history answers in the right form."""
    planner_input = make_input(speeds=np.arange(10.0), curvatures=0.01)
    history = planner_input.history
    answer = TextActions().encode(history.speeds_mps, history.curvatures_1pm)
    assert answer.removeprefix('{"plan":[').removesuffix(']}') in reason_prompt(
        planner_input, TextActions()
    )


def test_a_prompt_depends_on_its_input_alone(make_input):
    assert reason_prompt(make_input(), TextActions()) == reason_prompt(
        make_input(stamp_ns=5), TextActions()
    )


def test_a_model_that_was_trained_for_it_is_asked_in_few_words(make_input):
    """Every word of a prompt costs a small model time."""
    codec = ActionTokens()
    planner_input = make_input(command='turn left', speeds=np.arange(10.0), curvatures=0.01)
    history = planner_input.history
    motion = codec.write_history(history.speeds_mps, history.curvatures_1pm)
    assert reason_prompt(planner_input, codec) == f'turn left\n{motion}\nReason.'
    assert plan_prompt(planner_input, codec, reasoned=True) == 'Plan.'
    assert plan_prompt(planner_input, codec, reasoned=False) == f'turn left\n{motion}\nPlan.'


@pytest.mark.parametrize('codec', [TextActions(), ActionTokens()])
@pytest.mark.parametrize('steps', [1, 4, 10])
def test_the_last_steps_of_the_past_are_told(make_input, codec, steps):
    planner_input = make_input(speeds=np.arange(10.0), curvatures=np.linspace(-0.02, 0.02, 10))
    history = planner_input.history
    motion = codec.write_history(history.speeds_mps[-steps:], history.curvatures_1pm[-steps:])
    text = reason_prompt(planner_input, codec, Told(history_steps=steps))
    if codec.is_taught:
        assert text == f'{planner_input.command}\n{motion}\nReason.'
    else:
        assert f'The last {steps * 0.5:g} s' in text
        assert text.count('[') == steps + 1


def test_cameras_that_are_not_shown_are_not_named(make_input):
    assert 'Camera: front.' in reason_prompt(make_input(), TextActions())
    assert 'Camera' not in reason_prompt(make_input(), TextActions(), Told(images=False))


@pytest.mark.parametrize('codec', [TextActions(), ActionTokens()])
def test_what_is_not_to_be_told_is_left_out(make_input, codec):
    planner_input = make_input(command='turn left', speeds=np.arange(10.0), curvatures=0.01)
    history = planner_input.history
    motion = codec.write_history(history.speeds_mps, history.curvatures_1pm)
    for told in (
        Told(history_steps=0),
        Told(command=False),
        Told(history_steps=0, command=False),
    ):
        for text in (
            reason_prompt(planner_input, codec, told),
            plan_prompt(planner_input, codec, told, reasoned=False),
        ):
            assert (motion in text) == bool(told.history_steps)
            assert ('turn left' in text) == told.command
            assert 'None' not in text
            assert 'False' not in text
