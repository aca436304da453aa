"""Small detectors of random weights, of transformers' own architectures."""

from __future__ import annotations

from typing import Any

import torch
import transformers

SEED = 3
"""Of the weights: left to chance, some detectors find nothing."""
LABELS = {0: 'car', 1: 'person', 2: 'kite'}


def yolos(labels: dict[int, str]) -> tuple[Any, Any]:
    """Model and image processor."""
    config = transformers.YolosConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        image_size=[64, 96], patch_size=16, num_detection_tokens=5, id2label=labels,
        label2id={name: key for key, name in labels.items()},
    )  # fmt: skip
    torch.manual_seed(SEED)
    size = {'height': 64, 'width': 96}
    return transformers.YolosForObjectDetection(config), transformers.YolosImageProcessor(
        size=size, do_pad=False
    )


def rt_detr(labels: dict[int, str]) -> tuple[Any, Any]:
    """Model and image processor."""
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1], layer_type='basic',
        out_features=['stage2', 'stage3', 'stage4'], out_indices=[2, 3, 4],
    )  # fmt: skip
    config = transformers.RTDetrConfig(
        backbone_config=backbone, encoder_hidden_dim=16, encoder_in_channels=[16, 16, 16],
        encoder_attention_heads=2, encoder_ffn_dim=16, d_model=16, num_queries=6,
        decoder_in_channels=[16, 16, 16], decoder_ffn_dim=16, decoder_layers=1,
        decoder_attention_heads=2, num_denoising=0, id2label=labels,
        label2id={name: key for key, name in labels.items()},
    )  # fmt: skip
    torch.manual_seed(SEED)
    size = {'height': 96, 'width': 96}
    return transformers.RTDetrForObjectDetection(config), transformers.RTDetrImageProcessor(
        size=size
    )
