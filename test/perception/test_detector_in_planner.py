"""A detector named by a parameter is asked for each plan, and can be taken away."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('transformers')

from perception.small_detectors import LABELS, yolos

from emma_planner.assemble import build_planner, local_model
from emma_planner.config import PlannerConfig
from emma_planner.planning.baselines import BaselinePlanner
from emma_planner.planning.chat import ModelError
from emma_planner.planning.types import CameraFrame, EgoHistory, PlannerInput, Pose
from emma_planner.runs.ablation import MASKED, REAL, ablations

SHORT = {'model': 'untrained', 'action_format': 'text', 'reason_tokens': 2, 'detector_score': 0.0}


@pytest.fixture(scope='module')
def detector(tmp_path_factory):
    path = tmp_path_factory.mktemp('detector')
    for part in yolos(LABELS):
        part.save_pretrained(path)
    return str(path)


def _input() -> PlannerInput:
    rgb = np.random.default_rng(1).integers(0, 255, (90, 160, 3), dtype=np.uint8)
    history = EgoHistory(0, np.full(10, 5.0), np.zeros(10), Pose(0.0, 0.0, 0.0), 'map')
    return PlannerInput((CameraFrame(0, 'front', rgb),), history)


def _asked(config: PlannerConfig) -> str:
    return build_planner(config).plan(_input()).prompts[0]


def test_what_the_detector_finds_is_in_the_prompt_and_in_each_ablation_it_is_not(detector):
    config = PlannerConfig(detector=detector, **SHORT)
    full = _asked(config)
    assert ' m ' in full.partition('A detector found: ')[2].partition('.')[0]
    masked, real = ablations(['objects_none', 'use_objects=false'], {}, config)
    assert (masked.kind, real.kind) == (MASKED, REAL)
    assert 'A detector found: nothing.' in _asked(masked.config)
    assert 'detector' not in _asked(real.config)
    assert 'detector' not in _asked(PlannerConfig(**SHORT))


def test_who_asks_for_the_model_too_gets_a_planner_that_is_told(detector):
    planner, model = local_model(PlannerConfig(detector=detector, **SHORT))
    assert 'A detector found: ' in planner.plan(_input()).prompts[0]
    assert hasattr(model, 'processor')


def test_a_model_that_learned_without_is_not_told(detector):
    with pytest.raises(ModelError, match='need a model that is asked in words, got emma-small'):
        build_planner(PlannerConfig(detector=detector))


def test_a_baseline_needs_no_detector():
    config = PlannerConfig(planner='constant-action', detector='/none')
    assert isinstance(build_planner(config), BaselinePlanner)


def test_a_detector_that_is_not_there_is_named():
    with pytest.raises(ModelError, match='/none: need a model folder'):
        build_planner(PlannerConfig(detector='/none', **SHORT))
