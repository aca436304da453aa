"""Validation while training: the planner's own ``plan()`` on examples that are not learned."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from emma_planner.evaluation.metrics import HORIZONS_S
from emma_planner.evaluation.open_loop import score
from emma_planner.models.transformers_model import TransformersModel
from emma_planner.planning.planner import EmmaOptions, EmmaPlanner, choose_codec
from emma_planner.recordings.dataset import read_examples
from emma_planner.runs.dataset_source import window_of
from emma_planner.runs.scene_task import plan_windows
from emma_planner.training.finished_model import some_of
from emma_planner.training.train_config import TrainConfig


class Checks:
    """Plans examples that are not learned from, by the planner's own ``plan()``."""

    def __init__(self, config: TrainConfig, owner: TransformersModel) -> None:
        known = [e for folder in config.validation for e in read_examples(Path(folder))]
        chosen = some_of(known, config.seed, config.validated)
        self._windows = tuple(window_of(example) for example in chosen)
        options = EmmaOptions(seed=config.seed)
        codec = choose_codec(owner, 'auto')
        self._planner = EmmaPlanner(owner, codec, options, time.perf_counter)

    def run(self, stage: Any) -> dict[str, float]:
        """Plan with the model as it is now."""
        stage.eval()
        with torch.compiler.set_stance('force_eager'):  # layers compiled to learn, not to plan
            found = list(plan_windows(self._planner, self._windows))
        stage.train()
        scores = score(found, self._planner.name)
        motion = scores.planner[1]
        figures = {
            'ade_m': motion.ade.mean,
            'l2_3s_m': motion.averaged[HORIZONS_S.index(3)].mean,
            **{name: figure.mean for name, figure in scores.words},
            'failed': scores.failed,
        }
        return {f'validation/{name}': float(value) for name, value in figures.items()}
