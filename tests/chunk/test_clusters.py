from __future__ import annotations

import pytest

from ragembed.chunk.clusters import divides, whole_after, whole_before

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("ab", [0, 1, 2]),
        ("e\u0301x", [0, 2, 3]),
        ("a\r\nb", [0, 1, 3, 4]),
        (FAMILY + "a", [0, 5, 6]),
        ("\U0001f44d\U0001f3fda", [0, 2, 3]),
        ("\u2764\ufe0fa", [0, 2, 3]),
        ("\U0001f1eb\U0001f1f7\U0001f1ef\U0001f1f5", [0, 2, 4]),
        ("\u1112\u1161\u11ab\u1100", [0, 3, 4]),
        ("\ud83d\ude00a", [0, 2, 3]),
        ("กี่ก", [0, 3, 4]),
        (" \u0301", [0, 1, 2]),  # a mark after white space may begin a chunk
    ],
)
def test_where_a_cut_parts_nothing(text: str, whole: list[int]) -> None:
    assert [place for place in range(len(text) + 1) if not divides(text, place)] == whole


def test_cuts_move_out() -> None:
    text = "ab" + FAMILY + "cd"
    assert whole_before(text, 4, 0) == 2
    assert whole_after(text, 4, len(text)) == 7
    assert whole_before(text, 8, 0) == 8


def test_what_is_too_long_is_cut() -> None:
    marks = "a" + "\u0301" * 1000
    assert whole_before(marks, 500, 0) == 500
    assert whole_after(marks, 500, 900) == 900  # which means that nothing overlaps
    assert whole_before(FAMILY, 3, 0) == 3  # back to the chunk's start would leave nothing
