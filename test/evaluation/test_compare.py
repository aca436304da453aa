"""Comparisons of two runs: no difference is chance, a steady one is not."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation.test_predictions import prediction, straight

from emma_planner.evaluation.compare import compare, paired_errors
from emma_planner.evaluation.open_loop import blocks, score
from emma_planner.evaluation.self_test import SelfTestError, self_test

SCENES = [f'{k // 5}' for k in range(60)]


def test_a_steady_difference_is_no_chance():
    before = np.random.default_rng(0).uniform(0, 3, 60)
    change = compare(before, before + 0.5, SCENES)
    assert change.change.mean == pytest.approx(0.5)
    assert change.change.low == pytest.approx(0.5)
    assert change.p_value < 0.002
    assert change.after - change.before == pytest.approx(0.5)


def test_noise_is_chance():
    rng = np.random.default_rng(1)
    before = rng.uniform(0, 3, 60)
    change = compare(before, before + rng.normal(0, 1, 60), SCENES)
    assert change.change.low < 0.0 < change.change.high
    assert change.p_value > 0.05


def test_the_chance_of_noise_is_uniform():
    """A test at 10 % fires on about 10 % of runs in which nothing changed."""
    rng = np.random.default_rng(2)
    fired = [
        compare(np.zeros(60), rng.normal(0, 1, 60), SCENES, seed=k).p_value < 0.1
        for k in range(150)
    ]
    assert 0.03 < np.mean(fired) < 0.19


def test_a_scene_is_one_observation():
    """Sixty windows of one drive say no more than one drive."""
    change = compare(np.zeros(60), np.ones(60), ['same'] * 60)
    assert np.isnan(change.p_value)
    assert np.isnan(change.change.low)


def test_windows_without_a_value_are_left_out_of_both():
    before, after = np.array([1.0, np.nan, 2.0, 3.0]), np.array([2.0, 5.0, np.nan, 4.0])
    change = compare(before, after, ['a', 'b', 'c', 'd'])
    assert change.change.n == 2
    assert (change.before, change.after) == (2.0, 3.0)
    nothing = compare(np.full(3, np.nan), np.zeros(3), ['a', 'b', 'c'])
    assert nothing.to_json()['p_value'] is None
    assert nothing.to_json()['after'] is None


def test_errors_are_paired_by_scene_and_stamp():
    base = [prediction(scene=f's{k}', stamp_ns=k) for k in range(4)]
    variant = [
        prediction(scene=f's{k}', stamp_ns=k, poses=straight(6.0) if k else None,
                   reason='' if k else 'format')
        for k in reversed(range(4))
    ]  # fmt: skip
    before, after, failed, scenes = paired_errors(base, variant)
    assert before == pytest.approx(np.full(4, 2.75))
    assert np.isnan(after[0])
    assert after[1:] == pytest.approx(np.zeros(3))
    assert failed.tolist() == [[0.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    assert len(set(scenes)) == 4
    with pytest.raises(ValueError, match='need the same windows in both runs, got 1'):
        paired_errors(base, variant[1:])


def test_of_few_scenes_parts_are_drawn_and_of_many_the_scenes():
    few = [prediction(scene='a', stamp_ns=k * 1_000_000_000) for k in range(20)]
    assert len(set(blocks(few))) == 4
    many = [prediction(scene=f's{k // 2}', stamp_ns=k * 10_000_000_000) for k in range(20)]
    assert len(set(blocks(many))) == 10


def test_the_evaluation_proves_itself_on_what_it_scores():
    items = [
        prediction(stamp_ns=k, poses=straight(5.0 + k), truth=straight(6.0, steps=4 + k))
        for k in range(6)
    ]
    self_test([*items, prediction(stamp_ns=9, poses=None, reason='format')])


def test_an_evaluation_that_measured_otherwise_would_be_found(monkeypatch):
    from emma_planner.evaluation import self_test as module

    def late(predicted, truth, *rest, **options):
        """OpenEMMA's: the present pose against the one half a second ahead."""
        return module_summarise(np.roll(predicted, 1, axis=1), truth, *rest, **options)

    module_summarise = module.summarise
    monkeypatch.setattr(module, 'summarise', late)
    with pytest.raises(SelfTestError, match='a perfect prediction: need 0 m, got'):
        self_test([prediction()])


def test_a_plan_that_failed_and_said_nothing_said_nothing_right():
    from emma_planner.planning.types import Reasoning

    right = prediction(
        said=Reasoning('red light 21 m', (), 'stop'), true=Reasoning('red light 21 m', (), 'stop')
    )
    silent = prediction(stamp_ns=8, poses=None, reason='timeout', said=Reasoning())
    words = dict(score([right, silent], 'x').words)
    assert words['light'].mean == pytest.approx(0.5)
    assert words['intent'].mean == pytest.approx(0.5)
    baseline = prediction(stamp_ns=9, said=Reasoning())
    assert dict(score([right, baseline], 'x').words)['light'].mean == 1.0
