"""Pictures as JPEG."""

from __future__ import annotations

from emma_planner.planning.types import ByteArray

JPEG_QUALITY = 85


def to_jpeg(rgb: ByteArray) -> bytes:
    """Compress a picture.

    :param rgb: ``(H, W, 3)``
    """
    import cv2

    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, data = cv2.imencode('.jpg', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), quality)
    return bytes(data.tobytes())
