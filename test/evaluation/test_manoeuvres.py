"""Errors by what was driven."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation.test_predictions import prediction, straight

from emma_planner.evaluation.manoeuvres import UNKNOWN, balanced_ade_m, by_manoeuvre, manoeuvre_of
from emma_planner.planning.kinematics import integrate


def _driven(speeds, curvature=0.0, now=5.0, **others):
    truth = integrate(np.asarray(speeds, float), np.full(10, curvature))
    history = np.column_stack([np.full(10, now), np.zeros(10)])
    return prediction(truth=truth, history=history, **others)


@pytest.mark.parametrize(
    ('speeds', 'curvature', 'now', 'name'),
    [
        (np.full(10, 5.0), 0.0, 5.0, 'steady'),
        (np.linspace(5, 9, 10), 0.0, 5.0, 'accelerating'),
        (np.linspace(9, 5, 10), 0.0, 9.0, 'decelerating'),
        (np.linspace(9, 0, 10), 0.0, 9.0, 'stopping'),
        (np.zeros(10), 0.0, 0.0, 'standing'),
        (np.linspace(0, 6, 10), 0.0, 0.0, 'starting'),
        (np.full(10, 5.0), 0.05, 5.0, 'turning left'),
        (np.full(10, 5.0), -0.05, 5.0, 'turning right'),
    ],
)
def test_a_manoeuvre_is_what_was_driven(speeds, curvature, now, name):
    assert manoeuvre_of(_driven(speeds, curvature, now)) == name


def test_a_recording_that_ends_has_no_manoeuvre():
    assert manoeuvre_of(prediction(truth=straight(steps=4))) == UNKNOWN


def test_a_rare_manoeuvre_counts_as_much_as_a_frequent_one():
    easy = [_driven(np.full(10, 5.0), stamp_ns=k) for k in range(45)]
    hard = [_driven(np.full(10, 5.0), 0.05, stamp_ns=100 + k) for k in range(5)]
    found = {name: (count, figure.mean) for name, count, figure in by_manoeuvre([*easy, *hard])}
    assert found['steady'] == (45, pytest.approx(0.0, abs=1e-9))
    assert found['turning left'][0] == 5
    assert balanced_ade_m(by_manoeuvre([*easy, *hard])) == pytest.approx(
        found['turning left'][1] / 2
    )
    assert np.isnan(balanced_ade_m(by_manoeuvre([])))
