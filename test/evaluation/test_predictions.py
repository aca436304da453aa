"""Predictions in files: what is written is read, and what is wrong is named with its line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from emma_planner.evaluation.predictions import (
    Prediction,
    PredictionError,
    duplicates,
    header_line,
    read_predictions,
    to_json_line,
)
from emma_planner.planning.types import Latency, Reasoning, TokenCounts


def straight(speed=5.0, steps=10):
    poses = np.full((10, 3), np.nan)
    poses[:steps] = np.column_stack(
        [speed * 0.5 * np.arange(1, steps + 1), np.zeros(steps), np.zeros(steps)]
    )
    return poses


def prediction(**changes):
    values = {
        'scene': 'a',
        'stamp_ns': 7,
        'poses': straight(),
        'truth': straight(6.0),
        'history': np.column_stack([np.full(10, 5.0), np.zeros(10)]),
        'command': 'turn left',
        'said': Reasoning('red light 20 m', ('car 12 m ahead',), 'go straight, stop'),
        'true': Reasoning('red light 21 m', (), 'stop'),
        'latency': Latency(1.0, 2.0, 3.0, 6.5),
        'tokens': TokenCounts(100, 40),
        'image': 'x.jpg',
    }
    return Prediction(**{**values, **changes})


def write(path, *lines):
    path.write_text(''.join(line + '\n' for line in lines))
    return path


def test_what_is_written_is_read(tmp_path):
    items = [
        prediction(),
        prediction(stamp_ns=8, poses=None, reason='format', detail='need 20 tokens', true=None),
        prediction(stamp_ns=9, truth=straight(6.0, steps=4), history=None),
    ]
    path = write(tmp_path / 'p.jsonl', header_line('me', {}), *map(to_json_line, items))
    name, found = read_predictions(path)
    assert name == 'me'
    for given, got in zip(items, found, strict=True):
        for key in ('scene', 'stamp_ns', 'command', 'reason', 'detail', 'said', 'true', 'image'):
            assert getattr(got, key) == getattr(given, key)
        assert got.latency == given.latency
        assert got.tokens == given.tokens
        for key in ('poses', 'truth', 'history'):
            one, other = getattr(given, key), getattr(got, key)
            assert (one is None) == (other is None)
            if one is not None:
                assert np.allclose(one, other, atol=1e-5, equal_nan=True)


def test_a_file_of_any_planner_needs_poses_and_truth_alone(tmp_path):
    lines = [json.dumps({'poses': [[1, 0], [2, 0]], 'truth': [[1, 0, 0], [2, 1, 0]]})] * 2
    name, (first, second) = read_predictions(write(tmp_path / 'theirs.jsonl', *lines))
    assert name == ''
    assert first.scene == 'theirs'
    assert first.stamp_ns != second.stamp_ns
    assert first.poses[:2].tolist() == [[1, 0, 0], [2, 0, 0]]
    assert np.isnan(first.poses[2:]).all()


def test_numbers_that_are_none_are_a_failed_plan(tmp_path):
    line = json.dumps({'poses': [[1, float('nan')]], 'truth': [[1, 0]]})
    _, (item,) = read_predictions(write(tmp_path / 'p.jsonl', line))
    assert item.poses is None
    assert item.reason == 'not_finite'


def test_a_stamp_that_comes_again_in_its_scene_is_found():
    items = [prediction(), prediction(scene='b'), prediction(), prediction(stamp_ns=8)]
    assert list(duplicates(items)) == [2]


GOOD = json.dumps({'poses': [[1, 0]], 'truth': [[1, 0]]})


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        ([GOOD, '{'], r':2: Expecting'),
        ([GOOD, '[]'], ':2: need a JSON object, got list'),
        ([GOOD, '{"poses": null}'], ":2: need 'truth', got none"),
        (['{"truth": [[1, 0]]}'], ":1: need 'poses', got none"),
        (
            ['{"poses": [[1, 0]], "truth": [[1]]}'],
            ':1: truth: need x, y and perhaps yaw',
        ),
        (['{"poses": "x", "truth": []}'], ":1: poses: need up to 10 poses, got 'x'"),
        ([json.dumps({'poses': [[0, 0]] * 11, 'truth': []})], 'need up to 10 poses, got 11'),
        (['{"schema": "emma_planner/predictions", "version": 9}'], 'version 1, got .* version 9'),
        (['{"schema": "other"}'], 'need emma_planner/predictions version 1, got other'),
        ([GOOD, header_line('x', {})], ':2: need one header, in the first line, got another'),
        (['{"poses": null, "truth": [], "history": [[1, 2]]}'], 'history: need 10 finite pairs'),
    ],
)
def test_a_wrong_line_is_named(tmp_path, lines, message):
    with pytest.raises(PredictionError, match=message):
        read_predictions(write(tmp_path / 'p.jsonl', *lines))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PredictionError, match='need a readable file of predictions'):
        read_predictions(tmp_path / 'none.jsonl')
