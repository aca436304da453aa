"""Other cameras and other light: the same scene, the same lights, not the same pixels."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('cv2')

from PIL import Image

from emma_planner.training.picture_jitter import jittered


def _picture() -> Image.Image:
    pixels = np.full((48, 64, 3), 120, dtype=np.uint8)
    pixels[10:20, 10:20] = (220, 40, 30)  # a red light
    pixels[10:20, 40:50] = (30, 200, 90)  # a green one
    return Image.fromarray(pixels)


def _changed(seed: int) -> np.ndarray:
    return np.asarray(jittered(_picture(), np.random.default_rng(seed))).astype(float)


def test_it_is_the_same_for_the_same_sample_and_leaves_the_picture_alone():
    given = _picture()
    before = np.asarray(given).copy()
    assert (_changed(3) == _changed(3)).all()
    assert (_changed(3) != _changed(4)).any()
    jittered(given, np.random.default_rng(0))
    assert (np.asarray(given) == before).all()
    assert _changed(3).shape == (48, 64, 3)


def test_red_stays_red_and_green_green():
    for seed in range(60):
        pixels = _changed(seed)
        red, green = pixels[12:18, 12:18].mean((0, 1)), pixels[12:18, 42:48].mean((0, 1))
        assert red[0] > red[1]
        assert green[1] > green[0]


def test_pictures_become_darker_and_brighter():
    means = [_changed(seed).mean() for seed in range(400)]
    assert min(means) < 70
    assert max(means) > 150


def test_the_camera_looks_aside_up_and_down_by_a_little():
    picture = np.full((200, 400, 3), 40, dtype=np.uint8)
    picture[80:120, 180:220] = 240
    places = []
    for seed in range(200):
        changed = np.asarray(jittered(Image.fromarray(picture), np.random.default_rng(seed)))
        weight = np.clip(changed.mean(2) - np.median(changed), 0.0, None)
        weight[weight < 0.5 * weight.max()] = 0.0
        rows, columns = np.indices(weight.shape)
        places.append([(weight * rows).sum(), (weight * columns).sum()] / weight.sum())
    low, high = np.min(places, axis=0) - (99.5, 199.5), np.max(places, axis=0) - (99.5, 199.5)
    assert low == pytest.approx([-3.0, -2.0], abs=0.5)
    assert high == pytest.approx([3.0, 2.0], abs=0.5)
