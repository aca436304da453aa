"""Core types refuse what they cannot mean."""

from __future__ import annotations

import numpy as np
import pytest

from emma_planner.planning.types import (
    CameraFrame,
    InputError,
    Plan,
    PlannerInput,
    Pose,
    Reason,
    Trajectory,
)

TEN = np.arange(10.0)


def test_trajectory_needs_ten_steps():
    with pytest.raises(ValueError, match=r'speeds_mps: need shape \(10,\), got \(9,\)'):
        Trajectory(TEN[:9], TEN, np.zeros((10, 3)))


def test_trajectory_refuses_nan():
    with pytest.raises(ValueError, match='poses: need finite numbers'):
        Trajectory(TEN, TEN, np.full((10, 3), np.nan))


def test_history_refuses_infinity(make_history):
    with pytest.raises(ValueError, match='curvatures_1pm: need finite numbers'):
        make_history(curvatures=np.inf)


def test_pose_refuses_nan():
    with pytest.raises(ValueError, match='need a finite pose'):
        Pose(0.0, np.nan, 0.0)


def test_values_do_not_change_with_the_array_they_were_made_from():
    speeds = TEN.copy()
    trajectory = Trajectory(speeds, TEN, np.zeros((10, 3)))
    speeds[0] = 99.0
    assert trajectory.speeds_mps[0] == 0.0
    with pytest.raises(ValueError, match='read-only'):
        trajectory.poses[0, 0] = 1.0


@pytest.mark.parametrize(
    ('rgb', 'message'),
    [
        (np.zeros((4, 4), np.uint8), r'need \(H, W, 3\) uint8 RGB'),
        (np.zeros((4, 4, 4), np.uint8), r'need \(H, W, 3\) uint8 RGB'),
        (np.zeros((4, 4, 3)), 'got .* float64'),
        (np.zeros((0, 4, 3), np.uint8), 'need a non-empty image'),
    ],
)
def test_camera_frame_is_a_non_empty_rgb_image(rgb, message):
    with pytest.raises(ValueError, match=message):
        CameraFrame(0, 'front', rgb)


def test_input_needs_a_frame(make_history):
    with pytest.raises(ValueError, match='need at least one camera frame'):
        PlannerInput((), make_history())


def test_input_needs_the_history_of_its_image(make_history, t0_ns):
    frame = CameraFrame(t0_ns + 1, 'front', np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(ValueError, match=f'image stamp {t0_ns + 1}, got {t0_ns}'):
        PlannerInput((frame,), make_history())


def test_stamp_of_an_input_is_its_image_stamp(make_input, t0_ns):
    assert make_input().stamp_ns == make_input().frames[0].stamp_ns == t0_ns


def test_plan_without_a_trajectory_needs_a_reason():
    with pytest.raises(ValueError, match='need a trajectory or a reason code'):
        Plan(stamp_ns=0, trajectory=None)


def test_plan_with_a_reason_is_not_valid_even_with_a_trajectory():
    trajectory = Trajectory(TEN, TEN, np.zeros((10, 3)))
    assert Plan(stamp_ns=0, trajectory=trajectory).valid
    assert not Plan(stamp_ns=0, trajectory=trajectory, reason=Reason.IMPLAUSIBLE).valid


def test_reason_prints_as_its_code():
    assert f'{Reason.HISTORY_ECHO}' == 'history_echo'
    assert InputError(Reason.NO_IMAGE, 'none').reason is Reason.NO_IMAGE
