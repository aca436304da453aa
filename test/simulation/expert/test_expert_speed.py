"""Longitudinal laws: gaps, stops, slower places."""

from __future__ import annotations

import numpy as np
import pytest

from emma_planner.simulation.expert.speed import (
    FREE,
    HEADWAY_S,
    STANDSTILL_M,
    Cap,
    Cause,
    Follow,
    Limit,
    Profile,
    Stop,
    drive,
    gap_keeping,
)

S_M = np.arange(-60.0, 141.0)
OPEN = Profile(S_M, np.full(len(S_M), 12.0), [])
CAUSE = Cause(Limit.LEAD, 'lead', 50.0)


def test_behind_a_leader_of_the_same_speed_the_gap_of_the_headway_is_kept():
    for v in (0.0, 5.0, 12.0):
        gap = STANDSTILL_M + HEADWAY_S * v
        assert gap_keeping(v, gap, v, 0.0) == pytest.approx(0.0, abs=1e-9)
        assert gap_keeping(v, gap + 5.0, v, 0.0) > 0.0
        assert gap_keeping(v, 0.7 * gap, v, 0.0) < 0.0


def test_a_leader_that_brakes_is_answered_at_once():
    assert gap_keeping(12.0, 12.0, 12.0, -4.0) < gap_keeping(12.0, 12.0, 12.0, 0.0) - 0.3


def test_a_close_cut_in_at_the_same_speed_is_taken_calmly():
    assert -2.5 < gap_keeping(12.0, 5.0, 12.0, 0.0) < 0.0


@pytest.mark.parametrize('v', [3.0, 8.0, 12.0])
@pytest.mark.parametrize('room_m', [45.0, 60.0])
def test_it_stops_where_it_shall_with_comfort(v, room_m):
    motion = drive((0.0, v, 0.0), 3.6, OPEN, [Stop(room_m + 3.6, CAUSE)], [], 300)
    assert motion.s_m[-1] == pytest.approx(room_m, abs=0.6)
    assert motion.s_m.max() <= room_m + 0.05
    assert motion.speeds_mps[-1] < 0.05
    assert motion.accelerations_mps2.min() > -2.6
    moves = motion.speeds_mps[1:] > 0.1
    assert np.abs(np.diff(motion.accelerations_mps2))[moves].max() / 0.1 < 4.13


def test_a_stop_too_near_for_comfort_is_made_in_time_all_the_same():
    motion = drive((0.0, 12.0, 0.0), 3.6, OPEN, [Stop(3.6 + 18.0, CAUSE)], [], 100)
    assert motion.s_m[-1] < 18.3
    assert motion.accelerations_mps2.min() > -7.0 - 1e-9


def test_a_slower_place_is_reached_at_its_speed():
    cap = Cap(60.0, 80.0, 5.0, Cause(Limit.CURVE, '', 60.0))
    profile = Profile(S_M, np.full(len(S_M), 12.0), [cap])
    motion = drive((0.0, 12.0, 0.0), 3.6, profile, [], [], 150)
    inside = (motion.s_m > 60.0) & (motion.s_m < 79.0)
    assert motion.speeds_mps[inside].max() < 5.4
    assert motion.accelerations_mps2.min() > -2.3
    assert motion.speeds_mps[-1] > 8.0
    assert profile.at(70.0)[1].limit is Limit.CURVE
    assert profile.at(0.0) == (12.0, FREE)


def test_the_cause_is_what_limits_most_and_a_free_road_is_none():
    assert drive((0.0, 12.0, 0.0), 3.6, OPEN, [], [], 50).cause is FREE
    slow = Follow(30.0, 3.0, 0.0, CAUSE)
    far = Stop(120.0, Cause(Limit.RED_LIGHT, 'light', 120.0))
    assert drive((0.0, 10.0, 0.0), 3.6, OPEN, [far], [slow], 50).cause is CAUSE


def test_a_leader_that_need_not_be_followed_where_stopping_asks_for_less():
    beside = Follow(0.0, 8.0, 0.0, CAUSE, unless_stop_m=60.0)
    motion = drive((0.0, 8.0, 0.0), 3.6, OPEN, [], [beside], 10)
    assert motion.accelerations_mps2.min() > -2.0
