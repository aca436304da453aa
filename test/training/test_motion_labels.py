"""What moves where: the patches of the objects that the facts name, and nothing else."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
from training.examples_by_hand import FACTS, record, write_dataset

pytest.importorskip('torch')

import torch

from emma_planner.recordings.dataset import read_examples
from emma_planner.training.batches import LearnedSamples
from emma_planner.training.learned_examples import Schedule, mirrored
from emma_planner.training.motion_labels import IGNORED, motion_of_ego, things_that_move

VEHICLE, PEDESTRIAN, OBSTACLE = 3, 4, 5


def _example(tmp_path, ahead_m=12.0, left_m=1.0, action='drives from left to right'):
    facts = copy.deepcopy(FACTS)
    facts['objects'][0] |= {'ahead_m': ahead_m, 'left_m': left_m, 'action': action}
    return next(read_examples(write_dataset(tmp_path / 'set', [record(0, facts=facts)])))


def _grids(distance_m: float, label: int = VEHICLE):
    """One row of things at a distance, all across the picture."""
    classes = torch.zeros(12, 22, dtype=torch.long)
    depths = torch.full((12, 22), 31)
    classes[6] = label
    depths[6] = int(31 * math.log(distance_m) / math.log(80.0))
    return classes, depths


@pytest.mark.parametrize(
    ('action', 'motion'),
    [
        ('stands', 0),
        ('is parked', 0),
        ('drives the same way', 1),
        ('brakes', 1),
        ('walks the other way', 2),
        ('drives from left to right', 3),
        ('walks from right to left', 4),
    ],
)
def test_what_is_named_moves_as_it_is_said(tmp_path, action, motion):
    motions, speeds = things_that_move(_example(tmp_path, action=action), *_grids(12.0))
    assert set(motions.unique().tolist()) == {IGNORED, motion}
    assert (motions[:6] == IGNORED).all()
    assert (motions[7:] == IGNORED).all()
    assert (speeds.isnan() == (motions == IGNORED)).all()


@pytest.mark.parametrize(
    ('action', 'along_mps'),
    [
        ('drives the same way', 4.0),
        ('brakes', 4.0),
        ('drives the other way', -4.0),
        ('drives from left to right', 0.0),
        ('stands', 0.0),
    ],
)
def test_a_speed_is_along_the_ego_s_way_and_beside_its_own(tmp_path, action, along_mps):
    example = _example(tmp_path, action=action)
    _, speeds = things_that_move(example, *_grids(12.0))
    known = speeds[~speeds.isnan()] * 10.0
    expected = along_mps - example.history[-1, 0]
    assert known.tolist() == pytest.approx([expected] * len(known), abs=1e-5)


@pytest.mark.parametrize('left_m', [-9.0, -4.0, 0.0, 4.0, 9.0])
def test_its_patches_are_where_it_is_seen(tmp_path, left_m):
    motions, _ = things_that_move(
        _example(tmp_path, left_m=left_m), *_grids(math.hypot(12.0, left_m))
    )
    columns = (motions[6] != IGNORED).nonzero().ravel().double() - 10.5
    assert float(columns.mean()) == pytest.approx(-11.0 * left_m / 12.0, abs=0.5)
    assert 2 <= len(columns) <= 6


@pytest.mark.parametrize(
    'grids', [_grids(12.0, OBSTACLE), _grids(25.0), _grids(6.0)], ids=['kind', 'behind', 'before']
)
def test_other_things_are_not_labelled(tmp_path, grids):
    motions, speeds = things_that_move(_example(tmp_path), *grids)
    assert (motions == IGNORED).all()
    assert speeds.isnan().all()


@pytest.mark.parametrize('changes', [{'ahead_m': -8.0}, {'action': 'flies'}])
def test_what_is_not_seen_or_not_known_is_not_labelled(tmp_path, changes):
    motions, speeds = things_that_move(_example(tmp_path, **changes), *_grids(12.0))
    assert (motions == IGNORED).all()
    assert speeds.isnan().all()


def test_without_facts_nothing_is_labelled(tmp_path):
    example = replace(_example(tmp_path), facts=None)
    motions, speeds = things_that_move(example, *_grids(12.0))
    assert (motions == IGNORED).all()
    assert speeds.isnan().all()


def test_in_a_mirror_all_moves_the_other_way(tmp_path):
    example = _example(tmp_path, left_m=4.0)
    grids = _grids(math.hypot(12.0, 4.0), PEDESTRIAN)
    motions, speeds = things_that_move(example, *grids)
    turned, same = things_that_move(mirrored(example), *(grid.flip(1) for grid in grids))
    assert torch.equal(same.nan_to_num(9.0), speeds.flip(1).nan_to_num(9.0))
    assert (turned == torch.where(motions == 3, 4, motions).flip(1)).all()
    assert motion_of_ego(example).dtype == speeds.dtype == torch.float32
    speed, yaw_rate = motion_of_ego(example).tolist()
    assert motion_of_ego(mirrored(example)).tolist() == pytest.approx([speed, -yaw_rate])
    assert speed * 10.0 == pytest.approx(example.history[-1, 0])
    assert yaw_rate * 0.5 == pytest.approx(np.prod(example.history[-1]))


@pytest.mark.parametrize(('outliers', 'num_earlier'), [(1.0, 2), (0.0, 0), (0.0, 2)])
def test_motion_is_learned_where_it_is_to_be_seen(tmp_path, outliers, num_earlier):
    examples = list(read_examples(write_dataset(tmp_path / 'set', [record(k) for k in range(3)])))

    def processor(images, **_):
        return {'pixel_values': torch.ones(1, 3, 8, 8) + np.asarray(images).mean()}

    schedule = Schedule(np.ones(3) / 3, 0.0, 0.0, 0, outliers=outliers)
    samples = LearnedSamples(examples, schedule, None, processor, num_earlier=num_earlier)
    for k in range(40):
        is_known = not samples[k]['motion'][2].isnan().any()
        values = samples[k]['inputs']['pixel_values']
        is_seen = values.shape[1] == 9 and bool(values[0, 6].any()) and not outliers
        assert is_known == is_seen
