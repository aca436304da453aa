"""Laws of the kinematic baselines."""

from __future__ import annotations

import numpy as np
import pytest

from emma_planner.planning.baselines import (
    BASELINES,
    BaselinePlanner,
    baseline_poses,
    constant_action,
    constant_velocity,
    half_acceleration,
)
from emma_planner.planning.kinematics import integrate

ELAPSED_S = 0.5 * np.arange(1, 11)
each = pytest.mark.parametrize('name', list(BASELINES))


@each
@pytest.mark.parametrize('speed', [-2.0, 0.0, 12.0])
def test_a_car_that_drives_straight_goes_on_straight(make_history, name, speed):
    poses = BASELINES[name](make_history(speed)).poses
    np.testing.assert_allclose(poses[:, 0], speed * ELAPSED_S, atol=1e-12)
    assert not poses[:, 1:].any()


@each
def test_a_car_that_stands_goes_on_standing(make_history, name):
    history = make_history([5.0] * 5 + [0.0] * 5, 0.1)
    assert not BASELINES[name](history).poses.any()


@each
def test_mirrored_history_gives_the_mirrored_trajectory(make_history, name):
    speeds, curvatures = np.linspace(4.0, 7.0, 10), np.linspace(0.0, 0.1, 10)
    left = BASELINES[name](make_history(speeds, curvatures))
    right = BASELINES[name](make_history(speeds, -curvatures))
    np.testing.assert_array_equal(right.poses, left.poses * [1.0, -1.0, -1.0])
    np.testing.assert_array_equal(right.curvatures_1pm, -left.curvatures_1pm)


@each
def test_reversed_history_gives_the_reversed_speeds(make_history, name):
    speeds = np.linspace(7.0, 4.0, 10)
    ahead, back = BASELINES[name](make_history(speeds)), BASELINES[name](make_history(-speeds))
    np.testing.assert_array_equal(back.speeds_mps, -ahead.speeds_mps)


def test_constant_action_stays_on_the_circle(make_history):
    x, y, yaw = constant_action(make_history(8.0, -0.05)).poses.T
    np.testing.assert_allclose(np.hypot(x, y + 20.0), 20.0)
    np.testing.assert_allclose(yaw, -0.4 * ELAPSED_S)


def test_constant_velocity_does_not_turn(make_history):
    assert not constant_velocity(make_history(8.0, 0.05)).poses[:, 1:].any()


def test_half_acceleration_adds_half_of_the_acceleration(make_history):
    history = make_history(10.0 + 2.0 * np.arange(-4.5, 0.1, 0.5), 0.0)
    x = half_acceleration(history).poses[:, 0]
    np.testing.assert_allclose(x, 10.0 * ELAPSED_S + 0.5 * 1.0 * ELAPSED_S**2)


def test_half_acceleration_uses_the_last_second_alone(make_history):
    history = make_history([*np.linspace(0.0, 9.0, 7), 10.0, 10.0, 10.0])
    np.testing.assert_array_equal(half_acceleration(history).speeds_mps, 10.0)


@pytest.mark.parametrize('side', [1.0, -1.0])
def test_half_acceleration_stops_and_does_not_turn_back(make_history, side):
    speeds = half_acceleration(make_history(side * np.linspace(19.0, 1.0, 10))).speeds_mps
    assert (side * speeds >= 0.0).all()
    assert speeds[-1] == 0.0


@each
def test_actions_and_poses_of_a_baseline_agree(make_history, name):
    trajectory = BASELINES[name](make_history(np.linspace(4.0, 7.0, 10), 0.03))
    poses = integrate(trajectory.speeds_mps, trajectory.curvatures_1pm)
    np.testing.assert_array_equal(trajectory.poses, poses)


@each
def test_a_baseline_planner_plans_its_baseline_without_looking(make_input, name):
    planner = BaselinePlanner(name)
    planner_input = make_input(speeds=6.0, curvatures=0.02)
    plan = planner.plan(planner_input, time_limit_s=1e-9)
    assert planner.name == name
    assert plan.valid
    assert plan.stamp_ns == planner_input.stamp_ns
    expected = BASELINES[name](planner_input.history)
    np.testing.assert_array_equal(plan.trajectory.poses, expected.poses)
    assert plan.tokens.generated == 0


def test_unknown_baseline_is_refused_with_the_names():
    with pytest.raises(ValueError, match=r"need one of constant-action, .*, got 'magic'"):
        BaselinePlanner('magic')


@pytest.mark.parametrize('name', BASELINES)
def test_many_histories_at_once_are_each_by_itself(name, make_history):
    rng = np.random.default_rng(0)
    motions = rng.normal(0.0, 5.0, (6, 10, 2)) * (1.0, 0.01)
    together = baseline_poses(name, motions)
    for motion, poses in zip(motions, together, strict=True):
        alone = BASELINES[name](make_history(motion[:, 0], motion[:, 1]))
        np.testing.assert_allclose(poses, alone.poses, atol=1e-12)
