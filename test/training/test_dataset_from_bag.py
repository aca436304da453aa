"""A recording becomes examples: the inputs of a planner, the motion that was recorded after."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_bags import FORMATS, circle, drive, string_sample, write_bag

from emma_planner.config import PlannerConfig
from emma_planner.planning.types import Plan, Reason, Reasoning
from emma_planner.recordings.dataset import DatasetError, read_examples
from emma_planner.training.dataset_from_bag import build_from_bags

CONFIG = PlannerConfig()


class Teacher:
    """Says the same of every picture, or nothing."""

    name = 'teacher'

    def __init__(self, says: Reasoning | None) -> None:
        self._says = says

    def plan(self, planner_input, time_limit_s=None):
        if self._says is None:
            return Plan(planner_input.stamp_ns, None, reason=Reason.TIMEOUT)
        return Plan(
            stamp_ns=planner_input.stamp_ns,
            trajectory=None,
            reason=Reason.FORMAT,
            reasoning=self._says,
            replies=('', ''),
        )


@pytest.mark.parametrize('storage', FORMATS)
def test_examples_are_what_was_driven(tmp_path, storage):
    bag = write_bag(tmp_path / 'circle', drive(circle(8.0, 0.02), duration_s=14.0), storage)
    count = build_from_bags(tmp_path / 'set', [bag], CONFIG)
    examples = list(read_examples(tmp_path / 'set'))
    assert len(examples) == count == pytest.approx((14.0 - 4.5 - 5.0) / 0.5, abs=2)
    for example in examples:
        assert example.history[:, 0] == pytest.approx(8.0, abs=0.05)
        assert example.future.curvatures_1pm == pytest.approx(0.02, abs=1e-3)
        assert example.future.poses[-1, 2] == pytest.approx(0.8, abs=0.01)
        assert (example.reasoning, example.facts, example.patches) == ('', None, None)
    stamps = [example.stamp_ns for example in examples]
    assert min(np.diff(stamps)) >= 500_000_000


def test_the_command_of_the_recording_is_kept(tmp_path):
    samples = drive(duration_s=12.0)
    samples.insert(0, string_sample('/command', 'turn left', samples[0].log_ns))
    bag = write_bag(tmp_path / 'turn', samples, 'mcap')
    build_from_bags(tmp_path / 'set', [bag], CONFIG)
    assert {example.command for example in read_examples(tmp_path / 'set')} == {'turn left'}


def test_several_recordings_are_a_shard_each(tmp_path):
    bags = [write_bag(tmp_path / f'b{k}', drive(duration_s=11.0), 'mcap') for k in range(2)]
    seen = []
    build_from_bags(
        tmp_path / 'set', bags, CONFIG, progress=lambda done, count: seen.append((done, count > 0))
    )
    assert seen == [(1, True), (2, True)]
    assert {example.source for example in read_examples(tmp_path / 'set')} == {'b0', 'b1'}


def test_a_teacher_writes_the_words_and_one_that_fails_writes_none(tmp_path):
    bag = write_bag(tmp_path / 'bag', drive(duration_s=11.0), 'mcap')
    says = Reasoning('a road.', ('car ahead',), 'go on.')
    build_from_bags(tmp_path / 'said', [bag], CONFIG, teacher=Teacher(says))
    text = next(read_examples(tmp_path / 'said')).reasoning
    assert text == 'Scene: a road.\nObjects: car ahead.\nIntent: go on.'
    build_from_bags(tmp_path / 'failed', [bag], CONFIG, teacher=Teacher(None))
    assert next(read_examples(tmp_path / 'failed')).reasoning == ''


def test_a_recording_that_is_too_short_is_named(tmp_path):
    bag = write_bag(tmp_path / 'short', drive(duration_s=8.0), 'mcap')
    with pytest.raises(DatasetError, match=r'short: need a picture with 4\.5 s of motion'):
        build_from_bags(tmp_path / 'set', [bag], CONFIG)


def test_a_folder_with_files_is_refused(tmp_path):
    (tmp_path / 'x').write_text('x')
    with pytest.raises(DatasetError, match='need an empty folder'):
        build_from_bags(tmp_path, [], CONFIG)
