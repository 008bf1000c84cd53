from __future__ import annotations

import pytest

from ragembed.chunk.sentences import first_sentence, last_sentence


def sentences(text: str) -> list[str]:
    """`text` cut before each sentence."""
    found: list[str] = []
    begin = 0
    while begin < len(text):
        following = first_sentence(text, begin + 1, len(text))
        found.append(text[begin:following].strip())
        begin = following
    return found


@pytest.mark.parametrize(
    "parts",
    [
        ["One ends.", "Two ends!", "Three?", "Four"],
        ["He met Dr. Smith, Mrs. Jones and Prof. J. R. Brown.", "They talked."],
        ["See Fig. 3 and e.g. Eq. 4 (cf. Sec. 5, No. 6, pp. 7).", "It holds."],
        ["The answer is no.", "We left."],
        ["Pi is 3.14 and version 1.2.3 is in file.txt here.", "Then more."],
        ["Wait... what is this?", "Nothing..."],
        ["Wait...", "This begins anew."],
        ['"Stop!" he said.', "She did not."],
        ['He said "Go."', "She went (at last.)", "All was well."],
        ["我们去北京。", "天气好！", "他说：“走吧。”", "你呢？"],
        ["كيف حالك؟", "أنا بخير."],
        ["यह एक वाक्य है।", "यह दूसरा है।"],
        ["He is taller than I.", "So it is."],
        ["Who?!", "Me."],
        ["In the U.S. Army it is 5 p.m. Monday.", "Then came Feb. 2."],
    ],
)
def test_sentences(parts: list[str]) -> None:
    separator = "" if parts[0].startswith("我") else " "
    assert sentences(separator.join(parts)) == parts


def test_numbers_of_list_items_end_nothing() -> None:
    assert sentences("1. First item here\n2. Second item here") == ["1. First item here\n2. Second item here"]


def test_text_without_capitals_has_sentences_where_no_better_end_is_near() -> None:
    text = "one ends here. two goes on"
    assert last_sentence(text, 0, len(text)) == len("one ends here.")
    text = "One ends. Two ends. three goes on"
    assert last_sentence(text, 0, len(text)) == len("One ends.")


def test_a_text_may_end_with_its_sentence() -> None:
    assert last_sentence("好。", 0, 2) == 2
    assert first_sentence("好。", 0, 2) == 2


def test_window_is_open_below_and_closed_above() -> None:
    text = "One. Two. Three."
    assert last_sentence(text, 4, 9) == 9
    assert last_sentence(text, 4, 8) == 0
    assert last_sentence(text, 9, 15) == 0


def test_long_windows_are_searched_whole() -> None:
    text = "First. " + "Word " * 400
    assert last_sentence(text, 0, len(text)) == len("First.")


def test_first_sentence() -> None:
    text = "One is. Two is. Three"
    assert first_sentence(text, 0, len(text)) == 8
    assert first_sentence(text, 8, len(text)) == 8  # begins right at the window's start
    assert first_sentence(text, 9, len(text)) == 16
    assert first_sentence(text, 9, 15) == 15  # none
