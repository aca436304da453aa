"""Validation while training: the planner's own ``plan()`` on examples that are not learned."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from emma_planner.models.transformers_model import TransformersModel
from emma_planner.planning.planner import EmmaOptions, EmmaPlanner, choose_codec
from emma_planner.recordings.dataset import read_examples
from emma_planner.training.finished_model import some_of
from emma_planner.training.train_config import TrainConfig
from emma_planner.training.validation import validate


class Checks:
    """Plans examples that are not learned from, by the planner's own ``plan()``."""

    def __init__(self, config: TrainConfig, owner: TransformersModel) -> None:
        known = [e for folder in config.validation for e in read_examples(Path(folder))]
        self._examples = some_of(known, config.seed, config.validated)
        options = EmmaOptions(seed=config.seed)
        codec = choose_codec(owner, 'auto')
        self._planner = EmmaPlanner(owner, codec, options, time.perf_counter)

    def run(self, stage: Any) -> dict[str, float]:
        """Plan with the model as it is now."""
        stage.eval()
        found = validate(self._planner, self._examples)
        stage.train()
        rates = {
            name: getattr(found, name).mean
            for name in ('light', 'lead', 'intent', 'agrees', 'failed')
        }
        motion = {'ade_m': float(found.motion.ade.mean), 'l2_3s_m': found.l2_m(3)}
        return {f'validation/{name}': value for name, value in {**motion, **rates}.items()}
