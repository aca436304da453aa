"""Validation finds what is right, counts what fails, and stands beside the baselines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from training.examples_by_hand import FACTS, future, record, write_dataset

from emma_planner.planning.parsing import parse_reasoning
from emma_planner.planning.types import Plan, Reason
from emma_planner.recordings.dataset import read_examples
from emma_planner.training.learned_examples import trajectory_of
from emma_planner.training.validation import planner_input_of, validate, validate_baselines


class Oracle:
    """Says and plans what is true, or something else."""

    name = 'oracle'

    def __init__(self, examples, says=None, plans=None, reason=None):
        self._known = {example.stamp_ns: example for example in examples}
        self._says, self._plans, self._reason = says, plans, reason

    def plan(self, planner_input, time_limit_s=None):
        example = self._known[planner_input.stamp_ns]
        text = example.reasoning if self._says is None else self._says
        return Plan(
            stamp_ns=planner_input.stamp_ns,
            trajectory=self._plans or trajectory_of(example),
            reasoning=parse_reasoning(text),
            reason=self._reason,
            replies=(text, ''),
        )


@pytest.fixture
def examples(tmp_path):
    empty = {**FACTS, 'light': None, 'objects': []}
    records = [record(0, future(5.0)), record(1, future(np.linspace(8.0, 2.0, 10)), empty)]
    return list(read_examples(write_dataset(tmp_path / 'set', records)))


def test_who_knows_all_is_right_everywhere(examples):
    found = validate(Oracle(examples), examples)
    assert found.motion.ade.mean == pytest.approx(0.0, abs=1e-9)
    assert [figure.mean for figure in (found.light, found.lead, found.intent, found.agrees)] == [
        1.0
    ] * 4
    assert found.failed.mean == 0.0


@pytest.mark.parametrize(
    ('wrong', 'light', 'lead', 'intent'),
    [
        (('red light', 'green light'), 0.5, 1.0, 1.0),
        (('car 12 m', 'car 14 m'), 1.0, 1.0, 1.0),
        (('car 12 m', 'car 18 m'), 1.0, 0.5, 1.0),
        (('keep speed', 'stop'), 1.0, 1.0, 0.5),
    ],
)
def test_what_is_said_wrongly_is_counted(examples, wrong, light, lead, intent):
    said = [replace(item, reasoning=item.reasoning.replace(*wrong)) for item in examples]
    found = validate(Oracle(said), examples)
    figures = (found.light.mean, found.lead.mean, found.intent.mean)
    assert figures == (light, lead, intent)


def test_a_lead_that_is_not_there_is_wrong(examples):
    found = validate(Oracle(examples, says=examples[0].reasoning), examples)
    assert found.lead.mean == 0.5
    assert found.light.mean == 0.5


def test_a_plan_that_does_not_do_what_it_says_disagrees(examples):
    speeding = future(np.linspace(2.0, 9.0, 10))
    found = validate(Oracle(examples, plans=speeding), examples)
    assert found.agrees.mean == 0.0
    assert found.l2_m(3) > 0.5


def test_failed_plans_are_counted(examples):
    assert validate(Oracle(examples, reason=Reason.IMPLAUSIBLE), examples).failed.mean == 1.0


def test_baselines_stand_beside_and_say_nothing(examples):
    found = validate_baselines(examples)
    assert set(found) == {'constant-action', 'constant-velocity', 'half-acceleration'}
    assert np.isnan(found['constant-action'].light.mean)


def test_the_picture_can_be_taken_away(examples):
    seen = []

    def blank(planner_input):
        frame = planner_input.frames[0]
        seen.append(frame.rgb.any())
        return replace(planner_input, frames=(replace(frame, rgb=np.zeros_like(frame.rgb)),))

    validate(Oracle(examples), examples, blank)
    assert seen == [True, True]
    assert planner_input_of(examples[0]).frames[0].rgb.shape == (36, 64, 3)
