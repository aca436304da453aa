"""The variants by name; a text names one as ``image_blank``, ``fog:3``, ``noise:2+rain:1``."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from emma_planner.config import ConfigError
from emma_planner.planning.types import NUM_HISTORY
from emma_planner.variants import ablations, camera_faults, odometry_faults
from emma_planner.variants.camera_faults import SEVERITIES
from emma_planner.variants.change import Change, PictureChange, on_all_pictures

ABLATION, CAMERA, ODOMETRY, ATTACK, IMPORTANCE = (
    'ablation',
    'camera fault',
    'odometry fault',
    'attack',
    'permutation',
)


PAST_FRAMES = (1, 3, 9)
"""Pictures of the past beside the present one."""


class VariantError(ConfigError):
    """No such variant; the message names the nearest."""


@dataclass(frozen=True)
class Variant:
    """One change of the inputs.

    :param name: as in a table
    :param group: what it belongs to
    :param make: severity (0 where there is none) to the change
    :param has_severity: whether it comes in severities 1 to 5
    :param is_mask: whether the model is asked for what is not there; else it is given less or more
    """

    name: str
    group: str
    make: Callable[[int], Change]
    has_severity: bool = False
    is_mask: bool = True


def _plain(name: str, change: Change, group: str = ABLATION) -> Variant:
    return Variant(name, group, lambda _: change)


def _in_earnest(name: str, change: Change) -> Variant:
    return Variant(name, ABLATION, lambda _: change, is_mask=False)


def _in_severities(name: str, group: str, make: Callable[[int], Change]) -> Variant:
    return Variant(name, group, make, has_severity=True)


def _camera(name: str, make: Callable[[int], PictureChange]) -> Variant:
    return _in_severities(name, CAMERA, lambda severity: on_all_pictures(make(severity)))


VARIANTS = {
    variant.name: variant
    for variant in (
        _plain('image_blank', ablations.image_blank),
        _plain('image_shuffled', ablations.image_shuffled),
        _plain('image_frozen', ablations.image_frozen),
        _plain('image_cropped', ablations.image_cropped),
        _plain('image_low_resolution', ablations.image_low_resolution),
        _plain('history_present', ablations.history_present),
        _plain('history_zero', ablations.history_zero),
        _plain('command_none', ablations.command_none),
        _plain('objects_none', ablations.objects_none),
        _in_earnest('front_only', ablations.front_only),
        *(
            _in_earnest(f'past_frames_{count}', ablations.past_frames(count))
            for count in PAST_FRAMES
        ),
        _camera('noise', camera_faults.noise),
        _camera('blur', camera_faults.blur),
        _camera('fog', camera_faults.fog),
        _camera('rain', camera_faults.rain),
        _camera('darkness', camera_faults.darkness),
        _camera('overexposure', camera_faults.overexposure),
        _camera('wrong_exposure', camera_faults.wrong_exposure),
        _camera('dirt', camera_faults.dirt),
        _in_severities('dropped_frames', CAMERA, camera_faults.dropped_frames),
        _in_severities('late_frames', CAMERA, camera_faults.late_frames),
        _in_severities('odometry_noise', ODOMETRY, odometry_faults.odometry_noise),
        _in_severities('odometry_bias', ODOMETRY, odometry_faults.odometry_bias),
        _in_severities('odometry_dropouts', ODOMETRY, odometry_faults.odometry_dropouts),
        _in_severities('odometry_late', ODOMETRY, odometry_faults.odometry_late),
        Variant(
            'poster',
            ATTACK,
            lambda severity: on_all_pictures(camera_faults.poster(severity)),
            has_severity=True,
        ),
        _plain('permuted_speed', ablations.permuted('speeds_mps'), IMPORTANCE),
        _plain('permuted_curvature', ablations.permuted('curvatures_1pm'), IMPORTANCE),
        *(
            _plain(f'permuted_{name}_{step}', ablations.permuted(channel, step), IMPORTANCE)
            for name, channel in (('speed', 'speeds_mps'), ('curvature', 'curvatures_1pm'))
            for step in range(NUM_HISTORY)
        ),
    )
}


def changes_of(text: str) -> tuple[Change, ...]:
    """Return the changes that a text names, in order; none for an empty one.

    :param text: names with severities, as ``fog:3``, joined by ``+``
    :raises VariantError: no such name or severity
    """
    return tuple(map(_change, _parts(text)))


def is_mask(text: str) -> bool:
    """Whether every change that a text names is a mask: what is changed is asked for all the same.

    :param text: as for :func:`changes_of`
    """
    return all(_variant(part.partition(':')[0]).is_mask for part in _parts(text))


def names_of(group: str) -> tuple[str, ...]:
    """Return all variants of a group, each severity by itself."""
    return tuple(
        name
        for variant in VARIANTS.values()
        if variant.group == group
        for name in (
            [f'{variant.name}:{severity}' for severity in SEVERITIES]
            if variant.has_severity
            else [variant.name]
        )
    )


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split('+')] if text.strip() else []


def _variant(name: str) -> Variant:
    variant = VARIANTS.get(name)
    if variant is None:
        near = difflib.get_close_matches(name, VARIANTS, n=1, cutoff=0.4)
        hint = f'; nearest is {near[0]}' if near else f'; known: {", ".join(VARIANTS)}'
        raise VariantError(f'need the name of a variant, got {name!r}{hint}')
    return variant


def _change(text: str) -> Change:
    name, colon, level = text.partition(':')
    variant = _variant(name)
    if not variant.has_severity:
        if colon:
            raise VariantError(f'{name}: need no severity, got {level!r}')
        return variant.make(0)
    if level not in [str(severity) for severity in SEVERITIES]:
        first, last = SEVERITIES[0], SEVERITIES[-1]
        raise VariantError(f'{name}: need a severity of {first} to {last}, got {level or "none"}')
    return variant.make(int(level))
