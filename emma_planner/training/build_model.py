"""Makes the small model: stock LLaVA classes around the convolutional tower, weights from scratch.

What comes out is a folder as any other checkpoint, with tokenizer, processor and chat template.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForImageTextToText,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
)

from emma_planner.models.checkpoints import UNTRAINED_KEY, quiet_transformers
from emma_planner.models.conv_tower import STRIDE, ConvTowerConfig
from emma_planner.models.optical_flow import IMAGE_MEAN, IMAGE_STD
from emma_planner.planning.earlier import NUM_EARLIER
from emma_planner.training.small_tokenizer import (
    CHAT_TEMPLATE,
    END,
    IMAGE,
    PAD,
    build_small_tokenizer,
)


@dataclass(frozen=True)
class SmallModel:
    """Sizes of the small model.

    :param width: of the language model
    :param layers: of the language model
    :param image_px: height and width of what is seen of a picture: its middle, not distorted
    :param tower_widths: channels of the tower
    :param tower_depths: residual blocks of the tower
    :param num_earlier: earlier pictures that the tower sees
    :param optical_flow: whether the tower is told how the pixels moved
    """

    width: int = 192
    layers: int = 7
    heads: int = 4
    mlp: int = 960
    image_px: tuple[int, int] = (192, 352)
    tower_widths: tuple[int, ...] = (24, 48, 96, 160, 256)
    tower_depths: tuple[int, ...] = (0, 0, 1, 2, 4)
    num_earlier: int = NUM_EARLIER
    optical_flow: bool = True


def init_model(folder: Path, sizes: SmallModel, *, seed: int = 0) -> int:
    """Write a small model of random weights.

    :returns: number of parameters
    """
    tokenizer = build_small_tokenizer()
    config = _config(tokenizer, sizes)
    setattr(config, UNTRAINED_KEY, True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.float32)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.convert_tokens_to_ids(END),
        pad_token_id=tokenizer.convert_tokens_to_ids(PAD),
    )
    with quiet_transformers():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    (folder / 'chat_template.jinja').write_text(CHAT_TEMPLATE, encoding='utf-8')
    processor = json.dumps(_processor(sizes), indent=2)
    (folder / 'processor_config.json').write_text(processor + '\n', encoding='utf-8')
    return int(model.num_parameters())


def _config(tokenizer: Any, sizes: SmallModel) -> LlavaConfig:
    ids = tokenizer.convert_tokens_to_ids
    height, width = sizes.image_px
    vision = ConvTowerConfig(
        image_height=height,
        image_width=width,
        widths=sizes.tower_widths,
        depths=sizes.tower_depths,
        num_earlier=sizes.num_earlier,
        optical_flow=sizes.optical_flow,
    )
    text = LlamaConfig(
        vocab_size=-(-len(tokenizer) // 64) * 64,
        hidden_size=sizes.width,
        intermediate_size=sizes.mlp,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        num_key_value_heads=sizes.heads,
        max_position_embeddings=1024,
        bos_token_id=None,
        eos_token_id=ids(END),
        pad_token_id=ids(PAD),
        tie_word_embeddings=True,
    )
    rows, columns = vision.grid
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=ids(IMAGE),
        image_seq_length=rows * columns,
        vision_feature_layer=-1,
        vision_feature_select_strategy='full',
        tie_word_embeddings=True,
    )


def _processor(sizes: SmallModel) -> dict[str, Any]:
    height, width = sizes.image_px
    return {
        'processor_class': 'LlavaProcessor',
        'patch_size': STRIDE,
        'vision_feature_select_strategy': 'full',
        'num_additional_image_tokens': 0,
        'image_processor': {
            'image_processor_type': 'CLIPImageProcessor',
            # as wide as high: what is wider loses its sides, what is narrower gets black ones
            'size': {'shortest_edge': height},
            'do_center_crop': True,
            'crop_size': {'height': height, 'width': width},
            'image_mean': [IMAGE_MEAN] * 3,
            'image_std': [IMAGE_STD] * 3,
        },
    }
