"""Camera messages to ``(H, W, 3)`` uint8 RGB, or an :class:`ImageError` with a reason code.

Takes sensor_msgs/Image and CompressedImage by their fields, so messages of rclpy and of rosbags
both do. Sizes are checked before any decoder sees the bytes. The usual 8-bit encodings take one
OpenCV call; the others go through ROS's cv_bridge where a distribution provides it, else through
rosbags-image. The result owns its memory. Knows no node, topic or clock.
"""

from __future__ import annotations

import importlib
import sys
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from emma_planner.planning.types import ByteArray, InputError, Reason

_FAST: dict[str, tuple[int, int]] = {
    'rgb8': (3, -1),
    'bgr8': (3, cv2.COLOR_BGR2RGB),
    '8uc3': (3, cv2.COLOR_BGR2RGB),  # OpenCV's channel order, as kitti2rosbag2 writes it
    'rgba8': (4, cv2.COLOR_RGBA2RGB),
    'bgra8': (4, cv2.COLOR_BGRA2RGB),
    '8uc4': (4, cv2.COLOR_BGRA2RGB),
    'mono8': (1, cv2.COLOR_GRAY2RGB),
    '8uc1': (1, cv2.COLOR_GRAY2RGB),
}
"""Encoding to (bytes per pixel, OpenCV conversion to RGB, -1 for none)."""
_SLOW: dict[str, int] = {
    'yuv422': 2,
    'uyvy': 2,
    'yuv422_yuy2': 2,
    'yuyv': 2,
    'bayer_rggb8': 1,
    'bayer_bggr8': 1,
    'bayer_gbrg8': 1,
    'bayer_grbg8': 1,
    'mono16': 2,
    'rgb16': 6,
    'bgr16': 6,
    'rgba16': 8,
    'bgra16': 8,
}
"""Encodings left to a library, with their bytes per pixel."""
SUPPORTED = (*(name.replace('uc', 'UC') for name in _FAST), *_SLOW)
"""Encodings of sensor_msgs/Image that are understood."""
_JPEG_START = b'\xff\xd8'
_JPEG_END = b'\xff\xd9'
_PNG_START = b'\x89PNG\r\n\x1a\n'
_PNG_END = b'IEND'
_TAIL_BYTES = 4096
"""How far from the end an end marker may be; some cameras pad their JPEGs with zeros."""


class ImageError(InputError):
    """A camera message that holds no usable image."""


def to_rgb(message: Any) -> ByteArray:
    """Decode a camera message.

    :param message: sensor_msgs/Image or sensor_msgs/CompressedImage of rclpy or rosbags
    :returns: ``(H, W, 3)`` uint8, RGB, contiguous, owning its memory
    :raises ImageError: no data, too few bytes, not decodable or an encoding not supported
    """
    if hasattr(message, 'format'):
        return compressed_to_rgb(message)
    return raw_to_rgb(message)


def raw_to_rgb(message: Any) -> ByteArray:
    """Decode sensor_msgs/Image; rows may be padded (``step``).

    :raises ImageError: as :func:`to_rgb`
    """
    name = message.encoding.lower()
    if name not in _FAST and name not in _SLOW:
        raise ImageError(
            Reason.IMAGE_ENCODING,
            f'need an encoding of {", ".join(SUPPORTED)}, got {message.encoding!r}',
        )
    pixel_bytes = _FAST[name][0] if name in _FAST else _SLOW[name]
    rows = _rows(message, pixel_bytes)
    if name in _FAST:
        return _fast(rows, name)
    return _by_library(message, rows, name)


def compressed_to_rgb(message: Any) -> ByteArray:
    """Decode sensor_msgs/CompressedImage with JPEG or PNG data.

    The bytes say what they are; the format string is for the error message only, since drivers
    write it in many ways (``jpeg``, ``png``, ``rgb8; jpeg compressed bgr8``).

    :raises ImageError: as :func:`to_rgb`
    """
    data = _bytes(message.data)
    if not len(data):
        raise ImageError(Reason.IMAGE_EMPTY, f'need image data, got 0 bytes ({message.format!r})')
    _check_container(data, message.format)
    try:
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error as err:
        raise _corrupt(message.format, data) from err
    if bgr is None:
        raise _corrupt(message.format, data)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _rows(message: Any, pixel_bytes: int) -> ByteArray:
    """View of the pixel rows without their padding, ``(H, W * pixel_bytes)``."""
    height, width, step = int(message.height), int(message.width), int(message.step)
    data = _bytes(message.data)
    if height <= 0 or width <= 0 or not len(data):
        raise ImageError(
            Reason.IMAGE_EMPTY,
            f'need pixels, got {width} x {height} {message.encoding} with {len(data)} bytes',
        )
    row_bytes = width * pixel_bytes
    if step < row_bytes:
        raise ImageError(
            Reason.IMAGE_TRUNCATED,
            f'need a step of {row_bytes} bytes for {width} pixels {message.encoding}, got {step}',
        )
    if len(data) < step * height:
        raise ImageError(
            Reason.IMAGE_TRUNCATED,
            f'need {step * height} bytes for {height} rows of {step}, got {len(data)}',
        )
    return data[: step * height].reshape(height, step)[:, :row_bytes]


def _fast(rows: ByteArray, name: str) -> ByteArray:
    channels, conversion = _FAST[name]
    height, row_bytes = rows.shape
    # strided view: rows may be padded, pixels are not
    pixels = np.lib.stride_tricks.as_strided(
        rows,
        (height, row_bytes // channels, channels),
        (rows.strides[0], channels, 1),
        writeable=False,
    )
    if conversion < 0:
        return np.array(pixels)
    return np.asarray(cv2.cvtColor(pixels, conversion), dtype=np.uint8)


def _by_library(message: Any, rows: ByteArray, name: str) -> ByteArray:
    """Decode through cv_bridge or rosbags-image, given tight rows (rosbags ignores step)."""
    tight = _Tight(message, np.ascontiguousarray(rows), name)
    try:
        rgb = _convert(tight)
    except Exception as err:  # the libraries raise anything: cv2.error, AssertionError, KeyError
        raise ImageError(
            Reason.IMAGE_CORRUPT,
            f'need pixels that convert from {message.encoding} to rgb8, '
            f'got {message.width} x {message.height}: {err}',
        ) from err
    return np.ascontiguousarray(rgb, dtype=np.uint8)


class _Tight:
    """The fields of sensor_msgs/Image that a converter reads, in host byte order."""

    def __init__(self, message: Any, rows: ByteArray, name: str) -> None:
        if name.endswith('16') and bool(message.is_bigendian) != (sys.byteorder == 'big'):
            rows = rows.view(np.uint16).byteswap().view(np.uint8)
        self.height, self.width = int(message.height), int(message.width)
        self.encoding = name
        self.is_bigendian = int(sys.byteorder == 'big')
        self.step = rows.shape[1]
        self.data = rows.ravel()


def _convert(tight: _Tight) -> Any:
    bridge = _cv_bridge()
    if bridge is not None:
        return bridge.imgmsg_to_cv2(tight, desired_encoding='rgb8')
    from rosbags.image import message_to_cvimage  # the usual encodings do without

    return message_to_cvimage(tight, 'rgb8')  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def _cv_bridge() -> Any:
    """ROS's cv_bridge, else None; PyPI's broken namesake lacks the compiled boost module."""
    try:
        importlib.import_module('cv_bridge.boost.cv_bridge_boost')
        return importlib.import_module('cv_bridge').CvBridge()
    except (ImportError, AttributeError):
        return None


def _check_container(data: ByteArray, label: str) -> None:
    """Tell a cut-off JPEG or PNG, which OpenCV fills with grey, from one that is whole."""
    start, tail = data[:8].tobytes(), data[-_TAIL_BYTES:].tobytes()
    if start.startswith(_JPEG_START):
        end, kind = tail.rfind(_JPEG_END), 'JPEG'
        whole = end >= 0 and not tail[end + 2 :].strip(b'\x00\xff')
    elif start == _PNG_START:
        whole, kind = tail.rfind(_PNG_END) >= 0, 'PNG'
    elif _JPEG_START.startswith(start) or _PNG_START.startswith(start):
        whole, kind = False, 'JPEG or PNG'
    else:
        raise ImageError(
            Reason.IMAGE_ENCODING,
            f'need JPEG or PNG data, got {label!r} starting with {start.hex()}',
        )
    if not whole:
        raise ImageError(
            Reason.IMAGE_TRUNCATED,
            f'need a {kind} up to its end marker, got {len(data)} bytes without ({label!r})',
        )


def _corrupt(label: str, data: ByteArray) -> ImageError:
    return ImageError(
        Reason.IMAGE_CORRUPT, f'need decodable image data, got {len(data)} bytes ({label!r})'
    )


def _bytes(data: Any) -> ByteArray:
    """View of a message's bytes: array.array from rclpy, ndarray from rosbags, bytes."""
    if isinstance(data, np.ndarray):
        return np.ascontiguousarray(data).view(np.uint8).reshape(-1)
    if isinstance(data, (list, tuple)):
        return np.array(data, dtype=np.uint8)
    return np.frombuffer(data, dtype=np.uint8)
