"""What is driven without a plan: declared, along the same geometry, never in the past."""

from __future__ import annotations

import numpy as np
import pytest

from emma_planner.planning.fallback import DrivenPath, PathKeeper, Source
from emma_planner.planning.kinematics import integrate, to_base
from emma_planner.planning.types import EgoState, Plan, Pose, Reason, Trajectory

S = 1_000_000_000
STEP = S // 2
BRAKING_MPS2 = 2.0
EGO = Pose(3.0, -2.0, 0.7)


def _plan(stamp_ns, speeds=8.0, curvatures=0.0) -> Plan:
    speeds, curvatures = np.broadcast_to(speeds, 10), np.broadcast_to(curvatures, 10)
    return Plan(stamp_ns, Trajectory(speeds, curvatures, integrate(speeds, curvatures)))


def _kept(make_history, t0_ns, max_age_s=3.0, **plan) -> tuple[PathKeeper, DrivenPath]:
    keeper = PathKeeper(max_age_s)
    return keeper, keeper.accept(_plan(t0_ns, **plan), make_history(stamp_ns=t0_ns))


def _ego(stamp_ns, speed=6.0, curvature=0.05) -> EgoState:
    return EgoState(stamp_ns, EGO, speed, curvature)


def _braking(path: DrivenPath) -> np.ndarray:
    return -np.diff(np.abs(path.speeds_mps)) / 0.5


def test_an_accepted_plan_is_anchored_at_its_ego_pose(make_history, t0_ns):
    _, path = _kept(make_history, t0_ns, curvatures=0.04)
    assert (path.source, path.frame_id) == (Source.PLAN, 'odom')
    assert path.stamps_ns == tuple(t0_ns + k * STEP for k in range(1, 11))
    relative = to_base(path.poses, EGO)
    np.testing.assert_allclose(relative, integrate(np.full(10, 8.0), np.full(10, 0.04)), atol=1e-9)
    assert path.target_speed_mps == 8.0


def test_a_plan_that_failed_is_not_accepted(make_history):
    keeper = PathKeeper(3.0)
    with pytest.raises(ValueError, match='need a valid plan, got timeout'):
        keeper.accept(Plan(0, None, reason=Reason.TIMEOUT), make_history())


def test_poses_already_passed_are_dropped(make_history, t0_ns):
    _, path = _kept(make_history, t0_ns, speeds=np.arange(1.0, 11.0))
    rest = path.after(t0_ns + S)
    assert rest.stamps_ns == path.stamps_ns[2:]
    np.testing.assert_array_equal(rest.poses, path.poses[2:])
    assert (rest.source, rest.target_speed_mps) == (Source.PLAN, 3.0)
    assert path.after(t0_ns + 100 * S).target_speed_mps == 0.0


def test_the_rest_of_the_last_path_has_the_poses_of_the_plan(make_history, t0_ns):
    keeper, path = _kept(make_history, t0_ns, curvatures=np.linspace(-0.05, 0.1, 10))
    rest = keeper.fallback(t0_ns + STEP, _ego(t0_ns), 'odom')
    assert rest.source is Source.LAST_PLAN
    assert rest.stamps_ns[:5] == path.stamps_ns[1:6]
    np.testing.assert_array_equal(rest.poses[:5], path.poses[1:6])
    np.testing.assert_array_equal(rest.speeds_mps[:5], path.speeds_mps[1:6])


@pytest.mark.parametrize('max_age_s', [0.0, 0.5, 3.0, 5.0])
def test_the_source_is_declared_at_each_age(make_history, t0_ns, max_age_s):
    keeper, _ = _kept(make_history, t0_ns, max_age_s)
    for age_ns in range(0, 20 * S, S // 4):
        source = keeper.fallback(t0_ns + age_ns, None, 'odom').source
        assert source is (Source.LAST_PLAN if age_ns < max_age_s * S else Source.STOP)


def test_an_age_between_two_steps_stops_at_the_earlier(make_history, t0_ns):
    keeper, _ = _kept(make_history, t0_ns, max_age_s=1.3)
    assert keeper.fallback(t0_ns + S - 1, None, '').source is Source.LAST_PLAN
    assert keeper.fallback(t0_ns + S, None, '').source is Source.STOP


def test_an_age_beyond_the_plan_stops_at_its_end(make_history, t0_ns):
    keeper, _ = _kept(make_history, t0_ns, max_age_s=60.0)
    assert keeper.fallback(t0_ns + 5 * S, None, '').source is Source.STOP


@pytest.mark.parametrize('speed', [0.3, 8.0, 29.7, -4.0])
@pytest.mark.parametrize('max_age_s', [0.0, 3.0, 5.0])
def test_the_stop_brakes_comfortably_and_ends_at_standstill(make_history, t0_ns, speed, max_age_s):
    keeper, _ = _kept(make_history, t0_ns, max_age_s, speeds=speed)
    path = keeper.fallback(t0_ns, None, 'odom')
    braking = _braking(path)
    assert (braking >= -1e-9).all()
    assert braking.max(initial=0.0) <= BRAKING_MPS2 + 1e-9
    # the last step ends at rest: its mean speed is at most that of braking over half a second
    assert abs(path.speeds_mps[-1]) <= BRAKING_MPS2 * 0.5 / 2 + 1e-9
    assert (np.sign(path.speeds_mps) == np.sign(speed)).all()
    braked_m = np.abs(path.speeds_mps[int(max_age_s * 2) :]).sum() * 0.5
    assert braked_m == pytest.approx(speed**2 / (2 * BRAKING_MPS2))


@pytest.mark.parametrize('curvature', [0.05, -0.05])
@pytest.mark.parametrize('speed', [8.0, -3.0])
def test_the_stop_stays_on_the_circle_of_the_plan(make_history, t0_ns, curvature, speed):
    keeper, _ = _kept(make_history, t0_ns, speeds=speed, curvatures=curvature)
    x, y, yaw = to_base(keeper.fallback(t0_ns, None, '').poses, EGO).T
    np.testing.assert_allclose(np.hypot(x, y - 1 / curvature), abs(1 / curvature))
    np.testing.assert_allclose(np.sin(yaw), curvature * x, atol=1e-9)


def test_the_stop_turns_where_the_plan_turns_and_not_when(make_history, t0_ns):
    """The plan goes straight for 24 m, then left; braking from 8 m/s after 16 m ends at 32 m."""
    keeper, _ = _kept(make_history, t0_ns, 2.0, curvatures=np.where(np.arange(10) < 6, 0, 0.05))
    x, y, yaw = to_base(keeper.fallback(t0_ns, None, '').poses, EGO).T
    arcs = 24.0 + np.arange(0.0, 16.0, 0.01)
    plan_x = 24.0 + np.sin(0.05 * (arcs - 24.0)) / 0.05
    plan_y = (1.0 - np.cos(0.05 * (arcs - 24.0))) / 0.05
    for pose_x, pose_y in zip(x, y, strict=True):
        off_m = np.hypot(plan_x - pose_x, plan_y - pose_y).min()
        assert off_m < 0.05 if pose_x > 24.0 else abs(pose_y) < 1e-9
    assert yaw[-1] == pytest.approx(0.05 * 8.0)


def test_mirrored_plans_stop_mirrored(make_history, t0_ns):
    curvatures = np.linspace(0.0, 0.08, 10)
    left, _ = _kept(make_history, t0_ns, curvatures=curvatures)
    right, _ = _kept(make_history, t0_ns, curvatures=-curvatures)
    left_poses, right_poses = (
        to_base(keeper.fallback(t0_ns, None, '').poses, EGO) for keeper in (left, right)
    )
    np.testing.assert_allclose(right_poses, left_poses * [1.0, -1.0, -1.0], atol=1e-9)


@pytest.mark.parametrize('ego', [None, 'known'])
@pytest.mark.parametrize('age_s', [0.0, 0.1, 0.5, 2.9, 3.0, 4.2, 7.0, 100.0])
def test_no_pose_lies_in_the_past(make_history, t0_ns, age_s, ego):
    now_ns = t0_ns + round(age_s * S)
    state = None if ego is None else _ego(now_ns - S)
    keeper, _ = _kept(make_history, t0_ns)
    for path in (keeper.fallback(now_ns, state, ''), PathKeeper(3.0).fallback(now_ns, state, '')):
        assert all(stamp_ns > now_ns for stamp_ns in path.stamps_ns)
        assert len(path.stamps_ns) == len(path.poses) == len(path.speeds_mps)


def test_after_the_stop_the_path_is_empty_and_the_speed_zero(make_history, t0_ns):
    keeper, _ = _kept(make_history, t0_ns)
    path = keeper.fallback(t0_ns + 60 * S, _ego(t0_ns), 'odom')
    assert (path.source, len(path.poses), path.target_speed_mps) == (Source.STOP, 0, 0.0)


def test_without_a_plan_the_car_stops_along_its_current_arc(t0_ns):
    path = PathKeeper(3.0).fallback(t0_ns, _ego(t0_ns), 'map')
    assert (path.source, path.frame_id) == (Source.STOP, 'map')
    x, y, _ = to_base(path.poses, EGO).T
    np.testing.assert_allclose(np.hypot(x, y - 20.0), 20.0)
    assert path.speeds_mps.sum() * 0.5 == pytest.approx(6.0**2 / 4.0)
    assert _braking(path).max() <= BRAKING_MPS2 + 1e-9
    assert path.stamps_ns == tuple(t0_ns + k * STEP for k in range(1, 7))


@pytest.mark.parametrize('speed', [0.0, 1e-200, -0.0])
def test_a_standing_car_without_a_plan_stays(t0_ns, speed):
    path = PathKeeper(3.0).fallback(t0_ns, _ego(t0_ns, speed), 'map')
    assert (path.source, len(path.poses), path.target_speed_mps) == (Source.STOP, 0, 0.0)


@pytest.mark.parametrize('max_age_s', [0.0, 3.0])
def test_a_plan_to_stand_is_kept_as_standing(make_history, t0_ns, max_age_s):
    keeper, _ = _kept(make_history, t0_ns, max_age_s, speeds=0.0)
    for age_s in (0, 1, 3, 10):
        assert not keeper.fallback(t0_ns + age_s * S, None, '').speeds_mps.any()


def test_without_plan_and_ego_motion_the_path_is_empty_and_says_so(t0_ns):
    path = PathKeeper(3.0).fallback(t0_ns, None, 'odom')
    assert (path.source, path.frame_id, path.stamps_ns) == (Source.NONE, 'odom', ())
    assert path.poses.shape == (0, 3)
    assert path.target_speed_mps == 0.0


@pytest.mark.parametrize('speed', [8.0 + 1e-9, 7.0 + 1e-10, 3.0 + 1e-12])
def test_a_stop_that_ends_a_hair_after_a_step_has_finite_poses(make_history, t0_ns, speed):
    keeper, _ = _kept(make_history, t0_ns, 0.0, speeds=speed, curvatures=0.01)
    assert np.isfinite(keeper.fallback(t0_ns, None, 'odom').poses).all()


def test_a_cleared_keeper_has_no_last_plan(make_history, t0_ns):
    keeper, _ = _kept(make_history, t0_ns)
    keeper.clear()
    assert keeper.fallback(t0_ns, None, '').source is Source.NONE


def test_a_newer_plan_replaces_the_last(make_history, t0_ns):
    keeper, _ = _kept(make_history, t0_ns)
    keeper.accept(_plan(t0_ns + 2 * S, 5.0), make_history(stamp_ns=t0_ns + 2 * S))
    path = keeper.fallback(t0_ns + 4 * S, None, '')
    assert (path.source, path.target_speed_mps) == (Source.LAST_PLAN, 5.0)
