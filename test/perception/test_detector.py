"""Detectors of transformers are loaded and asked; what cannot be used is named."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('transformers')

import torch
from perception.small_detectors import LABELS, rt_detr, yolos

from emma_planner.perception.detector import Detector
from emma_planner.planning.chat import ModelError

RGB = np.random.default_rng(3).integers(0, 255, (90, 160, 3), dtype=np.uint8)


MAKERS = {'yolos': yolos, 'rt_detr': rt_detr}


@pytest.fixture(scope='module', params=sorted(MAKERS))
def folder(request, tmp_path_factory):
    torch.manual_seed(1)
    model, processor = MAKERS[request.param](LABELS)
    path = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(path)
    processor.save_pretrained(path)
    return path


def test_a_detector_finds_boxes_in_pixels_of_the_picture(folder):
    boxes = Detector(str(folder), 0.0, 'cpu').find(RGB)
    assert boxes
    assert {box.label for box in boxes} <= set(LABELS.values())
    for box in boxes:
        assert 0.0 < box.score <= 1.0
        assert box.left < box.right <= 160.0 + 90.0
        assert box.top < box.bottom <= 90.0 + 90.0
    assert Detector(str(folder), 0.0, 'cpu').find(RGB) == boxes


def test_less_certain_finds_are_left_out(folder):
    scores = sorted(box.score for box in Detector(str(folder), 0.0, 'cpu').find(RGB))
    edge = (scores[0] + scores[-1]) / 2.0
    some = Detector(str(folder), edge, 'cpu').find(RGB)
    assert len(some) == sum(score > edge for score in scores)


def test_a_detector_of_nothing_on_roads_is_refused(tmp_path):
    model, processor = yolos({0: 'cat', 1: 'dog'})
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r'need a detector of road users.*got labels cat, dog'):
        Detector(str(tmp_path), 0.5, 'cpu')


def test_what_cannot_be_loaded_is_named(tmp_path, folder):
    with pytest.raises(ModelError, match='need a model folder or a hub id, got no such folder'):
        Detector(str(tmp_path / 'none'), 0.5, 'cpu')
    with pytest.raises(ModelError, match=r'need config\.json, got none'):
        Detector(str(tmp_path), 0.5, 'cpu')
    with pytest.raises(ModelError, match='need a usable torch device'):
        Detector(str(folder), 0.5, 'abacus')
    for name in ('preprocessor_config.json', 'model.safetensors'):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    config = json.loads((folder / 'config.json').read_text())
    config['id2label'] = {str(k): f'car {k}' for k in range(9)} | {'0': 'car'}
    config['label2id'] = {name: int(k) for k, name in config['id2label'].items()}
    (tmp_path / 'config.json').write_text(json.dumps(config))
    with pytest.raises(ModelError, match='need all weights of the architecture'):
        Detector(str(tmp_path), 0.5, 'cpu')
