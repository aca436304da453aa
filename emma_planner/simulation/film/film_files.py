"""Files that moving pictures stream into, one frame at a time: animated WebP, and MP4.

In: RGB pictures of one size and how long each shows. Memory holds one picture, never the film.
A WebP is complete after every frame, whatever happens then; an MP4 once it is closed. Knows
nothing of what the pictures show.
"""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from emma_planner.planning.types import ByteArray

WEBP_QUALITY = 58
WEBP_METHOD = 2
"""Effort of the encoder, 0 to 6; 4 takes twice the time for 4 % less."""
SHORTEST_S, LONGEST_S = 0.02, 60.0
"""A frame's time: browsers show none shorter; longer ones are no moving picture."""
MP4_CODECS = ('avc1', 'vp09', 'mp4v')
"""H.264 plays everywhere, but the OpenCV wheels of PyPI (4.14 and 5.0) carry no encoder for it;
VP9, which they have, plays in browsers; MPEG-4 part 2 in desktop players only."""


class FilmError(Exception):
    """A film cannot be written."""


class FilmFile(Protocol):
    """Where frames go."""

    def add(self, rgb: ByteArray, shown_s: float) -> None:
        """Append a picture ``(H, W, 3)`` uint8."""

    def close(self) -> None:
        """Finish the file; a second time does nothing."""


def open_film(path: Path, width: int, height: int, every_s: float) -> FilmFile:
    """Start a film, of the format that the suffix names.

    :param width: of every frame [px]; even, as video codecs want it
    :param every_s: time between frames; MP4 shows each for a multiple of it
    :raises FilmError: suffix not known, or the file cannot be written
    """
    kinds: dict[str, type[WebpFile] | type[Mp4File]] = {'.webp': WebpFile, '.mp4': Mp4File}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise FilmError(f'{path}: need a film named *{" or *".join(kinds)}, got {path.suffix!r}')
    if not SHORTEST_S <= every_s <= LONGEST_S:
        raise FilmError(
            f'{path}: need {SHORTEST_S:g} to {LONGEST_S:g} s between frames, got {every_s:g}'
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return kind(path, width, height, every_s)
    except OSError as err:
        raise FilmError(f'{path}: cannot write the film: {err}') from err


class WebpFile:
    """An animated WebP, written chunk by chunk (WebP Container Specification, RFC 9649).

    A frame stores only the rectangle that changed. Pillow encodes the pictures; its own writer of
    animations would keep all of them in memory.
    """

    def __init__(self, path: Path, width: int, height: int, every_s: float) -> None:
        """:param every_s: not needed: each frame carries its own time"""
        del every_s
        self._path = path
        self._size = (height, width, 3)
        self._last: ByteArray | None = None
        self._file = path.open('wb')
        canvas = struct.pack('<I', 0x02) + _uint24(width - 1) + _uint24(height - 1)
        forever = struct.pack('<IH', 0, 0)
        self._file.write(b'RIFF\0\0\0\0WEBP' + _chunk(b'VP8X', canvas) + _chunk(b'ANIM', forever))

    def add(self, rgb: ByteArray, shown_s: float) -> None:
        """Append a picture ``(H, W, 3)`` uint8."""
        if rgb.shape != self._size:
            raise FilmError(f'{self._path}: need a picture of {self._size}, got {rgb.shape}')
        left, top, right, bottom = self._changed(rgb)
        picture = _webp_chunks(rgb[top:bottom, left:right])
        header = _uint24(left // 2) + _uint24(top // 2)
        header += _uint24(right - left - 1) + _uint24(bottom - top - 1)
        header += _uint24(round(shown_s * 1000.0)) + b'\x02'  # replaces what is below it
        self._file.write(_chunk(b'ANMF', header + picture))
        self._note_length()
        self._last = rgb.copy()

    def close(self) -> None:
        """Finish the file; a second time does nothing."""
        self._file.close()

    def _changed(self, rgb: ByteArray) -> tuple[int, int, int, int]:
        """Left, top (even, as the format wants), right, bottom of what differs; never empty."""
        height, width = rgb.shape[:2]
        if self._last is None:
            return 0, 0, width, height
        differs = (rgb != self._last).any(axis=2)
        rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
        if not len(rows):
            return 0, 0, min(2, width), min(2, height)
        left, top = int(columns[0]) // 2 * 2, int(rows[0]) // 2 * 2
        return left, top, int(columns[-1]) + 1, int(rows[-1]) + 1

    def _note_length(self) -> None:
        end = self._file.tell()
        self._file.seek(4)
        self._file.write(struct.pack('<I', end - 8))
        self._file.seek(end)
        self._file.flush()


class Mp4File:
    """An MP4 through OpenCV, with the best codec that it can encode here."""

    def __init__(self, path: Path, width: int, height: int, every_s: float) -> None:
        with path.open('wb'):
            pass  # OpenCV only says that it failed, this says why
        self._path = path
        self._size = (height, width, 3)
        self._every_s = every_s
        self._writer = _video_writer(path, width, height, 1.0 / every_s)

    def add(self, rgb: ByteArray, shown_s: float) -> None:
        """Append a picture ``(H, W, 3)`` uint8, repeated while it shows."""
        if rgb.shape != self._size:
            raise FilmError(f'{self._path}: need a picture of {self._size}, got {rgb.shape}')
        bgr = np.ascontiguousarray(rgb[..., ::-1])
        for _ in range(max(1, round(shown_s / self._every_s))):
            self._writer.write(bgr)

    def close(self) -> None:
        """Finish the file; a second time does nothing."""
        self._writer.release()


def _video_writer(path: Path, width: int, height: int, fps: float) -> Any:
    import cv2

    # a codec that is not there is no error: the next one is tried
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        for codec in MP4_CODECS:
            fourcc = cv2.VideoWriter.fourcc(*codec)
            writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, fps, (width, height))
            if writer.isOpened():
                return writer
    finally:
        cv2.utils.logging.setLogLevel(level)
    raise FilmError(f'{path}: OpenCV here encodes none of {", ".join(MP4_CODECS)}; take a .webp')


def _webp_chunks(rgb: ByteArray) -> bytes:
    """The picture data of a still WebP, without its header."""
    from PIL import Image

    still = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(rgb))
    picture.save(still, 'WEBP', quality=WEBP_QUALITY, method=WEBP_METHOD)
    return still.getvalue()[12:]


def _uint24(value: int) -> bytes:
    return struct.pack('<I', value)[:3]


def _chunk(name: bytes, payload: bytes) -> bytes:
    return name + struct.pack('<I', len(payload)) + payload + b'\0' * (len(payload) % 2)
