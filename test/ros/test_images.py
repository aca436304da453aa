"""Camera messages of both libraries, in every encoding, whole and broken."""

from __future__ import annotations

import array
import gc
import sys
import types
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from emma_planner.planning.types import CameraFrame, InputError, Reason
from emma_planner.ros import images

STORE = get_typestore(Stores.ROS2_HUMBLE)
TO_ENCODING: dict[str, int | None] = {
    'rgb8': None,
    'bgr8': cv2.COLOR_RGB2BGR,
    '8UC3': cv2.COLOR_RGB2BGR,
    'rgba8': cv2.COLOR_RGB2RGBA,
    'bgra8': cv2.COLOR_RGB2BGRA,
    '8UC4': cv2.COLOR_RGB2BGRA,
    'mono8': cv2.COLOR_RGB2GRAY,
    '8UC1': cv2.COLOR_RGB2GRAY,
}


def _rosbags(kind: str, **fields: Any) -> Any:
    types_ = STORE.types
    stamp = types_['builtin_interfaces/msg/Time'](sec=1, nanosec=2)
    header = types_['std_msgs/msg/Header'](stamp=stamp, frame_id='camera')
    return types_[f'sensor_msgs/msg/{kind}'](header=header, **fields)


def _rclpy(kind: str, **fields: Any) -> Any:
    module = pytest.importorskip('sensor_msgs.msg')
    fields['data'] = array.array('B', fields['data'].tobytes())
    return getattr(module, kind)(**fields)


MAKERS = pytest.mark.parametrize('make', [_rosbags, _rclpy], ids=['rosbags', 'rclpy'])
Make = Callable[..., Any]


def _picture(height: int = 20, width: int = 30) -> np.ndarray:
    """Smooth in place so that lossy encodings stay close, different in every channel."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, 255 - x * 200 // width], -1).astype('u1')


def _image(make: Make, pixels: np.ndarray, encoding: str, padding: int = 0) -> Any:
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1).view(np.uint8)
    rows = np.hstack([rows, np.full((height, padding), 0xAB, np.uint8)])
    return make(
        'Image',
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=rows.shape[1],
        data=rows.ravel(),
    )


def _encoded(extension: str, height: int = 60, width: int = 80) -> np.ndarray:
    bgr = cv2.cvtColor(_picture(height, width), cv2.COLOR_RGB2BGR)
    return cv2.imencode(extension, bgr)[1].ravel()


def _compressed(make: Make, data: np.ndarray, label: str = 'jpeg') -> Any:
    return make('CompressedImage', format=label, data=data)


def _reason(message: Any) -> Reason:
    with pytest.raises(images.ImageError) as caught:
        images.to_rgb(message)
    assert isinstance(caught.value, InputError)
    return caught.value.reason


@MAKERS
@pytest.mark.parametrize('padding', [0, 1, 7, 64])
@pytest.mark.parametrize('encoding', list(TO_ENCODING))
def test_every_usual_encoding_gives_the_same_rgb_with_padded_rows_or_not(make, encoding, padding):
    rgb = _picture()
    code = TO_ENCODING[encoding]
    pixels = rgb if code is None else cv2.cvtColor(rgb, code)
    expected = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else rgb
    decoded = images.to_rgb(_image(make, pixels, encoding, padding))
    assert np.array_equal(decoded, expected)
    CameraFrame(0, 'front', decoded)


@MAKERS
@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize('encoding', ['rgb16', 'bgr16', 'mono16', 'rgba16', 'bgra16'])
@pytest.mark.parametrize('big_endian', [0, 1])
def test_sixteen_bits_are_scaled_to_eight(make, encoding, padding, big_endian):
    rgb = _picture()
    code = TO_ENCODING[encoding.replace('16', '8')]
    pixels = rgb if code is None else cv2.cvtColor(rgb, code)
    expected = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else rgb
    wide = (pixels.astype(np.uint16) * 256 + 17).astype('>u2' if big_endian else '<u2')
    message = _image(make, wide, encoding, padding)
    message = _replaced(message, is_bigendian=big_endian)
    assert np.abs(images.to_rgb(message).astype(int) - expected).max() <= 1


def _replaced(message: Any, **fields: Any) -> Any:
    """The message with other field values; messages of rosbags are frozen."""
    for name, value in fields.items():
        object.__setattr__(message, name if hasattr(message, '__msgtype__') else f'_{name}', value)
    return message


@MAKERS
@pytest.mark.parametrize('padding', [0, 8])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_mosaics_keep_their_colours(make, pattern, padding):
    colour = {'r': 200, 'g': 100, 'b': 20}
    tile = np.array([colour[letter] for letter in pattern], np.uint8).reshape(2, 2)
    message = _image(make, np.tile(tile, (8, 8)), f'bayer_{pattern}8', padding)
    assert np.all(images.to_rgb(message)[4:-4, 4:-4] == (200, 100, 20))


@MAKERS
@pytest.mark.parametrize('encoding', ['yuv422', 'yuv422_yuy2'])
def test_grey_yuv_is_grey_in_rgb(make, encoding):
    order = (128, 126) if encoding == 'yuv422' else (126, 128)
    pixels = np.tile(np.array(order, np.uint8), (6, 8, 1))
    rgb = images.to_rgb(_image(make, pixels, encoding, padding=4))
    assert rgb.shape == (6, 8, 3)
    assert np.ptp(rgb) <= 1
    assert abs(int(rgb[0, 0, 0]) - 128) <= 1


@MAKERS
@pytest.mark.parametrize(
    ('extension', 'label', 'tolerance'),
    [
        ('.jpg', 'jpeg', 12),
        ('.jpg', 'rgb8; jpeg compressed bgr8', 12),
        ('.jpg', '', 12),
        ('.png', 'png', 0),
        ('.png', 'bgr8; png compressed bgr8', 0),
    ],
)
def test_compressed_images_decode_whatever_the_label(make, extension, label, tolerance):
    rgb = images.to_rgb(_compressed(make, _encoded(extension), label))
    assert np.abs(rgb.astype(int) - _picture(60, 80)).max() <= tolerance


def test_grey_and_transparent_pictures_become_three_channels():
    grey = cv2.imencode('.jpg', _picture()[..., 0])[1].ravel()
    alpha = cv2.imencode('.png', cv2.cvtColor(_picture(), cv2.COLOR_RGB2BGRA))[1].ravel()
    assert images.to_rgb(_compressed(_rosbags, grey)).shape == (20, 30, 3)
    assert np.array_equal(images.to_rgb(_compressed(_rosbags, alpha)), _picture())


@MAKERS
def test_zeros_behind_the_end_of_a_jpeg_do_no_harm(make):
    padded = np.concatenate([_encoded('.jpg'), np.zeros(300, np.uint8)])
    assert images.to_rgb(_compressed(make, padded)).shape == (60, 80, 3)


@MAKERS
@pytest.mark.parametrize('extension', ['.jpg', '.png'])
def test_a_cut_picture_is_an_image_error_at_every_length(make, extension):
    data = _encoded(extension)
    for length in range(len(data)):
        if extension == '.png' and length >= len(data) - 4:
            continue  # only the checksum of the end marker is cut: every pixel is there
        reason = _reason(_compressed(make, data[:length]))
        expected = Reason.IMAGE_TRUNCATED if length else Reason.IMAGE_EMPTY
        assert reason == expected, length


@pytest.mark.parametrize('extension', ['.jpg', '.png'])
def test_damaged_pictures_raise_nothing_but_image_errors(extension):
    rng, data = np.random.default_rng(0), _encoded(extension)
    for _ in range(300):
        broken = data.copy()
        broken[rng.integers(0, len(data), 8)] = rng.integers(0, 256, 8)
        try:
            rgb = images.to_rgb(_compressed(_rosbags, broken))
        except images.ImageError:
            continue
        assert rgb.ndim == 3


@MAKERS
def test_undecodable_jpeg_is_corrupt(make):
    data = np.frombuffer(b'\xff\xd8' + b'nothing' * 20 + b'\xff\xd9', np.uint8)
    assert _reason(_compressed(make, data)) == Reason.IMAGE_CORRUPT


@MAKERS
def test_other_containers_name_what_is_needed(make):
    with pytest.raises(images.ImageError, match="need JPEG or PNG data, got 'webp'") as caught:
        images.to_rgb(_compressed(make, np.frombuffer(b'RIFF1234WEBP', np.uint8), 'webp'))
    assert caught.value.reason == Reason.IMAGE_ENCODING


@MAKERS
def test_unknown_encoding_lists_the_supported_ones(make):
    with pytest.raises(images.ImageError, match=r"rgb8, bgr8, 8UC3.*got '32FC1'") as caught:
        images.to_rgb(_image(make, np.zeros((4, 4), np.float32), '32FC1'))
    assert caught.value.reason == Reason.IMAGE_ENCODING


@MAKERS
@pytest.mark.parametrize(('height', 'width'), [(0, 30), (20, 0), (0, 0)])
def test_zero_size_is_empty(make, height, width):
    message = _replaced(_image(make, _picture(), 'rgb8'), height=height, width=width)
    assert _reason(message) == Reason.IMAGE_EMPTY


@MAKERS
def test_no_data_is_empty(make):
    message = make(
        'Image',
        height=4,
        width=4,
        encoding='rgb8',
        is_bigendian=0,
        step=12,
        data=np.zeros(0, np.uint8),
    )
    assert _reason(message) == Reason.IMAGE_EMPTY
    assert _reason(_compressed(make, np.zeros(0, np.uint8))) == Reason.IMAGE_EMPTY


@MAKERS
@pytest.mark.parametrize('encoding', ['bgr8', 'mono16'])
def test_missing_bytes_are_truncated_and_the_message_counts_them(make, encoding):
    pixel = 3 if encoding == 'bgr8' else 2
    message = make(
        'Image',
        height=20,
        width=30,
        encoding=encoding,
        is_bigendian=0,
        step=30 * pixel,
        data=np.zeros(600 * pixel - 1, np.uint8),
    )
    pattern = f'need {600 * pixel} bytes for 20 rows of {30 * pixel}, got {600 * pixel - 1}'
    with pytest.raises(images.ImageError, match=pattern) as caught:
        images.to_rgb(message)
    assert caught.value.reason == Reason.IMAGE_TRUNCATED


@MAKERS
def test_step_shorter_than_a_row_is_truncated(make):
    message = _replaced(_image(make, _picture(), 'rgb8'), step=89)
    with pytest.raises(images.ImageError, match='need a step of 90 bytes for 30 pixels'):
        images.to_rgb(message)


@MAKERS
@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8', 'bayer_rggb8'])
def test_result_outlives_and_is_independent_of_the_message(make, encoding):
    pixels = _picture() if encoding != 'bayer_rggb8' else _picture()[..., 0].copy()
    message = _image(make, pixels, encoding)
    rgb = images.to_rgb(message)
    before = rgb.copy()
    np.frombuffer(message.data, np.uint8)[:] = 0
    del message
    gc.collect()
    assert np.array_equal(rgb, before)
    assert rgb.flags.writeable
    assert rgb.flags.c_contiguous


def test_a_cv_bridge_without_its_compiled_part_is_not_used(monkeypatch):
    images._cv_bridge.cache_clear()
    broken = types.ModuleType('cv_bridge')
    broken.CvBridge = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, 'cv_bridge', broken)
    try:
        assert images._cv_bridge() is None
        assert images.to_rgb(_image(_rosbags, _picture()[..., 0], 'bayer_rggb8')).shape
    finally:
        images._cv_bridge.cache_clear()
