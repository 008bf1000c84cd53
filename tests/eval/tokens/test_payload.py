"""What the page is drawn from: words in order, matrices that come back from their bytes."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from ragembed.eval.tokens.payload import payload, segments
from ragembed.explain.tokens import Word


def unpacked(text: str, *shape: int) -> Any:
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(shape).astype(float)


def test_text_in_order() -> None:
    words = [
        Word("[C]", 0, 0, 0, 1, special=True),
        Word("a", 1, 2, 1, 2),
        Word("b\u202e", 3, 5, 2, 3),
        Word("[S]", 5, 5, 3, 4, special=True),
    ]
    found = segments(" a\tb\u202e and what was not read", words)
    assert found == [["[C]", 0], [" ", -1], ["a", 1], ["\t", -1], ["b[U+202E]", 2], ["[S]", 3]]


def test_nothing_is_shown_twice_where_spans_overlap() -> None:
    found = segments("ab", [Word("ab", 0, 2, 0, 1), Word("b", 1, 2, 1, 2)])
    assert found == [["ab", 0], ["b", 1]]  # two tokens of one character that no reader could tell apart


def test_a_million_characters_between_two_blanks() -> None:
    long = "x" * 1_000_000
    found = segments(
        f"{long} a", [Word(long, 0, len(long), 0, 1), Word("a", len(long) + 1, len(long) + 2, 1, 2)]
    )
    assert [len(part) for part, _ in found] == [401, 1, 1]


def test_words_and_matrices(make: Any) -> None:
    compared = make()
    data = json.loads(json.dumps(payload(compared)))
    passage, query = data["passage"], data["query"]
    assert passage["words"] == [
        "[CLS]", "rotate", "the", "signing-key", "every", "week", ",", "lunch", "later", "[SEP]",
    ]  # fmt: skip
    assert passage["special"] == [0, 9]
    assert passage["tokens"] == 11
    similarity = unpacked(data["similarity"], 5, 10) / 127.5 - 1
    np.testing.assert_allclose(similarity, compared.word_similarity, atol=0.004)
    assert sum(data["shares"]) == pytest.approx(compared.score, abs=1e-3)
    attention = (unpacked(passage["attention"], 2, 3, 10, 10) / 255) ** 2
    np.testing.assert_allclose(attention.sum(axis=-1), 1, atol=0.03)
    np.testing.assert_allclose(attention[1, 2], np.eye(10))
    assert len(base64.b64decode(query["rollout"])) == 5 * 5


def test_maps_of_the_first_words_only(make: Any) -> None:
    passage = payload(make(maps=5))["passage"]
    assert passage["shown"] == 4  # the fourth word, of two tokens, stands within the first five tokens
    assert len(base64.b64decode(passage["attention"])) == 2 * 3 * 4 * 4
    assert len(passage["words"]) == 10
    assert payload(make(maps=4))["passage"]["shown"] == 3  # half a word is none


def test_no_shares(make: Any) -> None:
    data = payload(make(sums=False))
    assert data["shares"] is None
    assert data["note"] == "the score has no shares: similarity only"
