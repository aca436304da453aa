"""What the commands share: their parameters, how they fail, and how they are interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from emma_planner.config import ConfigError, PlannerConfig, load_config, update_config
from emma_planner.resources import config_path

FAILED, USAGE = 1, 2
"""Exit codes."""


def config_of(arguments: argparse.Namespace) -> PlannerConfig:
    """Return the parameters: preset, then file, then options, each over the one before.

    :raises ConfigError: unknown key or value out of range
    """
    config = PlannerConfig()
    if arguments.preset:
        config = load_config(config_path(f'{arguments.preset}.yaml'), base=config)
    if arguments.config:
        config = load_config(arguments.config, base=config)
    options = {
        key: getattr(arguments, key)
        for key in ('model', 'planner', 'seed')
        if getattr(arguments, key) is not None
    }
    config = update_config(config, {**assignments(arguments.set), **options}, 'options')
    if config.variant:
        from emma_planner.variants.registry import changes_of

        changes_of(config.variant)
    return config


def assignments(texts: list[str]) -> dict[str, Any]:
    """Return what ``--set KEY=VALUE`` asks for.

    :raises ConfigError: no such form
    """
    values = {}
    for text in texts:
        key, equals, value = text.partition('=')
        if not equals:
            raise ConfigError(f'--set: need KEY=VALUE, got {text!r}')
        try:
            values[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as err:
            raise ConfigError(f'--set {key}: need a YAML value, got {value!r}') from err
    return values


@contextmanager
def interrupted_once() -> Iterator[None]:
    """Take SIGTERM as Ctrl-C, and further ones for nothing: results are being kept by then.

    After an interruption they stay without effect: the command is about to end, and an impatient
    signal shall not change how.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGINT, signal.SIGTERM)

    is_interrupted = False

    def interrupt(*_: object) -> None:
        nonlocal is_interrupted
        is_interrupted = True
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = [signal.signal(number, interrupt) for number in signals]
    try:
        yield
    finally:
        if not is_interrupted:
            for number, handler in zip(signals, before, strict=True):
                signal.signal(number, handler)


def why(error: BaseException) -> str:
    """Say why a command ended early."""
    return 'interrupted' if isinstance(error, KeyboardInterrupt) else str(error)


def fail(command: str, error: object, status: int) -> int:
    """Say in one line why a command failed.

    :returns: the exit code
    """
    print(f'emma {command}: {" ".join(str(error).split())}', file=sys.stderr)
    return status
