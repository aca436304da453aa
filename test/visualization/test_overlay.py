"""Laws of projection and drawing."""

from __future__ import annotations

import numpy as np
import pytest

from emma_planner.perception.camera import Camera
from emma_planner.planning.kinematics import integrate
from emma_planner.planning.types import Plan, Reason, Reasoning, Trajectory
from emma_planner.visualization import overlay
from emma_planner.visualization.overlay import draw_plan

KITTI = Camera.from_matrix(
    [721.5377, 0, 609.5593, 0, 721.5377, 172.854, 0, 0, 1], 1242, 375, x_m=1.08, z_m=1.65
)


def _camera(width: int = 641, height: int = 361, **mounting: float) -> Camera:
    return Camera.from_fov(90.0, width, height, **mounting)


def _trajectory(speed: float = 8.0, curvature: float = 0.0) -> Trajectory:
    speeds, curvatures = np.full(10, speed), np.full(10, curvature)
    return Trajectory(speeds, curvatures, integrate(speeds, curvatures))


def _picture(width: int = 641, height: int = 361) -> np.ndarray:
    return np.random.default_rng(0).integers(90, 160, (height, width, 3), dtype=np.uint8)


def _changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return np.any(before != after, axis=2)


def test_a_straight_path_projects_to_the_column_of_the_principal_point():
    poses = overlay.fine_poses(_trajectory())
    pixels, in_front = _camera().project(poses[:, :2])
    assert np.allclose(pixels[in_front, 0], _camera().cx)
    left, right = (_camera().project(edge)[0] for edge in overlay.lane_edges(poses))
    assert np.allclose((left + right)[in_front, 0] / 2.0, _camera().cx)


def test_a_left_turn_lies_left_of_the_principal_point_and_mirrors_a_right_turn():
    left, in_front = _camera().project(_trajectory(curvature=0.03).poses[:, :2])
    right, _ = _camera().project(_trajectory(curvature=-0.03).poses[:, :2])
    assert (left[in_front, 0] < _camera().cx).all()
    assert np.allclose(left[in_front, 0] + right[in_front, 0], 2 * _camera().cx)
    assert np.allclose(left[in_front, 1], right[in_front, 1])


def test_drawing_leaves_its_input_alone_and_changes_the_copy():
    picture = _picture()
    before = picture.copy()
    drawn = draw_plan(picture, _trajectory(), _camera(), title='8 m/s', lines=('model',))
    assert np.array_equal(picture, before)
    assert drawn.shape == picture.shape
    assert drawn.dtype == np.uint8
    assert _changed(picture, drawn).any()
    assert not np.shares_memory(picture, drawn)


def test_a_read_only_picture_that_is_not_contiguous_can_be_drawn_on():
    picture = _picture()[:, ::-1]
    picture.flags.writeable = False
    assert _changed(picture, draw_plan(picture, _trajectory(), _camera())).any()


def test_the_ribbon_covers_the_swept_lane_and_no_more():
    picture = _picture()
    changed = _changed(picture, draw_plan(picture, _trajectory(), _camera(), inset=False))
    camera = _camera()
    inside, _ = camera.project(np.array([[8.0, 0.7], [8.0, -0.7], [20.0, 0.0]]))
    outside, _ = camera.project(np.array([[8.0, 1.2], [8.0, -1.2]]))
    for column, row in np.round(inside).astype(int):
        assert changed[row - 1 : row + 2, column - 1 : column + 2].mean() > 0.5
    for column, row in np.round(outside).astype(int):
        assert not changed[row, column]
    assert not changed[: int(camera.cy)].any()  # nothing above the horizon


def test_pictures_of_mirrored_turns_are_mirror_images():
    grey = np.full((361, 641, 3), 120, np.uint8)
    left = draw_plan(grey, _trajectory(curvature=0.02), _camera(), inset=False)
    right = draw_plan(grey, _trajectory(curvature=-0.02), _camera(), inset=False)
    difference = np.abs(left.astype(int) - right[:, ::-1]).max(axis=2)
    drawn = _changed(grey, left).sum()
    assert drawn > 3000
    assert (difference > 40).sum() < 0.03 * drawn  # rasterising rounds to one side


def test_a_path_behind_the_camera_draws_nothing():
    picture = _picture()
    drawn = draw_plan(picture, _trajectory(speed=-6.0), _camera(), inset=False)
    assert np.array_equal(drawn, picture)


def test_standing_still_draws_nothing_on_the_road():
    picture = _picture()
    drawn = draw_plan(picture, _trajectory(speed=0.0), _camera(), inset=False)
    assert np.array_equal(drawn, picture)


def test_a_plan_that_is_missing_has_a_red_banner():
    drawn = draw_plan(_picture(), None, _camera(), reason='timeout')
    assert (drawn[1, 1] == (213, 47, 47)).all()
    valid = draw_plan(_picture(), _trajectory(), _camera())
    assert not (valid[1, 1] == (213, 47, 47)).all()


def test_the_banner_shows_the_reason():
    one = draw_plan(_picture(), None, _camera(), reason='timeout', inset=False)
    other = draw_plan(_picture(), None, _camera(), reason='format', inset=False)
    assert _changed(one, other).any()


def test_the_fallback_is_orange_and_the_rejected_plan_is_not_a_lane():
    grey = np.full((361, 641, 3), 120, np.uint8)
    column, row = np.round(_camera().project(np.array([[7.0, 0.5]]))[0][0]).astype(int)
    options = {'valid': False, 'reason': 'implausible', 'inset': False}
    rejected = draw_plan(grey, _trajectory(), _camera(), **options)
    assert (rejected[row, column] == 120).all()
    fallback = draw_plan(grey, _trajectory(), _camera(), fallback=_trajectory(6.0), **options)
    red, green, blue = fallback[row, column].tolist()
    assert red > green > blue


def test_text_and_inset_stay_out_of_the_lower_half():
    picture = _picture()
    drawn = draw_plan(
        picture, _trajectory(-1.0), _camera(), title='t' * 500, lines=['long words ' * 99] * 9
    )
    changed = _changed(picture, drawn)
    assert changed[: 361 // 2].any()
    assert not changed[int(0.56 * 361) :].any()


@pytest.mark.parametrize('width', [640, 1242, 1600])
def test_text_grows_with_the_picture(width):
    size = overlay._text_height(np.zeros((width * 9 // 16, width, 3), np.uint8))
    assert width / 120 <= size <= width / 70


@pytest.mark.parametrize('size', [(1, 1), (1, 640), (640, 1), (2, 3), (16, 16), (40, 2000)])
@pytest.mark.parametrize('valid', [True, False])
def test_tiny_and_odd_pictures_do_not_fail(size, valid):
    picture = np.zeros((*size, 3), np.uint8)
    line = np.array([[1.0, 0.0], [9.0, 1.0]])
    drawn = draw_plan(
        picture,
        _trajectory(),
        KITTI,
        title='title',
        lines=['a', 'b'],
        valid=valid,
        reason='timeout',
        fallback=_trajectory(3.0),
        past=-line,
        truth=line,
    )
    assert drawn.shape == picture.shape


@pytest.mark.parametrize(('speed', 'curvature'), [(150.0, 0.0), (60.0, 10.0), (1e6, 0.3), (9, -2)])
@pytest.mark.parametrize('pitch', [-60.0, 0.0, 89.0])
def test_wild_trajectories_do_not_fail(speed, curvature, pitch):
    drawn = draw_plan(_picture(), _trajectory(speed, curvature), _camera(pitch_deg=pitch))
    assert drawn.shape == (361, 641, 3)


def test_past_and_recorded_future_show_in_the_inset():
    picture, line = _picture(), np.array([[2.0, 1.0], [15.0, 4.0]])
    plain = draw_plan(picture, _trajectory(4.0), _camera())
    assert _changed(plain, draw_plan(picture, _trajectory(4.0), _camera(), past=-line)).any()
    assert _changed(plain, draw_plan(picture, _trajectory(4.0), _camera(), truth=line)).any()
    assert np.array_equal(
        plain, draw_plan(picture, _trajectory(4.0), _camera(), past=np.zeros((0, 2)))
    )


def test_fine_poses_go_through_the_waypoints():
    trajectory = _trajectory(curvature=0.05)
    assert overlay.fine_poses(trajectory)[10::10] == pytest.approx(trajectory.poses)


def test_letters_that_the_font_lacks_are_replaced():
    assert overlay._printable('3 → 4 m/s\nStraße é 道') == '3 -> 4 m/s Stra?e e ?'


def test_text_of_a_plan_names_speeds_model_intent_and_failure():
    valid = Plan(0, _trajectory(6.0), Reasoning(intent='turn left'))
    assert overlay.plan_text(valid, 4.0, 'small') == (
        '4.0 -> 6.0 m/s in 5 s',
        ('small', 'intent: turn left'),
    )
    failed = Plan(0, None, reason=Reason.TIMEOUT, detail='need a plan within 5 s')
    assert overlay.plan_text(failed, 4.0, 'small') == (
        '4.0 m/s',
        ('small', 'need a plan within 5 s'),
    )


def test_pixels_far_off_stay_on_their_side_in_fixed_point():
    far = np.array([[1e15, -1e15], [3.5, -2.25]])
    assert np.sign(overlay._fixed(far)[0]).tolist() == [1, -1]
    assert overlay._fixed(far)[1].tolist() == [56, -36]


def test_an_inset_too_small_to_read_is_left_out():
    picture = _picture(160, 120)
    with_inset = draw_plan(picture, _trajectory(), _camera())
    assert np.array_equal(with_inset, draw_plan(picture, _trajectory(), _camera(), inset=False))
