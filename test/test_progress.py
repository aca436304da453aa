"""The progress bar shows on a terminal alone."""

from __future__ import annotations

import io
import os
import pty

import pytest

from emma_planner.progress import WIDTH, ProgressBar

END = '<end>'


@pytest.fixture
def terminal():
    """A pseudo-terminal: what to write to, and a function that returns what a person saw."""
    seen, end = pty.openpty()
    with os.fdopen(end, 'w') as stream:

        def read():
            stream.write(END)
            stream.flush()
            text = ''
            while END not in text:  # a terminal hands on what it has, not all at once
                text += os.read(seen, 100_000).decode()
            return text.removesuffix(END)

        yield stream, read
    os.close(seen)


def test_a_terminal_shows_how_far_it_is(terminal):
    stream, read = terminal
    with ProgressBar(10.0, 'drive', stream=stream) as bar:
        bar.update(5.0, '5.0 of 10.0 s')
        bar.update(10.0, '10.0 of 10.0 s')
    first, half, whole = read().split('\r')[1:4]
    assert first.startswith(f'drive [{" " * WIDTH}]   0 %')
    assert half.startswith(f'drive [{"#" * 16}{" " * 16}]  50 % 5.0 of 10.0 s')
    assert whole.startswith(f'drive [{"#" * WIDTH}] 100 %')


def test_the_same_percentage_is_not_drawn_again(terminal):
    stream, read = terminal
    with ProgressBar(1000.0, 'drive', stream=stream) as bar:
        for done in range(5):
            bar.update(float(done), '')
    assert read().count('drive') == 1


@pytest.mark.parametrize(('total', 'done'), [(0.0, 0.0), (0.0, 3.0), (-5.0, -2.0), (10.0, 99.0)])
def test_odd_totals_stay_within_the_bar(terminal, total, done):
    stream, read = terminal
    with ProgressBar(total, 'drive', stream=stream) as bar:
        bar.update(done, '')
    shares = [part.split(']')[1].split('%')[0] for part in read().split('\r') if ']' in part]
    assert all(0 <= int(share) <= 100 for share in shares)


def test_nothing_is_drawn_without_a_terminal():
    stream = io.StringIO()
    with ProgressBar(10.0, 'drive', stream=stream) as bar:
        bar.update(5.0, '')
    assert stream.getvalue() == ''


def test_nothing_is_drawn_when_quiet(terminal):
    stream, read = terminal
    with ProgressBar(10.0, 'drive', shown=False, stream=stream) as bar:
        bar.update(5.0, '')
    stream.write('end')
    assert read() == 'end'


def test_an_error_ends_the_line(terminal):
    stream, read = terminal
    with pytest.raises(RuntimeError), ProgressBar(10.0, 'drive', stream=stream):
        raise RuntimeError
    assert read().endswith('\n')
