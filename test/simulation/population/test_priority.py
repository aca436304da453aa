"""Who goes first."""

from dataclasses import replace

import pytest
from simulation.roads_by_hand import junction

from emma_planner.simulation.population.priority import Approach, must_yield, rank_of

ME = Approach('car-05', 10.0, 18.0, 6.0, 0.0, 1)
OTHER = Approach('car-02', 10.0, 18.0, 6.0, 0.0, 1)


def test_who_is_inside_goes_on():
    inside = replace(OTHER, enter_m=-2.0, leave_m=6.0)
    assert must_yield(ME, inside)
    assert not must_yield(inside, ME)


def test_who_has_left_matters_no_more():
    assert not must_yield(ME, replace(OTHER, enter_m=-20.0, leave_m=-1.0))


def test_the_higher_rank_goes_first():
    assert must_yield(ME, replace(OTHER, rank=2))
    assert not must_yield(replace(ME, rank=2), OTHER)


def test_of_two_equals_exactly_one_waits():
    assert must_yield(ME, OTHER) != must_yield(OTHER, ME)


def test_far_apart_in_time_nobody_waits():
    late = replace(OTHER, enter_m=200.0, leave_m=208.0, rank=9)
    assert not must_yield(ME, late)


def test_a_long_wait_beats_the_rank_of_a_turn():
    waiting = replace(ME, speed_mps=0.0, waited_s=20.0, rank=0)
    straight = replace(OTHER, enter_m=14.0, leave_m=22.0, rank=2)
    assert not must_yield(waiting, straight)


@pytest.mark.parametrize(('speed', 'waited', 'yields'), [(6.0, 0.0, True), (0.0, 5.0, False)])
def test_the_moving_ego_is_let_pass_and_the_waiting_one_is_not_waited_for(speed, waited, yields):
    ego = replace(OTHER, name='ego', is_ego=True, speed_mps=speed, waited_s=waited, rank=0)
    assert must_yield(replace(ME, rank=2), ego) is yields


def test_straight_on_goes_before_turning_and_right_before_left():
    graph = junction()
    on, right, left = (
        rank_of(graph.lanes[f'b~{end}~0'], graph) for end in ('on', 'right', 'left')
    )
    assert on > right > left
