"""A car shows where it is about to go."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from simulation.roads_by_hand import junction, roundabout, two_lane_road

from emma_planner.simulation.population.cars import BLINK_S, CarState
from emma_planner.simulation.population.track import Track

DT_S = 0.1


def _car(graph, lanes: tuple[str, ...], s_m: float = 10.0, offset_m: float = 0.0) -> CarState:
    track = Track(tuple(graph.lanes[name] for name in lanes))
    rng = np.random.default_rng(0)
    return CarState('car-00', 'm', track, s_m, 6.0, 1.0, rng, offset_m=offset_m)


@pytest.mark.parametrize(
    ('way', 'side'),
    [
        (('b~left~0', 'left~l~0'), 'left'),
        (('b~right~0', 'right~r~0'), 'right'),
        (('b~on~0', 'on~o~0'), ''),
    ],
)
def test_it_indicates_a_turn_30_m_before_and_not_behind_it(way, side):
    graph = junction()
    lanes = ('a~b~0', *way)
    assert _car(graph, lanes, 15.0).indicator == ''
    assert _car(graph, lanes, 25.0).indicator == side
    assert _car(graph, lanes, 55.0).indicator == side
    assert _car(graph, way[1:], 2.0).indicator == ''


@pytest.mark.parametrize(('offset_m', 'side'), [(-3.5, 'left'), (3.5, 'right'), (0.3, '')])
def test_it_indicates_a_change_of_lanes(offset_m, side):
    graph = two_lane_road(300.0, 60.0)
    assert _car(graph, ('a~b~0',), offset_m=offset_m).indicator == side


def test_it_indicates_the_way_out_of_a_roundabout_and_not_the_way_in():
    graph = roundabout()
    way_in, circle = ('a~b~0', 'b~i0~0'), ('i0~o0~0', 'o0~i1~0', 'i1~o1~0')
    assert _car(graph, (*way_in, *circle), 40.0).indicator == ''
    assert _car(graph, (*circle, 'o1~e1~0', 'e1~x1~0'), 0.0).indicator == ''
    assert _car(graph, ('i1~o1~0', 'o1~e1~0', 'e1~x1~0'), 5.0).indicator == 'right'
    assert _car(graph, ('o1~e1~0', 'e1~x1~0'), 5.0).indicator == 'right'
    assert _car(graph, ('e1~x1~0',), 5.0).indicator == ''


def test_an_indicator_blinks():
    car = _car(two_lane_road(300.0, 60.0), ('a~b~0',), offset_m=-3.5)
    shown = []
    for step in range(140):
        car.driven_s = DT_S * step
        shown.append(car.to_actor().indicator)
    assert set(shown) == {'', 'left'}
    starts = sum(now != before for before, now in itertools.pairwise(shown))
    assert starts == pytest.approx(14.0 / BLINK_S, abs=2)
    assert shown.count('left') == pytest.approx(70, abs=12)
