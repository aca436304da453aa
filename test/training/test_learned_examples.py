"""What is learned when: the same for the same seed, rare things more often, mirrors of all."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from training.examples_by_hand import future, record, write_dataset

from emma_planner.planning.baselines import half_acceleration
from emma_planner.planning.checks import intent_agrees
from emma_planner.planning.kinematics import integrate
from emma_planner.planning.parsing import parse_reasoning
from emma_planner.planning.statements import read
from emma_planner.recordings.dataset import read_examples
from emma_planner.training.learned_examples import (
    FASTEST_MPS,
    Schedule,
    made_faster,
    mirrored,
    mistakes_of,
    weights_of,
    with_past_hidden,
    with_unknown_picture,
)


@pytest.fixture
def examples(tmp_path):
    rare = future(np.linspace(6.0, 0.0, 10))
    records = [record(k, future()) for k in range(16)] + [record(16, rare)]
    return list(read_examples(write_dataset(tmp_path / 'set', records)))


def test_a_rare_situation_is_learned_more_often_than_it_is(examples):
    weights = weights_of(examples)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[-1] == pytest.approx(4.0 * weights[0])


def test_samples_depend_on_seed_and_number_alone(examples):
    schedule, again, other = (Schedule(weights_of(examples), 0.5, 0.3, seed) for seed in (3, 3, 4))
    forward = [schedule.sample(k) for k in range(200)]
    assert [again.sample(k) for k in range(200)] == forward
    assert [other.sample(k) for k in range(200)] != forward
    assert schedule.sample(150) == forward[150]


def test_samples_are_drawn_by_weight_and_seen_by_share(examples):
    schedule = Schedule(weights_of(examples), 0.25, 0.4, seed=0)
    drawn = [schedule.sample(k) for k in range(8000)]
    counts = Counter(draw.number for draw in drawn)
    assert counts[16] / 8000 == pytest.approx(4.0 / 20.0, abs=0.02)
    assert np.mean([draw.is_mirrored for draw in drawn]) == pytest.approx(0.25, abs=0.02)
    assert np.mean([draw.is_past_hidden for draw in drawn]) == pytest.approx(0.4, abs=0.02)


def test_outliers_are_a_share_and_change_nothing_else(examples):
    weights = weights_of(examples)
    without, some = Schedule(weights, 0.25, 0.4, seed=0), Schedule(weights, 0.25, 0.4, 0, 0.1)
    drawn = [some.sample(k) for k in range(8000)]
    assert np.mean([draw.is_outlier for draw in drawn]) == pytest.approx(0.1, abs=0.01)
    for k, draw in enumerate(drawn[:500]):
        plain = without.sample(k)
        assert not plain.is_outlier
        assert (plain.number, plain.is_mirrored) == (draw.number, draw.is_mirrored)


def test_starting_off_is_a_situation_of_its_own(tmp_path):
    rise = future(np.linspace(0.5, 6.0, 10))
    rolling = [record(k, rise) for k in range(9)]
    standing = record(9, rise)
    standing['history']['speeds_mps'] = [0.0] * 10
    examples = list(read_examples(write_dataset(tmp_path / 'set', [*rolling, standing])))
    weights = weights_of(examples)
    assert weights[-1] == pytest.approx(3.0 * weights[0])


def test_a_rare_kind_of_road_is_learned_more_often_than_it_is(tmp_path):
    records = [record(k, future()) for k in range(10)]
    for row in records[:9]:
        row['facts'] = {**row['facts'], 'road': 'straight'}
    records[9]['facts'] = {**records[9]['facts'], 'road': 'split'}
    weights = weights_of(list(read_examples(write_dataset(tmp_path / 'set', records))))
    assert weights[-1] == pytest.approx(3.0 * weights[0])


def _driven_and_wanted(tmp_path, wanted, driven_curvature=0.0, driven_mps=5.0):
    """Five windows of one drive, 0.5 s apart, whose first wants something."""
    records = []
    for k in range(5):
        row = record(0, wanted if k == 0 else future())
        row['stamp_ns'] = 10_000_000_000 + 500_000_000 * k
        row['history'] = {
            'speeds_mps': [driven_mps] * 10,
            'curvatures_1pm': [driven_curvature] * 10,
        }
        records.append(row)
    return list(read_examples(write_dataset(tmp_path / 'set', records)))


def test_what_was_driven_as_wanted_is_no_mistake(tmp_path):
    examples = _driven_and_wanted(tmp_path, future(5.0, 0.02), driven_curvature=0.02)
    assert mistakes_of(examples) == pytest.approx(np.zeros(5), abs=1e-6)
    assert weights_of(examples, mistakes=2.0) == pytest.approx(weights_of(examples))


@pytest.mark.parametrize('side', [1.0, -1.0])
def test_a_gap_aside_grows_to_a_whole_mistake(tmp_path, side):
    # after 10 m, 2 s, a bend of radius 1 / k is k * 50 m aside
    for number, (curvature, share) in enumerate([(0.004, 0.2), (0.012, 0.6), (0.05, 1.0)]):
        wanted = future(5.0, side * curvature)
        examples = _driven_and_wanted(tmp_path / str(number), wanted)
        found = mistakes_of(examples)
        assert found[0] == pytest.approx(share, abs=0.01)
        assert (found[1:] == 0.0).all()


def test_a_brake_that_was_not_used_is_a_mistake_too(tmp_path):
    # 7.5 m were wanted and 10 m driven, where 1 m is none and 3 m a whole one
    wanted = future(np.linspace(4.5, 0.0, 10))
    assert mistakes_of(_driven_and_wanted(tmp_path, wanted))[0] == pytest.approx(0.75)


def test_a_mistake_is_learned_more_often(tmp_path):
    examples = _driven_and_wanted(tmp_path, future(5.0, 0.02))
    plain, more = weights_of(examples), weights_of(examples, mistakes=2.0)
    assert more.sum() == pytest.approx(1.0)
    ratio = (more[0] / more[1]) / (plain[0] / plain[1])
    assert ratio == pytest.approx(1.0 + 2.0 * mistakes_of(examples)[0])
    assert ratio > 2.9


def test_a_window_of_another_drive_says_nothing_of_what_was_driven(tmp_path):
    examples = _driven_and_wanted(tmp_path, future(5.0, 0.05))
    others = [replace(each, source='another') for each in examples[1:]]
    assert mistakes_of([examples[0], *others])[0] == 0.0


def test_a_hidden_past_says_the_present_alone(examples):
    hidden = with_past_hidden(examples[3])
    assert (hidden.history == examples[3].history[-1]).all()
    assert hidden.history.shape == examples[3].history.shape
    assert hidden.reasoning == examples[3].reasoning


def test_where_the_picture_is_unknown_the_ego_goes_on_and_says_so(examples):
    for example in examples:
        unknown = with_unknown_picture(example)
        planned = half_acceleration(example.ego_history())
        assert (unknown.planned.poses == planned.poses).all()
        said = parse_reasoning(unknown.reasoning)
        assert said.scene == 'unknown.'
        assert said.objects == ()
        assert intent_agrees(said.intent, unknown.planned) is True
        assert read(said).light == ''
        turned = mirrored(unknown)
        assert (turned.planned.curvatures_1pm == -planned.curvatures_1pm).all()
        assert intent_agrees(parse_reasoning(turned.reasoning).intent, turned.planned) is True


def test_a_faster_example_keeps_its_accelerations_and_stays_in_the_vocabulary(examples):
    speeds = []
    for seed in range(200):
        example = examples[seed % len(examples)]
        faster = made_faster(example, np.random.default_rng(seed))
        before, after = example.history, faster.history
        assert np.diff(after[:, 0]) == pytest.approx(np.diff(before[:, 0]), abs=1e-9)
        assert (after[:, 0] >= before[:, 0]).all()
        lateral = after[:, 0] ** 2 * np.abs(after[:, 1])
        moved = np.abs(before[:, 0]) + 1.0
        assert (lateral <= moved**2 * np.abs(before[:, 1]) + 1e-9).all()
        speeds.append(after[-1, 0])
    assert max(speeds) <= FASTEST_MPS
    assert max(speeds) > 30.0


def test_a_mirrored_example_is_that_of_the_mirrored_world(examples):
    example = examples[3]
    turned = mirrored(example)
    assert turned.command == 'turn right'
    assert (turned.future.curvatures_1pm == -example.future.curvatures_1pm).all()
    for motion in (turned.future, turned.planned):
        again = integrate(motion.speeds_mps, motion.curvatures_1pm)
        assert np.allclose(motion.poses, again, atol=1e-9)
    said, before = (parse_reasoning(item.reasoning) for item in (turned, example))
    assert read(said).light == read(before).light
    assert 'ahead right' in said.objects[0]
    back = mirrored(turned)
    assert back.reasoning == example.reasoning
    assert (back.planned.poses == example.planned.poses).all()
