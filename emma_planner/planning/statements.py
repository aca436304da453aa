"""Facts read out of a chain of thought that is worded as this package words it.

What was said in, values out; nothing where nothing of the kind was said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from emma_planner.planning.types import Reasoning

UNKNOWN = 'unknown'
"""What is said of a scene where the picture shows nothing that the model knows."""
INTENTS = ('stop', 'decelerate', 'keep speed', 'accelerate')


@dataclass(frozen=True)
class Said:
    """What can be read out of a chain of thought.

    :param is_known: False where the scene is said to be unknown
    :param light: ``red``, ``yellow``, ``green`` or ``none``; empty when nothing was said of it
    :param light_m: to its stop line, None without
    :param lead_m: to the car that the ego follows, None without one
    :param intent: ``stop``, ``decelerate``, ``keep speed`` or ``accelerate``; empty without
    """

    is_known: bool
    light: str
    light_m: float | None
    lead_m: float | None
    intent: str


_LIGHT = re.compile(r'\b(red|yellow|green) light (\d+) m|\b(no) light')
_LEAD = re.compile(r'^(?:car|truck) (\d+) m\b.*follows it')


def read(reasoning: Reasoning) -> Said:
    """Read what was said."""
    is_known = reasoning.scene.strip(' .').lower() != UNKNOWN
    light = _LIGHT.search(reasoning.scene)
    leads = [_LEAD.search(thing) for thing in reasoning.objects]
    lead = next((float(found[1]) for found in leads if found), None)
    words = [word.strip() for word in reasoning.intent.rstrip('.').split(',')]
    intent = next((word for word in words if word in INTENTS), '')
    if light is None:
        return Said(is_known, '', None, lead, intent)
    state, distance, none = light.groups()
    distance_m = None if none else float(distance)
    return Said(is_known, 'none' if none else state, distance_m, lead, intent)
