"""Small random-weight models of stock architectures, for demonstrations and tests.

Each is built from its family's own configuration classes and saved as a folder that loads like
any other checkpoint. It sees, reasons and plans through the whole code path, and knows nothing:
``config.json`` says so, and every model loaded from such a folder is named ``untrained:...``.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForImageTextToText,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2VLConfig,
    Qwen3VLConfig,
    SmolVLMConfig,
)

from emma_planner.models.checkpoints import UNTRAINED_KEY, quiet_transformers
from emma_planner.models.untrained_tokenizer import DIALECTS, build_tokenizer
from emma_planner.planning.chat import ModelError

ARCHITECTURES = tuple(DIALECTS)
_VERSION = 1
"""Part of the cache folder's name: raise it when what is built changes."""

_SPREAD = 0.1
"""Standard deviation of the weights: with the families' 0.02 a reply is one token repeated."""

_WIDTH = 128
_VISION_WIDTH = 96
_MAX_IMAGE_TOKENS = 120
_FIXED_SIZE_PX = 160
"""Side of the square that LLaVA and SmolVLM scale an image to: 100 patches of 16 px."""


def build_untrained(
    folder: Path, architecture: str = 'qwen3_vl', *, seed: int = 0, action_tokens: bool = True
) -> None:
    """Build a model of random weights and save it with its tokenizer and processor.

    :param folder: created; files in it are overwritten
    :param architecture: one of :data:`ARCHITECTURES`
    :param seed: seed of the weights; the same seed gives the same weights
    :param action_tokens: whether the vocabulary has the action tokens
    :raises ModelError: unknown architecture
    """
    if architecture not in DIALECTS:
        raise ModelError(
            f'need an untrained architecture of {", ".join(ARCHITECTURES)}, got {architecture!r}'
        )
    tokenizer = build_tokenizer(architecture, action_tokens=action_tokens)
    config = _model_config(architecture, tokenizer)
    setattr(config, UNTRAINED_KEY, True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.float32)
    dialect = DIALECTS[architecture]
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.convert_tokens_to_ids(list(dialect.ends)),
        pad_token_id=tokenizer.pad_token_id,
    )
    with quiet_transformers():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    (folder / 'chat_template.jinja').write_text(dialect.chat_template, encoding='utf-8')
    processor = json.dumps(_processor_config(architecture), indent=2)
    (folder / 'processor_config.json').write_text(processor + '\n', encoding='utf-8')


def cached_untrained(architecture: str = 'qwen3_vl', *, seed: int = 0) -> Path:
    """Return the folder of an untrained model, built on first use.

    Safe to call from several processes at once: each builds aside and one rename wins.

    :raises ModelError: unknown architecture, or the cache folder cannot be written
    """
    base = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'emma_planner'
    folder = base / f'untrained-{architecture}-{seed}-{_VERSION}'
    if folder.is_dir():
        return folder
    try:
        base.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix='.building-', dir=base))
    except OSError as err:
        raise ModelError(f'{base}: need a writable cache folder, got {err.strerror}') from err
    try:
        build_untrained(aside, architecture, seed=seed)
        aside.chmod(0o755)
        _publish(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _publish(aside: Path, folder: Path) -> None:
    try:
        aside.rename(folder)
    except OSError as err:
        # Renaming onto a folder with files fails: another process was first, with the same model.
        if not folder.is_dir():
            raise ModelError(f'{folder}: need a writable cache, got {err.strerror}') from err


def _model_config(architecture: str, tokenizer: PreTrainedTokenizerFast) -> PreTrainedConfig:
    ids = tokenizer.convert_tokens_to_ids
    text = {
        # Rounded up, as real checkpoints are: their output layer is wider than their tokenizer.
        'vocab_size': -(-len(tokenizer) // 64) * 64,
        'hidden_size': _WIDTH,
        'intermediate_size': 3 * _WIDTH,
        'num_hidden_layers': 4,
        'num_attention_heads': 4,
        'num_key_value_heads': 2,
        'max_position_embeddings': 4096,
        'bos_token_id': tokenizer.bos_token_id,
        'eos_token_id': tokenizer.eos_token_id,
        'pad_token_id': tokenizer.pad_token_id,
        'initializer_range': _SPREAD,
    }
    if architecture in ('llava', 'smolvlm'):
        image_id = ids('<image>')
        return _llava(text, image_id) if architecture == 'llava' else _smolvlm(text, image_id)
    tokens = {
        'image_token_id': ids('<|image_pad|>'),
        'video_token_id': ids('<|video_pad|>'),
        'vision_start_token_id': ids('<|vision_start|>'),
        'vision_end_token_id': ids('<|vision_end|>'),
    }
    builders = {'qwen2_vl': _qwen2, 'qwen2_5_vl': _qwen2_5, 'qwen3_vl': _qwen3}
    return builders[architecture](text, tokens)


def _qwen2(text: Mapping[str, Any], tokens: Mapping[str, Any]) -> PreTrainedConfig:
    vision = {
        'initializer_range': _SPREAD,
        'depth': 2,
        'embed_dim': _VISION_WIDTH,
        'hidden_size': _WIDTH,
        'num_heads': 3,
        'mlp_ratio': 2,
    }
    rope = {'rope_type': 'default', 'rope_theta': 1e6, 'mrope_section': [4, 6, 6]}
    text_config = {**text, 'rope_parameters': rope}
    return Qwen2VLConfig(text_config=text_config, vision_config=vision, **tokens)


def _qwen2_5(text: Mapping[str, Any], tokens: Mapping[str, Any]) -> PreTrainedConfig:
    vision = {
        'initializer_range': _SPREAD,
        'depth': 2,
        'hidden_size': _VISION_WIDTH,
        'intermediate_size': 2 * _VISION_WIDTH,
        'num_heads': 3,
        'out_hidden_size': _WIDTH,
        'fullatt_block_indexes': [1],
    }
    rope = {'rope_type': 'default', 'rope_theta': 1e6, 'mrope_section': [4, 6, 6]}
    text_config = {**text, 'rope_parameters': rope}
    return Qwen2_5_VLConfig(text_config=text_config, vision_config=vision, **tokens)


def _qwen3(text: Mapping[str, Any], tokens: Mapping[str, Any]) -> PreTrainedConfig:
    vision = {
        'initializer_range': _SPREAD,
        'depth': 3,
        'hidden_size': _VISION_WIDTH,
        'intermediate_size': 2 * _VISION_WIDTH,
        'num_heads': 3,
        'out_hidden_size': _WIDTH,
        'num_position_embeddings': 256,
        'deepstack_visual_indexes': [1],
    }
    rope = {
        'rope_type': 'default',
        'rope_theta': 5e6,
        'mrope_section': [6, 5, 5],
        'mrope_interleaved': True,
    }
    text_config = {**text, 'head_dim': 32, 'rope_parameters': rope}
    return Qwen3VLConfig(text_config=text_config, vision_config=vision, **tokens)


def _llava(text: Mapping[str, Any], image_id: int) -> PreTrainedConfig:
    vision = CLIPVisionConfig(
        hidden_size=_VISION_WIDTH,
        intermediate_size=2 * _VISION_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=3,
        initializer_range=_SPREAD,
        image_size=_FIXED_SIZE_PX,
        patch_size=16,
    )
    return LlavaConfig(
        vision_config=vision,
        text_config=LlamaConfig(**text),
        image_token_index=image_id,
        image_seq_length=(_FIXED_SIZE_PX // 16) ** 2,
    )


def _smolvlm(text: Mapping[str, Any], image_id: int) -> PreTrainedConfig:
    vision = {
        'hidden_size': _VISION_WIDTH,
        'intermediate_size': 2 * _VISION_WIDTH,
        'num_hidden_layers': 2,
        'num_attention_heads': 3,
        'initializer_range': _SPREAD,
        'image_size': 2 * _FIXED_SIZE_PX,
        'patch_size': 16,
    }
    return SmolVLMConfig(
        vision_config=vision,
        text_config=LlamaConfig(**text),
        image_token_id=image_id,
        scale_factor=2,
        pad_token_id=text['pad_token_id'],
    )


def _processor_config(architecture: str) -> Mapping[str, Any]:
    """Return the processor's JSON, video part included, as AutoProcessor wants it elsewhere."""
    if architecture == 'llava':
        side = {'height': _FIXED_SIZE_PX, 'width': _FIXED_SIZE_PX}
        return {
            'processor_class': 'LlavaProcessor',
            'patch_size': 16,
            'vision_feature_select_strategy': 'default',
            'num_additional_image_tokens': 1,
            'image_processor': {
                'image_processor_type': 'CLIPImageProcessor',
                'size': side,
                'do_center_crop': False,
            },
        }
    if architecture == 'smolvlm':
        side = {'longest_edge': 2 * _FIXED_SIZE_PX}
        part = {'size': side, 'max_image_size': side, 'do_image_splitting': False}
        return {
            'processor_class': 'SmolVLMProcessor',
            'image_seq_len': (_FIXED_SIZE_PX // 16) ** 2,
            'image_processor': {'image_processor_type': 'SmolVLMImageProcessor', **part},
            'video_processor': {'video_processor_type': 'SmolVLMVideoProcessor', **part},
        }
    return _qwen_processor_config(architecture)


def _qwen_processor_config(architecture: str) -> Mapping[str, Any]:
    classes = {
        'qwen2_vl': ('Qwen2VLProcessor', 'Qwen2VLVideoProcessor'),
        'qwen2_5_vl': ('Qwen2_5_VLProcessor', 'Qwen2VLVideoProcessor'),
        'qwen3_vl': ('Qwen3VLProcessor', 'Qwen3VLVideoProcessor'),
    }
    processor_class, video_class = classes[architecture]
    patch_px = 16 if architecture == 'qwen3_vl' else 14
    token_px = (2 * patch_px) ** 2
    part = {
        'patch_size': patch_px,
        'temporal_patch_size': 2,
        'merge_size': 2,
        'size': {'shortest_edge': 4 * token_px, 'longest_edge': _MAX_IMAGE_TOKENS * token_px},
    }
    return {
        'processor_class': processor_class,
        'image_processor': {'image_processor_type': 'Qwen2VLImageProcessor', **part},
        'video_processor': {'video_processor_type': video_class, **part},
    }
