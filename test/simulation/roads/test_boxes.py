"""Laws of moving boxes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from emma_planner.simulation.roads.boxes import Boxes, box, first_overlap


def _random_boxes(rng: np.random.Generator, num: int) -> Boxes:
    return Boxes(
        centres=rng.uniform(-15.0, 15.0, (num, 2)),
        yaws_rad=rng.uniform(-np.pi, np.pi, num),
        half_lengths_m=rng.uniform(0.2, 3.0, num),
        half_widths_m=rng.uniform(0.2, 3.0, num),
        velocities_mps=rng.uniform(-8.0, 8.0, (num, 2)),
    )


def _points(boxes: Boxes, index: int, time_s: float) -> np.ndarray:
    """A grid of points over a box at a time, ``(M, 2)``."""
    unit = np.stack(np.meshgrid(*[np.linspace(-1.0, 1.0, 25)] * 2), axis=-1).reshape(-1, 2)
    local = unit * (boxes.half_lengths_m[index], boxes.half_widths_m[index])
    cos, sin = math.cos(boxes.yaws_rad[index]), math.sin(boxes.yaws_rad[index])
    turned = local @ np.array([[cos, sin], [-sin, cos]])
    return turned + boxes.centres[index] + time_s * boxes.velocities_mps[index]


def _inside(points: np.ndarray, boxes: Boxes, index: int, time_s: float) -> bool:
    away = points - boxes.centres[index] - time_s * boxes.velocities_mps[index]
    cos, sin = math.cos(boxes.yaws_rad[index]), math.sin(boxes.yaws_rad[index])
    along, across = away @ (cos, sin), away @ (-sin, cos)
    hits = (np.abs(along) < boxes.half_lengths_m[index]) & (
        np.abs(across) < boxes.half_widths_m[index]
    )
    return bool(hits.any())


def test_overlap_begins_where_points_of_one_box_come_into_the_other():
    rng = np.random.default_rng(0)
    others = _random_boxes(rng, 30)
    one = box((0.0, 0.0), 0.4, 4.0, 2.0, 3.0)
    times = first_overlap(one, others)
    assert 3 < np.isfinite(times).sum() < 27
    for index, time_s in enumerate(times):
        steps = np.arange(0.0, 12.0, 0.05)
        hit = [
            step
            for step in steps
            if _inside(_points(others, index, step), one, 0, step)
            or _inside(_points(one, 0, step), others, index, step)
        ]
        if hit:
            assert hit[0] - 0.2 < time_s <= hit[0]
        else:
            assert time_s > 11.0 or _grazes(one, others, index, time_s)


def _grazes(one: Boxes, others: Boxes, index: int, time_s: float) -> bool:
    """Whether the boxes only touch with their corners, between the points of the grid."""
    later = Boxes(
        one.centres,
        one.yaws_rad,
        one.half_lengths_m - 0.1,
        one.half_widths_m - 0.1,
        one.velocities_mps,
    )
    return first_overlap(later, others)[index] > time_s + 0.02


def test_head_on_boxes_meet_after_the_gap_over_the_closing_speed():
    one = box((0.0, 0.0), 0.0, 4.0, 2.0, 10.0)
    other = box((34.0, 0.0), math.pi, 4.0, 2.0, 5.0)
    assert first_overlap(one, other)[0] == pytest.approx(30.0 / 15.0)


def test_a_thin_fast_box_is_not_jumped_over():
    one = box((0.0, 0.0), 0.0, 0.02, 4.0, 0.0)
    assert first_overlap(one, box((-50.0, 0.0), 0.0, 0.02, 1.0, 1000.0))[0] == pytest.approx(
        49.98 / 1000.0
    )


def test_boxes_that_overlap_now_meet_at_zero_and_touching_is_no_overlap():
    one = box((0.0, 0.0), 0.0, 4.0, 2.0, 0.0)
    assert first_overlap(one, box((3.9, 0.0), 0.0, 4.0, 2.0, 0.0))[0] == 0.0
    assert first_overlap(one, box((4.0, 0.0), 0.0, 4.0, 2.0, 0.0))[0] == math.inf
    assert first_overlap(one, box((0.0, 2.0), 0.0, 4.0, 2.0, 3.0))[0] == math.inf


def test_boxes_that_part_never_meet_again():
    one = box((0.0, 0.0), 0.0, 4.0, 2.0, 0.0)
    assert first_overlap(one, box((10.0, 0.0), 0.0, 4.0, 2.0, 5.0))[0] == math.inf


def test_corners_of_turned_boxes_reach_no_further_than_they_are():
    one = box((0.0, 0.0), 0.0, 2.0, 2.0, 0.0)
    reach = 1.0 + math.sqrt(2.0)
    near = box((reach - 0.01, 0.0), math.pi / 4, 2.0, 2.0, 0.0)
    far = box((reach + 0.01, 0.0), math.pi / 4, 2.0, 2.0, 0.0)
    assert first_overlap(one, near)[0] == 0.0
    assert first_overlap(one, far)[0] == math.inf
    diagonal = box((2.0, 2.0), math.pi / 4, 2.0, 2.0, 0.0)  # apart along the diagonal alone
    assert first_overlap(one, diagonal)[0] == math.inf


def test_no_others_give_no_times():
    none = Boxes(np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros(0), np.zeros((0, 2)))
    assert first_overlap(box((0.0, 0.0), 0.0, 4.0, 2.0, 0.0), none).shape == (0,)
