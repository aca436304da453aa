"""Pictures in files, as planners take them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from emma_planner.planning.types import DT_NS, ByteArray, CameraFrame, InputError, Reason


def read_rgb(path: Path) -> ByteArray:
    """Return ``(H, W, 3)``.

    :raises InputError: there is no whole picture
    """
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert('RGB'))
    except OSError as err:  # also a picture that ends early
        raise InputError(Reason.IMAGE_CORRUPT, f'{path}: need a picture, got {err}') from err


def read_earlier(stamp_ns: int, paths: Sequence[Path | None]) -> tuple[CameraFrame | None, ...]:
    """Read the front camera's earlier pictures; one that cannot be read is none.

    :param stamp_ns: t0 [ns]
    :param paths: of the pictures of t0 - 0.5 s, t0 - 1 s, None where there is none
    """
    found: list[CameraFrame | None] = []
    for number, path in enumerate(paths, 1):
        try:
            rgb = None if path is None else read_rgb(path)
        except InputError:
            rgb = None
        taken_ns = stamp_ns - number * DT_NS
        found.append(None if rgb is None else CameraFrame(taken_ns, 'front', rgb))
    return tuple(found)
