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
from accelerate.state import AcceleratorState
from torch import nn

from emma_planner.models.transformers_model import TransformersModel
from emma_planner.planning.planner import choose_codec
from emma_planner.recordings.dataset import Example, read_examples
from emma_planner.training.batches import Conversations, LearnedSamples, collate
from emma_planner.training.checks_in_training import Checks
from emma_planner.training.finished_model import data_hash, write_model
from emma_planner.training.interruption import Interruption
from emma_planner.training.learned_examples import Schedule, weights_of
from emma_planner.training.run_log import RunLog
from emma_planner.training.run_state import (
    MODEL,
    begin_run,
    newest_state,
    publish_state,
)
from emma_planner.training.spread import Spread, spread
from emma_planner.training.stage import open_stage
from emma_planner.training.train_config import ALIGNMENT, PERCEPTION, SFT, TrainConfig, TrainError

BETAS = (0.9, 0.98)


def train(
    config: TrainConfig,
    progress: Callable[[int, dict[str, float]], None] = lambda step, told: None,
) -> Path:
    """Train a stage to its end; return the folder of the model.

    :param progress: called every ``log_every`` steps with what is logged
    :raises TrainError: nothing to learn from, another run's folder, one process for shards, an
        interruption
    :raises DatasetError: a data set cannot be read
    :raises ModelError: the checkpoint cannot be loaded
    """
    torch.manual_seed(config.seed)
    out = Path(config.out)
    accelerator = _accelerator(config.mixed_precision)
    if config.sharded and accelerator.num_processes < 2:
        raise TrainError(
            'sharded: need two processes at least (torchrun, accelerate launch), got 1'
        )
    # what is sharded goes to its device in parts
    stage, owner = open_stage(config, 'cpu' if config.sharded else str(accelerator.device))
    examples = [example for folder in config.data for example in read_examples(Path(folder))]
    if not examples:
        raise TrainError(f'data: need examples, got none in {", ".join(config.data)}')
    digest = data_hash(examples)
    if accelerator.is_main_process:
        facts = {'config': vars(config), 'data_hash': digest, 'examples': len(examples)}
        begin_run(out, config, facts)
    accelerator.wait_for_everyone()
    over = spread(
        accelerator, stage, lambda stage: _optimizer(stage, config), is_sharded=config.sharded
    )
    state = newest_state(out)
    begin = 0
    if state is not None:
        begin, folder = state
        over.load(folder)
    batches = _batches(config, examples, owner, begin, accelerator)
    checks = Checks(config, owner) if config.stage == SFT and config.validation else None
    with Interruption() as interruption:
        run = _Run(config, accelerator, over, checks)
        run.loop(batches, begin, interruption, progress)
    whole = over.whole(lambda: open_stage(config, 'cpu')[0])
    if whole is not None:
        write_model(config, whole, owner, examples, digest)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return out / MODEL


def _accelerator(precision: str) -> Accelerator:
    AcceleratorState._reset_state()  # a run before this one may have had another precision
    # on a CPU it has to be told, or it takes the processes of torchrun for runs of their own
    return Accelerator(cpu=not torch.accelerator.is_available(), mixed_precision=precision)


@dataclass(frozen=True, eq=False)
class _Run:
    """What one run works with."""

    config: TrainConfig
    accelerator: Accelerator
    over: Spread
    checks: Checks | None

    def loop(
        self,
        batches: Iterator[dict[str, torch.Tensor]],
        begin: int,
        interruption: Interruption,
        progress: Callable[[int, dict[str, float]], None],
    ) -> None:
        """Take all steps that are left."""
        stage, optimizer = self.over.stage, self.over.optimizer
        stage.train()
        log = RunLog(Path(self.config.out), self.config.log_every)
        for step, batch in enumerate(batches, begin):
            for group in optimizer.param_groups:
                group['lr'] = self.config.rate(step)
            with self.accelerator.autocast():
                loss, told = stage(batch)
            if not torch.isfinite(loss):
                raise TrainError(f'step {step}: need a finite loss, got {float(loss)}')
            self.accelerator.backward(loss)
            self.accelerator.clip_grad_norm_(stage.parameters(), self.config.clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            log.add({'loss': loss.detach(), **told})
            if (step + 1) % self.config.log_every == 0 and self.accelerator.is_main_process:
                progress(step + 1, log.flush(step + 1, self.config.rate(step)))
            is_last = step + 1 == self.config.steps
            is_due = (step + 1) % self.config.validate_every == 0 or is_last
            if self.checks is not None and is_due:
                self._check(self.checks, log, step + 1)
            if interruption.is_wanted:
                self.accelerator.set_trigger()
            is_ended = self.accelerator.check_trigger()  # whichever process was asked to
            if (step + 1) % self.config.save_every == 0 or is_last or is_ended:
                self._save(step + 1)
            if is_ended and not is_last:
                raise TrainError(
                    f'interrupted after step {step + 1}; run the same command to go on'
                )

    def _check(self, checks: Checks, log: RunLog, step: int) -> None:
        with self.over.planning() as plans:
            figures = checks.run(self.over.stage) if plans else {}
        if self.accelerator.is_main_process:
            log.write(step, figures)

    def _save(self, step: int) -> None:
        out = Path(self.config.out)
        aside = out / '.state'
        if self.accelerator.is_main_process:
            shutil.rmtree(aside, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self.over.save(aside)
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            publish_state(aside, out, step)


def _optimizer(stage: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    groups = _groups(stage, config.weight_decay)
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=BETAS)


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
    schedule = Schedule(
        weights_of(examples, config.mistakes),
        config.mirrored,
        config.past_hidden,
        config.seed,
        outliers=config.outliers if config.stage == SFT else 0.0,
    )
    samples = LearnedSamples(
        examples,
        schedule,
        conversations,
        owner.processor.image_processor,
        num_earlier=owner.num_earlier,
        captions=config.stage == ALIGNMENT,
        jitter=config.jitter,
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
        pin_memory=accelerator.device.type == 'cuda',
    )
    for batch in loader:
        yield {
            name: value.to(accelerator.device, non_blocking=True) for name, value in batch.items()
        }
