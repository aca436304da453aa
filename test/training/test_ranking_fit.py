"""The weights are those of the driver that was watched."""

from __future__ import annotations

import numpy as np
import pytest
from training.examples_by_hand import FACTS, future, record, write_dataset

from emma_planner.planning.ranking import DEFAULT, FEATURES, Ranker
from emma_planner.recordings.dataset import read_examples
from emma_planner.training.ranking_fit import fit_ranker, log_likelihood


@pytest.fixture(scope='module')
def examples(tmp_path_factory):
    facts = {**FACTS, 'objects': []}
    rng = np.random.default_rng(0)
    records = [
        record(k, future(np.full(10, 5.0) + rng.normal(0, 0.3), rng.normal(0, 0.004)), facts)
        for k in range(60)
    ]
    return list(read_examples(write_dataset(tmp_path_factory.mktemp('fit') / 'set', records)))


def test_a_calm_driver_dislikes_what_is_not_calm(examples):
    ranker = fit_ranker(examples)
    weights = dict(zip(FEATURES, ranker.weights, strict=True))
    assert weights['acceleration'] < 0.0
    assert weights['jerk'] < 0.0
    assert weights['lateral error'] < 0.0


def test_the_fit_makes_the_driver_likelier_than_other_weights(examples):
    best = log_likelihood(examples, fit_ranker(examples))
    assert best > log_likelihood(examples, Ranker((0.0,) * 6))
    assert best > log_likelihood(examples, DEFAULT)
    assert log_likelihood(examples, Ranker((0.0,) * 6)) == pytest.approx(-np.log(16.0))


def test_it_is_the_same_every_time(examples):
    assert fit_ranker(examples) == fit_ranker(examples)


def test_nothing_to_learn_from_is_said():
    with pytest.raises(ValueError, match='need examples'):
        fit_ranker([])
