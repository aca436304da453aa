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
