"""Paths and ego motion check themselves, and say which pose is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from bicycle import circle, planned, stamp, straight

from emma_planner.control.timed_path import FollowState, PathError, TimedPath
from emma_planner.planning.types import Pose


def path(poses, stamps=None) -> TimedPath:
    stamps = stamps or tuple(stamp(0.5 * (k + 1)) for k in range(len(poses)))
    return TimedPath(stamp(0.0), 'map', np.array(poses, dtype=float), stamps)


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('column', [0, 1, 2])
def test_a_pose_that_is_not_finite_is_named(value, column):
    poses = np.zeros((4, 3))
    poses[2, column] = value
    with pytest.raises(PathError, match=r'^pose 2: need finite x, y, yaw, got \['):
        path(poses)


@pytest.mark.parametrize('stamps', [(1, 2, 2), (1, 3, 2)])
def test_stamps_must_go_on(stamps):
    with pytest.raises(PathError, match=r'^pose 2: need a stamp after that of the pose before'):
        path(np.zeros((3, 3)), stamps)


@pytest.mark.parametrize(
    ('poses', 'stamps'),
    [(np.zeros((0, 3)), ()), (np.zeros((2, 2)), (1, 2)), (np.zeros((2, 3)), (1,))],
)
def test_every_stamp_has_a_pose(poses, stamps):
    with pytest.raises(PathError, match='need one pose x, y, yaw for each of one or more stamps'):
        TimedPath(0, 'map', poses, stamps)


def test_reverse_is_refused_with_how_far_it_goes():
    with pytest.raises(PathError, match=r'^pose 1: .* 1\.00 m behind .*reverse is not followed$'):
        path([[0, 0, 0], [-1, 0, 0]])
    with pytest.raises(PathError, match='reverse is not followed'):
        path([[0, 0, np.pi], [1, 0, np.pi]])


def test_standing_with_noise_is_no_reverse():
    path([[0, 0, 0], [-0.05, 0, 0], [0.02, 0, 0]])


def test_a_path_cannot_be_changed():
    poses = np.zeros((2, 3))
    one = path(poses)
    poses[:] = 7.0
    assert (one.poses == 0.0).all()
    with pytest.raises(ValueError, match='read-only'):
        one.poses[0, 0] = 1.0


def test_a_start_becomes_the_first_pose_at_t0():
    whole = planned(circle(20.0, 5.0)).with_start(Pose(0.0, 0.0, 0.0))
    assert whole.stamps_ns[0] == whole.stamp_ns == stamp(0.0)
    assert len(whole.poses) == 11
    with pytest.raises(PathError, match='pose 1: need a path that goes forward'):
        planned(straight(5.0)).with_start(Pose(50.0, 0.0, 0.0))


def test_ego_speed_must_be_finite():
    with pytest.raises(ValueError, match='need a finite speed, got nan'):
        FollowState(0, Pose(0.0, 0.0, 0.0), float('nan'))
