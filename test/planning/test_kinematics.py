"""Laws of the exact arcs."""

from __future__ import annotations

import numpy as np
import pytest

from emma_planner.evaluation import metrics
from emma_planner.planning.kinematics import (
    curvatures_by_place,
    integrate,
    invert,
    to_base,
    to_frame,
    wrap_angle,
)
from emma_planner.planning.types import DT_S, Pose

ONES = np.ones(10)
ELAPSED_S = DT_S * np.arange(1, 11)
MIRROR = np.array([1.0, -1.0, -1.0])


def _random_actions(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Forward and reverse, with standstill; each step turns by less than half a turn."""
    random = np.random.default_rng(seed)
    speeds = random.uniform(-10.0, 35.0, 10)
    speeds[random.random(10) < 0.2] = 0.0
    limit_1pm = np.minimum(0.35, 3.1 / np.maximum(np.abs(speeds) * DT_S, 1e-6))
    curvatures = random.uniform(-1.0, 1.0, 10) * limit_1pm
    return speeds, np.where(speeds == 0.0, 0.0, curvatures)


@pytest.mark.parametrize('speed', [-3.0, 0.0, 0.4, 30.0])
def test_straight_line_advances_by_speed_times_dt(speed):
    poses = integrate(speed * ONES, 0.0 * ONES)
    np.testing.assert_allclose(poses[:, 0], speed * ELAPSED_S, atol=1e-12)
    assert not poses[:, 1:].any()


@pytest.mark.parametrize('curvature', [1e-9, 0.02, -0.02, 0.3])
@pytest.mark.parametrize('speed', [10.0, -4.0])
def test_constant_curvature_stays_exactly_on_the_circle(speed, curvature):
    x, y, yaw = integrate(speed * ONES, curvature * ONES).T
    angle = curvature * speed * ELAPSED_S
    np.testing.assert_allclose(yaw, angle, rtol=1e-12)
    np.testing.assert_allclose(x, np.sin(angle) / curvature, atol=1e-9)
    # 1 - cos loses its digits for small angles; 2 sin^2(angle / 2) does not
    np.testing.assert_allclose(y, 2.0 * np.sin(angle / 2) ** 2 / curvature, atol=1e-9)


def test_left_turn_has_positive_curvature_and_ends_on_the_left():
    poses = integrate(5.0 * ONES, 0.05 * ONES)
    assert (poses[:, 1] > 0.0).all()
    assert (invert(poses)[1] > 0.0).all()


def test_left_curvature_in_reverse_moves_back_and_left_with_the_yaw_turning_right():
    poses = integrate(-2.0 * ONES, 0.05 * ONES)
    assert (poses[:, 0] < 0.0).all()
    assert (poses[:, 1] > 0.0).all()
    assert (poses[:, 2] < 0.0).all()


@pytest.mark.parametrize('seed', range(5))
def test_negated_curvature_mirrors_the_poses(seed):
    speeds, curvatures = _random_actions(seed)
    np.testing.assert_array_equal(
        integrate(speeds, -curvatures), integrate(speeds, curvatures) * MIRROR
    )


@pytest.mark.parametrize('seed', range(5))
def test_mirrored_poses_invert_to_negated_curvature(seed):
    poses = integrate(*_random_actions(seed))
    speeds, curvatures = invert(poses)
    mirrored_speeds, mirrored_curvatures = invert(poses * MIRROR)
    np.testing.assert_allclose(mirrored_speeds, speeds, atol=1e-12)
    np.testing.assert_allclose(mirrored_curvatures, -curvatures, atol=1e-12)


@pytest.mark.parametrize('seed', range(50))
def test_invert_gives_back_what_was_integrated(seed):
    speeds, curvatures = _random_actions(seed)
    inverted_speeds, inverted_curvatures = invert(integrate(speeds, curvatures))
    np.testing.assert_allclose(inverted_speeds, speeds, atol=1e-9)
    np.testing.assert_allclose(inverted_curvatures, curvatures, atol=1e-9)


@pytest.mark.parametrize('seed', range(50))
def test_integrate_gives_back_the_poses_that_were_inverted(seed):
    poses = integrate(*_random_actions(seed))
    np.testing.assert_allclose(integrate(*invert(poses)), poses, atol=1e-9)


def test_invert_reads_wrapped_and_unwrapped_yaw_alike():
    poses = integrate(10.0 * ONES, 0.3 * ONES)
    wrapped = poses.copy()
    wrapped[:, 2] = wrap_angle(poses[:, 2])
    assert np.ptp(poses[:, 2]) > 2 * np.pi
    np.testing.assert_allclose(invert(wrapped)[1], invert(poses)[1], atol=1e-12)


def test_speed_is_metres_per_second_and_not_per_step():
    poses = np.column_stack([3.0 * np.arange(1, 11), np.zeros((10, 2))])
    np.testing.assert_allclose(invert(poses)[0], 6.0)
    np.testing.assert_allclose(invert(poses, dt_s=0.1)[0], 30.0)


def test_first_step_starts_at_the_present_pose():
    speeds = np.array([4.0, *np.zeros(9)])
    np.testing.assert_array_equal(integrate(speeds, 0.0 * ONES)[:, 0], 2.0)


def test_standstill_has_zero_speed_and_curvature():
    speeds, curvatures = invert(np.zeros((10, 3)))
    assert not speeds.any()
    assert not curvatures.any()


def test_exact_arcs_land_where_euler_steps_do_not():
    speeds, curvatures = 10.0 * ONES, 0.1 * ONES
    fine = integrate(np.repeat(speeds, 1000), np.repeat(curvatures, 1000), dt_s=DT_S / 1000)
    coarse = integrate(speeds, curvatures)
    np.testing.assert_allclose(coarse, fine[999::1000], atol=1e-9)
    yaw_before = np.concatenate([[0.0], coarse[:-1, 2]])
    euler_x = np.cumsum(speeds * DT_S * np.cos(yaw_before))
    assert np.abs(euler_x - coarse[:, 0]).max() > 1.0


def test_perfect_actions_score_zero():
    """OpenEMMA's integration and metric gave the true actions 1.62 m."""
    truth = np.stack([integrate(*_random_actions(seed)) for seed in range(20)])
    predicted = np.stack([integrate(*invert(poses)) for poses in truth])
    summary = metrics.summarise(predicted, truth)
    for figure in (*summary.at_horizon, *summary.averaged, *summary.window, summary.ade):
        assert figure.mean == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize('seed', range(5))
def test_to_base_undoes_to_frame(seed):
    random = np.random.default_rng(seed)
    base = Pose(*random.uniform(-3.0, 3.0, 3))
    poses = np.column_stack([random.uniform(-50, 50, (10, 2)), random.uniform(-3.1, 3.1, 10)])
    np.testing.assert_allclose(to_base(to_frame(poses, base), base), poses, atol=1e-9)
    np.testing.assert_allclose(to_frame(to_base(poses, base), base), poses, atol=1e-9)


def test_to_frame_puts_ahead_where_the_base_looks():
    facing_left = Pose(100.0, 50.0, np.pi / 2)
    ahead, left = to_frame(np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), facing_left)
    np.testing.assert_allclose(ahead, [100.0, 52.0, np.pi / 2], atol=1e-12)
    np.testing.assert_allclose(left, [99.0, 50.0, np.pi / 2], atol=1e-12)


def test_yaw_in_a_frame_is_wrapped():
    poses = to_frame(np.array([[0.0, 0.0, 3.0]]), Pose(0.0, 0.0, 3.0))
    assert poses[0, 2] == pytest.approx(6.0 - 2 * np.pi)


def test_angles_wrap_to_plus_minus_pi():
    angles = np.array([0.0, np.pi, -np.pi, 3 * np.pi, 7.0])
    np.testing.assert_allclose(
        wrap_angle(angles), [0.0, -np.pi, -np.pi, -np.pi, 7.0 - 2 * np.pi], atol=1e-12
    )


def test_other_steps_along_the_same_way_turn_where_it_turns():
    steps_m, curvatures = np.full(4, 2.0), np.array([0.0, 0.1, 0.1, -0.2])
    same = curvatures_by_place(np.arange(0.0, 10.0, 2.0), steps_m, curvatures)
    np.testing.assert_allclose(same, curvatures, atol=1e-12)
    other = curvatures_by_place(np.array([1.0, 3.0, 3.0, 7.0]), steps_m, curvatures)
    np.testing.assert_allclose(other, [0.05, 0.0, 0.025], atol=1e-12)
