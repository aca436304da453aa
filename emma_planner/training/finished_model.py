"""The end of a run: a checkpoint that says what it was trained on, whole or not there."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emma_planner.assemble import RANKING
from emma_planner.models.checkpoints import (
    UNTRAINED_KEY,
    Checkpoint,
    open_checkpoint,
    quiet_transformers,
)
from emma_planner.models.pruning import prune
from emma_planner.models.transformers_model import TransformersModel
from emma_planner.planning.chat import ModelError
from emma_planner.recordings.dataset import Example, write_json
from emma_planner.training.ranking_fit import fit_ranker
from emma_planner.training.run_state import MODEL
from emma_planner.training.train_config import SFT, TrainConfig

HEADS = 'heads.pt'
"""Beside the model of a run: of dense labels, for the next stage, no part of the checkpoint."""
BESIDE = (
    'chat_template.jinja',
    'preprocessor_config.json',
    'processor_config.json',
    RANKING,
)
TRAINED = 'emma_training'
"""In config.json: the stages of a model's training, in order."""
KEPT = ('float32', 'bfloat16', 'float16')
"""Precisions that a checkpoint is written in."""
MOST_RANKED = 2000
"""Enough to learn six weights from."""


def write_model(
    config: TrainConfig,
    stage: Any,
    owner: TransformersModel,
    examples: list[Example],
    digest: str,
) -> Path:
    """Write the model as a checkpoint that says what it was trained on.

    :param digest: :func:`data_hash` of the examples
    """
    out = Path(config.out)
    aside, folder = out / '.model', out / MODEL
    shutil.rmtree(aside, ignore_errors=True)
    model = stage.model
    if config.stage == SFT and hasattr(model.config, UNTRAINED_KEY):
        delattr(model.config, UNTRAINED_KEY)
    history = list(getattr(model.config, TRAINED, []))
    history.append(
        {
            'stage': config.stage,
            'config': config.hash(),
            'data': digest,
            'steps': config.steps,
        }
    )
    model.config.emma_training = history
    if config.lora_rank:
        model.peft_config['default'].inference_mode = True
    with quiet_transformers():
        model.save_pretrained(aside)  # of an adapter, the adapter alone
        owner.processor.tokenizer.save_pretrained(aside)
    copy_beside(Path(config.model), aside)
    if heads := stage.heads():
        torch.save({name: head.state_dict() for name, head in heads.items()}, out / HEADS)
    if config.stage == SFT:
        write_json(
            aside / RANKING,
            {'weights': fit_ranker(some_of(examples, config.seed, MOST_RANKED)).weights},
        )
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)
    return folder


def export_model(folder: Path, target: Path) -> int:
    """Write a checkpoint in bfloat16, half as large; return the size of its weights [bytes].

    :raises ModelError: not a checkpoint that can be used
    """
    return _write(open_checkpoint(str(folder), device='cpu', dtype='bfloat16'), folder, target)


def prune_model(folder: Path, target: Path, kind: str, share: float) -> tuple[int, int, int]:
    """Write a pruned checkpoint in the precision that it has.

    :param kind: of :data:`emma_planner.models.pruning.KINDS`
    :param share: what goes, 0 to below 1
    :returns: sizes of the weights before and after [bytes], and how many are gone or 0
    :raises ModelError: not a checkpoint that can be used, or without such layers
    """
    _check_share(share)
    checkpoint = open_checkpoint(str(folder), device='cpu', dtype='float32')
    gone = prune(checkpoint.model, kind, share)
    _to_precision_of(folder, checkpoint.model)
    before = sum(path.stat().st_size for path in folder.glob('*.safetensors'))
    return before, _write(checkpoint, folder, target), gone


def average_models(folder: Path, other: Path, target: Path, share: float) -> int:
    """Write the mean of two checkpoints, weight by weight; return the size of it [bytes].

    A model and what it became by training on, averaged, are often better on what is new to both
    than either (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022).

    :param share: of the other in the mean, 0 to below 1
    :raises ModelError: not checkpoints that can be used, or not of the same weights
    """
    _check_share(share)
    one, two = (
        open_checkpoint(str(path), device='cpu', dtype='float32') for path in (folder, other)
    )
    if one.processor.tokenizer.get_vocab() != two.processor.tokenizer.get_vocab():
        raise ModelError(f'{other}: need the vocabulary of {folder}, got another')
    mine, theirs = one.model.state_dict(), two.model.state_dict()
    for name in sorted({*mine, *theirs}):
        shapes = [tuple(some[name].shape) if name in some else None for some in (mine, theirs)]
        if shapes[0] != shapes[1]:
            raise ModelError(
                f'{other}: need {name} as {folder} has it ({shapes[0]}), got {shapes[1]}'
            )
    means = {name: (1.0 - share) * mine[name] + share * theirs[name] for name in mine}
    two.model.load_state_dict(means)
    history = list(getattr(two.model.config, TRAINED, []))
    two.model.config.emma_training = [*history, {'stage': 'average', 'share': share}]
    _to_precision_of(other, two.model)
    return _write(two, other, target)


def _check_share(share: float) -> None:
    if not 0.0 <= share < 1.0:
        raise ModelError(f'--share: need 0 to below 1, got {share:g}')


def _to_precision_of(folder: Path, model: Any) -> None:
    precision = json.loads((folder / 'config.json').read_text(encoding='utf-8')).get('dtype')
    model.to(getattr(torch, precision) if precision in KEPT else torch.float32)


def _write(checkpoint: Checkpoint, folder: Path, target: Path) -> int:
    with quiet_transformers():
        checkpoint.model.save_pretrained(target)
        checkpoint.processor.tokenizer.save_pretrained(target)
    copy_beside(folder, target)
    return sum(path.stat().st_size for path in target.glob('*.safetensors'))


def copy_beside(folder: Path, target: Path) -> None:
    """Copy what belongs to a checkpoint and is neither weights nor tokenizer."""
    for name in BESIDE:
        if (folder / name).exists():
            shutil.copy(folder / name, target / name)


def some_of(examples: list[Example], seed: int, most: int) -> list[Example]:
    """Draw some, the same for the same seed."""
    chosen = np.random.default_rng(seed).permutation(len(examples))[:most]
    return [examples[int(k)] for k in sorted(chosen)]


def data_hash(examples: list[Example]) -> str:
    """Return a short hash of which examples there are."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(f'{example.source} {example.stamp_ns} {example.reasoning}\n'.encode())
    return digest.hexdigest()[:12]
