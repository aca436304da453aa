"""An MCAP file that was cut off (recorder killed, copy ended early), read as far as it is whole.

In: the path of a file without its end. Out: something that opens like a path, whose file ends with
the last whole record and an empty footer, so that readers scan it from the front. Nothing is
copied and nothing is written. Knows only how records are framed (mcap.dev/spec).
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, BinaryIO

MAGIC = b'\x89MCAP0\r\n'
_FOOTER, _DATA_END = 0x02, 0x0F
_HEAD_BYTES = 9
"""Opcode and length, before the content of a record."""
_END = bytes([_FOOTER]) + (20).to_bytes(8, 'little') + bytes(20) + MAGIC
"""Footer of a file without summary, and the closing magic."""


class CutMcap:
    """Stands for the path of a cut-off MCAP file; has what rosbags asks of a path.

    :raises OSError: the file cannot be read
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.whole_bytes = _whole_bytes(path)

    @property
    def suffix(self) -> str:
        """Of the file itself."""
        return self.path.suffix

    def __str__(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        """Whether the file is there."""
        return self.path.exists()

    def is_dir(self) -> bool:
        """It is a file."""
        return False

    def open(self, *_: Any, **__: Any) -> BinaryIO:
        """Open the whole records and a footer for reading."""
        return io.BufferedReader(_WithEnd(self.path, self.whole_bytes))


class _WithEnd(io.RawIOBase):
    """The first bytes of a file, followed by :data:`_END`."""

    def __init__(self, path: Path, size: int) -> None:
        self._file = path.open('rb', buffering=0)
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size + len(_END)}
        self._at = max(base[whence] + offset, 0)
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        if self._at < self._size:
            self._file.seek(self._at)
            data = self._file.read(min(len(view), self._size - self._at)) or b''
        else:
            start = self._at - self._size
            data = _END[start : start + len(view)]
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _whole_bytes(path: Path) -> int:
    """Length up to the end of the last whole record of messages; 0 when it is no MCAP file."""
    size = path.stat().st_size
    with path.open('rb') as file:
        if file.read(len(MAGIC)) != MAGIC:
            return 0
        whole = len(MAGIC)
        while len(head := file.read(_HEAD_BYTES)) == _HEAD_BYTES:
            end = whole + _HEAD_BYTES + int.from_bytes(head[1:], 'little')
            if end > size or head[0] in (0, _FOOTER, _DATA_END):
                break
            whole = file.seek(end)
    return whole
