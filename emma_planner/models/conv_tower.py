"""A small convolutional vision tower for the stock LLaVA classes, trained from scratch.

A plain vision transformer of this size does not learn to use the picture within the compute that
is at hand here; a convolutional one does. Importing this module registers the tower with the Auto
classes of transformers, so that a checkpoint loads without code of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from emma_planner.models.optical_flow import CHANNELS, optical_flow

STRIDE = 32
"""Pixels to a side of the patch that a token stands for."""
ALONE = 2
"""Halvings that each picture passes by itself; then the earlier ones join the present one."""
GROUPS = 8
FLOW_WIDTH = 32


class ConvTowerConfig(PreTrainedConfig):  # type: ignore[misc]
    """Sizes of the tower.

    :param image_height: [px], a multiple of 32
    :param image_width: [px], a multiple of 32
    :param widths: channels after each halving of the picture, five of them; the last is
        ``hidden_size``
    :param depths: residual blocks after each halving
    :param num_earlier: earlier pictures that it sees beside the present one, 0.5 s apart
    :param optical_flow: whether it is told how the pixels moved since the first of them
    """

    model_type = 'emma_conv_tower'

    def __init__(
        self,
        image_height: int = 192,
        image_width: int = 352,
        widths: Sequence[int] = (24, 48, 96, 160, 256),
        depths: Sequence[int] = (0, 0, 0, 1, 2),
        num_earlier: int = 0,
        optical_flow: bool = False,
        **others: Any,
    ) -> None:
        if len(widths) != len(depths) or 2 ** len(widths) != STRIDE:
            raise ValueError(f'need five widths and depths, got {widths} and {depths}')
        if image_height % STRIDE or image_width % STRIDE:
            raise ValueError(
                f'need a picture of multiples of {STRIDE} px, got {image_width} x {image_height}'
            )
        if num_earlier < 0:
            raise ValueError(f'need a number of earlier pictures, got {num_earlier}')
        if optical_flow and not num_earlier:
            raise ValueError('optical_flow: need num_earlier of 1 at least, got 0')
        self.image_height, self.image_width = image_height, image_width
        self.num_earlier, self.optical_flow = num_earlier, optical_flow
        self.widths, self.depths = list(widths), list(depths)
        self.hidden_size = widths[-1]
        super().__init__(**others)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tokens."""
        return self.image_height // STRIDE, self.image_width // STRIDE


class ConvTower(PreTrainedModel):  # type: ignore[misc]
    """``(B, 3, H, W)`` pictures to ``(B, H / 32 * W / 32, C)`` tokens, row by row.

    The channels of earlier pictures follow, newest first: ``(B, 3 (1 + num_earlier), H, W)``; they
    are 0 for what is not known, or left out at the end. They are put side by side at a quarter of
    the size, where what moves has moved by few pixels; the optical flow joins them at an eighth.
    """

    config_class = ConvTowerConfig
    main_input_name = 'pixel_values'
    base_model_prefix = 'tower'

    def __init__(self, config: ConvTowerConfig) -> None:
        super().__init__(config)
        stages: list[nn.Module] = []
        channels = 3
        for k, (width, depth) in enumerate(zip(config.widths, config.depths, strict=True)):
            if k == ALONE:
                self._alone = len(stages)
                channels *= 1 + config.num_earlier
            stages.append(_Halving(channels, width, kernel=5 if k == 0 else 3))
            stages += [_Residual(width) for _ in range(depth)]
            channels = width
        self.stages = nn.Sequential(*stages)
        self.flow = _Flow(config.widths[ALONE]) if config.optical_flow else None
        rows, columns = config.grid
        self.position = nn.Parameter(torch.zeros(1, rows * columns, config.hidden_size))
        self.norm = nn.LayerNorm(config.hidden_size)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if self.flow is not None and module is self.flow.joining:
            nn.init.zeros_(module.weight)  # begins as the tower that is told nothing
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity='relu')

    def forward(self, pixel_values: torch.Tensor, **_: Any) -> BaseModelOutput:
        """Return the tokens, as ``last_hidden_state`` and as the only one of the hidden states."""
        whole = self._with_all(pixel_values)
        maps = self.stages[self._alone](self._side_by_side(whole))
        if self.flow is not None:
            maps = maps + self.flow(optical_flow(whole))
        maps = self.stages[self._alone + 1 :](maps)
        tokens = self.norm(maps.flatten(2).transpose(1, 2) + self.position)
        return BaseModelOutput(last_hidden_state=tokens, hidden_states=(tokens,))

    def _with_all(self, pixel_values: torch.Tensor) -> torch.Tensor:
        count = 1 + self.config.num_earlier
        missing = 3 * count - pixel_values.shape[1]
        if missing < 0 or missing % 3:
            raise ValueError(
                f'need pictures of 3 channels, up to {count} of them, '
                f'got {pixel_values.shape[1]} channels'
            )
        return nn.functional.pad(pixel_values, (0, 0, 0, 0, 0, missing))

    def _side_by_side(self, whole: torch.Tensor) -> torch.Tensor:
        count = 1 + self.config.num_earlier
        maps = self.stages[: self._alone](whole.unflatten(1, (count, 3)).flatten(0, 1))
        return maps.unflatten(0, (-1, count)).flatten(1, 2)


class _Halving(nn.Module):  # type: ignore[misc]
    def __init__(self, channels: int, width: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, kernel, 2, kernel // 2, bias=False)
        self.norm = nn.GroupNorm(GROUPS, width)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu(self.norm(self.conv(maps)))


class _Flow(nn.Module):  # type: ignore[misc]
    """``(B, 2, H, W)`` optical flow [px] to ``(B, width, H / 8, W / 8)``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(CHANNELS, FLOW_WIDTH, 5, padding=2)
        self.joining = nn.Conv2d(FLOW_WIDTH, width, 3, 2, 1, bias=False)

    def forward(self, flow: torch.Tensor) -> torch.Tensor:
        # parts of a pixel far ahead count as tens of them on the road before the car
        small = nn.functional.avg_pool2d(flow, 2**ALONE).asinh()
        return self.joining(nn.functional.relu(self.conv(small)))


class _Residual(nn.Module):  # type: ignore[misc]
    def __init__(self, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2)]
        )
        self.norms = nn.ModuleList([nn.GroupNorm(GROUPS, width) for _ in range(2)])
        nn.init.zeros_(self.norms[-1].weight)  # each block begins as the identity

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        inner = nn.functional.relu(self.norms[0](self.convs[0](maps)))
        return nn.functional.relu(maps + self.norms[1](self.convs[1](inner)))


AutoConfig.register(ConvTowerConfig.model_type, ConvTowerConfig, exist_ok=True)
AutoModel.register(ConvTowerConfig, ConvTower, exist_ok=True)
