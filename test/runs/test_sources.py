"""Windows of data sets, recordings and nuScenes."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic_bags as bags
from runs.sources_by_hand import dataset, nuscenes
from training.examples_by_hand import record, write_dataset

from emma_planner.config import PlannerConfig
from emma_planner.planning.types import DT_NS, InputError
from emma_planner.recordings.dataset import DatasetError
from emma_planner.runs.open_source import SourceOptions, open_source
from emma_planner.runs.picture_file import read_rgb
from emma_planner.runs.window import SourceError

CONFIG, OPTIONS = PlannerConfig(), SourceOptions()


def test_the_drives_of_a_data_set_are_its_scenes(tmp_path):
    source = open_source(dataset(tmp_path / 'set'), CONFIG, OPTIONS)
    assert source.scenes() == ('drive-0', 'drive-1', 'drive-2')
    windows = source.windows('drive-1')
    assert len(windows) == 4
    assert windows[0].true.intent == 'steer right, keep speed, lead.'
    assert windows[0].load().frames[0].rgb.shape == (36, 64, 3)
    assert windows[0].truth[-1, 0] == pytest.approx(30.0, abs=0.5)


def test_fewer_windows_of_a_data_set_have_the_earlier_pictures_all_the_same(tmp_path):
    folder = write_dataset(tmp_path / 'set', [record(k) for k in range(9)])
    windows = open_source(folder, CONFIG, SourceOptions(every_s=2.0)).windows('by-hand')
    assert [window.stamp_ns // DT_NS for window in windows] == [6, 10, 14]
    assert None not in windows[-1].load().earlier


def test_a_picture_that_is_broken_later_is_an_input_error(tmp_path):
    source = open_source(dataset(tmp_path / 'set'), CONFIG, OPTIONS)
    window = source.windows('drive-0')[0]
    (tmp_path / 'set/images/00000/0.jpg').write_bytes(b'none')
    with pytest.raises(InputError, match='need a picture'):
        window.load()


def test_a_recording_is_one_scene_and_its_end_has_a_shorter_truth(tmp_path):
    bag = bags.write_bag(tmp_path / 'bag', bags.drive(duration_s=12.0))
    source = open_source(bag, CONFIG, OPTIONS)
    assert source.scenes() == ('bag',)
    windows = source.windows('bag')
    known = [int(np.isfinite(window.truth[:, 0]).sum()) for window in windows]
    assert known[0] == 10
    assert known[-1] < 10
    assert known == sorted(known, reverse=True)
    assert np.allclose(windows[0].history[:, 0], 8.0, atol=0.05)
    assert windows[0].load().command == windows[0].command
    every = open_source(bag, CONFIG, SourceOptions(every_s=2.0)).windows('bag')
    assert len(every) < len(windows) / 3


@pytest.mark.parametrize(
    ('make', 'error', 'message'),
    [
        (lambda path: path, SourceError, 'need a data set, a nuScenes folder or a bag, got none'),
        (
            lambda path: dataset(path, scenes=1).joinpath('dataset.json').write_text('{}'),
            DatasetError,
            'need schema 1',
        ),
    ],
)
def test_what_is_none_is_said(tmp_path, make, error, message):
    make(tmp_path / 'x')
    with pytest.raises(error, match=message):
        open_source(tmp_path / 'x', CONFIG, OPTIONS)


@pytest.fixture
def tables(tmp_path):
    pytest.importorskip('nuscenes')
    return nuscenes(tmp_path / 'nuscenes')


def test_nuscenes_is_resampled_by_stamp(tables):
    source = open_source(tables, CONFIG, OPTIONS)
    assert source.scenes() == ('scene-0103',)
    windows = source.windows('scene-0103')
    apart = np.diff([window.stamp_ns for window in windows]) / 1e9
    assert apart.max() - apart.min() > 0.1  # keyframes are not 0.5 s apart
    for window in windows:
        assert np.allclose(window.history[:, 0], 6.0, atol=0.02)
        assert np.allclose(window.history[:, 1], 0.02, atol=1e-3)
    whole = [window for window in windows if np.isfinite(window.truth).all()]
    assert len(whole) > 10
    for window in whole:  # a circle has no memory: the same future from everywhere
        assert np.allclose(window.truth, whole[0].truth, atol=0.02)
    assert windows[0].load().frames[0].name == 'front'


def test_a_split_without_scenes_is_said(tables):
    for split, message in (('train', 'need scenes of train'), ('x', 'need a split of')):
        with pytest.raises(SourceError, match=message):
            open_source(tables, CONFIG, SourceOptions(split=split)).scenes()


def test_the_earlier_pictures_of_an_example_come_with_their_stamps(tmp_path):
    folder = write_dataset(tmp_path / 'set', [record(k) for k in range(4)])
    (folder / 'images/00000/1.jpg').write_bytes(b'none')
    first, _, _, last = open_source(folder, CONFIG, OPTIONS).windows('by-hand')
    assert first.load().earlier == (None, None)
    half, whole = last.load().earlier
    assert (half.stamp_ns, whole) == (last.stamp_ns - DT_NS, None)
    assert (half.rgb == read_rgb(folder / 'images/00000/2.jpg')).all()


def test_the_earlier_pictures_of_nuscenes_are_found_by_stamp(tables):
    window = open_source(tables, CONFIG, OPTIONS).windows('scene-0103')[3]
    given = window.load()
    number = int(given.frames[0].rgb[0, 0, 0])  # of the sweep: 12 a second
    for k, frame in enumerate(given.earlier, 1):
        assert frame is not None
        assert abs(int(frame.rgb[0, 0, 0]) - (number - 6 * k)) <= 2
