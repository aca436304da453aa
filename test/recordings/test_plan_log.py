"""A plan log reads back as written; what is broken is named with file and line."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from emma_planner.planning.fallback import Source
from emma_planner.planning.types import Latency, Plan, Reason
from emma_planner.recordings.plan_log import (
    PlanLogError,
    PlanLogHeader,
    PlanLogWriter,
    plan_record,
    read_plan_log,
    to_json_line,
)

HEADER = PlanLogHeader('mllm', 'a/model', 'abc', 'drive')


@pytest.fixture
def record(make_plan, make_driven, history):
    def make(intent='keep lane', history=history, plan=None, source=Source.PLAN, **more):
        return plan_record(
            plan or make_plan(intent, **more),
            make_driven(source),
            model='a/model',
            tick_ns=9,
            command='turn left',
            history=history,
        )

    return make


@pytest.fixture
def log(tmp_path):
    return tmp_path / 'plans.jsonl'


def write(path, *records):
    with PlanLogWriter(path, HEADER) as writer:
        for item in records:
            writer.write(item)


def read(path):
    header, records = read_plan_log(path)
    return header, list(records)


def test_a_log_reads_back_as_written(log, record):
    records = [record(), record('turn left', prompts=('p', 'q'), replies=('r\n', 's'))]
    write(log, *records)
    assert read(log) == (HEADER, records)


def test_a_record_holds_the_plan_in_the_frame_of_the_odometry(record):
    item = record()
    assert item['stamp_ns'] == 7
    assert item['tick_ns'] == 9
    assert item['frame_id'] == 'odom'
    assert item['command'] == 'turn left'
    assert item['speeds_mps'] == [8.0] * 10
    assert item['history']['curvatures_1pm'] == [0.02] * 10
    # half a second at 8 m/s from (1, 2) at 0.5 rad, turning by 0.08 rad
    chord = [1.0 + 4.0 * math.cos(0.54), 2.0 + 4.0 * math.sin(0.54), 0.58]
    assert item['poses'][0] == pytest.approx(chord, abs=5e-3)
    assert not item['fallback']


def test_a_failed_plan_keeps_its_reason_and_says_what_is_driven(record):
    plan = Plan(7, None, reason=Reason.MODEL_ERROR, detail='need a server')
    item = record(plan=plan, history=None, source=Source.STOP)
    assert (item['reason'], item['detail']) == ('model_error', 'need a server')
    assert (item['fallback'], item['source']) == (True, 'stop')
    assert item['poses'] is item['history'] is item['ego_pose'] is item['speeds_mps'] is None


def test_a_record_holds_the_path_that_is_driven(record, make_driven):
    item = record(source=Source.STOP)
    path = make_driven(Source.STOP)
    assert item['driven'] == {
        'stamps_ns': list(path.stamps_ns),
        'poses': path.poses.tolist(),
        'speeds_mps': path.speeds_mps.tolist(),
    }


def test_every_line_is_ascii_and_one_line(record):
    line = to_json_line(record('naïve\u2028\x85\n東京'))
    assert line.isascii()
    assert len(line.splitlines()) == 1


def test_lone_surrogates_of_a_reply_survive(log, record):
    write(log, record(replies=('half \ud83d pair',)))
    _, (item,) = read(log)
    assert item['replies'] == ['half \ud83d pair']


def test_nan_is_refused_in_writing(record):
    with pytest.raises(ValueError, match='Out of range'):
        to_json_line(record(latency=Latency(total_ms=float('nan'))))


@pytest.mark.parametrize('number', ['NaN', 'Infinity', '-Infinity'])
def test_nan_is_refused_in_reading(log, number):
    write(log)
    log.write_text(log.read_text() + f'{{"stamp_ns": {number}}}\n')
    with pytest.raises(PlanLogError, match=r'jsonl:2: need a JSON object, got a broken line'):
        read(log)


@pytest.mark.parametrize(
    ('broken', 'said'),
    [
        (b'{"a": 1', 'got a broken line'),
        (b'', 'got a broken line'),
        (b'\xff\xfe\x00', 'got a broken line'),
        (b'[' * 100_000, 'got a broken line'),
        (b'[1, 2]', 'need a JSON object, got list'),
    ],
)
def test_lines_before_a_broken_one_are_kept(log, record, broken, said):
    write(log, record(), record())
    log.write_bytes(log.read_bytes() + broken + b'\n')
    _, records = read_plan_log(log)
    assert next(records)['stamp_ns'] == next(records)['stamp_ns'] == 7
    with pytest.raises(PlanLogError, match=said) as caught:
        next(records)
    assert str(caught.value).startswith(f'{log}:4: ')


def test_a_log_that_is_cut_off_in_a_line_keeps_the_lines_before(log, record):
    write(log, record(), record())
    log.write_bytes(log.read_bytes()[:-40])
    _, records = read_plan_log(log)
    assert next(records)['stamp_ns'] == 7
    with pytest.raises(PlanLogError, match=r'plans.jsonl:3: '):
        next(records)


def test_what_is_written_is_on_disk_at_once(log, record):
    with PlanLogWriter(log, HEADER) as writer:
        writer.write(record())
        assert len(read(log)[1]) == 1


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        (
            {'version': 2},
            'need emma_planner/plan_log version 1, got emma_planner/plan_log version 2',
        ),
        ({'schema': 'other'}, 'got other version 1'),
        ({'model': None}, ':1: need model as text, got none'),
    ],
)
def test_another_header_is_refused(log, changes, said):
    write(log)
    log.write_text(json.dumps({**json.loads(log.read_text()), **changes}) + '\n')
    with pytest.raises(PlanLogError, match=said):
        read(log)


def test_an_empty_file_is_no_plan_log(log):
    log.touch()
    with pytest.raises(PlanLogError, match='got an empty file'):
        read(log)


def test_a_missing_file_is_named(log):
    with pytest.raises(PlanLogError, match=r'plans.jsonl: need a readable plan log, got No such'):
        read(log)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PlanLogError, match=r'no/plans.jsonl: need a writable file, got No such'):
        PlanLogWriter(tmp_path / 'no' / 'plans.jsonl', HEADER)


def test_a_full_disk_is_an_error_of_the_log(tmp_path, record):
    full = '/dev/full'
    with (
        pytest.raises((PlanLogError, OSError)),
        PlanLogWriter(type(tmp_path)(full), HEADER) as writer,
    ):
        writer.write(record())


def test_the_header_is_flat():
    assert set(json.loads(HEADER.to_json_line())) == {
        'schema',
        'version',
        *(item.name for item in dataclasses.fields(HEADER)),
    }
