"""Types of command-line arguments that argparse does not have."""

from __future__ import annotations

import argparse
import math


def positive_number(text: str) -> float:
    """Return a finite number above 0.

    :raises argparse.ArgumentTypeError: it is none
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f'need a number above 0, got {text}')
    return value


def positive_count(text: str) -> int:
    """Return a whole number above 0.

    :raises argparse.ArgumentTypeError: it is none
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'need a whole number above 0, got {text}')
    return int(text)


def number_ranges(text: str) -> tuple[int, ...]:
    """Return whole numbers out of ``0-49`` or ``3,7,10-12``, in order, each once.

    :raises argparse.ArgumentTypeError: it is something else
    """
    numbers: list[int] = []
    for part in text.split(','):
        first, dash, last = part.strip().partition('-')
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise argparse.ArgumentTypeError(f'need numbers as 0-49 or 3,7,10-12, got {text}')
        if dash and int(last) < int(first):
            raise argparse.ArgumentTypeError(f'need a range upwards, got {part.strip()}')
        numbers += range(int(first), int(last or first) + 1)
    return tuple(dict.fromkeys(numbers))


def scenario_range(text: str) -> tuple[str, tuple[int, ...]]:
    """Return split and numbers out of ``val:0-9``.

    :raises argparse.ArgumentTypeError: it is something else
    """
    split, colon, numbers = text.partition(':')
    if not (split and colon):
        raise argparse.ArgumentTypeError(f'need SPLIT:A-B, as val:0-9, got {text}')
    return split, number_ranges(numbers)


def picture_size(text: str) -> tuple[int, int]:
    """Return width and height out of ``640x360``.

    :raises argparse.ArgumentTypeError: it is something else
    """
    width, _, height = text.partition('x')
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f'need a size as 640x360, got {text}')
    return int(width), int(height)


def latency(text: str) -> float | None:
    """Return seconds, or None for ``measured``.

    :raises argparse.ArgumentTypeError: it is neither
    """
    if text == 'measured':
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 60.0:
        raise argparse.ArgumentTypeError(f"need seconds from 0 to 60 or 'measured', got {text}")
    return value


def share(text: str) -> float:
    """Read a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(f'need a number from 0 to 1, got {text!r}') from err
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f'need a number from 0 to 1, got {text}')
    return value
