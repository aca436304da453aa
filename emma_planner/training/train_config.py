"""What is trained, on what, and how: the parameters of ``emma train``."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

PERCEPTION, ALIGNMENT, SFT = 'perception', 'alignment', 'sft'
STAGES = (PERCEPTION, ALIGNMENT, SFT)


PRECISIONS = ('no', 'bf16', 'fp16')
SHARES = ('warmup', 'cooldown', 'mirrored', 'past_hidden', 'jitter', 'outliers')
COUNTS = ('steps', 'batch', 'save_every', 'log_every', 'validate_every', 'validated')


class TrainError(Exception):
    """Training cannot begin or go on."""


@dataclass(frozen=True)
class TrainConfig:
    """One stage of training.

    :param stage: ``perception`` trains the vision tower on dense labels of patches; ``alignment``
        the whole model on captions of the scene, and on which picture belongs to which; ``sft`` on
        chain of thought and actions
    :param model: checkpoint to begin with
    :param data: folders of data sets, one after the other
    :param out: folder of the run: its state, its log, and ``model/`` at the end
    :param steps: batches
    :param warmup: share of the steps in which the learning rate rises; in the last
        ``cooldown`` it falls to 0
    :param mirrored: share of the samples that are seen in a mirror
    :param mistakes: a window after which the model that drove was elsewhere than the expert would
        have been is drawn up to 1 + this times as often
    :param past_hidden: share of the samples that are told the present motion alone
    :param jitter: share of the pictures whose exposure, colours, sharpness and aim are changed
    :param outliers: share of the samples of sft whose picture shows nothing known; the plan is
        then to go on, and the chain of thought says that the scene is unknown
    :param reason_weight: of a token of the chain of thought; ``plan_weight`` of an action token
    :param patch_weight: of the dense labels beside sft, 0 without
    :param motion_weight: of what moves where and how the ego does, for a tower that sees earlier
        pictures; 0 without
    :param contrastive_weight: of matching pictures and captions, in alignment
    :param smoothing_bins: neighbours of an action's bin are right too, falling off over so many
    :param freeze_tower: the vision tower does not learn
    :param lora_rank: only adapters of this rank learn, and tokens that are new; 0 for all weights
    :param validation: folders of data sets to plan on while training, none to learn from
    :param validate_every: steps between validations; the last step is one
    :param validated: examples that are planned each time
    :param save_every: steps between states to go on from
    :param attn_implementation: of the text model, as transformers names it; '' for its own choice.
        On a CPU in bfloat16 ``eager`` is quicker to learn with
    :param torch_compile: the layers of the text model are compiled, which takes a minute
    :param sharded: of several processes each holds a part of the weights, gradients and states of
        the optimizer (FSDP2), for what one device cannot hold; without, a copy of all (DDP)
    """

    stage: str
    model: str
    data: tuple[str, ...]
    out: str
    steps: int
    batch: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.05
    cooldown: float = 0.3
    clip: float = 1.0
    mirrored: float = 0.5
    mistakes: float = 0.0
    past_hidden: float = 0.3
    jitter: float = 0.5
    outliers: float = 0.0
    reason_weight: float = 1.0
    plan_weight: float = 2.0
    patch_weight: float = 0.3
    motion_weight: float = 0.5
    contrastive_weight: float = 0.5
    smoothing_bins: float = 2.0
    freeze_tower: bool = False
    lora_rank: int = 0
    validation: tuple[str, ...] = ()
    validate_every: int = 1000
    validated: int = 100
    save_every: int = 250
    log_every: int = 25
    num_workers: int = 0
    mixed_precision: str = 'no'
    attn_implementation: str = ''
    torch_compile: bool = False
    sharded: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise TrainError(f'stage: need one of {", ".join(STAGES)}, got {self.stage!r}')
        if self.mixed_precision not in PRECISIONS:
            raise TrainError(
                f'mixed_precision: need one of {", ".join(PRECISIONS)}, '
                f'got {self.mixed_precision!r}'
            )
        for field_ in fields(self):
            _check_kind(field_.name, field_.type, getattr(self, field_.name))
        for name in COUNTS:
            if getattr(self, name) < 1:
                raise TrainError(f'{name}: need 1 at least, got {getattr(self, name)}')
        for name in SHARES:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise TrainError(f'{name}: need 0 to 1, got {getattr(self, name)}')
        if self.lora_rank and self.stage == PERCEPTION:
            raise TrainError('lora_rank: need alignment or sft, got perception: it has no adapter')
        if self.sharded and self.mixed_precision == 'fp16':
            raise TrainError('sharded: need mixed_precision no or bf16, got fp16')
        if not self.mistakes >= 0.0:
            raise TrainError(f'mistakes: need 0 or more, got {self.mistakes}')
        if not self.data:
            raise TrainError('data: need a folder at least, got none')

    @property
    def is_aligned(self) -> bool:
        """Whether pictures are matched with captions."""
        return self.stage == ALIGNMENT and self.contrastive_weight > 0.0

    def hash(self) -> str:
        """Return a short hash of all of it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    def rate(self, step: int) -> float:
        """Return the learning rate of a step: up, level, down."""
        up, down = self.warmup * self.steps, self.cooldown * self.steps
        rise = min(1.0, (step + 1) / max(up, 1.0))
        fall = min(1.0, (self.steps - step) / max(down, 1.0))
        return self.learning_rate * rise * fall


def _check_kind(name: str, kind: Any, value: Any) -> None:
    """Refuse what YAML reads otherwise than it looks: 1e-3 is text, 1.0e-3 a number."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == 'float' and not (is_number and math.isfinite(value)):
        raise TrainError(f'{name}: need a number, as 1.0e-3, got {value!r}')
    if kind == 'int' and not (is_number and isinstance(value, int)):
        raise TrainError(f'{name}: need a whole number, got {value!r}')
    if kind == 'bool' and not isinstance(value, bool):
        raise TrainError(f'{name}: need true or false, got {value!r}')


def read_train_config(path: Path, changes: dict[str, Any]) -> TrainConfig:
    """Read a YAML file.

    :param changes: values that win over the file's
    :raises TrainError: names what is wrong
    """
    try:
        values = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, yaml.YAMLError) as err:
        raise TrainError(f'{path}: need a YAML file, got {" ".join(str(err).split())}') from err
    if not isinstance(values, dict):
        raise TrainError(f'{path}: need parameters, got {type(values).__name__}')
    known = {field.name: field for field in fields(TrainConfig)}
    values = {**values, **changes}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise TrainError(f'{path}: need known parameters, got {", ".join(unknown)}')
    for name in ('data', 'validation'):
        folders = values.get(name, ())
        values[name] = (folders,) if isinstance(folders, str) else tuple(folders)
    try:
        return TrainConfig(**values)
    except TypeError as err:
        raise TrainError(f'{path}: {err}') from err
