"""A node of this package in a process of its own: started with its parameters, stopped politely.

Its parameters and what it says are kept in files, for people and for error lines. No rclpy here.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

STOP_LIMIT_S = 15.0


@dataclass(frozen=True)
class NodeFiles:
    """Where parameters and log of a node are kept."""

    parameters: Path
    log: Path


def start_node(
    code: Sequence[str],
    parameters: Mapping[str, Any],
    files: NodeFiles,
    ros_arguments: Sequence[str] = (),
    *,
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a node in simulated time.

    :param code: what the interpreter runs, as ``('-m', 'emma_planner.ros.planner_node')``
    :param environment: None for this process's own
    """
    values = {**parameters, 'use_sim_time': True}
    text = yaml.safe_dump({'/**': {'ros__parameters': values}}, sort_keys=False)
    files.parameters.write_text(text)
    command = [python, *code, '--ros-args', *ros_arguments]
    command += ['--params-file', str(files.parameters)]
    with files.log.open('ab') as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)


def stop_node(process: subprocess.Popen[bytes]) -> None:
    """Ask a node to stop, and end it where it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def how_it_ended(code: int) -> str:
    """Return how a process ended, from its exit code."""
    return f'by {signal.Signals(-code).name}' if code < 0 else f'with status {code}'
