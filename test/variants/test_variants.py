"""Changes of inputs: of what they name, the same for the same stamp, more for more severity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emma_planner.planning.baselines import BaselinePlanner
from emma_planner.planning.types import (
    DT_NS,
    NS_PER_S,
    CameraFrame,
    EgoHistory,
    PlannerInput,
    Pose,
)
from emma_planner.variants.camera_faults import SEVERITIES
from emma_planner.variants.changed_planner import ChangedPlanner
from emma_planner.variants.registry import (
    ABLATION,
    CAMERA,
    IMPORTANCE,
    ODOMETRY,
    VARIANTS,
    VariantError,
    changes_of,
    is_mask,
    names_of,
)


def _situation(number: int, command: str = 'turn left') -> PlannerInput:
    """A picture with structure and a history with a bend; each number is another."""
    rng = np.random.default_rng(number)
    rows, columns = np.mgrid[0:90, 0:160]
    grey = 90 + 50 * np.sin(rows / 7.0 + number) + 40 * np.cos(columns / 11.0)
    rgb = np.clip(grey[..., None] + rng.normal(0, 5, (90, 160, 3)), 0, 255).astype(np.uint8)
    stamp_ns = number * DT_NS
    speeds, curvatures = np.linspace(4, 8, 10) + number, np.linspace(-0.02, 0.02, 10)
    history = EgoHistory(stamp_ns, speeds, curvatures + number * 1e-3, Pose(1, 2, 0.3), 'map')
    return PlannerInput((CameraFrame(stamp_ns, 'front', rgb),), history, command)


def _planner(text: str, seed: int = 0) -> ChangedPlanner:
    pool = [_situation(100 + k) for k in range(7)]
    return ChangedPlanner(
        BaselinePlanner('constant-action'), changes_of(text), lambda k: pool[k % 7], seed
    )


def _rgb(planner_input: PlannerInput) -> np.ndarray:
    return planner_input.frames[0].rgb


def _motion(planner_input: PlannerInput) -> np.ndarray:
    history = planner_input.history
    return np.column_stack([history.speeds_mps, history.curvatures_1pm])


ALL = [
    name
    for variant in VARIANTS.values()
    for name in ([f'{variant.name}:3'] if variant.has_severity else [variant.name])
]


@pytest.mark.parametrize('name', ALL)
def test_inputs_stay_inputs_and_the_given_ones_are_not_touched(name):
    planner = _planner(name)
    for number in range(3):
        given = _situation(number)
        pixels, motion = _rgb(given).copy(), _motion(given).copy()
        changed = planner.changed(given)
        assert (_rgb(given) == pixels).all()
        assert (_motion(given) == motion).all()
        assert _rgb(changed).shape == _rgb(given).shape
        assert _rgb(changed).dtype == np.uint8
        assert changed.stamp_ns == given.stamp_ns
        assert changed.history.ego_pose == given.history.ego_pose


@pytest.mark.parametrize('name', ALL)
def test_a_change_touches_what_it_names_alone(name):
    planner = _planner(name)
    planner.changed(_situation(0))
    given = _situation(1)
    changed = planner.changed(given)
    group = next(v.group for v in VARIANTS.values() if v.name == name.partition(':')[0])
    if group == CAMERA or name.startswith(('image', 'poster')):
        assert (_motion(changed) == _motion(given)).all()
        assert changed.command == given.command
    else:
        assert (_rgb(changed) == _rgb(given)).all()
    if group in (ODOMETRY, IMPORTANCE):
        assert changed.command == given.command


@pytest.mark.parametrize('name', ALL)
def test_the_same_stamp_and_seed_give_the_same_change(name):
    one, two = _planner(name), _planner(name)
    for number in range(3):
        first, second = one.changed(_situation(number)), two.changed(_situation(number))
        assert (_rgb(first) == _rgb(second)).all()
        assert (_motion(first) == _motion(second)).all()


def test_another_seed_gives_another_change():
    given = _situation(0)
    assert (
        _rgb(_planner('noise:2').changed(given)) != _rgb(_planner('noise:2', 1).changed(given))
    ).any()


@pytest.mark.parametrize(
    'name', ['noise', 'blur', 'fog', 'rain', 'darkness', 'overexposure', 'dirt', 'poster']
)
def test_a_more_severe_fault_changes_the_picture_more(name):
    given = _situation(0)
    pixels = _rgb(given).astype(float)
    changes = [
        np.abs(_rgb(_planner(f'{name}:{k}').changed(given)) - pixels).mean() for k in SEVERITIES
    ]
    assert changes == sorted(changes)
    assert changes[0] > 0.1


@pytest.mark.parametrize('name', ['odometry_noise', 'odometry_bias', 'odometry_late'])
def test_a_more_severe_fault_changes_the_motion_more(name):
    given = _situation(0)
    changes = [
        np.abs(_motion(_planner(f'{name}:{k}').changed(given)) - _motion(given)).mean(axis=0)
        for k in SEVERITIES
    ]
    assert (np.diff(changes, axis=0) > 0.0).all()


def test_wrong_exposure_is_too_long_or_too_short():
    given = [_situation(number) for number in range(12)]
    means = [
        _rgb(_planner('wrong_exposure:4').changed(item)).mean() / _rgb(item).mean()
        for item in given
    ]
    assert min(means) < 0.6
    assert max(means) > 1.2


def test_blank_is_grey_and_low_resolution_keeps_the_mean():
    given = _situation(0)
    assert (_rgb(_planner('image_blank').changed(given)) == 127).all()
    coarse = _rgb(_planner('image_low_resolution').changed(given))
    assert coarse.mean() == pytest.approx(_rgb(given).mean(), abs=1.0)
    assert coarse.std() < _rgb(given).std()


def test_a_frozen_picture_is_that_of_the_beginning_of_the_drive():
    planner = _planner('image_frozen')
    for number in range(4):
        assert (_rgb(planner.changed(_situation(number))) == _rgb(_situation(0))).all()
    later = _situation(2000)
    assert (_rgb(planner.changed(later)) == _rgb(later)).all()  # another drive
    assert (_rgb(planner.changed(_situation(1))) == _rgb(_situation(1))).all()  # and another


def test_pictures_of_the_past_come_behind_the_present_one_newest_first():
    planner = _planner('past_frames_3')
    given = [planner.changed(_situation(number)).frames for number in range(6)]
    assert [len(frames) for frames in given] == [1, 2, 3, 4, 4, 4]
    assert [frame.name for frame in given[5]] == [
        'front',
        'front 0.5 s ago',
        'front 1.0 s ago',
        'front 1.5 s ago',
    ]
    for ago, frame in enumerate(given[5]):
        assert frame.stamp_ns == (5 - ago) * DT_NS
        assert (frame.rgb == _rgb(_situation(5 - ago))).all()


def test_the_front_camera_alone_is_left_of_six():
    given = _situation(3)
    others = tuple(CameraFrame(given.stamp_ns, f'camera {k}', _rgb(given)) for k in range(5))
    surround = PlannerInput((*given.frames, *others), given.history, given.command)
    assert _planner('front_only').changed(surround).frames == given.frames


def test_what_is_asked_for_all_the_same_is_a_mask():
    assert is_mask('image_blank+fog:2')
    assert not is_mask('front_only')
    assert not is_mask('fog:2+past_frames_1')


def test_a_late_picture_is_an_earlier_one_and_its_stamp_is_not():
    planner = _planner('late_frames:2')
    shown = [planner.changed(_situation(number)) for number in range(5)]
    assert (_rgb(shown[4]) == _rgb(_situation(2))).all()
    assert shown[4].frames[0].stamp_ns == _situation(4).stamp_ns
    assert (_rgb(shown[1]) == _rgb(_situation(0))).all()


def test_a_dropped_picture_is_the_one_before_or_the_one_given():
    planner = _planner('dropped_frames:3')
    repeated = 0
    for number in range(40):
        pixels = _rgb(planner.changed(_situation(number)))
        now, before = _rgb(_situation(number)), _rgb(_situation(max(number - 1, 0)))
        assert (pixels == now).all() or (pixels == before).all()
        repeated += int(not (pixels == now).all())
    assert 5 < repeated < 30


def test_a_shuffled_picture_is_one_of_the_pool():
    pool = [_rgb(_situation(100 + k)) for k in range(7)]
    pixels = _rgb(_planner('image_shuffled').changed(_situation(0)))
    assert any((pixels == other).all() for other in pool)


def test_history_ablations_leave_the_present_or_nothing():
    given = _situation(0)
    present = _motion(_planner('history_present').changed(given))
    assert (present == _motion(given)[-1]).all()
    assert not _motion(_planner('history_zero').changed(given)).any()
    assert _planner('command_none').changed(given).command == 'follow lane'


def test_a_permuted_step_is_the_only_one_that_changes():
    given = _situation(0)
    changed = _motion(_planner('permuted_speed_3').changed(given)) != _motion(given)
    assert changed.sum() == 1
    assert changed[3, 0]
    changed = _motion(_planner('permuted_curvature').changed(given)) != _motion(given)
    assert changed[:, 1].all()
    assert not changed[:, 0].any()


def test_dropouts_repeat_what_was_measured_before():
    given = _situation(0)
    speeds = _motion(_planner('odometry_dropouts:4').changed(given))[:, 0]
    assert set(speeds) < set(_motion(given)[:, 0])
    assert (np.diff(speeds) >= 0.0).all()


def test_changes_are_made_one_after_the_other():
    given = _situation(0)
    both = _planner('history_zero+image_blank').changed(given)
    assert (_rgb(both) == 127).all()
    assert not _motion(both).any()
    assert changes_of('') == ()


def test_a_planner_plans_from_the_changed_inputs():
    planner = _planner('history_zero')
    plan = planner.plan(_situation(0))
    assert planner.name == 'constant-action'
    assert not plan.trajectory.speeds_mps.any()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('image_blnk', "need the name of a variant, got 'image_blnk'; nearest is image_blank"),
        ('fog', 'fog: need a severity of 1 to 5, got none'),
        ('fog:6', 'fog: need a severity of 1 to 5, got 6'),
        ('fog:x', 'fog: need a severity of 1 to 5, got x'),
        ('image_blank:2', "image_blank: need no severity, got '2'"),
        ('fog:1+', "need the name of a variant, got ''"),
        ('%%', "need the name of a variant, got '%%'; known: image_blank"),
    ],
)
def test_a_name_that_is_none_is_said_with_the_nearest(text, message):
    with pytest.raises(VariantError, match=message.replace('+', r'\+')):
        changes_of(text)


def test_groups_list_each_severity():
    assert 'fog:1' in names_of(CAMERA)
    assert len(names_of(CAMERA)) == 50
    assert 'image_blank' in names_of(ABLATION)
    for group in {variant.group for variant in VARIANTS.values()}:
        for name in names_of(group):
            assert len(changes_of(name)) == 1


def test_time_between_plans_does_not_begin_another_drive():
    planner = _planner('image_frozen')
    planner.changed(_situation(0))
    later = _situation(20 * NS_PER_S // DT_NS)
    assert (_rgb(planner.changed(later)) == _rgb(_situation(0))).all()


def _with_earlier(number: int) -> PlannerInput:
    before = (_situation(number - 1).frames[0], None)
    return replace(_situation(number), earlier=before)


@pytest.mark.parametrize('name', ['image_blank', 'fog:5', 'image_low_resolution', 'poster:3'])
def test_what_a_camera_shows_it_showed_before(name):
    given = _with_earlier(5)
    half, whole = _planner(name).changed(given).earlier
    assert (half.rgb != given.earlier[0].rgb).any()
    assert half.stamp_ns == given.earlier[0].stamp_ns
    assert whole is None
    if name == 'image_blank':
        assert (half.rgb == _rgb(_planner(name).changed(given))).all()


def test_a_camera_elsewhere_shows_what_was_before_there():
    other = replace(_situation(100), earlier=(_situation(99).frames[0], None))
    planner = ChangedPlanner(
        BaselinePlanner('constant-action'), changes_of('image_shuffled'), lambda _: other
    )
    changed = planner.changed(_with_earlier(5))
    assert (_rgb(changed) == _rgb(other)).all()
    assert changed.earlier == other.earlier


def test_a_frozen_camera_has_always_shown_the_same():
    planner = _planner('image_frozen')
    first = _with_earlier(5)
    planner.changed(first)
    changed = planner.changed(_with_earlier(6))
    for frame in (*changed.frames, *changed.earlier):
        assert (frame.rgb == _rgb(first)).all()


@pytest.mark.parametrize('name', ['late_frames:1', 'dropped_frames:5'])
def test_a_late_camera_shows_what_was_before_late_as_well(name):
    planner, is_late = _planner(name), []
    for number in range(3, 40):
        given = _with_earlier(number)
        changed = planner.changed(given)
        shown = changed.earlier[0].rgb
        late = (_rgb(changed) != _rgb(given)).any()
        is_late.append(late)
        assert (shown == _situation(number - (2 if late else 1)).frames[0].rgb).all()
    assert any(is_late)
