"""Low-rank adapters (LoRA) on a checkpoint: made for training, and folded in for planning.

An adapter folder holds ``adapter_config.json``, which names its base, the adapter's weights, and
the tokenizer, which may have the action tokens that its base lacks. ``--model FOLDER`` takes it as
any other checkpoint.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken
from transformers import AutoTokenizer

from emma_planner.planning.actions import ActionTokens
from emma_planner.planning.chat import ModelError

ADAPTER = 'adapter_config.json'
TARGETS = r'.*(language_model|text_model).*\.(q|k|v|o|gate|up|down)_proj'
"""Linear layers of the language model, whatever the family calls it."""


def base_of(folder: Path) -> str:
    """Return what an adapter is for.

    :raises ModelError: the folder does not say
    """
    path = folder / ADAPTER
    try:
        base = json.loads(path.read_text(encoding='utf-8')).get('base_model_name_or_path')
    except (OSError, ValueError, AttributeError) as err:
        raise ModelError(f'{path}: need a readable adapter configuration, got {err}') from err
    if not base:
        raise ModelError(f'{path}: need base_model_name_or_path, got none')
    return str(base)


def fold_in(model: Any, processor: Any, folder: Path) -> Any:
    """Return a model with an adapter folded into its weights; its processor gets the tokenizer.

    :raises ModelError: peft is missing, or the adapter is another model's
    """
    peft = _peft()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    _widen(model, tokenizer)
    processor.tokenizer = tokenizer
    try:
        return peft.PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
    except (RuntimeError, ValueError) as err:
        line = str(err).strip().splitlines()[0]
        raise ModelError(f'{folder}: need an adapter for {base_of(folder)}, got {line}') from err


def add_lora(model: Any, processor: Any, base: str, rank: int) -> Any:
    """Return a model of which only an adapter, and new tokens, learn.

    :param base: folder or hub id of the model, for whoever loads the adapter
    :param rank: of the adapter
    :raises ModelError: peft is missing
    """
    peft = _peft()
    new_ids = add_action_tokens(model, processor.tokenizer)
    learned: dict[str, list[int]] = {}
    if new_ids:
        learned['embed_tokens'] = new_ids
        if model.get_output_embeddings().weight is not model.get_input_embeddings().weight:
            learned['lm_head'] = new_ids
    config = peft.LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        target_modules=TARGETS,
        trainable_token_indices=learned or None,
    )
    adapted = peft.get_peft_model(model, config)
    adapted.peft_config['default'].base_model_name_or_path = base
    return adapted


def add_action_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Give a model the action tokens that it lacks; return their ids."""
    names = [*ActionTokens.speed_tokens, *ActionTokens.curvature_tokens]
    known = tokenizer.get_vocab()
    missing = [name for name in names if name not in known]
    tokenizer.add_tokens([AddedToken(name, normalized=False) for name in missing])
    _widen(model, tokenizer)
    return sorted(tokenizer.convert_tokens_to_ids(missing))


def _widen(model: Any, tokenizer: Any) -> None:
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)


def _peft() -> Any:
    try:
        import peft
    except ImportError as err:
        raise ModelError("need peft for adapters: pip install 'emma_planner[train]'") from err
    return peft
