"""Scenarios and their splits."""

import itertools
import re
from dataclasses import replace

import pytest

from emma_planner.simulation.scenario import (
    BLOCKS,
    SPLITS,
    ScenarioError,
    scenario_of,
    split_size,
)


def test_splits_do_not_share_a_world():
    ranges = sorted((first, first + size) for first, size in SPLITS.values())
    for (_, end), (start, _) in itertools.pairwise(ranges):
        assert end <= start


def test_val_and_test_have_a_hundred_scenarios_each():
    assert split_size('val') == split_size('test') == 100


def test_a_scenario_is_the_same_every_time():
    assert scenario_of('val', 17) == scenario_of('val', 17)
    assert scenario_of('val', 17) != scenario_of('test', 17)


def test_names_tell_split_and_number():
    assert scenario_of('test', 3).name == 'test-003'


def test_every_feature_occurs_in_val():
    found = [scenario_of('val', k) for k in range(100)]
    assert {block for item in found for block in item.blocks} == set(BLOCKS)
    for name in ('pedestrians', 'parked_cars', 'broken_down', 'cut_ins', 'braking_leads'):
        assert sum(getattr(item, name) > 0 for item in found) >= 10, name
    assert {item.lights for item in found} == {False, True}
    assert len({item.traffic_density for item in found}) >= 3
    assert len({item.weather for item in found}) >= 4
    assert {item.lane_count for item in found} == {1, 2, 3}


def test_a_density_replaces_the_scenarios_own_and_nothing_else():
    plain, dense = scenario_of('val', 2), scenario_of('val', 2, 0.3)
    assert dense.traffic_density == 0.3
    assert replace(dense, traffic_density=plain.traffic_density) == plain


@pytest.mark.parametrize(
    ('split', 'number', 'density', 'message'),
    [
        ('vall', 0, None, "need a split of train, val, test, got 'vall'"),
        ('val', 100, None, 'val: need a seed of 0 to 99, got 100'),
        ('val', -1, None, 'val: need a seed of 0 to 99, got -1'),
        ('val', 0, 1.5, 'need a traffic density of 0 to 1, got 1.5'),
        ('val', 0, float('nan'), 'need a traffic density of 0 to 1, got nan'),
    ],
)
def test_what_does_not_exist_is_named(split, number, density, message):
    with pytest.raises(ScenarioError, match=re.escape(message)):
        scenario_of(split, number, density)


def test_features_read_as_a_list():
    item = replace(
        scenario_of('val', 0),
        lights=True,
        pedestrians=2,
        parked_cars=0,
        broken_down=0,
        cut_ins=1,
        braking_leads=0,
    )
    assert item.features() == 'lights, 2 pedestrians, 1 cut-ins'


def test_no_road_becomes_wider_than_the_simulator_builds():
    for number in range(3000):
        scenario = scenario_of('train', number)
        lanes = scenario.lane_count
        for block in scenario.blocks:
            lanes += block == 'Y'
            assert lanes <= 5, scenario.name
