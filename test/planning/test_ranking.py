"""Plans are ranked by what they do; one plan is that plan."""

from __future__ import annotations

import numpy as np
import pytest

from emma_planner.planning.kinematics import integrate
from emma_planner.planning.ranking import DEFAULT, FEATURES, Ranker, features
from emma_planner.planning.types import EgoHistory, Pose, Trajectory

HISTORY = EgoHistory(0, np.full(10, 5.0), np.zeros(10), Pose(0.0, 0.0, 0.0), 'map')


def _plan(speeds=5.0, curvatures=0.0) -> Trajectory:
    speeds = np.broadcast_to(np.asarray(speeds, float), (10,)).copy()
    curvatures = np.broadcast_to(np.asarray(curvatures, float), (10,)).copy()
    return Trajectory(speeds, curvatures, integrate(speeds, curvatures))


def _column(name, plans, **how):
    return features(plans, HISTORY, **how)[:, FEATURES.index(name)]


def test_features_are_what_they_say():
    plans = [_plan(5.0), _plan(10.0), _plan(5.0, 0.04)]
    assert _column('progress', plans) == pytest.approx([2.5, 5.0, 2.5])
    assert _column('sideways', plans) == pytest.approx([0.0, 0.0, 1.0])
    assert _column('acceleration', plans)[[0, 1]] == pytest.approx([0.0, 10.0 / np.sqrt(10)])
    assert _column('jerk', plans)[0] == 0.0
    assert _column('lateral error', plans)[0] < _column('lateral error', plans)[1]


def test_clearance_is_what_is_missing_to_the_leader():
    plans = [_plan(2.0), _plan(5.0)]
    assert _column('clearance', plans).tolist() == [0.0, 0.0]
    assert _column('clearance', plans, lead_m=15.0) == pytest.approx([0.0, 2.0])


def test_one_plan_is_that_plan():
    assert DEFAULT.best([_plan(9.0, 0.1)], HISTORY) == 0


def test_the_middle_is_taken_and_who_does_not_hit_the_leader():
    plans = [_plan(5.0, -0.05), _plan(5.0), _plan(5.0, 0.05)]
    assert DEFAULT.best(plans, HISTORY) == 1
    stop = _plan(np.linspace(5.0, 0.0, 10))
    assert DEFAULT.best([_plan(5.0), stop], HISTORY, lead_m=12.0) == 1


def test_of_equals_the_first_is_taken():
    assert Ranker((0.0,) * 6).best([_plan(1.0), _plan(9.0)], HISTORY) == 0


@pytest.mark.parametrize('weights', [(1.0,), (np.nan,) * 6])
def test_wrong_weights_are_refused(weights):
    with pytest.raises(ValueError, match='need 6 finite weights'):
        Ranker(weights)
