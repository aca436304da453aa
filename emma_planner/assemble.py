"""Parameters to a planner: the one place that joins planning and models."""

from __future__ import annotations

import json
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from emma_planner.config import SHIPPED, PlannerConfig
from emma_planner.models import load_model, shipped_model
from emma_planner.perception.camera import mounted_camera
from emma_planner.perception.detecting_planner import DetectingPlanner
from emma_planner.planning.baselines import BASELINES, BaselinePlanner
from emma_planner.planning.chat import ChatModel, ModelError
from emma_planner.planning.checks import PlausibilityLimits
from emma_planner.planning.fallback import PathKeeper
from emma_planner.planning.history import HistoryLimits
from emma_planner.planning.inputs import InputBuffer, InputLimits
from emma_planner.planning.planner import EmmaOptions, EmmaPlanner, Planner, choose_codec
from emma_planner.planning.prompts import Told
from emma_planner.planning.ranking import DEFAULT, Ranker
from emma_planner.planning.types import PlannerInput
from emma_planner.resources import recording_path
from emma_planner.variants.changed_planner import ChangedPlanner, Pool
from emma_planner.variants.registry import changes_of

RANKING = 'ranking.json'
"""Beside a checkpoint: what its training found that drivers weigh."""


def build_planner(config: PlannerConfig, pool: Pool | None = None) -> Planner:
    """Load the model, or make the baseline, that the parameters name.

    :param pool: other situations for a variant that mixes two; None for the shipped recording
    :raises ModelError: the model cannot be loaded or reached
    :raises VariantError: no such variant
    """
    changes = changes_of(config.variant)
    planner = _unchanged(config)
    if not changes:
        return planner
    return ChangedPlanner(planner, changes, pool or _recorded(), config.seed)


@lru_cache(maxsize=1)
def planner_of_process(config: PlannerConfig) -> Planner:
    """Return this process's planner, which is kept for the next task."""
    return build_planner(config)


def local_model(config: PlannerConfig) -> tuple[Planner, Any]:
    """Return a planner without a variant, and its model in this process.

    :returns: planner, and a ``TransformersModel``; None for a baseline or a server
    :raises ModelError: the model cannot be loaded or reached
    """
    if config.planner in BASELINES:
        return BaselinePlanner(config.planner), None
    model = load_model(config)
    planner: Planner = _emma_planner(model, config)
    if config.detector:
        planner = _detecting(planner, config)
    return planner, model if hasattr(model, 'processor') else None


def _unchanged(config: PlannerConfig) -> Planner:
    planner, model = local_model(config)
    if config.attack == 'none':
        return planner
    if model is None:
        raise ModelError(
            f'attack {config.attack}: need a model in this process, got {planner.name}'
        )
    from emma_planner.models.attacked_planner import AttackedPlanner

    return AttackedPlanner(planner, model, config.attack, config.attack_size)


def _detecting(planner: Planner, config: PlannerConfig) -> Planner:
    """Let a detector look first."""
    try:
        from emma_planner.perception.detector import Detector
    except ImportError as err:
        raise ModelError(
            f'need torch and transformers to run the detector {config.detector!r}, got '
            f"{type(err).__name__}: {err}; install them: pip install 'emma_planner[models]'"
        ) from err
    detector = Detector(config.detector, config.detector_score, config.device)
    return DetectingPlanner(planner, detector, lambda *size: mounted_camera(config, *size))


def _emma_planner(model: ChatModel, config: PlannerConfig) -> EmmaPlanner:
    options = EmmaOptions(
        use_reasoning=config.use_reasoning,
        told=Told(
            images=config.use_image,
            earlier=config.use_earlier,
            history_steps=config.history_steps,
            command=config.use_command,
            objects=config.use_objects,
        ),
        reason_tokens=config.reason_tokens,
        seed=config.seed,
        num_samples=config.num_samples,
        ranker=_ranker(config),
        intent_tries=config.intent_tries,
        unknown_scene=config.unknown_scene,
        red_light=config.red_light,
        limits=PlausibilityLimits(
            max_speed_mps=config.max_speed_mps,
            max_acceleration_mps2=config.max_acceleration_mps2,
            max_lateral_acceleration_mps2=config.max_lateral_acceleration_mps2,
            max_curvature_1pm=config.max_curvature_1pm,
        ),
    )
    codec = choose_codec(model, config.action_format, config.plan_step_s)
    if config.detector and codec.is_taught:
        raise ModelError(
            f'detector {config.detector}: need a model that is asked in words, got {model.name}, '
            'which was trained without a detector; action_format text asks in words'
        )
    return EmmaPlanner(model, codec, options, time.perf_counter)


def _recorded() -> Pool:
    """Situations of the shipped recording."""

    @lru_cache(maxsize=1)
    def situations() -> tuple[PlannerInput, ...]:
        from emma_planner.replay.instants import instants

        return tuple(
            item.planner_input() for item in instants(recording_path(), PlannerConfig(), 1.0)
        )

    return lambda number: situations()[number % len(situations())]


def _ranker(config: PlannerConfig) -> Ranker:
    """Return the weights that lie beside a checkpoint, else the default."""
    folder = shipped_model() if config.model == SHIPPED else Path(config.model).expanduser()
    path = folder / RANKING
    if not path.is_file():
        return DEFAULT
    try:
        return Ranker(tuple(json.loads(path.read_text(encoding='utf-8'))['weights']))
    except (ValueError, KeyError, TypeError, OSError) as err:
        raise ModelError(f'{path}: need six weights, got {err}') from err


def build_inputs(config: PlannerConfig) -> InputBuffer:
    """Make the buffer that inputs are collected in."""
    limits = InputLimits(
        image_max_age_s=config.image_max_age_s,
        history=HistoryLimits(
            source=config.odometry_source,
            max_age_s=config.odometry_max_age_s,
            max_gap_s=config.odometry_max_gap_s,
            standstill_speed_mps=config.standstill_speed_mps,
        ),
    )
    return InputBuffer(limits, config.default_command)


def build_path_keeper(config: PlannerConfig) -> PathKeeper:
    """Make the keeper of the last valid path."""
    return PathKeeper(config.fallback_max_age_s)
