"""A data set is read as it was written, or it is said which line is wrong and why."""

from __future__ import annotations

import json

import numpy as np
import pytest
from training.examples_by_hand import record, write_dataset

from emma_planner.recordings.dataset import (
    HEADER,
    DatasetError,
    read_examples,
    read_header,
    write_text,
)


def test_examples_are_what_was_written(tmp_path):
    records = [record(k) for k in range(3)]
    examples = list(read_examples(write_dataset(tmp_path / 'set', records)))
    assert [example.stamp_ns for example in examples] == [item['stamp_ns'] for item in records]
    first = examples[0]
    assert first.command == 'turn left'
    assert first.future.speeds_mps.tolist() == records[0]['future']['speeds_mps']
    assert first.future.poses.shape == (10, 3)
    assert first.reasoning == records[0]['reasoning']
    assert first.image.is_file()


def test_what_was_planned_is_learned_and_what_was_driven_where_nobody_planned(tmp_path):
    records = [record(k) for k in range(2)]
    records[1]['planned'] = record(3)['future']
    without, with_plan = read_examples(write_dataset(tmp_path / 'set', records))
    assert without.planned is without.future
    assert with_plan.planned.speeds_mps.tolist() == records[1]['planned']['speeds_mps']
    assert with_plan.future.speeds_mps.tolist() == records[1]['future']['speeds_mps']


def _nan(item):
    item['future']['speeds_mps'][3] = float('nan')


def _nan_plan(item):
    item['planned'] = {**item['future'], 'curvatures_1pm': [float('nan')] * 10}


def _short(item):
    item['history']['curvatures_1pm'].pop()


def _no_picture(item):
    item['image'] = 'images/00000/none.jpg'


def _no_command(item):
    del item['command']


def _fast(item):
    item['future']['speeds_mps'][3] = 61.0


def _set(key, value):
    return lambda item: item.update({key: value})


@pytest.mark.parametrize(
    ('break_it', 'message'),
    [
        (_nan, r'00000\.jsonl:2: future\.speeds_mps: need finite numbers, got nan'),
        (_nan_plan, r':2: planned\.curvatures_1pm: need finite numbers, got nan'),
        (_short, r':2: history\.curvatures_1pm: need shape \(10,\), got \(9,\)'),
        (_no_picture, ':2: need the picture images/00000/none.jpg, got no such file'),
        (_no_command, ":2: no 'command'"),
        (_set('command', ''), ":2: command: need text, got ''"),
        (_set('reasoning', ['Scene']), r":2: reasoning: need text, got \['Scene'\]"),
        (_set('facts', []), ':2: facts: need road, lane_index'),
        (_set('facts', {'road': 'bend'}), ':2: facts: need road, .* got no lane_index'),
        (
            _set('patches', {'classes': '0'}),
            ":2: patches.classes: need 264 digits up to 8, got '0'",
        ),
        (
            _set('patches', {'classes': '9' * 264, 'depths': '0' * 264}),
            ":2: patches.classes: need 264 digits up to 8, got '999",
        ),
        (_fast, ':2: future: need speeds up to 60 m/s, got 61'),
    ],
)
def test_a_wrong_line_is_named_with_what_is_wrong(tmp_path, break_it, message):
    folder = write_dataset(tmp_path / 'set', [record(k) for k in range(3)])
    path = folder / 'shards/00000.jsonl'
    items = [json.loads(line) for line in path.read_text().splitlines()]
    break_it(items[1])
    path.write_text(''.join(json.dumps(item) + '\n' for item in items))
    with pytest.raises(DatasetError, match=message):
        list(read_examples(folder))


def test_a_line_that_is_cut_off_is_named(tmp_path):
    folder = write_dataset(tmp_path / 'set', [record(0)])
    path = folder / 'shards/00000.jsonl'
    path.write_text(path.read_text()[:100])
    with pytest.raises(DatasetError, match=r'00000\.jsonl:1: '):
        list(read_examples(folder))


@pytest.mark.parametrize(
    ('header', 'message'),
    [
        ('{"schema": 99}', 'need schema 1, got 99'),
        ('[]', 'need schema 1, got None'),
        ('{', 'need JSON'),
        (None, 'need a data set, got no dataset.json'),
    ],
)
def test_another_schema_is_refused(tmp_path, header, message):
    if header is not None:
        (tmp_path / HEADER).write_text(header)
    with pytest.raises(DatasetError, match=message):
        read_header(tmp_path)


def test_a_set_without_shards_is_refused(tmp_path):
    (tmp_path / HEADER).write_text('{"schema": 1}')
    with pytest.raises(DatasetError, match='need shards'):
        list(read_examples(tmp_path))


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / 'file'
    write_text(path, 'before')
    with pytest.raises(UnicodeEncodeError):
        write_text(path, 'after \ud800')
    assert path.read_text() == 'before'


def test_datasets_streams_the_same_lines(tmp_path):
    datasets = pytest.importorskip('datasets')
    folder = write_dataset(tmp_path / 'set', [record(k) for k in range(4)])
    stream = datasets.load_dataset(
        'json', data_files=str(folder / 'shards/*.jsonl'), streaming=True, split='train'
    )
    rows = list(stream)
    assert len(rows) == 4
    assert np.allclose(rows[1]['future']['poses'], record(1)['future']['poses'])


def test_the_earlier_pictures_are_those_of_the_same_drive_half_a_second_apart(tmp_path):
    records = [record(number) for number in range(6)]
    del records[2]
    for item in records[3:]:
        item['source'] = 'another'
    first, second, fourth, fifth, sixth = read_examples(write_dataset(tmp_path / 'set', records))
    assert first.earlier == (None, None)
    assert second.earlier == (first.image, None)
    assert fourth.earlier == (None, second.image)
    assert fifth.earlier == (None, None)
    assert sixth.earlier == (fifth.image, None)
