"""Earlier pictures beside the present one, for a vision tower that takes them as channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image


def num_earlier(model: Any) -> int:
    """Return how many earlier pictures a model was made for."""
    vision = getattr(model.config, 'vision_config', None)
    return int(getattr(vision, 'num_earlier', 0))


def with_earlier(
    pixel_values: torch.Tensor, earlier: Sequence[Image.Image | None], image_processor: Any
) -> torch.Tensor:
    """Put earlier pictures behind the present one.

    :param pixel_values: ``(N, 3, H, W)`` of the present ones, the front camera first
    :param earlier: the front camera's, newest first; None, which becomes 0, where there is none
    :returns: ``(N, 3 (1 + len(earlier)), H, W)``
    """
    channels = [pixel_values]
    for picture in earlier:
        known = torch.zeros_like(pixel_values)
        if picture is not None:
            given = image_processor(images=picture, return_tensors='pt')
            known[:1] = given['pixel_values']
        channels.append(known)
    return torch.cat(channels, dim=1)
