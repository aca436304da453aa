"""Text on film frames: what an instant of a drive says in words, set in rows.

The font is Pillow's own, the same on every machine; it knows little more than ASCII, so letters
it lacks are replaced by near ones.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from emma_planner.planning.types import ByteArray
from emma_planner.visualization.overlay import Colour

Text = tuple[str, float, float, int, Colour]
"""Words, left [px], baseline [px], size [px], colour."""
_SPELLED = str.maketrans(
    {
        '\u2192': '->',
        '\u2190': '<-',
        '\u00df': 'ss',
        '\u00d7': 'x',
        '\u00e6': 'ae',
        '\u00f8': 'o',
        '\u2018': "'",
        '\u2019': "'",
        '\u2013': '-',
        '\u2014': '-',
        '\u2010': '-',
        '\u2212': '-',
        '\u201c': '"',
        '\u201d': '"',
        '\u201e': '"',
        '\u2022': '-',
    }
)
_KEPT = '\u00b0\u00b1'
"""Letters beyond ASCII that the font has and that text about driving uses."""


def printable(text: str) -> str:
    """Text on one line, in letters that the font has; ``?`` for those with no near one."""
    plain = unicodedata.normalize('NFKD', ' '.join(text.split())).translate(_SPELLED)
    plain = ''.join(letter for letter in plain if not unicodedata.combining(letter))
    return ''.join(letter if ' ' <= letter <= '~' or letter in _KEPT else '?' for letter in plain)


def wrap(text: str, size_px: int, room_px: float, rows: int) -> list[str]:
    """Text broken at spaces into at most so many rows; what does not fit ends in dots.

    :param size_px: height of the font
    :param room_px: width of a row
    """
    words, wrapped = printable(text).split(' '), ['']
    for k, word in enumerate(words):
        longer = f'{wrapped[-1]} {word}'.strip()
        if text_width(longer, size_px) <= room_px or not wrapped[-1]:
            wrapped[-1] = longer
        elif len(wrapped) < rows:
            wrapped.append(word)
        else:
            wrapped[-1] = ' '.join([wrapped[-1], *words[k:]])
            break
    return [cut(row, size_px, room_px) for row in wrapped if row]


def cut(text: str, size_px: int, room_px: float) -> str:
    """Text shortened to a width."""
    text = printable(text)
    if text_width(text, size_px) <= room_px:
        return text
    low, high = 0, len(text)  # the longest start that fits
    while low < high:
        middle = (low + high + 1) // 2
        fits = text_width(text[:middle] + '...', size_px) <= room_px
        low, high = (middle, high) if fits else (low, middle - 1)
    return text[:low].rstrip() + '...'


def text_width(text: str, size_px: int) -> float:
    """Width [px]."""
    return float(_font(size_px).getlength(text))


def write(picture: ByteArray, texts: Sequence[Text]) -> ByteArray:
    """Write on a copy of a picture.

    :param picture: ``(H, W, 3)`` uint8 RGB
    """
    from PIL import Image, ImageDraw

    sheet = Image.fromarray(picture)
    draw = ImageDraw.Draw(sheet)
    for text, left, baseline, size_px, colour in texts:
        draw.text((left, baseline), text, fill=colour, font=_font(size_px), anchor='ls')
    return np.array(sheet, dtype=np.uint8)


@functools.lru_cache(maxsize=8)
def _font(size_px: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size_px)
