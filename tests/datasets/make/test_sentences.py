"""Paragraphs and sentences of prose, and how they read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.datasets.make.sentences import (
    before_item,
    paragraphs,
    plain,
    reads_as_prose,
    sentences,
    without,
)


def found(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text, paragraphs(text, 0, len(text)))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cats purr. Dogs bark! Do fish?", ["Cats purr.", "Dogs bark!", "Do fish?"]),
        ("V. 2.1, e.g. of Fig. 3, is out. It runs.", ["V. 2.1, e.g. of Fig. 3, is out.", "It runs."]),
        ("a wing was tested . the lift rose .", ["a wing was tested .", "the lift rose ."]),
        ("glucose was low. it rose 4 hr. after birth.", ["glucose was low. it rose 4 hr. after birth."]),
        ("glucose was measured. it rose.", ["glucose was measured.", "it rose."]),
        ("Costs are given.. Times are not..", ["Costs are given..", "Times are not.."]),
        ("Кошки спят. Собаки лают.", ["Кошки спят.", "Собаки лают."]),
        ("猫在睡觉。狗在叫！", ["猫在睡觉。", "狗在叫！"]),
    ],
)  # fmt: skip
def test_sentences(text: str, expected: list[str]) -> None:
    assert found(text) == expected


def test_items_of_a_list_are_paragraphs_and_code_is_none() -> None:
    text = "Do this:\n- Open the door.\n- [ ] Close it.\n1. Then go.\n\n    code here\n| a | b |\n# a comment\n$ run\n"
    assert found(text) == ["Do this:", "Open the door.", "Close it.", "Then go."]


def test_blocks_hold_no_prose() -> None:
    text = "Before it.\n```\nCode in here.\n```\nAfter it."
    block = (text.index("```"), text.rindex("```") + 3)
    spans = list(paragraphs(text, 0, len(text), [block]))
    assert [text[start:end] for start, end in spans] == ["Before it.", "After it."]


def test_plain_is_what_a_reader_sees() -> None:
    seen = "Use **the** [client](https://x.y/z_(a)) with `get_it` in _one_ snake_case\nword &amp; <b>more</b> {noise}."
    assert plain(seen) == "Use the client with get_it in one snake_case word & more ."
    assert plain("See :func:`open <x.open>` and 4\\. to\\_dict") == "See open and 4. to_dict"


def test_prose_is_mostly_letters() -> None:
    assert reads_as_prose("Cats purr at night.")
    assert reads_as_prose("猫在夜里睡觉")
    assert not reads_as_prose("x = {1: 2, 3: [4, 5]}")
    assert not reads_as_prose("")


def test_mark_of_an_item_belongs_to_it() -> None:
    text = "One.\n  - Two."
    assert before_item(text, text.index("Two")) == text.index("  -")
    assert before_item(text, 0) == 0
    assert before_item("see - Two.", 6) == 6


@given(st.text(alphabet="ab .\n-#|`。A", max_size=200))
def test_sentences_lie_in_order_within_the_text_and_hold_no_space_at_their_ends(text: str) -> None:
    last = 0
    for start, end in sentences(text, paragraphs(text, 0, len(text))):
        assert last <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        last = end


def test_without() -> None:
    assert without("abcdef", [(1, 2), (4, 6)]) == "acd"
    assert without("abc", []) == "abc"
