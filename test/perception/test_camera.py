"""Laws of projection."""

from __future__ import annotations

import math

import numpy as np
import pytest

from emma_planner.perception.camera import NEAR_M, Camera

KITTI = Camera.from_matrix(
    [721.5377, 0, 609.5593, 0, 721.5377, 172.854, 0, 0, 1], 1242, 375, x_m=1.08, z_m=1.65
)


def _camera(width: int = 641, height: int = 361, **mounting: float) -> Camera:
    return Camera.from_fov(90.0, width, height, **mounting)


@pytest.mark.parametrize('pitch', [-20.0, 0.0, 7.0, 45.0])
@pytest.mark.parametrize('yaw', [-170.0, 0.0, 30.0])
def test_a_point_on_the_optical_axis_projects_to_the_principal_point(pitch, yaw):
    camera = Camera(500, 510, 310.5, 170.25, 640, 360, 1.0, 0.3, 1.6, pitch, yaw)
    cos = math.cos(math.radians(pitch))
    axis = np.array(
        [
            cos * math.cos(math.radians(yaw)),
            cos * math.sin(math.radians(yaw)),
            -math.sin(math.radians(pitch)),
        ]
    )
    pixels, in_front = camera.project((np.array([1.0, 0.3, 1.6]) + 12.0 * axis)[None])
    assert in_front.all()
    assert pixels[0] == pytest.approx([310.5, 170.25])


def test_the_horizon_lies_at_the_focal_length_times_the_tangent_of_the_pitch():
    pixels, _ = _camera(pitch_deg=10.0).project(np.array([[1e7, 0.0]]))
    camera = _camera()
    assert pixels[0, 1] == pytest.approx(camera.cy - camera.fy * math.tan(math.radians(10.0)))


def test_a_known_road_point_projects_as_by_hand():
    camera = Camera(100.0, 200.0, 50.0, 40.0, 101, 81, x_m=2.0, y_m=1.0, z_m=1.5)
    pixels, _ = camera.project(np.array([[12.0, 3.0]]))  # 10 m ahead, 2 m left, 1.5 m below
    assert pixels[0] == pytest.approx([50.0 - 100.0 * 0.2, 40.0 + 200.0 * 0.15])


def test_left_is_left_and_near_is_low_in_the_picture():
    pixels, _ = _camera().project(np.array([[10.0, 2.0], [10.0, -2.0], [5.0, 0.0]]))
    assert pixels[0, 0] < _camera().cx < pixels[1, 0]
    assert pixels[2, 1] > pixels[0, 1] > _camera().cy


def test_points_behind_the_near_plane_are_masked_and_not_a_number():
    pixels, in_front = _camera(x_m=1.5).project(np.array([[1.5, 0.0], [-5.0, 1.0], [9.0, 0.0]]))
    assert in_front.tolist() == [False, False, True]
    assert np.isnan(pixels[:2]).all()


def test_a_line_that_crosses_the_near_plane_is_cut_at_it_and_keeps_its_direction():
    camera = _camera(x_m=0.0)
    (piece,) = camera.project_line(np.array([[-4.0, 0.5], [8.0, 0.5]]))
    expected, _ = camera.project(np.array([[NEAR_M, 0.5], [8.0, 0.5]]))
    assert piece == pytest.approx(expected)
    (reverse,) = camera.project_line(np.array([[8.0, 0.5], [-4.0, 0.5]]))
    assert reverse == pytest.approx(expected[::-1])


def test_a_line_that_leaves_and_returns_gives_two_pieces():
    points = np.array([[5.0, 0.0], [-1.0, 1.0], [5.0, 2.0]])
    pieces = _camera(x_m=0.0).project_line(points)
    assert [len(piece) for piece in pieces] == [2, 2]


def test_a_polygon_is_cut_at_the_near_plane():
    camera = _camera(x_m=0.0)
    square = np.array([[-1.0, 1.0], [4.0, 1.0], [4.0, -1.0], [-1.0, -1.0]])
    cut = np.array([[NEAR_M, 1.0], [4.0, 1.0], [4.0, -1.0], [NEAR_M, -1.0]])
    expected, _ = camera.project(cut)
    assert sorted(map(tuple, np.round(camera.project_polygon(square), 6).tolist())) == sorted(
        map(tuple, np.round(expected, 6).tolist())
    )
    assert len(camera.project_polygon(square - (10.0, 0.0))) == 0


def test_a_resized_picture_shows_the_same_point_at_the_same_place():
    point = np.array([[11.0, 2.0]])
    before, _ = KITTI.project(point)
    after, _ = KITTI.scaled(621, 750).project(point)
    assert (after + 0.5) / (0.5, 2.0) == pytest.approx(before + 0.5)


def test_the_field_of_view_ends_at_the_edges_of_the_picture():
    camera = Camera.from_fov(60.0, 640, 360, x_m=0.0)
    edge = 10.0 * math.tan(math.radians(30.0))
    pixels, _ = camera.project(np.array([[10.0, edge], [10.0, -edge]]))
    assert pixels[:, 0] == pytest.approx([-0.5, 639.5])


@pytest.mark.parametrize('fov', [0.0, 180.0, -5.0])
def test_an_impossible_field_of_view_is_an_error(fov):
    with pytest.raises(ValueError, match='field of view between 0 and 180 deg'):
        Camera.from_fov(fov, 640, 360)


def test_a_camera_info_without_calibration_is_an_error():
    with pytest.raises(ValueError, match='need positive focal lengths'):
        Camera.from_matrix(np.zeros(9), 640, 360)
    with pytest.raises(ValueError, match='9 finite numbers'):
        Camera.from_matrix([1.0, 2.0], 640, 360)
