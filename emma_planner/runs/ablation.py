"""Variants of a run: their names, and the parameters that each stands for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from emma_planner.config import ConfigError, PlannerConfig, update_config
from emma_planner.variants.camera_faults import SEVERITIES
from emma_planner.variants.registry import changes_of, is_mask

BASE = 'base'
MASKED, REAL, BOTH = 'masked', 'real', 'both'


@dataclass(frozen=True)
class Ablation:
    """One variant.

    :param name: as it was asked for
    :param config: with it
    :param kind: ``masked`` where inputs are changed and the model is asked all the same,
        ``real`` where it is asked with less, more or other parameters, ``both``
    """

    name: str
    config: PlannerConfig
    kind: str

    @property
    def folder(self) -> str:
        """Name of its folder."""
        return re.sub(r'[^A-Za-z0-9._=+-]+', '-', self.name)


def read_sets(path: Path) -> dict[str, tuple[str, ...]]:
    """Read sets of variants.

    :raises ConfigError: not a file of sets
    """
    try:
        values = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, yaml.YAMLError) as err:
        raise ConfigError(
            f'{path}: need sets of variants, got {" ".join(str(err).split())}'
        ) from err
    if not isinstance(values, dict) or not all(isinstance(v, list) for v in values.values()):
        raise ConfigError(f'{path}: need a list of variants under each name, got something else')
    return {str(name): tuple(map(str, items)) for name, items in values.items()}


def ablations(
    names: Sequence[str], sets: Mapping[str, Sequence[str]], config: PlannerConfig
) -> list[Ablation]:
    """Return the variants that are named, each once, in order.

    :param names: of sets or of variants
    :raises ConfigError: no such set, variant or parameter; with the nearest name
    """
    found: dict[str, Ablation] = {}
    for name in names:
        for item in sets.get(name, (name,)):
            for variant in _severities(item):
                found.setdefault(variant, _ablation(variant, config, sets))
    return list(found.values())


def _severities(item: str) -> Sequence[str]:
    name, star, rest = item.partition(':*')
    return [f'{name}:{severity}{rest}' for severity in SEVERITIES] if star else [item]


def _ablation(name: str, config: PlannerConfig, sets: Mapping[str, Sequence[str]]) -> Ablation:
    parts = [part.strip() for part in name.split('+')]
    changes = [part for part in parts if '=' not in part]
    values = [part.partition('=') for part in parts if '=' in part]
    parameters: dict[str, Any] = {key: yaml.safe_load(value) for key, _, value in values}
    variant = '+'.join([config.variant, *changes] if config.variant else changes)
    try:
        changes_of(variant)
    except ConfigError as err:
        near = difflib.get_close_matches(name, sets, n=1, cutoff=0.6)
        raise ConfigError(f'{err}' + (f'; nearest set is {near[0]}' if near else '')) from err
    if changes:
        parameters['variant'] = variant
    kinds = {MASKED if is_mask(part) else REAL for part in changes} | {REAL for _ in values}
    kind = kinds.pop() if len(kinds) == 1 else BOTH
    return Ablation(name, update_config(config, parameters, name), kind)
