"""Pictures as other cameras and other light would have taken them.

Simulated pictures are all alike; a model that learns from nothing else takes their colours for
the world (Tobin et al., Domain randomization, IROS 2017). Hue is left alone: red is not green.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

GAIN = (0.6, 1.4)
GAMMA = (0.7, 1.4)
CHANNEL_GAIN = (0.92, 1.08)
SATURATION = (0.4, 1.3)
BLURRED, BLUR_PX = 0.25, (0.3, 1.5)
NOISE = (0.0, 8.0)
AIM = (0.005, 0.015)
"""How far a camera may look aside, and up or down, in widths and heights of the picture."""


def jittered(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return a picture with other exposure, colours, sharpness, noise and aim."""
    levels = (np.arange(256) / 255.0) ** rng.uniform(*GAMMA) * rng.uniform(*GAIN)
    gains = rng.uniform(*CHANNEL_GAIN, size=3)
    table = np.clip(levels[:, None] * gains * 255.0, 0.0, 255.0).astype(np.uint8)
    rgb = cv2.LUT(np.asarray(image), table[None].reshape(1, 256, 3))
    grey = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    share = rng.uniform(*SATURATION)
    rgb = cv2.addWeighted(rgb, share, grey, 1.0 - share, 0.0)
    if rng.random() < BLURRED:
        rgb = cv2.GaussianBlur(rgb, (0, 0), rng.uniform(*BLUR_PX))
    noise = np.empty(rgb.shape, dtype=np.int16)
    cv2.setRNGSeed(int(rng.integers(2**31)))
    cv2.randn(noise, 0.0, rng.uniform(*NOISE))
    noisy = cv2.add(rgb, noise, dtype=cv2.CV_8U)
    height, width = noisy.shape[:2]
    right, down = rng.uniform(-1.0, 1.0, size=2) * AIM * np.array([width, height])
    moved = np.array([[1.0, 0.0, right], [0.0, 1.0, down]])
    shifted = cv2.warpAffine(noisy, moved, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return Image.fromarray(shifted)
