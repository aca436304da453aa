"""``emma report``: one HTML page from the folders that other commands leave."""

from __future__ import annotations

import argparse
import platform
import subprocess
from pathlib import Path

from emma_planner.command_options import FAILED, fail
from emma_planner.report.markdown import to_markdown, write_between_marks
from emma_planner.report.page import write_report
from emma_planner.report.results import ReportError, read_results

NAME = 'report'


def run(arguments: argparse.Namespace) -> int:
    """Run the command; errors end in one line on stderr.

    :returns: 0 done, 1 failed
    """
    try:
        results = read_results(arguments.folders, arguments.seed)
        about = _about(arguments)
        size = write_report(arguments.out, results, title=arguments.title, about=about)
        if arguments.markdown is not None:
            write_between_marks(arguments.markdown, to_markdown(results, about))
    except ReportError as err:
        return fail(NAME, err, FAILED)
    print(f'{arguments.out}  {size / 1e6:.1f} MB')
    if arguments.markdown is not None:
        print(arguments.markdown)
    return 0


def _about(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    machine = arguments.machine or f'{platform.system()} {platform.machine()}'
    commit = arguments.commit or _commit()
    return [('commit', commit)] * bool(commit) + [('machine', machine)]


def _commit() -> str:
    """Return the commit of the source tree, empty where there is none."""
    try:
        done = subprocess.run(
            ['git', 'rev-parse', '--short', 'HEAD'],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parent,
        )
    except OSError:
        return ''
    return done.stdout.strip() if done.returncode == 0 else ''
