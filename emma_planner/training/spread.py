"""How a stage of training is spread over the processes of a run.

A copy of all of it in each (DDP), which is also how a single process has it; or a part of the
weights, gradients and states of the optimizer in each (FSDP2), for what no device holds alone.
Both save, load, plan and end in the same way, to the loop that trains.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed.checkpoint as dcp
from accelerate import Accelerator
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.optim import Optimizer

from emma_planner.training.stage import Stage

SHARDS = 'shards'
OptimizerOf = Callable[[Stage], Optimizer]


class Spread(Protocol):
    """A stage and its optimizer, over processes."""

    stage: Any
    optimizer: Any

    def save(self, folder: Path) -> None:
        """Write all that a run goes on from; called in every process."""
        ...

    def load(self, folder: Path) -> None:
        """Go on from what :meth:`save` wrote; called in every process."""
        ...

    def planning(self) -> Any:
        """Return a context in which its model can plan; it yields whether this process does."""
        ...

    def whole(self, fresh: Callable[[], Stage]) -> Stage | None:
        """Return the stage with all its weights, in the first process; called in every one.

        :param fresh: opens the stage anew, to put them into, where that is needed
        """
        ...


def spread(
    accelerator: Accelerator, stage: Stage, optimizer_of: OptimizerOf, *, is_sharded: bool
) -> Spread:
    """Spread a stage over the processes that there are."""
    kind = _Shards if is_sharded else _Copies
    return kind(accelerator, stage, optimizer_of)


class _Copies:
    """All of it in each process."""

    def __init__(self, accelerator: Accelerator, stage: Stage, optimizer_of: OptimizerOf) -> None:
        self._accelerator = accelerator
        self.stage, self.optimizer = accelerator.prepare(stage, optimizer_of(stage))

    def save(self, folder: Path) -> None:
        logger = logging.getLogger('accelerate.utils.other')
        level = logger.level
        logger.setLevel(logging.ERROR)  # tied weights are kept once, and said to be at each save
        self._accelerator.save_state(str(folder))
        logger.setLevel(level)

    def load(self, folder: Path) -> None:
        self._accelerator.load_state(str(folder))

    @contextmanager
    def planning(self) -> Iterator[bool]:
        yield self._accelerator.is_main_process

    def whole(self, fresh: Callable[[], Stage]) -> Stage | None:
        del fresh
        if not self._accelerator.is_main_process:
            return None
        stage: Stage = self._accelerator.unwrap_model(self.stage)
        return stage


class _Shards:
    """A part of it in each process; a layer of the text model is gathered when it is its turn."""

    def __init__(self, accelerator: Accelerator, stage: Stage, optimizer_of: OptimizerOf) -> None:
        self._accelerator = accelerator
        mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
        policy = MixedPrecisionPolicy()
        if accelerator.mixed_precision == 'bf16':
            # autocast keeps a copy of each weight that it casts until the backward pass, whole
            policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32, cast_forward_inputs=False)
        for layer in stage.model.get_decoder().layers:
            fully_shard(layer, mesh=mesh, mp_policy=policy)
        self.stage: Any = fully_shard(stage, mesh=mesh)
        self.optimizer = optimizer_of(stage)

    def save(self, folder: Path) -> None:
        self._accelerator.save_state(str(folder))  # random numbers alone
        dcp.save(self._state(), checkpoint_id=str(folder / SHARDS))

    def load(self, folder: Path) -> None:
        self._accelerator.load_state(str(folder))
        state = self._state()
        dcp.load(state, checkpoint_id=str(folder / SHARDS))
        set_state_dict(
            self.stage,
            self.optimizer,
            model_state_dict=state['stage'],
            optim_state_dict=state['optimizer'],
        )

    def _state(self) -> dict[str, Any]:
        weights, moments = get_state_dict(self.stage, self.optimizer)
        return {'stage': weights, 'optimizer': moments}

    @contextmanager
    def planning(self) -> Iterator[bool]:
        # to gather a layer takes all processes: each plans, and on equal devices comes to the same
        self.stage.unshard()
        yield True
        self.stage.reshard()

    def whole(self, fresh: Callable[[], Stage]) -> Stage | None:
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        weights = get_model_state_dict(self.stage, options=options)
        if not self._accelerator.is_main_process:
            return None
        stage = fresh()
        stage.load_state_dict(weights)
        return stage
