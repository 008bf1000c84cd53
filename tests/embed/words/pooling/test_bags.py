"""Tokens -> rows: every step of the ladder on vocabularies of a few words, and what is counted."""

from __future__ import annotations

import string
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.analysis import Analyzer
from ragembed.embed.coverage import Coverage
from ragembed.embed.words.pooling import bags as bags_module
from ragembed.embed.words.pooling.bags import Lookup
from ragembed.embed.words.pooling.cutting import WordsAsWritten
from ragembed.embed.words.subwords import Subwords
from ragembed.embed.words.tokens import WordTokenizer
from ragembed.embed.words.vectors import WordVectors


def lookup_of(*words: str, info: dict[str, Any] | None = None, subwords: Subwords | None = None) -> Lookup:
    vectors = np.arange(len(words) * 2, dtype=np.float32).reshape(len(words), 2)
    return Lookup(WordVectors(list(words), vectors, info=info, subwords=subwords))


def found(lookup: Lookup, text: str) -> list[str]:
    """The words that stand for the tokens of `text`, once each."""
    bags = lookup.bags([text])
    words = [*lookup.vectors.words, *bags.made]
    return [words[row] for row in bags.ids.tolist()]


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        (["cat"], "cat CAT Cat", ["cat", "cat", "cat"]),
        (["Cat", "cat"], "Cat cat CAT", ["Cat", "cat", "cat"]),  # as written, else in lower case
        (["Paris", "NATO"], "paris nato Nato", ["Paris", "NATO", "NATO"]),  # a vocabulary of names
        (["straße"], "STRASSE Straße", ["straße"]),  # casefold gives ss, which is another word here
        (["strasse"], "Straße", ["strasse"]),
        (["####", "5"], "1984 5 7", ["####", "5"]),  # digits of Google News, where single ones stay
        (["do", "n't", "'s", "dog"], "don't dog's", ["do", "n't", "dog", "'s"]),
        (["don't", "do", "n't"], "don't", ["don't"]),
        (
            ["don", "l", "homme"],
            "don't l'homme",
            ["don", "homme"],
        ),  # single letters between apostrophes say nothing
        (["max", "length", "http", "server"], "maxLength HTTPServer", ["max", "length", "http", "server"]),
        (["maxlength", "max"], "maxLength", ["maxlength"]),
        (["max", "seq"], "max_seq_len", ["max", "seq"]),
        (["max"], "maxFoo", ["max"]),  # a part that is known is better than nothing
        (["cat"], "", []),
        (["cat"], "... !? 🦊", []),
    ],
)
def test_ladder(words: list[str], text: str, expected: list[str]) -> None:
    assert found(lookup_of(*words), text) == expected


def test_tokens_of_a_model_for_text_that_is_cut_already() -> None:
    lookup = lookup_of("Cat.", "cat", "new", "york", info={"tokenizer": {"kind": "whitespace"}})
    assert found(lookup, "Cat. cat, (cat) new_york") == ["Cat.", "cat", "cat", "new", "york"]


def test_phrases_are_joined_as_in_training() -> None:
    lookup = lookup_of(
        "new_york", "new", "york", "city", info={"phrases": [["new", "york"], ["york", "city"]]}
    )
    assert found(lookup, "New York City York") == ["new_york", "city", "york"]
    assert found(lookup, "york city") == ["york", "city"]  # joined, and unknown as such: its parts


def test_ngrams_come_before_parts() -> None:
    """The n-grams of 3 of <maxa> are <ma max axa xa>; there are 7 buckets, each with a row."""
    ngrams = Subwords(3, 3, 7, np.arange(14, dtype=np.float32).reshape(7, 2))
    lookup = lookup_of("max", "a", subwords=ngrams)
    assert found(lookup, "maxA max") == ["maxa", "max"]  # in lower case, as the vocabulary
    assert lookup.coverage == Coverage(2, 0)
    cased = lookup_of("Max", "Anna", subwords=ngrams)
    assert found(cased, "maxA") == ["maxA"]
    few = Subwords(3, 3, 7, np.zeros((0, 2), np.float32), used=np.zeros(0, np.int64))
    assert found(lookup_of("max", "a", subwords=few), "maxA zebra") == ["max", "a"]


def test_bags_in_order_of_appearance_with_counts() -> None:
    bags = lookup_of("a", "b", "c").bags(["c a c", "unknown", "b c"])
    assert bags.ids.tolist() == [2, 0, 1, 2]
    assert bags.counts.tolist() == [2, 1, 1, 1]
    assert bags.offsets.tolist() == [0, 2, 2, 4]


def test_what_is_counted() -> None:
    lookup = lookup_of("cat", "max")
    lookup.bags(["cat cat Foo", "foo bar maxFoo"])
    lookup.bags([])
    assert lookup.coverage.to_json() == {"tokens": 6, "unknown": 3, "frequent": {"foo": 2, "bar": 1}}
    assert str(lookup.coverage) == "50 % of 6 tokens have no vector (most frequent: foo 2, bar 1)"
    before = lookup.coverage.copy()
    lookup.bags(["bar bar bar cat"])
    assert lookup.coverage.since(before).to_json() == {"tokens": 4, "unknown": 3, "frequent": {"bar": 3}}
    assert str(Coverage()) == "none of 0 tokens have no vector"


def test_only_frequent_unknown_words_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragembed.embed.coverage._MOST_WORDS", 2)
    coverage = Coverage()
    for word in ["rare", "b", "b", "a", "a", "a", "odd", "other"]:
        coverage.add(1, {word: 1})
    assert coverage.frequent(2) == [("a", 3), ("b", 2)]
    assert len(coverage.words) <= 4
    assert coverage.unknown == 8


def test_memory_of_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bags_module, "_REMEMBERED", 3)
    lookup = lookup_of("a", "b", "max")
    for text in ("a b c d e", "max_x a", "b c", "f g h i j", "a"):
        expected = [word for word in text.replace("_", " ").split() if word in ("a", "b", "max")]
        assert found(lookup, text) == expected
    assert lookup.coverage.tokens == 5 + 3 + 2 + 5 + 1


def test_threads_share_a_lookup() -> None:
    lookup = lookup_of(*(f"w{number}" for number in range(500)))
    texts = [" ".join(f"w{(start * 7 + step) % 600}" for step in range(100)) for start in range(60)]
    expected = [found(lookup_of(*lookup.vectors.words), text) for text in texts]
    wrong: list[str] = []

    def check() -> None:
        wrong.extend(
            text for text, words in zip(texts, expected, strict=True) if found(lookup, text) != words
        )

    threads = [threading.Thread(target=check) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert lookup.coverage.tokens == 4 * 6000


ALPHABET = string.ascii_letters + string.digits + "''' \t\n\r\x1c\x1f\x0b-_.,\x00é’ßΩ日本🦊"


@given(st.text(ALPHABET, max_size=60))
def test_cased_words_are_those_of_the_analyzer_and_the_tokenizer(text: str) -> None:
    words = WordsAsWritten().tokens(text)
    assert words == Analyzer("none").words(text)
    assert [word.casefold() for word in words] == WordTokenizer().tokens(text)
