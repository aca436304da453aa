"""A box in the picture is put where the thing stands on the road."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from emma_planner.perception.camera import Camera
from emma_planner.perception.placing import GROUND_MAX_M, SEEN_M, SIZES_M, Box, place

CAMERA = Camera.from_fov(90.0, 640, 360, x_m=1.7, z_m=1.5)
CAMERAS = [CAMERA, replace(CAMERA, pitch_deg=4.0, yaw_deg=10.0, y_m=0.3)]


def _box(camera: Camera, kind: str, ahead_m: float, left_m: float, z_m: float = 0.0) -> Box:
    """What a perfect detector finds of an upright plate at a place."""
    _, width, height = SIZES_M[kind]
    corners = [
        (ahead_m, left_m + side * width / 2, z) for side in (-1, 1) for z in (z_m, z_m + height)
    ]
    pixels, _ = camera.project(corners)
    (left, top), (right, bottom) = pixels.min(axis=0), pixels.max(axis=0)
    return Box(kind, 0.9, left, top, right, bottom)


@pytest.mark.parametrize('camera', CAMERAS)
@pytest.mark.parametrize(('kind', 'ahead', 'left'), [
    ('car', 12.0, 0.0), ('pedestrian', 8.0, 3.0), ('truck', 30.0, -4.0), ('bicycle', 20.0, 2.0),
])  # fmt: skip
def test_what_stands_on_the_road_is_put_where_it_stands(camera, kind, ahead, left):
    (thing,) = place([_box(camera, kind, ahead, left)], camera)
    assert thing.kind == kind
    assert thing.ahead_m == pytest.approx(ahead, rel=0.02)
    assert thing.left_m == pytest.approx(left, abs=0.25)
    assert thing.distance_m == pytest.approx(math.hypot(ahead, left), rel=0.02)
    assert thing.size_m == SIZES_M[kind]


def test_what_hangs_or_is_far_is_as_far_as_its_height_says():
    hanging = _box(CAMERA, 'traffic light', 25.0, 2.0, z_m=4.5)
    far = _box(CAMERA, 'car', GROUND_MAX_M + 20.0, -3.0)
    near, distant = place([far, hanging], CAMERA)
    assert (near.ahead_m, near.left_m) == pytest.approx((25.0, 2.0), rel=0.02)
    assert (distant.ahead_m, distant.left_m) == pytest.approx(
        (GROUND_MAX_M + 20.0, -3.0), rel=0.02
    )


def test_a_far_box_that_is_two_rows_too_high_is_not_twice_as_far():
    box = _box(CAMERA, 'car', 60.0, 0.0)
    (thing,) = place([replace(box, top=box.top - 2.0, bottom=box.bottom - 2.0)], CAMERA)
    assert thing.ahead_m == pytest.approx(60.0, rel=0.05)


def test_the_nearest_comes_first_and_labels_of_other_data_sets_are_known():
    boxes = [
        replace(_box(CAMERA, 'car', 30.0, 0.0), label='Van'),
        replace(_box(CAMERA, 'pedestrian', 10.0, 2.0), label='person'),
        replace(_box(CAMERA, 'bicycle', 20.0, -2.0), label='rider'),
    ]
    assert [thing.kind for thing in place(boxes, CAMERA)] == ['pedestrian', 'bicycle', 'car']


def test_what_does_not_matter_or_is_no_box_is_left_out():
    car = _box(CAMERA, 'car', 12.0, 0.0)
    nothing = [
        replace(car, label='kite'),
        replace(car, top=car.bottom),
        replace(car, left=np.nan),
        replace(_box(CAMERA, 'car', SEEN_M + 10.0, 0.0)),
    ]
    assert place(nothing, CAMERA) == ()
