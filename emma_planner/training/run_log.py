"""What a training run tells while it runs: lines in log.jsonl, and for TensorBoard."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch


class RunLog:
    """Means since the last line; a line each in log.jsonl and for TensorBoard."""

    def __init__(self, out: Path, every: int) -> None:
        self._path = out / 'log.jsonl'
        self._sums: dict[str, torch.Tensor] = {}
        self._count = 0
        self._begin = time.monotonic()
        self._board = _board(out)

    def add(self, values: dict[str, torch.Tensor]) -> None:
        """Take what one step tells, without waiting for the device to have worked it out."""
        self._count += 1
        for name, value in values.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def flush(self, step: int, rate: float) -> dict[str, float]:
        """Write the means since the last line, and return them."""
        seconds = time.monotonic() - self._begin
        told = {name: float(value) / self._count for name, value in self._sums.items()}
        told |= {'learning_rate': rate, 'steps_per_s': self._count / seconds}
        self.write(step, told)
        self._sums, self._count, self._begin = {}, 0, time.monotonic()
        return told

    def write(self, step: int, told: dict[str, float]) -> None:
        """Write one line."""
        with self._path.open('a', encoding='utf-8') as file:
            file.write(json.dumps({'step': step, **told}) + '\n')
        if self._board is not None:
            for name, value in told.items():
                self._board.add_scalar(name, value, step)


def _board(out: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(out / 'tensorboard'))
