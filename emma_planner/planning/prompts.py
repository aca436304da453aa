"""PlannerInput to the two questions of a plan: reason about the scene, then give the actions.

The wording is the only place where a model is told its task; training, replay and the live node
share it. The answer's form comes from the action codec; a model that was trained on these prompts
is asked in few words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emma_planner.planning.actions import ActionCodec
from emma_planner.planning.bearings import bearing_words
from emma_planner.planning.types import DT_S, NUM_HISTORY, DetectedObject, PlannerInput

MOST_OBJECTS = 8
"""Of a detector's objects so many of the nearest are told."""


@dataclass(frozen=True)
class Told:
    """What a model is told of its situation; less is an ablation.

    :param earlier: the front camera's pictures of before, to a model that was trained with them
    :param history_steps: of the past, the last of ten; 0 for none
    """

    images: bool = True
    earlier: bool = True
    history_steps: int = NUM_HISTORY
    command: bool = True
    objects: bool = True


ALL = Told()


def reason_prompt(planner_input: PlannerInput, codec: ActionCodec, told: Told = ALL) -> str:
    """Return the first turn: the situation, and the three parts of the chain of thought."""
    if codec.is_taught:
        return f'{_situation(planner_input, codec, told)}\nReason.'
    return (
        f'{_situation(planner_input, codec, told)}\n'
        'Describe what matters for driving in three short lines:\n'
        'Scene: road, lanes, traffic lights, weather.\n'
        'Objects: up to three that the driver must heed, each with distance, side and motion; '
        'separate them with semicolons, or write none.\n'
        'Intent: what the car should do next, steering and speed.'
    )


def plan_prompt(
    planner_input: PlannerInput, codec: ActionCodec, told: Told = ALL, *, reasoned: bool
) -> str:
    """Return the turn that asks for the actions.

    :param reasoned: whether a reasoning turn came before; else this turn tells the situation
    """
    if not reasoned:
        return f'{_situation(planner_input, codec, told)}\n{codec.instructions()}'
    return codec.instructions() if codec.is_taught else f'Now plan. {codec.instructions()}'


def _situation(planner_input: PlannerInput, codec: ActionCodec, told: Told) -> str:
    history = planner_input.history
    steps = told.history_steps
    motion = codec.write_history(history.speeds_mps[-steps:], history.curvatures_1pm[-steps:])
    if codec.is_taught:
        parts = (told.command and planner_input.command, steps and motion)
        return '\n'.join(part for part in parts if part)
    lines = ['You drive a car.']
    if told.images:
        lines[0] += f' Camera: {", ".join(frame.name for frame in planner_input.frames)}.'
    if told.command:
        lines[0] += f' Route command: {planner_input.command}.'
    if told.objects and planner_input.objects is not None:
        lines.append(_found(planner_input.objects[:MOST_OBJECTS]))
    if steps:
        lines.append(
            f'The last {steps * DT_S:g} s in steps of {DT_S:g} s, oldest first, as '
            f'[speed m/s, curvature 1/(100 m), left positive]: {motion}'
        )
    return '\n'.join(lines)


def _found(objects: Sequence[DetectedObject]) -> str:
    words = (
        f'{thing.kind} {thing.distance_m:.0f} m {bearing_words(thing.ahead_m, thing.left_m)}'
        for thing in objects
    )
    return f'A detector found: {"; ".join(words) or "nothing"}.'
