from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ragembed.embed.elmo.characters import BEGIN, END, character_ids, lengths

WORD_BEGIN, WORD_END, PADDING = 259, 260, 261


def test_a_word_is_its_bytes_between_begin_and_end() -> None:
    row = character_ids(["hé"], 8)[0].tolist()
    # h is byte 104, é the bytes 195 and 169 of UTF-8, and all are one higher
    assert row == [WORD_BEGIN, 105, 196, 170, WORD_END, PADDING, PADDING, PADDING]


def test_the_ends_of_a_sentence_have_characters_of_their_own() -> None:
    ids = character_ids([BEGIN, END], 5)
    assert ids[0].tolist() == [WORD_BEGIN, 257, WORD_END, PADDING, PADDING]
    assert ids[1].tolist() == [WORD_BEGIN, 258, WORD_END, PADDING, PADDING]


def test_long_words_are_cut() -> None:
    assert character_ids(["x" * 3000], 6)[0].tolist() == [WORD_BEGIN, 121, 121, 121, 121, WORD_END]


def test_half_characters_are_passed_over() -> None:
    assert character_ids(["a\ud800b"], 6).tolist() == character_ids(["ab"], 6).tolist()


@given(st.lists(st.text(max_size=30), max_size=5), st.integers(3, 50))
def test_all_numbers_are_those_of_characters(words: list[str], longest: int) -> None:
    ids = character_ids(words, longest)
    assert ids.shape == (len(words), longest)
    assert ((ids >= 1) & (ids <= 261)).all()
    assert ((ids == WORD_END).sum(axis=1) == 1).all()
    np.testing.assert_array_equal(lengths(ids), [row.tolist().index(WORD_END) + 1 for row in ids])
