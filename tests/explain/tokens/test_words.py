from __future__ import annotations

import numpy as np
import pytest

from ragembed.encoder.tokenizer import Subword
from ragembed.explain.tokens.words import Word, attended, greatest, joins, stripped, summed

WORDS = [Word("a", 0, 1, 0, 1), Word("bcd", 2, 5, 1, 4), Word("e", 6, 7, 4, 5)]
"""Of five tokens, the middle three of them one word."""


@pytest.mark.parametrize(
    ("text", "before", "after", "same", "expected"),
    [
        ("unable", (0, 2), (2, 6), True, True),
        ("un able", (0, 2), (3, 7), True, False),
        ("don't", (0, 3), (3, 4), True, False),
        ("...", (0, 1), (1, 2), True, True),
        (", a", (0, 1), (1, 2), True, False),  # some tokenizers have tokens of a blank alone
        ("中国", (0, 1), (1, 2), False, False),
        ("कि", (0, 1), (1, 2), True, True),  # a vowel sign belongs to its letter
        ("🙂", (0, 1), (0, 1), True, True),  # two pieces of one character
    ],
)
def test_which_pieces_are_one_word(
    text: str, before: tuple[int, int], after: tuple[int, int], same: bool, expected: bool
) -> None:
    pieces = Subword(0, "", *before, 0), Subword(0, "", *after, 0 if same else 1)
    assert joins(text, *pieces) is expected


def test_white_space_is_no_part_of_a_token() -> None:
    assert stripped("a  bc d", 1, 5) == (3, 5)
    assert stripped("a \n b", 1, 4) == (1, 4)


def test_numbers_of_words() -> None:
    values = np.array([[1.0, 2, 3, 4, 5], [5, 4, 3, 2, 1]])
    assert summed(values, WORDS).tolist() == [[1, 9, 5], [5, 9, 1]]
    assert greatest(values, WORDS).tolist() == [[1, 4, 5], [5, 4, 1]]
    assert summed(values, []).shape == (2, 0)


def test_attention_between_words_sums_up_to_one() -> None:
    weights = np.random.default_rng(0).random((2, 3, 5, 5))
    weights /= weights.sum(axis=-1, keepdims=True)
    found = attended(weights, WORDS)
    assert found.shape == (2, 3, 3, 3)
    np.testing.assert_allclose(found.sum(axis=-1), 1)
    np.testing.assert_allclose(found[0, 0, 1, 0], weights[0, 0, 1:4, 0].mean())
    np.testing.assert_allclose(found[0, 0, 0, 1], weights[0, 0, 0, 1:4].sum())
