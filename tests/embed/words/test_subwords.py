"""fastText's n-grams, against a plain version written from its paper and code, and against gensim."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.embed.words import subwords as module
from ragembed.embed.words.subwords import Subwords, ngram_buckets
from ragembed.errors import EmbeddingError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def plain_hash(ngram: bytes) -> int:
    value = 2166136261
    for byte in ngram:
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619) & 0xFFFFFFFF
    return value


def plain_ngrams(word: str, minn: int, maxn: int) -> list[str]:
    whole = f"<{word}>"
    spans = [(at, at + n) for at in range(len(whole)) for n in range(minn, maxn + 1) if at + n <= len(whole)]
    return [
        whole[start:end] for start, end in spans if (start, end) not in ((0, 1), (len(whole) - 1, len(whole)))
    ]


@given(
    words=st.lists(TEXTS, max_size=5),
    minn=st.integers(1, 4),
    size=st.integers(0, 3),
    buckets=st.integers(1, 99),
)
def test_equals_the_plain_version(words: list[str], minn: int, size: int, buckets: int) -> None:
    numbers, counts = ngram_buckets(words, minn, minn + size, buckets)
    assert counts.tolist() == [len(plain_ngrams(word, minn, minn + size)) for word in words]
    for word, found in zip(words, np.split(numbers, np.cumsum(counts)[:-1] if words else []), strict=False):
        expected = [plain_hash(ngram.encode()) % buckets for ngram in plain_ngrams(word, minn, minn + size)]
        assert sorted(found.tolist()) == sorted(expected)


def test_by_hand() -> None:
    # <ab>: <a ab b> of two, <ab ab> of three; of one only a and b
    assert plain_ngrams("ab", 1, 3) == ["<a", "<ab", "a", "ab", "ab>", "b", "b>"]
    assert ngram_buckets(["ab"], 1, 3, 10**9)[1].tolist() == [7]
    assert ngram_buckets(["ab"], 3, 6, 10**9)[1].tolist() == [3]
    assert ngram_buckets(["</s>", ""], 1, 9, 5)[1].tolist() == [
        0,
        1,
    ]  # "<>" is one; the end of a sentence has none
    assert ngram_buckets(["ab"], 0, 0, 5)[1].tolist() == [0]
    assert ngram_buckets(["ab"], 1, 3, 0)[1].tolist() == [0]


@given(word=TEXTS.filter(bool), minn=st.integers(1, 4), size=st.integers(0, 3))
def test_equals_gensim(word: str, minn: int, size: int) -> None:
    from gensim.models.fasttext import ft_ngram_hashes

    found = ngram_buckets([word], minn, minn + size, 1000)[0]
    assert sorted(found.tolist()) == sorted(ft_ngram_hashes(word, minn, minn + size, 1000))


TABLE = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)


def test_a_vector_is_the_mean_over_the_ngrams() -> None:
    subwords = Subwords(3, 5, 50, TABLE)
    rows = ngram_buckets(["naïve"], 3, 5, 50)[0]
    known, found = subwords.vectors(["naïve"])
    assert known.tolist() == [True]
    assert np.allclose(found[0], TABLE[rows].astype(np.float64).mean(axis=0), atol=1e-7)
    known, found = Subwords(5, 6, 50, TABLE).vectors(["a"])  # <a> has three characters
    assert (known.tolist(), found.tolist()) == ([False], [[0, 0, 0, 0]])


def test_only_used_buckets_count() -> None:
    rows = ngram_buckets(["naïve"], 3, 5, 50)[0]
    used = np.unique(rows[:4])
    subwords = Subwords(3, 5, 50, TABLE[used], used)
    known, found = subwords.vectors(["naïve"])
    assert known.tolist() == [True]
    assert np.allclose(found[0], TABLE[rows[np.isin(rows, used)]].astype(np.float64).mean(axis=0), atol=1e-7)
    assert not Subwords(3, 5, 50, TABLE[:0], np.zeros(0, np.int64)).vectors(["naïve"])[0][0]


@given(words=st.lists(TEXTS, max_size=9))
def test_many_words_are_as_one_by_one(words: list[str]) -> None:
    subwords = Subwords(2, 4, 50, TABLE)
    known, found = subwords.vectors(words)
    before = module._AT_ONCE
    module._AT_ONCE = 3
    try:
        assert (subwords.vectors(words)[1] == found).all()
    finally:
        module._AT_ONCE = before
    for word, there, vector in zip(words, known, found, strict=True):
        alone = subwords.vectors([word])
        assert alone[0][0] == there
        assert (alone[1][0] == vector).all()


def test_equals_gensims_fasttext() -> None:
    from gensim.models import FastText

    model: Any = FastText(
        [["lettuce", "über", "日本語"]] * 9, vector_size=5, min_count=1, bucket=60, epochs=1
    )
    subwords = Subwords(3, 6, 60, model.wv.vectors_ngrams)
    for word in ("lettuces", "übermut", "日本", "q"):
        assert np.allclose(subwords.vectors([word])[1][0], model.wv.get_vector(word), atol=1e-7)


def test_a_table_of_another_size_is_refused() -> None:
    with pytest.raises(EmbeddingError, match=r"60 buckets .* \(50, 4\)"):
        Subwords(3, 6, 60, TABLE)


def test_ngrams_longer_than_any_word_end_the_search() -> None:
    few, many = (ngram_buckets(["abc"], 1, most, 100) for most in (5, 1_000_000_000))
    assert few[0].tolist() == many[0].tolist()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ((3, 1001, 50), "n-grams have 3 to 1001 characters; give 0 to 1000"),
        ((-1, 6, 50), "n-grams have -1 to 6 characters"),
        ((10**400, 6, 50), "n-grams have 10000000000000000000 to 6 characters"),
        ((3, 6, 1 << 31), "n-grams have 2147483648 buckets; give 0 to 2147483647"),
        ((3, 6, -1), "n-grams have -1 buckets"),
    ],
)
def test_settings_that_no_model_has_are_refused(settings: tuple[int, int, int], told: str) -> None:
    with pytest.raises(EmbeddingError, match=told):
        Subwords(*settings, TABLE[:1], np.zeros(1, np.int64))
