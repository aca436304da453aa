"""Launch arguments from the parameters: one each, and what was given back as typed values.

Pure: the launch files make ``DeclareLaunchArgument`` of these. An argument that was not given is
``''`` and overrides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from emma_planner.config import ConfigError, PlannerConfig, load_config
from emma_planner.resources import config_path, preset_names

NOT_GIVEN = ''
INPUT_TOPICS = tuple(item.name for item in fields(PlannerConfig) if item.name.endswith('_topic'))
OUTPUT_TOPICS = ('path', 'target_speed', 'reasoning', 'markers', 'overlay')
"""Remapped by the argument ``<name>_topic``; input topics are parameters."""


@dataclass(frozen=True)
class LaunchArgument:
    """A launch argument.

    :param default: None where it must be given
    """

    name: str
    description: str
    default: str | None = NOT_GIVEN


def parameter_arguments() -> tuple[LaunchArgument, ...]:
    """One argument for each parameter, not given by default."""
    return tuple(LaunchArgument(item.name, _describe(item)) for item in fields(PlannerConfig))


def node_arguments() -> tuple[LaunchArgument, ...]:
    """Arguments about the node rather than its parameters."""
    presets = ', '.join(preset_names())
    outputs = (
        LaunchArgument(f'{name}_topic', f'topic to publish {name} on, default {name}')
        for name in OUTPUT_TOPICS
    )
    return (
        LaunchArgument('preset', f'topics and camera of a source: {presets}'),
        LaunchArgument('config', 'parameter file (YAML); wins over the preset'),
        LaunchArgument('namespace', 'namespace of the node and of its relative topics'),
        LaunchArgument('node_name', 'name of the node', 'planner'),
        LaunchArgument('use_sim_time', 'take the time from /clock: true or false'),
        LaunchArgument('log_level', 'debug, info, warn, error or fatal', 'info'),
        *outputs,
    )


def parameter_overrides(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the typed values of those parameters that were given.

    :param texts: launch argument to text; others than parameters are left out
    :raises ConfigError: not a value of the parameter's type
    """
    return {
        item.name: typed(item.name, texts[item.name], type(item.default))
        for item in fields(PlannerConfig)
        if texts.get(item.name, NOT_GIVEN) != NOT_GIVEN
    }


@dataclass(frozen=True)
class LaunchParameters:
    """What the arguments come to, checked.

    :param files: parameter files, each wins over the one before
    :param overrides: values that win over the files, ``use_sim_time`` among them
    :param config: all of it merged
    """

    files: tuple[Path, ...]
    overrides: dict[str, Any]
    config: PlannerConfig


def read_arguments(texts: Mapping[str, str]) -> LaunchParameters:
    """Return the parameters that launch arguments give.

    :param texts: launch argument to text
    :raises ConfigError: unknown key, wrong type or out of range, in a file or an argument
    :raises ResourceError: no such preset
    """
    files = []
    if preset := texts.get('preset', NOT_GIVEN):
        files.append(config_path(f'{preset}.yaml'))
    if config := texts.get('config', NOT_GIVEN):
        files.append(Path(config).expanduser())
    overrides = parameter_overrides(texts)
    merged = PlannerConfig()
    for path in files:
        merged = load_config(path, base=merged)
    merged = load_config(overrides=overrides, base=merged)
    if text := texts.get('use_sim_time', NOT_GIVEN):
        overrides['use_sim_time'] = typed('use_sim_time', text, bool)
    return LaunchParameters(tuple(files), overrides, merged)


def output_remappings(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the remappings of those output topics that were given."""
    return [
        (name, texts[f'{name}_topic'])
        for name in OUTPUT_TOPICS
        if texts.get(f'{name}_topic', NOT_GIVEN) != NOT_GIVEN
    ]


def typed(name: str, text: str, kind: type) -> Any:
    """Return the value of an argument.

    :param kind: bool, int, float or str
    :raises ConfigError: not a value of that type
    """
    if kind is str:
        return text
    if kind is bool:
        values = {'true': True, '1': True, 'false': False, '0': False}
        if text.lower() not in values:
            raise ConfigError(f'{name}: need true or false, got {text!r}')
        return values[text.lower()]
    try:
        return kind(text)
    except ValueError as err:
        raise ConfigError(f'{name}: need {kind.__name__}, got {text!r}') from err


def _describe(item: Any) -> str:
    doc, unit, low, high, choices = (
        item.metadata[key] for key in ('doc', 'unit', 'low', 'high', 'choices')
    )
    parts = [f'{doc} [{unit}]' if unit else doc]
    if choices:
        parts.append(f'one of {", ".join(choices)}')
    if low is not None:
        parts.append(f'{low:g} to {high:g}')
    default = item.default if item.default != '' else "''"
    return '; '.join([*parts, f'default {default}'])
