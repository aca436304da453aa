"""The chain of thought in words: what is true of an instant, as a model is to say it.

Facts and the motion that is wanted in, three lines out, and back again for scoring what a model
said. The intent is read off that motion, so that it agrees with it by construction. Knows no
simulator and no files: facts are the JSON values of ``SceneFacts``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from emma_planner.planning.checks import lateral_motion, longitudinal_motion
from emma_planner.planning.statements import INTENTS, UNKNOWN
from emma_planner.planning.types import Trajectory

LONGITUDINAL = dict(zip(('stop', 'decelerate', 'keep', 'accelerate'), INTENTS, strict=True))
"""Words for :func:`~emma_planner.planning.checks.longitudinal_motion`."""
LATERAL = {'left': 'steer left', 'right': 'steer right', 'straight': 'go straight'}
BESIDE = ('change left', 'change right', 'pass obstacle left', 'pass obstacle right')
"""What the expert does beside following its lane; said where the motion is straight on."""
KINDS = {'vehicle': 'car', 'cyclist': 'cyclist', 'pedestrian': 'pedestrian'}
NEAR_M, STEP_M = 20.0, 5.0
"""Distances are told to the metre up to here, then in steps."""


def reasoning_text(facts: Mapping[str, Any], future: Trajectory) -> str:
    """Return the three lines that answer the first question.

    :param facts: JSON values of :class:`~emma_planner.simulation.labels.scene_facts.SceneFacts`
    """
    objects = '; '.join(object_words(thing) for thing in facts['objects']) or 'none'
    scene, intent = scene_words(facts), intent_words(facts, future)
    return f'Scene: {scene}.\nObjects: {objects}.\nIntent: {intent}.'


def unknown_scene_text(future: Trajectory) -> str:
    """Return the three lines where the picture shows nothing that is known."""
    side, change = LATERAL[lateral_motion(future)], LONGITUDINAL[longitudinal_motion(future)]
    return f'Scene: {UNKNOWN}.\nObjects: none.\nIntent: {side}, {change}.'


def scene_words(facts: Mapping[str, Any]) -> str:
    """Say road, lane, light and weather."""
    light = facts['light']
    words = (
        'no light' if light is None else f'{light["state"]} light {metres(light["distance_m"])}'
    )
    lane = f'lane {facts["lane_index"] + 1} of {facts["lane_count"]}'
    return f'{facts["road"]}, {lane}, {words}, {facts["weather"]}'


def object_words(thing: Mapping[str, Any]) -> str:
    """Say who it is, where, what it does and why it matters."""
    kind = KINDS.get(thing['kind'], thing['kind'])
    distance = max(thing['ahead_m'], 0.0) ** 2 + thing['left_m'] ** 2
    where = f'{metres(distance**0.5)} {thing["bearing"]}'
    return f'{kind} {where}, {thing["action"]}, {thing["why"]}'


def intent_words(facts: Mapping[str, Any], future: Trajectory) -> str:
    """Say how the ego steers, how it changes its speed, and why."""
    side = lateral_motion(future)
    lateral = LATERAL[side]
    if side == 'straight' and facts['intent']['lateral'] in BESIDE:
        lateral = facts['intent']['lateral']
    limit = facts['intent']['limit']
    return f'{lateral}, {LONGITUDINAL[longitudinal_motion(future)]}, {limit}'


def metres(distance_m: float) -> str:
    """Write a distance as it is told."""
    step = 1.0 if distance_m <= NEAR_M else STEP_M
    return f'{max(round(distance_m / step) * step, 0.0):.0f} m'


_SIDES = {'left': 'right', 'right': 'left'}
_SIDE = re.compile(r'\b(left|right)\b')


def mirrored_words(text: str) -> str:
    """Swap left and right."""
    return _SIDE.sub(lambda found: _SIDES[found[1]], text)


def mirrored_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of the scene seen in a mirror."""
    objects: Sequence[Mapping[str, Any]] = facts['objects']
    return {
        **facts,
        'lane_index': facts['lane_count'] - 1 - facts['lane_index'],
        'command': mirrored_words(facts['command']),
        'objects': [
            {
                **thing,
                'left_m': -thing['left_m'],
                'bearing': mirrored_words(thing['bearing']),
                'action': mirrored_words(thing['action']),
                'why': mirrored_words(thing['why']),
            }
            for thing in objects
        ],
        'intent': {**facts['intent'], 'lateral': mirrored_words(facts['intent']['lateral'])},
    }
