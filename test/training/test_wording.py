"""What is said is true of the facts, agrees with the motion, and can be read back."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from training.examples_by_hand import FACTS, future

from emma_planner.planning.checks import intent_agrees
from emma_planner.planning.parsing import parse_reasoning
from emma_planner.planning.statements import read
from emma_planner.training.wording import (
    metres,
    mirrored_facts,
    mirrored_words,
    reasoning_text,
)

FUTURES = {
    'stop': future(np.linspace(5.0, 0.0, 10)),
    'decelerate': future(np.linspace(8.0, 4.0, 10)),
    'keep speed': future(6.0),
    'accelerate': future(np.linspace(2.0, 8.0, 10)),
}


def test_it_is_three_lines_that_the_parser_reads():
    reasoning = parse_reasoning(reasoning_text(FACTS, future()))
    assert reasoning.scene == 'straight, lane 1 of 2, red light 25 m, bright day, clear.'
    assert reasoning.objects == (
        'car 12 m ahead left, drives from left to right, the ego follows it',
    )
    assert reasoning.intent == 'change left, keep speed, lead.'


@pytest.mark.parametrize('intent', FUTURES)
@pytest.mark.parametrize('curvature', [0.0, 0.03, -0.03])
@pytest.mark.parametrize('lateral', ['keep lane', 'change right', 'pass obstacle left'])
def test_the_intent_agrees_with_the_motion_whatever_the_expert_meant(intent, curvature, lateral):
    speeds = FUTURES[intent].speeds_mps
    motion = future(speeds, curvature)
    facts = {**FACTS, 'intent': {**FACTS['intent'], 'lateral': lateral}}
    said = parse_reasoning(reasoning_text(facts, motion))
    assert intent_agrees(said.intent, motion) is True
    assert read(said).intent == intent


@pytest.mark.parametrize('state', ['red', 'yellow', 'green', None])
def test_light_and_lead_are_read_back(state):
    light = None if state is None else {'state': state, 'distance_m': 17.0}
    said = read(parse_reasoning(reasoning_text({**FACTS, 'light': light}, future())))
    assert said.light == (state or 'none')
    assert said.light_m == (None if state is None else 17.0)
    assert said.lead_m == 12.0


def test_nothing_said_is_nothing_read():
    said = read(parse_reasoning('hello'))
    assert (said.light, said.light_m, said.lead_m, said.intent) == ('', None, None, '')


def test_who_is_not_followed_is_no_lead():
    facts = copy.deepcopy(FACTS)
    facts['objects'][0]['why'] = 'goes first'
    assert read(parse_reasoning(reasoning_text(facts, future()))).lead_m is None


@pytest.mark.parametrize(
    ('distance', 'words'), [(0.2, '0 m'), (19.6, '20 m'), (23.0, '25 m'), (58.0, '60 m')]
)
def test_distances_are_told_to_the_metre_when_near(distance, words):
    assert metres(distance) == words


def test_a_mirror_swaps_sides_and_twice_is_nothing():
    once = mirrored_facts(FACTS)
    assert once['lane_index'] == 1
    assert once['command'] == 'turn right'
    assert once['objects'][0]['bearing'] == 'ahead right'
    assert once['objects'][0]['action'] == 'drives from right to left'
    assert once['intent']['lateral'] == 'change right'
    assert mirrored_facts(once) == FACTS
    assert mirrored_words('turn left, then right') == 'turn right, then left'
