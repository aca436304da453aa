"""Pictures as they are learned: what changes a camera changes the earlier ones alike."""

from __future__ import annotations

import numpy as np
import pytest
from training.examples_by_hand import record, write_dataset

pytest.importorskip('torch')

from emma_planner.recordings.dataset import DatasetError, read_examples
from emma_planner.training.batches import LearnedSamples
from emma_planner.training.learned_examples import Schedule
from emma_planner.training.seen_pictures import (
    as_other_camera,
    as_outlier,
    in_mirror,
    pictures_of,
    without_earlier,
)


@pytest.fixture
def examples(tmp_path):
    return list(read_examples(write_dataset(tmp_path / 'set', [record(k) for k in range(4)])))


@pytest.fixture
def pictures(examples):
    return pictures_of(examples[3], 2)


def _pixels(picture):
    return np.asarray(picture).astype(int)


def test_as_many_earlier_pictures_are_read_as_a_model_sees(examples):
    files = [example.image for example in examples]
    for count in range(4):
        read = pictures_of(examples[3], count)
        assert len(read) == 1 + count
        for picture, file in zip(read[:3], reversed(files), strict=False):
            assert (_pixels(picture) == _pixels(pictures_of_file(file))).all()
    assert pictures_of(examples[0], 2)[1:] == [None, None]
    assert pictures_of(examples[3], 3)[3] is None


def pictures_of_file(file):
    from PIL import Image

    return Image.open(file).convert('RGB')


def test_an_earlier_picture_that_ends_early_is_named(examples):
    file = examples[2].image
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DatasetError, match=r'2\.jpg: need a whole picture'):
        pictures_of(examples[3], 2)


def test_another_camera_is_the_same_one_in_all_pictures(pictures):
    same = [pictures[0]] * 3
    changed = as_other_camera(same, np.random.default_rng(5))
    assert (_pixels(changed[0]) != _pixels(pictures[0])).any()
    assert (_pixels(changed[0]) == _pixels(changed[1])).all()
    assert as_other_camera([pictures[0], None], np.random.default_rng(5))[1] is None


def test_in_a_mirror_all_pictures_are_turned(pictures):
    for picture, turned in zip(pictures, in_mirror(pictures), strict=True):
        assert (_pixels(turned) == _pixels(picture)[:, ::-1]).all()
    assert in_mirror([pictures[0], None])[1] is None


def test_what_is_unknown_comes_nearer_from_the_same_place(pictures):
    moved = []
    for seed in range(20):
        unknown = as_outlier(pictures, np.random.default_rng(seed))
        assert len(unknown) == 3
        far = [np.abs(_pixels(unknown[0]) - _pixels(one)).mean() for one in unknown]
        assert far[1] <= far[2] + 1.0
        moved.append(far[2])
    assert max(moved) > 5.0


def test_without_earlier_pictures_the_present_one_is_left(pictures):
    assert without_earlier(pictures) == [pictures[0], None, None]


def test_samples_carry_the_earlier_pictures_as_channels(examples):
    seen = []

    def processor(images, **_):
        import torch

        values = torch.tensor(_pixels(images)).permute(2, 0, 1)[None].float()
        return {'pixel_values': values + 1.0}

    weights = np.array([0.0, 0.0, 0.0, 1.0])
    schedule = Schedule(weights, 0.0, 0.0, 0)
    samples = LearnedSamples(examples, schedule, None, processor, num_earlier=2)
    for k in range(60):
        values = samples[k]['inputs']['pixel_values']
        assert values.shape == (1, 9, 36, 64)
        for number in range(3):
            own = values[0, 3 * number : 3 * number + 3]
            expected = _pixels(pictures_of(examples[3], 2)[number]).transpose(2, 0, 1) + 1
            seen.append(
                (
                    number,
                    'none'
                    if not own.any()
                    else 'own'
                    if (own.numpy() == expected).all()
                    else 'other',
                )
            )
    assert set(seen) == {(0, 'own'), (1, 'own'), (2, 'own'), (1, 'none'), (2, 'none')}
    lost = sum(1 for pair in seen if pair == (1, 'none'))
    assert lost == sum(1 for pair in seen if pair == (2, 'none'))
    assert 1 <= lost <= 20
