from __future__ import annotations

import pytest

from ragembed.chunk import boundaries
from ragembed.chunk.boundaries import (
    best_break,
    first_word,
    natural_end,
    natural_start,
    next_visible,
    trimmed,
)


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("one\n\ntwo\nthree. Four, five six", "one"),  # paragraph before line
        ("one\r\n\r\ntwo\r\nthree. Four, five six", "one\r"),
        ("one \n \t\n two, three", "one "),
        ("page one\n\fpage two. It has", "page one\n"),
        ("- one. And\n- two, more", "- one. And"),  # line before sentence
        ("One.\rTwo three", "One."),
        ("One ends. Two, three", "One ends."),  # sentence before clause
        ("one, two three", "one,"),  # clause before word
        ("一，二三", "一，"),
        ("one two/three", "one"),  # word before part
        ("path/to/the_file", "path/to/"),
        ("abcdef", "abcdef"),
    ],
)
def test_best_break_takes_the_highest_level(text: str, before: str) -> None:
    assert text[: best_break(text, 0, len(text))] == before


@pytest.mark.parametrize("name", ["paragraph", "line", "word", "clause", "part"])
def test_windows_are_open_below_and_closed_above(name: str) -> None:
    separator = {"paragraph": "\n\n", "line": "\n", "word": " ", "clause": ", ", "part": "/"}[name]
    last = getattr(boundaries, f"last_{name}")
    text = "aa" + separator + "bb"
    end = 3 if name in ("clause", "part") else 2  # a comma or slash belongs to what is before it
    assert last(text, 0, len(text)) == end
    assert last(text, 0, end) == end
    assert last(text, 0, end - 1) == 0
    assert last(text, end, len(text)) == 0


def test_wrapped_lines_are_no_boundary() -> None:
    text = "The first line of this paragraph goes on over\nthe next one, which ends here. And so on\nit goes"
    assert text[: best_break(text, 0, len(text))].endswith("ends here.")
    items = "- the first item of a list that is rather long\n- the second one. It has a sentence"
    assert items[: best_break(items, 0, len(items))].endswith("long")


def test_chunks_do_not_end_with_headings() -> None:
    text = "Text of one.\n\n# Two\n\n## Three\n\nText of three that is cut"
    end = natural_end(text, 0, 20, 40)
    assert text[:end].rstrip() == "Text of one."
    assert natural_end("# Only\n\na heading", 0, 2, 10) == 6  # nothing would be left


def test_many_headings_are_not_moved() -> None:
    text = "# a\n\n" * 50
    assert natural_end(text, 0, 50, 100) > 90


def test_overlap_begins_with_a_sentence_or_a_word() -> None:
    text = "One ends here. Two is the last"
    assert text[natural_start(text, 2, len(text)) :] == "Two is the last"
    assert text[natural_start(text, 17, len(text)) :] == "is the last"
    assert text[natural_start(text, 28, len(text)) :] == "st"
    assert natural_start("one\n\ntwo three", 1, 14) == 5


def test_first_word_may_begin_right_at_the_window() -> None:
    assert first_word("one two", 4, 7) == 4
    assert first_word("one two", 5, 7) == 7


def test_trimming() -> None:
    assert next_visible(" \n x", 0) == 3
    assert next_visible("x  ", 1) == 3
    assert trimmed("  ab  ", 0, 6) == (2, 4)
    start, end = trimmed(" \u3000 ", 0, 3)
    assert start >= end
