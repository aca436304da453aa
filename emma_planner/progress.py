"""A progress bar on stderr, only where a person sees it."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TextIO

WIDTH = 32


class ProgressBar:
    """Shows how far something is; a context manager.

    :param total: what counts as done
    :param label: said before the bar
    :param shown: False keeps it silent
    :param stream: where it is drawn; a stream that is no terminal gets nothing
    """

    def __init__(
        self, total: float, label: str, *, shown: bool = True, stream: TextIO | None = None
    ) -> None:
        self._stream = stream or sys.stderr
        self._total = max(total, 1e-9)
        self._label = label
        self._shown = shown and self._stream.isatty()
        self._drawn = -1

    def __enter__(self) -> ProgressBar:
        self.update(0.0, '')
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown:
            self._stream.write('\n')
            self._stream.flush()

    def update(self, done: float, note: str) -> None:
        """Redraw where the picture has changed.

        :param done: in units of ``total``
        :param note: said after the bar
        """
        share = min(max(done / self._total, 0.0), 1.0)
        percent = int(100 * share)
        if not self._shown or percent == self._drawn:
            return
        self._drawn = percent
        bar = '#' * int(WIDTH * share)
        self._stream.write(f'\r{self._label} [{bar:<{WIDTH}}] {percent:3d} % {note}\x1b[K')
        self._stream.flush()
