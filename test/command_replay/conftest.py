"""A recording, and ``emma replay`` run on it."""

from __future__ import annotations

import pytest
import synthetic_bags as bags

from emma_planner.cli import main


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    return bags.write_bag(tmp_path_factory.mktemp('command') / 'drive', bags.drive())


@pytest.fixture
def emma(tmp_path, capsys):
    """Return a function that runs ``emma replay``: its status, stdout and lines on stderr."""

    def run(bag, *options, out=tmp_path / 'out', quiet=True):
        flags = ['--quiet'] if quiet else []
        try:
            status = main(['replay', str(bag), '--out', str(out), *flags, *options])
        except SystemExit as err:  # argparse's way
            status = err.code
        written = capsys.readouterr()
        return status, written.out, written.err.splitlines()

    return run


@pytest.fixture
def fails(emma):
    """Return a function that wants exactly one line and gives it without its prefix."""

    def run(bag, *options, status=1, **how):
        found, _, lines = emma(bag, *options, **how)
        assert found == status
        (line,) = lines
        prefix, _, text = line.partition(': ')
        assert prefix == 'emma replay'
        return text

    return run
