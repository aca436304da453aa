"""The pictures of an example as they are learned: the present one, then the earlier ones.

What changes a camera changes all of its pictures alike.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from emma_planner.recordings.dataset import DatasetError, Example
from emma_planner.training.outlier_pictures import outlier_picture
from emma_planner.training.picture_jitter import jittered

Pictures = list[Image.Image | None]
"""The present one, then the earlier ones, newest first; None where there is none."""
APPROACH = 0.15
"""What is unknown comes nearer by up to so much of its size between two pictures."""


def pictures_of(example: Example, num_earlier: int) -> Pictures:
    """Read the pictures.

    :param num_earlier: how many earlier ones a model sees
    :raises DatasetError: one cannot be read
    """
    files = (*example.earlier, *[None] * num_earlier)[:num_earlier]
    return [_read(example.image), *(None if path is None else _read(path) for path in files)]


def as_outlier(pictures: Pictures, rng: np.random.Generator) -> Pictures:
    """Return pictures of nothing known, that come nearer."""
    present, *earlier = pictures
    assert present is not None
    unknown = outlier_picture(present, rng)
    speed = float(rng.uniform(0.0, APPROACH))
    return [unknown, *(_farther(unknown, speed * k) for k in range(1, len(earlier) + 1))]


def as_other_camera(pictures: Pictures, rng: np.random.Generator) -> Pictures:
    """Return the pictures of a camera with other exposure, colours, sharpness, noise and aim."""
    same = [deepcopy(rng) for _ in pictures]
    return [
        None if picture is None else jittered(picture, own)
        for picture, own in zip(pictures, same, strict=True)
    ]


def without_earlier(pictures: Pictures) -> Pictures:
    """Return the present picture alone."""
    return [pictures[0], *[None] * (len(pictures) - 1)]


def in_mirror(pictures: Pictures) -> Pictures:
    """Return the pictures as seen in a mirror."""
    flip = Image.Transpose.FLIP_LEFT_RIGHT
    return [None if picture is None else picture.transpose(flip) for picture in pictures]


def _farther(picture: Image.Image, share: float) -> Image.Image:
    """Shrink a picture towards its middle; its edges go on as they are."""
    width, height = picture.size
    scale = 1.0 / (1.0 + share)
    shrunk = np.array(
        [[scale, 0.0, (1.0 - scale) * width / 2], [0.0, scale, (1.0 - scale) * height / 2]]
    )
    rgb = np.asarray(picture)
    return Image.fromarray(
        cv2.warpAffine(rgb, shrunk, (width, height), borderMode=cv2.BORDER_REFLECT)
    )


def _read(path: Path) -> Image.Image:
    try:
        return Image.open(path).convert('RGB')
    except OSError as err:  # also a picture that ends early
        raise DatasetError(f'{path}: need a whole picture, got {err}') from err
