"""Words without a dict: the same answers as a dict gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.embed.words import index as module
from ragembed.embed.words.index import WordIndex, Words, word_hashes
from ragembed.errors import EmbeddingError

WORDS = st.lists(
    st.text(st.characters(), max_size=20) | st.sampled_from(["", "a", "\0", "a\0b", "é" * 9]), max_size=12
)


@given(words=WORDS, asked=WORDS)
def test_equals_a_dict_of_first_rows(words: list[str], asked: list[str]) -> None:
    first = {word: row for row, word in reversed(list(enumerate(words)))}
    found = WordIndex.of(Words.of(words))
    both = words + asked
    assert found.rows(both).tolist() == [first.get(word, -1) for word in both]
    assert found.repeated().tolist() == [row for row, word in enumerate(words) if first[word] != row]


@given(words=WORDS, start=st.integers(-3, 14), stop=st.integers(-3, 14), step=st.sampled_from([1, 2, -1]))
def test_words_are_a_sequence(words: list[str], start: int, stop: int, step: int) -> None:
    found = Words.of(words)
    assert list(found) == words
    assert len(found) == len(words)
    assert found[start:stop:step] == words[start:stop:step]
    assert [found[row] for row in range(len(words))] == words
    assert [found[-1 - row] for row in range(len(words))] == words[::-1]
    with pytest.raises(IndexError):
        found[len(words)]


@given(words=WORDS)
def test_of_bytes_and_take(words: list[str]) -> None:
    encoded = Words.of_bytes([word.encode("utf-8", "surrogatepass") for word in words])
    assert list(encoded) == words
    rows = np.arange(len(words))[::2]
    assert list(encoded.take(rows)) == words[::2]


def test_words_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "word_hashes", lambda words: np.zeros(len(words), np.uint64))
    words = ["b", "a", "bb", "a", "c"]
    found = WordIndex.of(Words.of(words))
    assert found.rows(["a", "b", "c", "bb", "d", ""]).tolist() == [1, 0, 4, 2, -1, -1]
    assert found.repeated().tolist() == [3]


def test_hashes_depend_on_nothing_but_the_word(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"word{number}" * (number % 7) for number in range(100)]
    together = word_hashes(Words.of(words))
    assert len(np.unique(together)) == len(set(words))
    monkeypatch.setattr(module, "_BLOCK", 7)
    assert (word_hashes(Words.of(words)) == together).all()
    assert [int(word_hashes(Words.of([word]))[0]) for word in words] == together.tolist()
    # they lie in files, so they stay as they are
    kept = [0, 6058013116574749590, 6032256169045003236, 581655387042244796]
    assert word_hashes(Words.of(["", "a", "12345678", "123456789"])).tolist() == kept


def test_damaged_words_are_an_error() -> None:
    with pytest.raises(EmbeddingError, match="damaged"):
        Words(np.array([0xFF], np.uint8), np.array([0, 1]))[0]
