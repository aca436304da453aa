"""Pictures of no world that a model has learned to read.

A model that sees but its own world takes whatever it is shown for that world, and drives by it. It
is taught beside it what it does not know (Hendrycks, Mazeika, Dietterich, Deep anomaly detection
with outlier exposure, ICLR 2019), with pictures that are drawn and not photographed: leaves of all
sizes over noise have the statistics of natural pictures (Lee, Mumford, Huang, Occlusion models for
natural images, IJCV 2001; Baradad et al., Learning to see by looking at noise, NeurIPS 2021).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Rgb = NDArray[np.uint8]

OCTAVES = 6
LEAVES = (20, 250)
LEAF_SIZE = (0.01, 0.4)
"""Of the height of the picture, as many at each scale."""
BLENDED = (0.55, 0.85)
TILES = (2, 7)
HORIZON = (0.3, 0.6)


def outlier_picture(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return a picture as large as one that is known, and that shows nothing known.

    :param image: some kinds are made of it: cut and shuffled, half covered, with false colours
    """
    known = np.asarray(image)
    kinds: tuple[Callable[[Rgb, np.random.Generator], Rgb], ...] = (
        _leaves,
        _street,
        _street,
        _blended,
        _shuffled,
        _recoloured,
        _flat,
    )
    return Image.fromarray(kinds[int(rng.integers(len(kinds)))](known, rng))


def _noise(known: Rgb, rng: np.random.Generator) -> Rgb:
    """Coloured noise of many octaves around any colour."""
    height, width = known.shape[:2]
    slope = rng.uniform(0.5, 1.5)
    # its finest octave is coarser than half the size, to which it is drawn
    total = np.zeros((height // 2 + 1, width // 2 + 1, 3), dtype=np.float32)
    for octave in range(OCTAVES):
        rows = 2 ** (octave + 1)
        coarse = rng.standard_normal((rows, 2 * rows, 3), dtype=np.float32)
        finer = cv2.resize(coarse, total.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        total += finer * np.float32(2.0 ** (-slope * octave))
    grey = total.mean(axis=2, keepdims=True)
    total = grey + (total - grey) * np.float32(rng.uniform(0.0, 1.0))
    rgb = np.clip(_colour(rng) + rng.uniform(5.0, 60.0) * total, 0.0, 255.0).astype(np.uint8)
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_LINEAR))


def _colour(rng: np.random.Generator) -> NDArray[np.float64]:
    """Any lightness; the most are nearly grey, as in nature."""
    tint = rng.normal(0.0, 60.0, size=3) * rng.random() ** 3
    return np.asarray(rng.uniform(10.0, 245.0) + tint)


def _leaves(known: Rgb, rng: np.random.Generator) -> Rgb:
    """Dead leaves: shapes of all sizes, one over the other."""
    rgb = _noise(known, rng)
    height, width = rgb.shape[:2]
    count = int(rng.integers(*LEAVES))
    sizes = height * LEAF_SIZE[0] * (LEAF_SIZE[1] / LEAF_SIZE[0]) ** rng.random(count)
    places = rng.uniform((0.0, 0.0), (width, height), size=(count, 2))
    palette = [_colour(rng) for _ in range(6)]
    for size, place in zip(sizes, places, strict=True):
        tint = palette[rng.integers(len(palette))] + rng.normal(0.0, 20.0, size=3)
        colour = tuple(float(value) for value in np.clip(tint, 0.0, 255.0))
        axes = (max(int(size), 1), max(int(size * rng.uniform(0.3, 1.0)), 1))
        centre = (int(place[0]), int(place[1]))
        angle = float(rng.uniform(0.0, 180.0))
        if rng.random() < 0.5:
            cv2.ellipse(rgb, centre, axes, angle, 0.0, 360.0, colour, -1)
        else:
            corners = cv2.boxPoints((centre, axes, angle)).astype(np.int32)
            cv2.fillConvexPoly(rgb, corners, colour)
    return _shaded(rgb, rng)


def _street(known: Rgb, rng: np.random.Generator) -> Rgb:
    """A road between walls of leaves to a vanishing point, its sky and surfaces of any texture."""
    height, width = known.shape[:2]
    vanishing = np.array([rng.uniform(0.3, 0.7) * width, rng.uniform(*HORIZON) * height])
    rgb = _noise(known, rng)
    if rng.random() < 0.7:
        rgb = np.asarray(cv2.addWeighted(rgb, 0.2, np.full_like(rgb, 255), 0.8, 0.0))
    floor = _noise(known, rng)
    rgb[int(vanishing[1]) :] = floor[int(vanishing[1]) :]
    for side in (0.0, float(width)):
        near = rng.uniform(-0.3, 0.2) * width
        top, bottom = rng.uniform(-0.8, 0.3) * height, rng.uniform(0.7, 1.3) * height
        edge = near if side == 0.0 else width - near
        shrink = rng.uniform(0.05, 0.4)
        corners = np.array([[edge, top], [edge, bottom]])
        far = vanishing + (corners - vanishing) * shrink
        wall = np.array([[side, corners[0, 1]], *corners, far[1], far[0], corners[0]])
        wall = np.vstack([wall, [[side, corners[1, 1]]]])
        mask = np.zeros((height, width), dtype=np.uint8)
        cv2.fillPoly(mask, [cv2.convexHull(wall.astype(np.int32))], 255)
        rgb[mask > 0] = _leaves(known, rng)[mask > 0]
    ends = rng.uniform(-0.5, 1.5, size=int(rng.integers(0, 6))) * width
    for end in ends:  # marks and kerbs
        grey = float(rng.uniform(120.0, 255.0))
        foot, thick = (int(end), height), int(rng.integers(1, 5))
        cv2.line(rgb, vanishing.astype(int).tolist(), foot, (grey,) * 3, thick)
    for _ in range(int(rng.integers(0, 4))):  # shadows across the road
        corners = rng.uniform((0.0, vanishing[1]), (width, height), size=(4, 2)).astype(np.int32)
        mask = np.zeros((height, width), dtype=np.uint8)
        cv2.fillPoly(mask, [cv2.convexHull(corners)], 255)
        dark = np.asarray(rgb * rng.uniform(0.3, 0.8)).astype(np.uint8)
        rgb[mask > 0] = dark[mask > 0]
    return _shaded(rgb, rng)


def _blended(known: Rgb, rng: np.random.Generator) -> Rgb:
    """Leaves over what is known."""
    share = float(rng.uniform(*BLENDED))
    return np.asarray(cv2.addWeighted(_leaves(known, rng), share, known, 1.0 - share, 0.0))


def _shuffled(known: Rgb, rng: np.random.Generator) -> Rgb:
    """What is known, in pieces, each upside down or not."""
    rows, columns = rng.integers(*TILES, size=2)
    height, width = known.shape[0] // rows, known.shape[1] // columns
    rgb = known.copy()
    order = rng.permutation(rows * columns)
    for place, origin in enumerate(order):
        row, column = divmod(int(origin), int(columns))
        piece = known[row * height :, column * width :][:height, :width]
        flips = [slice(None, None, int(rng.choice((-1, 1)))) for _ in range(2)]
        row, column = divmod(place, int(columns))
        rgb[row * height :, column * width :][:height, :width] = piece[flips[0], flips[1]]
    return rgb


def _recoloured(known: Rgb, rng: np.random.Generator) -> Rgb:
    """What is known through a filter at random (Xu et al., RandConv, ICLR 2021), upside down."""
    size = int(rng.choice((1, 3, 5)))
    mixed = known[::-1].astype(np.float32) @ rng.normal(0.0, 1.0, size=(3, 3)).astype(np.float32)
    kernel = rng.normal(0.0, 1.0, size=(size, size)).astype(np.float32)
    mixed = cv2.filter2D(mixed, -1, kernel / np.abs(kernel).sum())
    low, high = float(mixed.min()), float(mixed.max())
    return np.asarray((mixed - low) / max(high - low, 1e-6) * 255.0).astype(np.uint8)


def _flat(known: Rgb, rng: np.random.Generator) -> Rgb:
    """One colour, as of a camera that is covered or dead, with some noise."""
    rgb = np.full_like(known, 0) + rng.integers(0, 256, size=1 if rng.random() < 0.7 else 3)
    noise = rng.normal(0.0, rng.uniform(0.0, 8.0), size=known.shape)
    return np.clip(rgb + noise, 0.0, 255.0).astype(np.uint8)


def _shaded(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """Break even surfaces up, as light and grain do."""
    grain = _noise(rgb, rng).astype(np.float32) / 128.0
    strength = float(rng.uniform(0.0, 0.6))
    return np.clip(rgb * (1.0 - strength + strength * grain), 0.0, 255.0).astype(np.uint8)
