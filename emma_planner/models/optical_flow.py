"""How far each pixel has moved since the picture before: what tells how fast others are.

A car 20 m ahead that is 3 m/s slower grows by a third of a pixel in half a second, in a picture at
a quarter of the size. A small tower does not learn to see that by itself; dense optical flow
measures it (two streams: Simonyan, Zisserman, Two-stream convolutional networks for action
recognition in videos, NIPS 2014).
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from emma_planner.planning.types import ByteArray, FloatArray

CHANNELS = 2
"""Of the flow: to the right, down."""
IMAGE_MEAN, IMAGE_STD = 0.5, 0.25
"""Of each channel, by which the processor of such a model makes 0 ... 1 into what is seen."""


def optical_flow(pixel_values: torch.Tensor) -> torch.Tensor:
    """Measure where each pixel of the present picture was in the first of the earlier ones.

    By dense inverse search (Kroeger et al., Fast optical flow using dense inverse search, ECCV
    2016). No gradient passes.

    :param pixel_values: ``(B, 3 (1 + n), H, W)``, the present picture first, n at least 1; an
        earlier picture that is not known is 0
    :returns: ``(B, 2, H, W)`` right and down [px], 0 where there is no earlier picture
    """
    known = pixel_values.detach()
    greys = known[:, :6].float().unflatten(1, (2, 3)).mean(2) * IMAGE_STD + IMAGE_MEAN
    greys = (255.0 * greys).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    is_there = (known[:, 3:6] != 0).any((1, 2, 3)).tolist()
    flows = np.zeros((*greys.shape[:1], *greys.shape[2:], CHANNELS), dtype=np.float32)
    for k, (present, earlier) in enumerate(greys):
        if is_there[k]:
            flows[k] = _moved(present, earlier)
    return torch.from_numpy(flows).permute(0, 3, 1, 2).to(known)


def _moved(present: ByteArray, earlier: ByteArray) -> FloatArray:
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(search.calc(present, earlier, None))
