"""Where something is, in words."""

from __future__ import annotations

import pytest

from emma_planner.planning.bearings import bearing_words


@pytest.mark.parametrize(('ahead', 'left', 'words'), [(10.0, 0.5, 'ahead'), (5.0, -5.0, 'right')])
def test_bearings_have_words(ahead, left, words):
    assert bearing_words(ahead, left) == words
