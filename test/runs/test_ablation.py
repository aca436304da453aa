"""The shipped sets of variants are what the registry has, and every item of them can be run."""

from __future__ import annotations

from emma_planner.config import PlannerConfig
from emma_planner.resources import config_path
from emma_planner.runs.ablation import BOTH, MASKED, REAL, ablations, read_sets
from emma_planner.variants.registry import CAMERA, IMPORTANCE, ODOMETRY, names_of

SETS = read_sets(config_path('evaluation/variants.yaml'))


def test_every_item_of_every_set_is_a_variant():
    for name in SETS:
        found = ablations([name], SETS, PlannerConfig())
        assert found
        assert len({variant.folder for variant in found}) == len(found)
        assert {variant.kind for variant in found} <= {MASKED, REAL}


def test_a_mask_is_told_from_what_is_taken_or_given_in_earnest():
    names = {
        'image_blank': MASKED,
        'use_image=false': REAL,
        'front_only': REAL,
        'past_frames_1': REAL,
        'image_blank+history_steps=3': BOTH,
        'image_blank+front_only': BOTH,
    }
    found = ablations(list(names), SETS, PlannerConfig())
    assert {variant.name: variant.kind for variant in found} == names


def test_the_sets_of_faults_have_all_that_there_are():
    for name, group in (
        ('camera_faults', CAMERA),
        ('odometry_faults', ODOMETRY),
        ('history_importance', IMPORTANCE),
    ):
        found = ablations([name], SETS, PlannerConfig())
        assert {variant.name for variant in found} == set(names_of(group))
