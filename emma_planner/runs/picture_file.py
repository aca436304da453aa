"""A picture in a file, as planners take it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from emma_planner.planning.types import ByteArray, InputError, Reason


def read_rgb(path: Path) -> ByteArray:
    """Return ``(H, W, 3)``.

    :raises InputError: there is no whole picture
    """
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert('RGB'))
    except OSError as err:  # also a picture that ends early
        raise InputError(Reason.IMAGE_CORRUPT, f'{path}: need a picture, got {err}') from err
