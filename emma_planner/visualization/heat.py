"""A heat map over a picture."""

from __future__ import annotations

import cv2
import numpy as np

from emma_planner.planning.types import ByteArray, FloatArray

ALPHA = 0.85
BRIGHTEST = 0.998
"""Share of the pixels that may be brighter than the brightest colour."""


def draw_heat(rgb: ByteArray, heat: FloatArray, *, is_smooth: bool = True) -> ByteArray:
    """Draw values over a picture, the highest brightest; where there is nothing it stays.

    :param rgb: ``(H, W, 3)``
    :param heat: ``(h, w)`` of any size, NaN for nothing
    :param is_smooth: interpolate between the values, else show cells
    """
    height, width = rgb.shape[:2]
    known = np.maximum(np.nan_to_num(heat, nan=0.0), 0.0)
    if is_smooth:
        known = cv2.GaussianBlur(known, (0, 0), max(known.shape[0] / 60.0, 0.3))
    values = (known / max(float(np.quantile(known, BRIGHTEST)), 1e-9)).astype(np.float32)
    how = cv2.INTER_CUBIC if is_smooth else cv2.INTER_NEAREST
    large = np.clip(cv2.resize(values, (width, height), interpolation=how), 0.0, 1.0)
    colours = cv2.applyColorMap((large * 255.0).astype(np.uint8), cv2.COLORMAP_INFERNO)
    share = ALPHA * np.sqrt(large)[..., None]
    mixed = rgb * (1.0 - share) + cv2.cvtColor(colours, cv2.COLOR_BGR2RGB) * share
    return np.asarray(np.clip(mixed, 0.0, 255.0), dtype=np.uint8)
