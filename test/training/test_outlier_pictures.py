"""Pictures of nothing known: of any kind, as large as the known one, and never like it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('cv2')

from PIL import Image

from emma_planner.training.outlier_pictures import outlier_picture

KNOWN = np.zeros((60, 100, 3), dtype=np.uint8)
KNOWN[:25] = (140, 170, 210)
KNOWN[25:] = (80, 80, 80)
KNOWN[25:, 48:52] = 255


def _outlier(seed: int, known: np.ndarray = KNOWN) -> np.ndarray:
    picture = outlier_picture(Image.fromarray(known), np.random.default_rng(seed))
    return np.asarray(picture)


def test_it_is_the_same_for_the_same_sample_and_leaves_the_picture_alone():
    before = KNOWN.copy()
    assert (_outlier(3) == _outlier(3)).all()
    assert (before == KNOWN).all()


@pytest.mark.parametrize('size', [(60, 100), (252, 448), (192, 352), (37, 53)])
def test_it_is_as_large_as_the_known_one(size):
    known = np.full((*size, 3), 90, dtype=np.uint8)
    for seed in range(40):
        picture = _outlier(seed, known)
        assert picture.shape == known.shape
        assert picture.dtype == np.uint8


def test_none_shows_what_is_known():
    for seed in range(200):
        apart = np.abs(_outlier(seed).astype(float) - KNOWN).mean()
        assert apart > 5.0, seed


def test_they_are_of_many_kinds():
    pictures = [_outlier(seed).astype(float) for seed in range(200)]
    spreads = [picture.std() for picture in pictures]
    assert min(spreads) < 10.0  # a covered camera
    assert max(spreads) > 60.0
    assert min(picture.mean() for picture in pictures) < 40.0
    assert max(picture.mean() for picture in pictures) > 215.0
