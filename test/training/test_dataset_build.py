"""A data set is the same however it was built, goes on after a cut, and is what was driven."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip('metadrive')

from emma_planner.planning.checks import intent_agrees
from emma_planner.planning.kinematics import integrate
from emma_planner.planning.parsing import parse_reasoning
from emma_planner.recordings.dataset import DatasetError, read_examples
from emma_planner.training import dataset_build
from emma_planner.training.dataset_build import BuildOptions, build_dataset

pytestmark = [pytest.mark.sim, pytest.mark.slow]
OPTIONS = BuildOptions('train', (2, 5), every_s=2.0, disturbed=1.0)


@pytest.fixture(scope='module')
def built(tmp_path_factory):
    """Two scenarios, a shard each."""
    folder = tmp_path_factory.mktemp('built') / 'set'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset_build, 'SCENARIOS_A_SHARD', 1)
        count = build_dataset(folder, OPTIONS)
    return folder, count


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def test_words_and_motion_agree_and_the_motion_was_driven(built):
    folder, count = built
    examples = list(read_examples(folder))
    assert len(examples) == count > 10
    for example in examples:
        motion = example.planned
        said = parse_reasoning(example.reasoning)
        assert intent_agrees(said.intent, motion) is True, example.reasoning
        assert example.facts['command'] == example.command
        for driven in (example.planned, example.future):
            poses = integrate(driven.speeds_mps, driven.curvatures_1pm)
            assert abs(poses[:, :2] - driven.poses[:, :2]).max() < 1.5
    assert any(example.facts['objects'] for example in examples)
    assert len({example.source for example in examples}) == 2


def test_a_build_that_was_cut_off_goes_on_and_is_the_same(built, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset_build, 'SCENARIOS_A_SHARD', 1)
    folder = tmp_path / 'set'

    def cut(done, total, examples):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_dataset(folder, OPTIONS, progress=cut)
    assert len(list((folder / 'shards').iterdir())) == 1
    assert not (folder / 'README.md').exists()
    (folder / 'images/00001').mkdir()  # half of the next shard
    (folder / 'images/00001/half.jpg').write_bytes(b'half')
    build_dataset(folder, OPTIONS)
    assert _files(folder) == _files(built[0])


def test_the_datasheet_says_what_is_in_it(built):
    text = (built[0] / 'README.md').read_text()
    assert f'{built[1]} examples of 2 drives in 2 shards' in text
    assert 'Intents' in text


def test_another_set_in_the_folder_is_refused(built):
    with pytest.raises(DatasetError, match='got another every_s'):
        build_dataset(built[0], BuildOptions('train', (2, 5), every_s=1.0, disturbed=1.0))


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / 'notes.txt').write_text('mine')
    with pytest.raises(DatasetError, match='need an empty folder'):
        build_dataset(tmp_path, OPTIONS)
    assert json.dumps(sorted(path.name for path in tmp_path.iterdir())) == '["notes.txt"]'


def test_a_scenario_whose_road_cannot_be_built_is_left_out_and_said(tmp_path):
    folder = tmp_path / 'set'
    options = BuildOptions('train', (673, 5), every_s=5.0, disturbed=0.0)
    assert build_dataset(folder, options) > 0
    assert {example.source for example in read_examples(folder)} == {'train-005'}
    assert '1 of 2 scenarios gave none' in (folder / 'README.md').read_text()
