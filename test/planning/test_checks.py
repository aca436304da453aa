"""Plausibility, echo, and whether words and numbers agree."""

from __future__ import annotations

import numpy as np
import pytest
from planning.trajectories import trajectory_of

from emma_planner.planning.checks import (
    PlanCheckError,
    PlausibilityLimits,
    check_echo,
    check_plausible,
    intent_agrees,
    lateral_motion,
    longitudinal_motion,
    missed_intent,
)
from emma_planner.planning.types import Reason

LIMITS = PlausibilityLimits()


def _refused(trajectory, history) -> str:
    with pytest.raises(PlanCheckError) as caught:
        check_plausible(trajectory, history, LIMITS)
    assert caught.value.reason is Reason.IMPLAUSIBLE
    return str(caught.value)


@pytest.mark.parametrize('speed', [0.0, 8.0, 59.0, -3.0])
def test_driving_on_is_plausible(make_history, speed):
    check_plausible(trajectory_of(speed), make_history(speed), LIMITS)


@pytest.mark.parametrize('side', [1.0, -1.0])
def test_each_limit_is_named_with_its_value_and_step(make_history, side):
    speed_up = np.array([8.0] * 6 + [16.0] * 4)
    assert _refused(trajectory_of(61.0), make_history(60.0)) == (
        'need |speed| up to 60 m/s, got 61 in step 1'
    )
    assert _refused(trajectory_of(1.0, side * 0.4), make_history(1.0)) == (
        f'need |curvature| up to 0.35 1/m, got {side * 0.4:.3g} in step 1'
    )
    assert _refused(trajectory_of(speed_up), make_history()) == (
        'need |acceleration| up to 10 m/s^2, got 16 in step 7'
    )
    assert _refused(trajectory_of(20.0, side * 0.03), make_history(20.0)) == (
        f'need |lateral acceleration| up to 10 m/s^2, got {side * 12:.3g} in step 1'
    )


def test_the_first_step_is_held_against_the_current_speed(make_history):
    check_plausible(trajectory_of(8.0), make_history(4.0), LIMITS)
    assert 'acceleration' in _refused(trajectory_of(8.0), make_history(2.0))
    assert 'acceleration' in _refused(trajectory_of(2.0), make_history(8.0))


def test_a_limit_itself_is_plausible(make_history):
    check_plausible(trajectory_of(60.0), make_history(60.0), LIMITS)
    check_plausible(trajectory_of(1.0, 0.35), make_history(1.0), LIMITS)


def test_numbers_that_overflow_a_product_are_implausible(make_history):
    assert 'speed' in _refused(trajectory_of(1e200), make_history())


def test_a_plan_that_repeats_a_changing_history_is_an_echo(make_history):
    history = make_history(np.linspace(3.0, 8.0, 10), np.linspace(0.0, 0.05, 10))
    echo = trajectory_of(history.speeds_mps + 0.004, history.curvatures_1pm - 4e-5)
    with pytest.raises(PlanCheckError, match='ten history pairs written again') as caught:
        check_echo(echo, history.speeds_mps, history.curvatures_1pm)
    assert caught.value.reason is Reason.HISTORY_ECHO


@pytest.mark.parametrize('step', [0, 4, 9])
def test_one_number_of_its_own_is_no_echo(make_history, step):
    history = make_history(np.linspace(3.0, 8.0, 10), np.linspace(0.0, 0.05, 10))
    change = np.eye(10)[step]
    for plan in (
        trajectory_of(history.speeds_mps + 0.03 * change, history.curvatures_1pm),
        trajectory_of(history.speeds_mps, history.curvatures_1pm + 3e-4 * change),
    ):
        check_echo(plan, history.speeds_mps, history.curvatures_1pm)


def test_going_on_steadily_is_no_echo(make_history):
    history = make_history(8.0, 0.02)
    check_echo(trajectory_of(8.0, 0.02), history.speeds_mps, history.curvatures_1pm)


def test_steady_speed_through_a_changing_bend_can_be_an_echo(make_history):
    history = make_history(8.0, np.linspace(0.0, 0.05, 10))
    with pytest.raises(PlanCheckError):
        check_echo(
            trajectory_of(8.0, history.curvatures_1pm), history.speeds_mps, history.curvatures_1pm
        )


@pytest.mark.parametrize(
    ('curvature', 'side'), [(0.02, 'left'), (-0.02, 'right'), (0.001, 'straight'), (0, 'straight')]
)
def test_lateral_motion_is_the_heading_change(curvature, side):
    assert lateral_motion(trajectory_of(8.0, curvature)) == side


@pytest.mark.parametrize(
    ('first', 'last', 'motion'),
    [
        (8.0, 8.5, 'keep'),
        (8.0, 4.0, 'decelerate'),
        (0.0, 5.0, 'accelerate'),
        (6.0, 0.0, 'stop'),
        (0.0, 0.0, 'stop'),
    ],
)
def test_longitudinal_motion_is_the_speed_change(first, last, motion):
    assert longitudinal_motion(trajectory_of(np.linspace(first, last, 10))) == motion


LEFT, RIGHT, AHEAD = trajectory_of(8.0, 0.02), trajectory_of(8.0, -0.02), trajectory_of(8.0)
BRAKE, STOP = trajectory_of(np.linspace(8.0, 4.0, 10)), trajectory_of(np.linspace(8.0, 0.0, 10))


@pytest.mark.parametrize(
    ('intent', 'trajectory', 'agrees'),
    [
        ('Turn left.', LEFT, True),
        ('Turn left.', RIGHT, False),
        ('turn RIGHT at the light', RIGHT, True),
        ('go straight', LEFT, False),
        ('follow the lane', AHEAD, True),
        ('slow down and turn left', LEFT, False),
        ('keep a constant speed', AHEAD, True),
        ('accelerate', AHEAD, False),
        ('stop for the bus', STOP, True),
        ('brake for the bus', STOP, True),
        ('stop for the bus', BRAKE, True),
        ('slow down, keep the lane', BRAKE, True),
        ('left or right, whichever is free', AHEAD, None),
        ('enjoy the view', AHEAD, None),
        ('change lane left, keep the speed', AHEAD, True),
        ('pass obstacle right, then go straight', AHEAD, True),
        ('', AHEAD, None),
    ],
)
def test_intent_agrees_when_the_trajectory_does_what_it_says(intent, trajectory, agrees):
    assert intent_agrees(intent, trajectory) is agrees


@pytest.mark.parametrize(
    ('intent', 'trajectory', 'missed'),
    [
        ('go straight, keep speed', trajectory_of(), (0, 0)),
        ('steer left, keep speed', trajectory_of(), (0, 1)),
        ('steer right, accelerate', trajectory_of(), (1, -1)),
        ('go straight, keep speed', trajectory_of(8.0, 0.02), (0, -1)),
        ('go straight, keep speed', trajectory_of(8.0, -0.02), (0, 1)),
        ('steer right', trajectory_of(8.0, 0.02), (0, -1)),
        ('decelerate', trajectory_of(np.linspace(8.0, 12.0, 10)), (-1, 0)),
        ('keep speed', trajectory_of(np.linspace(8.0, 12.0, 10)), (-1, 0)),
        ('keep speed', trajectory_of(np.linspace(8.0, 0.0, 10)), (1, 0)),
        ('accelerate', trajectory_of(np.linspace(8.0, 0.0, 10)), (1, 0)),
        ('stop', trajectory_of(np.linspace(8.0, 4.0, 10)), (0, 0)),
        ('decelerate', trajectory_of(np.linspace(8.0, 0.0, 10)), (0, 0)),
        ('stop', trajectory_of(), (-1, 0)),
        ('enjoy the view', trajectory_of(), None),
    ],
)
def test_what_a_trajectory_misses_of_its_intent(intent, trajectory, missed):
    assert missed_intent(intent, trajectory) == missed
    agrees = None if missed is None else missed == (0, 0)
    assert intent_agrees(intent, trajectory) is agrees
