"""Model, patch head and loss of a stage of training as one module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from emma_planner.models.adapters import add_action_tokens, add_lora
from emma_planner.models.checkpoints import open_checkpoint
from emma_planner.models.transformers_model import TransformersModel
from emma_planner.training.finished_model import HEADS
from emma_planner.training.objectives import (
    ActionTargets,
    MotionHead,
    PatchHead,
    contrastive_loss,
    conversation_loss,
)
from emma_planner.training.train_config import PERCEPTION, TrainConfig, TrainError

FIRST_SCALE = 2.66
"""A temperature of 0.07."""
NOT_FOR_MODEL = ('classes', 'depths', 'motions', 'speeds', 'ego', 'parts', 'written')


def open_stage(config: TrainConfig, device: str) -> tuple[Stage, TransformersModel]:
    """Load the checkpoint that a stage begins with; return it with whoever plans with it.

    :raises ModelError: it cannot be loaded
    :raises TrainError: it is not of a kind that can learn this, or its text model cannot be
        computed as is asked
    """
    checkpoint = open_checkpoint(config.model, device=device, dtype='float32')
    model, processor = checkpoint.model, checkpoint.processor
    _check_fits(config, model)
    if config.lora_rank:
        model = add_lora(model, processor, str(Path(config.model).resolve()), config.lora_rank)
    else:
        add_action_tokens(model, processor.tokenizer)
    _hasten(model, config)
    owner = TransformersModel(checkpoint, config.model, decoding='plain')
    stage = Stage(model, config, processor.tokenizer)
    _load_heads(stage, Path(config.model).with_name(HEADS))
    return stage, owner


def _check_fits(config: TrainConfig, model: Any) -> None:
    if config.stage == PERCEPTION and getattr(model.config.vision_config, 'grid', None) is None:
        raise TrainError(
            'stage perception: need a model with a tower of ours (emma model init), '
            f'got a {model.config.model_type}'
        )
    if config.is_aligned and not hasattr(model.model, 'multi_modal_projector'):
        raise TrainError(
            'contrastive_weight: need a model with vision tower and projector, as LLaVA has, '
            f'got a {model.config.model_type}; 0 learns the captions alone'
        )


def _load_heads(stage: Stage, path: Path) -> None:
    """Go on with the heads of the stage before, as far as it had the same."""
    known = torch.load(path, weights_only=True) if path.exists() else {}
    for name, head in stage.heads().items():
        if name in known:
            head.load_state_dict(known[name], strict=False)  # what is new to it begins anew


def _hasten(model: Any, config: TrainConfig) -> None:
    """Have the text model computed in another way, to the same.

    :raises TrainError: no such way
    """
    text = model.get_decoder()
    if config.attn_implementation:
        try:
            text.set_attn_implementation(config.attn_implementation)
        except (ValueError, ImportError) as err:
            raise TrainError(
                f'attn_implementation: need one that transformers has here, '
                f'got {config.attn_implementation!r}: {str(err).splitlines()[0]}'
            ) from err
    if config.torch_compile:
        for layer in text.layers:
            layer.compile(dynamic=True)


class Stage(nn.Module):  # type: ignore[misc]
    """Model, patch head and loss as one module, as distributed training wants it."""

    def __init__(self, model: Any, config: TrainConfig, tokenizer: Any) -> None:
        super().__init__()
        self.model = model
        self.config = config
        vision = model.config.vision_config
        # of an adapter the tower does not learn, and dense labels are for the tower
        grid = None if config.lora_rank else getattr(vision, 'grid', None)
        uses_patches = config.stage == PERCEPTION or config.patch_weight > 0.0
        self.head = PatchHead(vision.hidden_size, grid) if uses_patches and grid else None
        self._actions = ActionTargets.of_tokenizer(tokenizer, config.smoothing_bins)
        self._tokens: torch.Tensor | None = None
        self._pad_id = tokenizer.pad_token_id or 0
        # one number in a row: what has no dimension cannot be sharded
        self.scale = nn.Parameter(torch.tensor([FIRST_SCALE])) if config.is_aligned else None
        sees_motion = bool(getattr(vision, 'num_earlier', 0)) and config.motion_weight > 0.0
        self.motion = MotionHead(vision.hidden_size, grid) if sees_motion and grid else None
        if self.head is not None or self.motion is not None or config.is_aligned:
            self._core.vision_tower.register_forward_hook(self._keep)
        if config.stage == PERCEPTION:  # what takes no part learns nothing
            model.requires_grad_(False)
            self._core.vision_tower.requires_grad_(True)
        if config.freeze_tower:
            self._core.vision_tower.requires_grad_(False)

    @property
    def _core(self) -> Any:
        """Tower, projector and text model, in an adapter too."""
        model = self.model.get_base_model() if self.config.lora_rank else self.model
        return model.model

    def heads(self) -> dict[str, nn.Module]:
        """Return what learns dense labels from the tower's tokens, by name."""
        heads = {'patches': self.head, 'motion': self.motion}
        return {name: head for name, head in heads.items() if head is not None}

    def _keep(self, module: Any, inputs: Any, output: Any) -> None:
        self._tokens = output.last_hidden_state

    def forward(
        self, batch: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        config = self.config
        inputs = {k: v for k, v in batch.items() if k not in NOT_FOR_MODEL}
        if config.stage == PERCEPTION:
            assert self.head is not None
            self._core.vision_tower(inputs['pixel_values'])
            loss, right = self.head.loss(self._tokens, batch['classes'], batch['depths'])
            told = {'patches': loss.detach(), 'patches_right': right}
            moving, parts = self._motion_loss(batch)
            return loss + moving, {**told, **parts}
        logits = self.model(**inputs, use_cache=False).logits
        loss, told = conversation_loss(
            logits,
            batch['input_ids'],
            batch['parts'],
            self._actions,
            (config.reason_weight, config.plan_weight),
        )
        if self.scale is not None:
            matched, found = self._match(batch['written'])
            loss = loss + config.contrastive_weight * matched
            told |= {'contrastive': matched.detach(), 'matched': found}
        if self.head is not None:
            dense, right = self.head.loss(self._tokens, batch['classes'], batch['depths'])
            loss = loss + config.patch_weight * dense
            told |= {'patches': dense.detach(), 'patches_right': right}
        moving, parts = self._motion_loss(batch)
        return loss + moving, {**told, **parts}

    def _motion_loss(
        self, batch: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor | float, dict[str, torch.Tensor]]:
        """Weighted loss of what moves, and its parts; 0 for a tower that sees one picture."""
        if self.motion is None:
            return 0.0, {}
        loss, parts = self.motion.loss(
            self._tokens, batch['motions'], batch['speeds'], batch['ego']
        )
        return self.config.motion_weight * loss, parts

    def _match(self, written: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compare the middle of a picture's tokens with that of its caption, read by itself."""
        core = self._core
        assert self._tokens is not None
        assert self.scale is not None
        pictures = core.multi_modal_projector(self._tokens).mean(1)
        known = (written != self._pad_id).to(pictures.dtype)[..., None]
        states = core.language_model(
            input_ids=written, attention_mask=known[..., 0].long(), use_cache=False
        ).last_hidden_state
        texts = (states * known).sum(1) / known.sum(1)
        return contrastive_loss(pictures, texts, self.scale)
