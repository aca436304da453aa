"""Every tick of a run is in one of the counts."""

from __future__ import annotations

from emma_planner.evaluation.counts import count_ticks

PERIOD_NS = 500_000_000


def record(tick: int, reason: str | None = None, source: str = 'plan'):
    return {'tick_ns': tick * PERIOD_NS + 3, 'reason': reason, 'source': source}


RECORDS = [
    record(0, 'short_history', 'none'),
    record(1, 'stale_image', 'none'),
    record(2, 'short_history', 'none'),
    record(4, 'implausible', 'stop'),
    record(5),
    record(8, 'timeout', 'last_plan'),
    record(9, 'implausible', 'last_plan'),
]


def test_ticks_without_input_are_apart_from_rejected_plans():
    counts = count_ticks(RECORDS)
    assert counts.ticks == 7
    assert counts.no_input == (('short_history', 2), ('stale_image', 1))
    assert counts.rejected == (('implausible', 2), ('timeout', 1))
    assert (counts.plans, counts.valid) == (4, 1)


def test_what_was_driven_adds_up_to_the_ticks():
    counts = count_ticks(RECORDS)
    assert dict(counts.driven) == {'none': 3, 'last_plan': 2, 'plan': 1, 'stop': 1}
    assert sum(dict(counts.driven).values()) == counts.ticks


def test_ticks_missing_between_the_first_and_the_last_were_missed():
    assert count_ticks(RECORDS, PERIOD_NS).missed == 3
    assert count_ticks(RECORDS).missed == 0


def test_a_tick_that_ended_twice_hides_no_missed_one():
    # a deadline that passes is one record, the late plan another
    assert count_ticks([*RECORDS, record(8, 'timeout', 'stop')], PERIOD_NS).missed == 3


def test_nothing_is_counted_as_nothing():
    counts = count_ticks([], PERIOD_NS)
    assert (counts.ticks, counts.missed, counts.plans, counts.valid) == (0, 0, 0, 0)
    assert counts.to_json()['driven'] == {}
