"""Trains one stage: the vision tower on patches, the model on captions, or on conversations.

One loop for a CPU, a GPU and many (``accelerate launch`` or torchrun). A run that was cut off goes
on from its last state; the same seed gives the same run on the same machine.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from emma_planner.models.adapters import add_lora
from emma_planner.models.checkpoints import open_checkpoint
from emma_planner.models.transformers_model import TransformersModel
from emma_planner.planning.planner import choose_codec
from emma_planner.training.batches import Conversations, LearnedSamples, collate
from emma_planner.training.checks_in_training import Checks
from emma_planner.training.dataset_format import Example, read_examples
from emma_planner.training.finished_model import HEAD, data_hash, write_model
from emma_planner.training.interruption import Interruption
from emma_planner.training.learned_examples import Schedule, weights_of
from emma_planner.training.objectives import (
    ActionTargets,
    PatchHead,
    contrastive_loss,
    conversation_loss,
)
from emma_planner.training.run_log import RunLog
from emma_planner.training.run_state import (
    MODEL,
    begin_run,
    newest_state,
    publish_state,
)
from emma_planner.training.train_config import ALIGNMENT, PERCEPTION, SFT, TrainConfig, TrainError

BETAS = (0.9, 0.98)
FIRST_SCALE = 2.66
"""A temperature of 0.07."""
NOT_FOR_MODEL = ('classes', 'depths', 'parts', 'written')


class _Stage(nn.Module):  # type: ignore[misc]
    """Model, patch head and loss as one module, as distributed training wants it."""

    def __init__(self, model: Any, config: TrainConfig, tokenizer: Any) -> None:
        super().__init__()
        self.model = model
        self.config = config
        vision = model.config.vision_config
        grid = getattr(vision, 'grid', None)
        uses_patches = config.stage == PERCEPTION or config.patch_weight > 0.0
        self.head = PatchHead(vision.hidden_size, grid) if uses_patches and grid else None
        self._actions = ActionTargets.of_tokenizer(tokenizer, config.smoothing_bins)
        self._tokens: torch.Tensor | None = None
        self._pad_id = tokenizer.pad_token_id or 0
        self.scale = nn.Parameter(torch.tensor(FIRST_SCALE)) if config.is_aligned else None
        if self.head is not None:
            model.model.vision_tower.register_forward_hook(self._keep)
        if config.freeze_tower:
            model.model.vision_tower.requires_grad_(False)

    def _keep(self, module: Any, inputs: Any, output: Any) -> None:
        self._tokens = output.last_hidden_state

    def forward(self, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        config = self.config
        inputs = {k: v for k, v in batch.items() if k not in NOT_FOR_MODEL}
        if config.stage == PERCEPTION:
            assert self.head is not None
            self.model.model.vision_tower(inputs['pixel_values'])
            loss, right = self.head.loss(self._tokens, batch['classes'], batch['depths'])
            return loss, {'patches': float(loss.detach()), 'patches_right': float(right)}
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
            told |= {'contrastive': float(matched.detach()), 'matched': float(found)}
        if self.head is not None:
            dense, right = self.head.loss(self._tokens, batch['classes'], batch['depths'])
            loss = loss + config.patch_weight * dense
            told |= {'patches': float(dense.detach()), 'patches_right': float(right)}
        return loss, told

    def _match(self, written: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compare the middle of a picture's tokens with that of its caption, read by itself."""
        core = self.model.model
        assert self._tokens is not None
        assert self.scale is not None
        pictures = core.multi_modal_projector(self._tokens).mean(1)
        known = (written != self._pad_id).to(pictures.dtype)[..., None]
        states = core.language_model(
            input_ids=written, attention_mask=known[..., 0].long(), use_cache=False
        ).last_hidden_state
        texts = (states * known).sum(1) / known.sum(1)
        return contrastive_loss(pictures, texts, self.scale)


def train(
    config: TrainConfig,
    progress: Callable[[int, dict[str, float]], None] = lambda step, told: None,
) -> Path:
    """Train a stage to its end; return the folder of the model.

    :param progress: called every ``log_every`` steps with what is logged
    :raises TrainError: nothing to learn from, another run's folder, an interruption
    :raises DatasetError: a data set cannot be read
    :raises ModelError: the checkpoint cannot be loaded
    """
    torch.manual_seed(config.seed)
    out = Path(config.out)
    accelerator = Accelerator(mixed_precision=config.mixed_precision)
    checkpoint = open_checkpoint(config.model, device=str(accelerator.device), dtype='float32')
    model, processor = checkpoint.model, checkpoint.processor
    if config.lora_rank:
        model = add_lora(model, processor, str(Path(config.model).resolve()), config.lora_rank)
    owner = TransformersModel(checkpoint, config.model, decoding='plain')
    stage = _Stage(model, config, processor.tokenizer)
    head = Path(config.model).with_name(HEAD)
    if stage.head is not None and head.exists():
        stage.head.load_state_dict(torch.load(head, weights_only=True))
    examples = [example for folder in config.data for example in read_examples(Path(folder))]
    if not examples:
        raise TrainError(f'data: need examples, got none in {", ".join(config.data)}')
    if accelerator.is_main_process:
        facts = {
            'config': vars(config),
            'data_hash': data_hash(examples),
            'examples': len(examples),
        }
        begin_run(out, config, facts)
    accelerator.wait_for_everyone()
    optimizer = torch.optim.AdamW(
        _groups(stage, config.weight_decay), lr=config.learning_rate, betas=BETAS
    )
    stage, optimizer = accelerator.prepare(stage, optimizer)
    state = newest_state(out)
    begin = 0
    if state is not None:
        begin, folder = state
        accelerator.load_state(str(folder))
    batches = _batches(config, examples, owner, begin, accelerator)
    checks = Checks(config, owner) if config.stage == SFT and config.validation else None
    with Interruption() as interruption:
        run = _Run(config, accelerator, stage, optimizer, checks)
        run.loop(batches, begin, interruption, progress)
    if accelerator.is_main_process:
        return write_model(config, accelerator.unwrap_model(stage), owner, examples)
    return out / MODEL


@dataclass(frozen=True, eq=False)
class _Run:
    """What one run works with."""

    config: TrainConfig
    accelerator: Accelerator
    stage: Any
    optimizer: Any
    checks: Checks | None

    def loop(
        self,
        batches: Iterator[dict[str, torch.Tensor]],
        begin: int,
        interruption: Interruption,
        progress: Callable[[int, dict[str, float]], None],
    ) -> None:
        """Take all steps that are left."""
        self.stage.train()
        log = RunLog(Path(self.config.out), self.config.log_every)
        for step, batch in enumerate(batches, begin):
            for group in self.optimizer.param_groups:
                group['lr'] = self.config.rate(step)
            with self.accelerator.autocast():
                loss, told = self.stage(batch)
            if not torch.isfinite(loss):
                raise TrainError(f'step {step}: need a finite loss, got {float(loss)}')
            self.accelerator.backward(loss)
            self.accelerator.clip_grad_norm_(self.stage.parameters(), self.config.clip)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            log.add({'loss': float(loss.detach()), **told})
            if (step + 1) % self.config.log_every == 0 and self.accelerator.is_main_process:
                progress(step + 1, log.flush(step + 1, self.config.rate(step)))
            is_last = step + 1 == self.config.steps
            is_due = (step + 1) % self.config.validate_every == 0 or is_last
            if self.checks is not None and is_due and self.accelerator.is_main_process:
                log.write(step + 1, self.checks.run(self.stage))
            if (step + 1) % self.config.save_every == 0 or is_last or interruption.is_wanted:
                _save(self.accelerator, Path(self.config.out), step + 1)
            if interruption.is_wanted and not is_last:
                raise TrainError(
                    f'interrupted after step {step + 1}; run the same command to go on'
                )


def _save(accelerator: Accelerator, out: Path, step: int) -> None:
    aside = out / '.state'
    if accelerator.is_main_process:
        shutil.rmtree(aside, ignore_errors=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(aside))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        publish_state(aside, out, step)


def _groups(stage: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weights decay, biases and scales do not."""
    shapes = {True: [], False: []}  # type: dict[bool, list[Any]]
    for parameter in stage.parameters():
        if parameter.requires_grad:
            shapes[parameter.ndim > 1].append(parameter)
    return [
        {'params': shapes[True], 'weight_decay': decay},
        {'params': shapes[False], 'weight_decay': 0.0},
    ]


def _batches(
    config: TrainConfig,
    examples: list[Example],
    owner: TransformersModel,
    begin: int,
    accelerator: Accelerator,
) -> Iterator[dict[str, torch.Tensor]]:
    conversations = None
    if config.stage != PERCEPTION:
        conversations = Conversations(owner, choose_codec(owner, 'auto'))
    schedule = Schedule(weights_of(examples), config.mirrored, config.seed)
    samples = LearnedSamples(
        examples,
        schedule,
        conversations,
        owner.processor.image_processor,
        captions=config.stage == ALIGNMENT,
    )
    share, rank = accelerator.num_processes, accelerator.process_index
    numbers = [
        range(step * config.batch + rank, (step + 1) * config.batch, share)
        for step in range(begin, config.steps)
    ]
    pad_id = owner.processor.tokenizer.pad_token_id or 0
    loader = torch.utils.data.DataLoader(
        samples,
        batch_sampler=numbers,
        num_workers=config.num_workers,
        collate_fn=lambda rows: collate(rows, pad_id),
        multiprocessing_context='fork' if config.num_workers else None,
        persistent_workers=config.num_workers > 0,
    )
    for batch in loader:
        yield {name: value.to(accelerator.device) for name, value in batch.items()}
