"""Planning windows finds what is right, counts what fails, and stands beside the baselines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from training.examples_by_hand import FACTS, future, record, write_dataset

from emma_planner.evaluation.open_loop import score
from emma_planner.planning.baselines import BaselinePlanner
from emma_planner.planning.parsing import parse_reasoning
from emma_planner.planning.types import Plan, Reason
from emma_planner.recordings.dataset import read_examples
from emma_planner.runs.dataset_source import window_of
from emma_planner.runs.scene_task import plan_windows
from emma_planner.training.learned_examples import with_unknown_picture


def scored(planner, examples):
    """Scores, and the means of the words."""
    found = score(list(plan_windows(planner, tuple(map(window_of, examples)))), planner.name)
    return found, {name: figure.mean for name, figure in found.words}


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
            trajectory=self._plans or example.planned,
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
    found, words = scored(Oracle(examples), examples)
    assert found.planner[1].ade.mean == pytest.approx(0.0, abs=1e-9)
    assert words == {'known': 1.0, 'light': 1.0, 'lead': 1.0, 'intent': 1.0, 'agrees': 1.0}
    assert found.failed == 0.0


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
    _, words = scored(Oracle(said), examples)
    assert (words['light'], words['lead'], words['intent']) == (light, lead, intent)


def test_who_does_not_know_a_known_scene_is_wrong(examples):
    unknown = [with_unknown_picture(examples[0]).reasoning, examples[1].reasoning]
    said = [replace(item, reasoning=text) for item, text in zip(examples, unknown, strict=True)]
    _, words = scored(Oracle(said), examples)
    assert words['known'] == 0.5
    assert words['light'] == 0.5


def test_a_lead_that_is_not_there_is_wrong(examples):
    _, words = scored(Oracle(examples, says=examples[0].reasoning), examples)
    assert words['lead'] == 0.5
    assert words['light'] == 0.5


def test_a_plan_that_does_not_do_what_it_says_disagrees(examples):
    speeding = future(np.linspace(2.0, 9.0, 10))
    found, words = scored(Oracle(examples, plans=speeding), examples)
    assert words['agrees'] == 0.0
    assert found.planner[1].averaged[2].mean > 0.5


def test_failed_plans_are_counted(examples):
    assert scored(Oracle(examples, reason=Reason.IMPLAUSIBLE), examples)[0].failed == 1.0


def test_baselines_stand_beside_and_say_nothing(examples):
    found, words = scored(BaselinePlanner('constant-action'), examples)
    assert set(dict(found.baselines)) == {
        'constant-action', 'constant-velocity', 'half-acceleration',
    }  # fmt: skip
    assert np.isnan(words['light'])


def test_a_picture_that_cannot_be_read_is_a_failed_plan(examples):
    examples[0].image.write_bytes(b'none')
    found, _ = scored(Oracle(examples), examples)
    assert dict(found.reasons) == {'image_corrupt': 1}
    assert found.planner[1].num_unplanned == 1
