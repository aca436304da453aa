"""A recording made under another clock is replayed in the time of its stamps."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import synthetic_bags as bags

from emma_planner.cli import main
from emma_planner.recordings.bags import BagReader
from emma_planner.recordings.stamp_time import StampClock, header_stamp

YEARS_NS = 10 * 365 * 86_400 * 1_000_000_000
EGO = {bags.ODOMETRY}


def stamped(stamp_ns):
    sec, nanosec = divmod(stamp_ns, 1_000_000_000)
    return SimpleNamespace(header=SimpleNamespace(stamp=SimpleNamespace(sec=sec, nanosec=nanosec)))


def recorded_later(slower=1):
    """A drive recorded years after, in a simulator that ran slower than the wall's clock."""
    return [
        replace(sample, log_ns=bags.START_NS + YEARS_NS + slower * (sample.log_ns - bags.START_NS))
        for sample in bags.drive(delay_ns=0)
    ]


def planned(path, out, capsys, *options):
    code = main(['replay', str(path), '--planner', 'constant-action', '--out', str(out), *options])
    said = capsys.readouterr()
    records = [json.loads(line) for line in (out / 'plans.jsonl').read_text().splitlines()[1:]]
    keys = ('stamp_ns', 'tick_ns', 'reason', 'history', 'poses')
    return code, said.out, [[record[key] for key in keys] for record in records]


@pytest.mark.parametrize('slower', [1, 3])
def test_the_plans_are_those_of_the_same_drive_recorded_on_time(tmp_path, capsys, slower):
    on_time = bags.write_bag(tmp_path / 'on_time', bags.drive(delay_ns=0))
    later = bags.write_bag(tmp_path / 'later', recorded_later(slower))
    code, said, plans = planned(on_time, tmp_path / 'a', capsys)
    code_later, said_later, plans_later = planned(later, tmp_path / 'b', capsys)
    assert code == code_later == 0
    assert plans_later == plans
    assert any(reason is None for _, _, reason, *_ in plans)
    assert 'header stamps' in said_later
    assert 'header stamps' not in said


def test_a_sensors_latency_is_not_another_clock(tmp_path):
    samples = bags.drive(delay_ns=300_000_000)
    with BagReader(bags.write_bag(tmp_path / 'late', samples)) as reader:
        assert not reader.follow_stamps(EGO)
        assert [message.log_ns for message in reader.messages()] == [s.log_ns for s in samples]


def test_the_recording_begins_and_ends_with_its_stamps(tmp_path):
    with BagReader(bags.write_bag(tmp_path / 'later', recorded_later())) as reader:
        assert reader.follow_stamps(EGO)
        assert reader.start_ns == bags.START_NS
        assert reader.end_ns == bags.START_NS + 11_950_000_000


def test_jitter_does_not_set_the_clock_back_but_a_loop_does():
    clock = StampClock(0)
    stamps = (10_000_000_000, 9_990_000_000, 10_020_000_000, 3_000_000_000)
    times = [clock.time_of(stamped(stamp_ns)) for stamp_ns in stamps]
    assert times == [10_000_000_000, 10_000_000_000, 10_020_000_000, 3_000_000_000]


def test_a_message_without_a_stamp_comes_with_the_one_before():
    clock = StampClock(5)
    assert clock.time_of(SimpleNamespace(data='turn left')) == 5
    assert clock.time_of(stamped(7_000_000_000)) == 7_000_000_000
    assert clock.time_of(SimpleNamespace(data='turn left')) == 7_000_000_000


def test_a_stamp_that_was_never_set_is_none():
    assert header_stamp(stamped(0)) is None
