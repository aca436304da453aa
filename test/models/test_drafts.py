"""Drafts: what came behind the same tokens before; the longest match, then the latest, first."""

from __future__ import annotations

import pytest

from emma_planner.models.drafts import KEPT, LONGEST, Drafts, next_length


def _of(*replies: list[int]) -> Drafts:
    drafts = Drafts()
    for reply in replies:
        drafts.remember(reply)
    return drafts


def test_nothing_is_known_at_first_and_behind_what_was_never_said():
    assert Drafts().after([1, 2, 3], 8) == []
    assert _of([1, 2, 3]).after([7], 8) == []
    assert _of([1, 2, 3]).after([], 8) == []


def test_a_reply_goes_on_as_before_up_to_its_end():
    drafts = _of([1, 2, 3, 4, 5])
    assert drafts.after([1], 8) == [2, 3, 4, 5]
    assert drafts.after([1, 2], 2) == [3, 4]
    assert drafts.after([4, 5], 8) == []


def test_the_longest_match_counts_then_the_later_reply():
    drafts = _of([1, 2, 3, 10], [9, 2, 3, 11], [3, 12])
    assert drafts.after([1, 2, 3], 1) == [10]
    assert drafts.after([8, 2, 3], 1) == [11]
    assert drafts.after([8, 8, 3], 1) == [12]


def test_after_another_word_the_next_ones_are_found_again():
    assert _of([1, 2, 3, 4, 5, 6]).after([1, 2, 9, 4], 8) == [5, 6]


def test_old_replies_are_forgotten():
    drafts = _of([1, 2])
    for k in range(KEPT):
        assert drafts.after([1], 8) == [2]
        drafts.remember([100 + k, 3])
    assert drafts.after([1], 8) == []


@pytest.mark.parametrize(
    ('drafted', 'kept', 'length'), [(4, 4, 8), (0, 0, 2), (8, 3, 3), (8, 0, 1), (LONGEST,) * 3]
)
def test_a_draft_grows_where_it_is_kept_and_shrinks_where_not(drafted, kept, length):
    assert next_length(drafted, kept) == length
