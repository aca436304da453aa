"""Small random-weight checkpoints, built once a session and shared by the tests of models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emma_planner.planning.types import CameraFrame

ARCHITECTURES = ('qwen3_vl', 'qwen2_5_vl', 'qwen2_vl', 'llava', 'smolvlm')


@pytest.fixture(scope='session')
def checkpoint_folder(tmp_path_factory):
    """Return a function from architecture to the folder of its checkpoint."""
    pytest.importorskip('torch')
    pytest.importorskip('transformers')
    from emma_planner.models.untrained import build_untrained

    base = tmp_path_factory.mktemp('checkpoints')

    def folder(architecture: str = 'qwen3_vl') -> Path:
        target = base / architecture
        if not target.is_dir():
            build_untrained(target, architecture)
        return target

    return folder


@pytest.fixture(scope='session')
def load_checkpoint(checkpoint_folder):
    """Return a function from architecture and parameters to a model on one CPU thread."""
    from emma_planner.config import PlannerConfig
    from emma_planner.models.transformers_model import TransformersModel

    loaded = {}

    def load(architecture: str = 'qwen3_vl', **parameters):
        key = (architecture, tuple(sorted(parameters.items())))
        if key not in loaded:
            config = PlannerConfig(
                model=str(checkpoint_folder(architecture)),
                device='cpu',
                num_threads=1,
                **parameters,
            )
            loaded[key] = TransformersModel.from_config(config)
        return loaded[key]

    return load


@pytest.fixture(params=ARCHITECTURES)
def architecture(request):
    """Each family in turn."""
    return request.param


@pytest.fixture
def frame():
    """A noisy image of the KITTI camera's shape, so that its content matters to the model."""
    rgb = np.random.default_rng(0).integers(0, 256, (375, 1242, 3), dtype=np.uint8)
    return CameraFrame(stamp_ns=0, name='front', rgb=rgb)
