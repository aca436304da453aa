"""Samples as they arrive: order, duplicates, which message counts, dead reckoning."""

from __future__ import annotations

import numpy as np
import pytest

from emma_planner.planning.ego_tracks import KEEP_NS, EgoMeasurement, EgoTracks, advance_pose
from emma_planner.planning.history import HistoryLimits, build_history
from emma_planner.planning.types import Pose

MS = 1_000_000


def _odometry(stamp_ns, x=0.0, frame_id='odom') -> EgoMeasurement:
    return EgoMeasurement(stamp_ns, frame_id, (x, 0.0, 0.0), (1.0, 0.0))


def _twist(stamp_ns, speed=5.0, yaw_rate=0.5) -> EgoMeasurement:
    return EgoMeasurement(stamp_ns, 'base_link', None, (speed, yaw_rate))


def _pose(stamp_ns, x=0.0, frame_id='map') -> EgoMeasurement:
    return EgoMeasurement(stamp_ns, frame_id, (x, 0.0, 0.0), None)


@pytest.fixture
def tracks() -> EgoTracks:
    return EgoTracks()


def _stamps(track) -> list[int]:
    return [sample.stamp_ns for sample in track]


def test_duplicates_and_late_samples_are_dropped_and_counted(tracks, t0_ns):
    for offset in (0, 10, 10, 5, 20):
        tracks.add(_odometry(t0_ns + offset * MS), 'odometry')
    assert _stamps(tracks.poses) == [t0_ns, t0_ns + 10 * MS, t0_ns + 20 * MS]
    assert _stamps(tracks.twists) == _stamps(tracks.poses)
    assert tracks.dropped == 4  # two messages, each with a pose and a twist


def test_a_duplicate_does_not_replace_the_first(tracks, t0_ns):
    tracks.add(_odometry(t0_ns, x=1.0), 'odometry')
    tracks.add(_odometry(t0_ns, x=2.0), 'odometry')
    assert tracks.poses[-1].x_m == 1.0


def test_old_samples_are_let_go(tracks, t0_ns):
    for k in range(1000):
        tracks.add(_odometry(t0_ns + k * 20 * MS), 'odometry')
    for track in (tracks.poses, tracks.twists):
        assert track[-1].stamp_ns - track[0].stamp_ns == KEEP_NS
        assert len(track) == KEEP_NS // (20 * MS) + 1


def test_a_whole_recording_is_kept_on_request(t0_ns):
    tracks = EgoTracks(keep_ns=None)
    for k in range(100):
        tracks.add(_odometry(t0_ns + k * 1000 * MS), 'odometry')
    assert len(tracks.poses) == 100


def test_stamps_set_back_by_more_than_jitter_are_a_jump(tracks, t0_ns):
    assert not tracks.jumps_back(_odometry(t0_ns))
    tracks.add(_odometry(t0_ns), 'odometry')
    assert not tracks.jumps_back(_odometry(t0_ns - 500 * MS))
    assert tracks.jumps_back(_odometry(t0_ns - 500 * MS - 1))


def test_a_twist_topic_that_lags_behind_the_pose_topic_is_no_jump(tracks, t0_ns):
    tracks.add(_twist(t0_ns - 900 * MS), 'twist')
    tracks.add(_pose(t0_ns), 'pose')
    assert not tracks.jumps_back(_twist(t0_ns - 800 * MS))


def test_once_odometry_has_come_other_topics_are_ignored(tracks, t0_ns):
    tracks.add(_twist(t0_ns), 'twist')
    tracks.add(_pose(t0_ns), 'pose')
    tracks.add(_odometry(t0_ns + 10 * MS), 'odometry')
    tracks.add(_twist(t0_ns + 20 * MS), 'twist')
    tracks.add(_pose(t0_ns + 20 * MS), 'pose')
    assert _stamps(tracks.poses) == _stamps(tracks.twists) == [t0_ns + 10 * MS]
    assert tracks.frame_id == 'odom'


def test_another_frame_starts_a_new_pose_track(tracks, t0_ns):
    tracks.add(_pose(t0_ns, frame_id='map'), 'pose')
    tracks.add(_pose(t0_ns + MS, frame_id='utm'), 'pose')
    assert _stamps(tracks.poses) == [t0_ns + MS]
    assert tracks.frame_id == 'utm'


def test_clear_forgets_samples_but_not_where_they_come_from(tracks, t0_ns):
    tracks.add(_odometry(t0_ns), 'odometry')
    tracks.clear()
    assert not tracks.poses
    assert not tracks.twists
    tracks.add(_twist(t0_ns - 10**9), 'twist')
    assert not tracks.twists


def test_unknown_source_is_refused(tracks, t0_ns):
    with pytest.raises(ValueError, match="need one of odometry, twist, pose, got 'gps'"):
        tracks.add(_odometry(t0_ns), 'gps')


@pytest.mark.parametrize('speed', [6.0, -2.0])
@pytest.mark.parametrize('curvature', [0.1, -0.1, 0.0])
def test_a_twist_alone_is_dead_reckoned_on_its_circle(tracks, drive, t0_ns, speed, curvature):
    times_s = np.arange(-60, 1) / 10.0
    exact, twists = drive(times_s, speed, curvature)
    for twist in twists:
        tracks.add(_twist(twist.stamp_ns, twist.speed_mps, twist.yaw_rate_radps), 'twist')
    history = build_history(tracks.poses, tracks.twists, tracks.frame_id, t0_ns, HistoryLimits())
    np.testing.assert_allclose(history.speeds_mps, speed)
    np.testing.assert_allclose(history.curvatures_1pm, curvature, atol=1e-12)
    moved = np.hypot(tracks.poses[-1].x_m, tracks.poses[-1].y_m)
    assert moved == pytest.approx(
        np.hypot(exact[-1].x_m - exact[0].x_m, exact[-1].y_m - exact[0].y_m)
    )
    turned = tracks.poses[-1].yaw_rad - exact[-1].yaw_rad + exact[0].yaw_rad
    assert np.cos(turned) == pytest.approx(1.0)
    assert history.frame_id == 'odom'


def test_dead_reckoning_starts_at_the_origin_and_drives_ahead(tracks, t0_ns):
    for k in range(11):
        tracks.add(_twist(t0_ns + k * 100 * MS, speed=3.0, yaw_rate=0.0), 'twist')
    first, last = tracks.poses[0], tracks.poses[-1]
    assert (first.x_m, first.y_m, first.yaw_rad) == (0.0, 0.0, 0.0)
    assert (last.x_m, last.y_m, last.yaw_rad) == pytest.approx((3.0, 0.0, 0.0))


def test_the_first_pose_ends_dead_reckoning(tracks, t0_ns):
    tracks.add(_twist(t0_ns), 'twist')
    tracks.add(_twist(t0_ns + MS), 'twist')
    tracks.add(_pose(t0_ns + 2 * MS, x=7.0, frame_id='odom'), 'pose')
    tracks.add(_twist(t0_ns + 3 * MS), 'twist')
    assert [pose.x_m for pose in tracks.poses] == [7.0]
    assert len(tracks.twists) == 3


@pytest.mark.parametrize('bad', [np.nan, np.inf, 1e308, 5e-324])
def test_no_twist_can_break_dead_reckoning(tracks, t0_ns, bad):
    values = [(5.0, 0.1), (bad, 0.1), (5.0, bad), (bad, bad), (-bad, 1e3), (5.0, 0.1), (5.0, 0.1)]
    for k, (speed, yaw_rate) in enumerate(values):
        tracks.add(_twist(t0_ns + k * 100 * MS, speed, yaw_rate), 'twist')
    assert len(tracks.poses) == len(values)
    assert np.isfinite([(p.x_m, p.y_m, p.yaw_rad) for p in tracks.poses]).all()


def test_a_pose_advances_along_its_arc():
    quarter = advance_pose(Pose(1.0, 2.0, 0.0), np.pi / 2, np.pi / 2, 1.0)
    assert quarter.as_array() == pytest.approx([2.0, 3.0, np.pi / 2])


def test_turning_on_the_spot_keeps_the_pose():
    assert advance_pose(Pose(1.0, 2.0, 0.5), 0.0, 1.0, 1.0) == Pose(1.0, 2.0, 0.5)
