"""The plan is drawn where the camera sees it; a fallback in its place, under a banner."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from emma_planner.config import PlannerConfig
from emma_planner.planning.fallback import DrivenPath, Source
from emma_planner.planning.kinematics import integrate, to_frame
from emma_planner.planning.types import EgoHistory, Plan, Pose, Reason, Reasoning, Trajectory
from emma_planner.visualization import plan_picture
from emma_planner.visualization.plan_picture import camera_of, draw

WIDTH, HEIGHT = 640, 360
POSE = Pose(100.0, -50.0, 2.0)


@pytest.fixture
def rgb():
    return np.full((HEIGHT, WIDTH, 3), 90, dtype=np.uint8)


@pytest.fixture
def camera(rgb):
    return camera_of(PlannerConfig(), None, rgb)


def history():
    return EgoHistory(0, np.full(10, 8.0), np.zeros(10), POSE, 'odom')


def trajectory(speed=8.0, curvature=0.0):
    speeds, curvatures = np.full(10, speed), np.full(10, curvature)
    return Trajectory(speeds, curvatures, integrate(speeds, curvatures))


def plan(curvature=0.0, reason=None):
    path = None if reason else trajectory(curvature=curvature)
    return Plan(0, path, Reasoning('a road', (), 'go on'), reason=reason)


def driven(steps=10, source=Source.PLAN, curvature=0.0):
    path = trajectory(curvature=curvature)
    return DrivenPath(
        source,
        'odom',
        tuple((k + 1) * 500_000_000 for k in range(steps)),
        to_frame(path.poses, POSE)[:steps],
        path.speeds_mps[:steps],
    )


def painted(before, after):
    """Column of the centre of what was drawn on the road, in pixels."""
    changed = (before != after).any(axis=2)
    lower = changed[HEIGHT // 2 :]
    return float(np.nonzero(lower)[1].mean()) if lower.any() else None


def test_without_camera_info_the_field_of_view_counts(rgb):
    wide, narrow = (
        camera_of(PlannerConfig(camera_fov_deg=fov), None, rgb) for fov in (120.0, 40.0)
    )
    point = np.array([[10.0, 2.0, 0.0]])
    offsets = [abs(float(cam.project(point)[0][0, 0]) - WIDTH / 2) for cam in (wide, narrow)]
    assert offsets[0] < offsets[1]


def test_the_text_says_what_is_driven_not_what_was_rejected(rgb, camera, monkeypatch):
    said = {}
    monkeypatch.setattr(plan_picture, 'draw_plan', lambda *_, **options: said.update(options))
    rejected = Plan(0, trajectory(30.0), reason=Reason.IMPLAUSIBLE, detail='need less')
    stop = replace(driven(4, Source.STOP), speeds_mps=np.array([7.5, 5.0, 2.5, 0.5]))
    draw(rgb, rejected, stop, history(), camera, 'm')
    assert said['title'] == '8.0 -> 0.5 m/s, stop'
    assert said['lines'][-1] == 'red line: the rejected plan'
    draw(rgb, plan(), driven(), history(), camera, 'm')
    assert said['title'] == '8.0 -> 8.0 m/s in 5 s'


@pytest.mark.parametrize('name', ['k', 'K'])
def test_camera_info_of_ros_2_and_of_ros_1_counts(rgb, name):
    matrix = np.array([900.0, 0.0, 320.0, 0.0, 900.0, 180.0, 0.0, 0.0, 1.0])
    info = SimpleNamespace(width=WIDTH, height=HEIGHT, **{name: matrix})
    camera = camera_of(PlannerConfig(), info, rgb)
    expected = camera_of(
        PlannerConfig(camera_fov_deg=float(np.degrees(2 * np.arctan(320.0 / 900.0)))), None, rgb
    )
    point = np.array([[10.0, 2.0, 0.0]])
    np.testing.assert_allclose(camera.project(point)[0], expected.project(point)[0], atol=1.0)


def test_camera_info_of_zeros_is_no_calibration(rgb):
    info = SimpleNamespace(width=0, height=0, k=np.zeros(9))
    point = np.array([[10.0, 2.0, 0.0]])
    camera, by_view = (camera_of(PlannerConfig(), given, rgb) for given in (info, None))
    np.testing.assert_allclose(camera.project(point)[0], by_view.project(point)[0])


def test_a_left_turn_is_drawn_to_the_left(rgb, camera):
    columns = [
        painted(rgb, draw(rgb, plan(kappa), driven(), history(), camera, 'm'))
        for kappa in (0.05, 0.0, -0.05)
    ]
    assert columns[0] < columns[1] < columns[2]


def test_the_picture_given_is_left_as_it_is(rgb, camera):
    picture = draw(rgb, plan(), driven(), history(), camera, 'm')
    assert (rgb == 90).all()
    assert picture.shape == rgb.shape
    assert picture.dtype == np.uint8
    assert (picture != rgb).any()


def test_the_fallback_is_drawn_in_place_of_a_failed_plan(rgb, camera):
    failed = plan(reason=Reason.FORMAT)
    columns = [
        painted(
            rgb,
            draw(
                rgb,
                failed,
                driven(source=Source.LAST_PLAN, curvature=kappa),
                history(),
                camera,
                'm',
            ),
        )
        for kappa in (0.05, -0.05)
    ]
    assert columns[0] < columns[1]


def test_a_failed_plan_looks_other_than_a_valid_one(rgb, camera):
    valid = draw(rgb, plan(), driven(), history(), camera, 'm')
    failed = draw(
        rgb, plan(reason=Reason.FORMAT), driven(source=Source.STOP), history(), camera, 'm'
    )
    assert (valid != failed).any()


@pytest.mark.parametrize('steps', [0, 1, 3, 10])
def test_a_fallback_of_any_length_is_drawn(rgb, camera, steps):
    path = driven(steps, Source.STOP)
    picture = draw(rgb, plan(reason=Reason.TIMEOUT), path, history(), camera, 'm')
    assert picture.shape == rgb.shape


def test_an_empty_fallback_draws_no_path(rgb, camera):
    failed = plan(reason=Reason.TIMEOUT)
    nothing = draw(rgb, failed, driven(0, Source.NONE), history(), camera, 'm')
    some = draw(rgb, failed, driven(10, Source.STOP), history(), camera, 'm')
    assert painted(nothing, some) is not None
