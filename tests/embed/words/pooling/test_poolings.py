"""Each pooling against a plain twin in float64, which reads like its source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ragembed.embed.words.pooling.bags import Lookup
from ragembed.embed.words.pooling.common import common_directions
from ragembed.embed.words.pooling.fitted import FittedPooling
from ragembed.embed.words.pooling.passages import PassageVectors
from ragembed.embed.words.pooling.poolings import POOLINGS, usif_a
from ragembed.embed.words.pooling.statistics import CorpusBags, Statistics
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError

Wide = NDArray[np.float64]

WORDS = ["the", "cat", "sat", "on", "mat", "dog", "ran", "far", "engine", "query"]
CORPUS = [
    "the cat sat on the mat",
    "the dog ran far far far",
    "the dog sat on the cat",
    "the query ran on the engine",
    "engine engine query",
    "nothing known",
    "",
]
DIMENSION = 7


def vectors_of(words: Sequence[str] = WORDS, seed: int = 0) -> WordVectors:
    return WordVectors(
        list(words), np.random.default_rng(seed).normal(size=(len(words), DIMENSION)).astype(np.float32)
    )


def learnt(
    vectors: WordVectors,
    name: str,
    corpus: Sequence[str],
    directions: int | None = None,
    a: float | None = None,
) -> PassageVectors:
    """The pooling, with what it learns from `corpus`."""
    pooling = POOLINGS[name](a)
    lookup = Lookup(vectors)
    words = sorted({token for text in corpus for token in text.split()})
    tokens = [words.index(token) for text in corpus for token in text.split()]
    offsets = np.cumsum([0, *(len(text.split()) for text in corpus)])
    bags = CorpusBags(lookup, words, np.array(tokens, np.int32), offsets)
    taken = pooling.directions if directions is None else directions
    return PassageVectors(vectors, pooling, FittedPooling.of(vectors, pooling, bags, taken, len(tokens)))


# the twins: the vectors of a text's known tokens, one row a token


def rows(vectors: WordVectors, text: str) -> tuple[list[str], Wide]:
    table = {word: row.astype(np.float64) for word, row in zip(vectors.words, vectors.vectors, strict=True)}
    known = [token for token in text.split() if token in table]
    return known, np.array([table[token] for token in known]).reshape(len(known), vectors.dimension)


def unit(vector: Wide) -> Wide:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-9 else 0 * vector


def tokens_of(vectors: WordVectors, corpus: Sequence[str]) -> list[list[str]]:
    return [rows(vectors, text)[0] for text in corpus]


def plain_mean(vectors: WordVectors, corpus: Sequence[str], text: str) -> Wide:
    _, found = rows(vectors, text)
    return unit(found.mean(axis=0)) if len(found) else np.zeros(DIMENSION)


def plain_tfidf(vectors: WordVectors, corpus: Sequence[str], text: str) -> Wide:
    tokens, found = rows(vectors, text)
    total = np.zeros(DIMENSION)
    for token, row in zip(tokens, found, strict=True):
        frequency = sum(token in passage.split() for passage in corpus)
        total += np.log(1 + len(corpus) / max(1, frequency)) * row
    return unit(total)


def plain_sif(vectors: WordVectors, corpus: Sequence[str], text: str) -> Wide:
    every = [token for tokens in tokens_of(vectors, corpus) for token in tokens]

    def average(passage: str) -> Wide:
        tokens, found = rows(vectors, passage)
        weights = np.array([1e-3 / (1e-3 + every.count(token) / len(every)) for token in tokens])
        return weights @ found / len(tokens) if tokens else np.zeros(DIMENSION)

    first = np.linalg.svd(np.array([average(passage) for passage in corpus]))[2][0]
    vector = average(text)
    return unit(vector - first * (first @ vector))


def plain_usif(vectors: WordVectors, corpus: Sequence[str], text: str) -> Wide:
    passages = tokens_of(vectors, corpus)
    every = [token for tokens in passages for token in tokens]
    chance = {token: every.count(token) / len(every) for token in every}
    size, length = len(chance), len(every) / len(corpus)
    often = sum(p > 1 - (1 - 1 / size) ** length for p in chance.values())
    alpha = max(1, often) / size  # none is, in a corpus this small
    a = (1 - alpha) / (alpha * size / 2)

    def average(passage: str) -> Wide:
        tokens, found = rows(vectors, passage)
        if not tokens:
            return np.zeros(DIMENSION)
        weights = np.array([a / (a / 2 + chance.get(token, 0)) for token in tokens])
        return weights @ (found / np.linalg.norm(found, axis=0)) / len(tokens)

    _, values, directions = np.linalg.svd(np.array([average(passage) for passage in corpus]))
    taken = min(5, int((values > 1e-4).sum()) - 1)
    vector = average(text)
    left = vector.copy()
    for value, direction in zip(values[:taken], directions, strict=False):
        left -= value**2 / (values[:taken] ** 2).sum() * (direction @ vector) * direction
    return unit(left)


def plain_max(vectors: WordVectors, corpus: Sequence[str], text: str) -> Wide:
    _, found = rows(vectors, text)
    return unit(found.max(axis=0)) if len(found) else np.zeros(DIMENSION)


def plain_both(vectors: WordVectors, corpus: Sequence[str], text: str) -> Wide:
    _, found = rows(vectors, text)
    both = np.concatenate([found.mean(axis=0), found.max(axis=0)]) if len(found) else np.zeros(2 * DIMENSION)
    return unit(both)


TWINS = {
    "mean": plain_mean,
    "tfidf": plain_tfidf,
    "sif": plain_sif,
    "usif": plain_usif,
    "max": plain_max,
    "mean+max": plain_both,
}
TEXTS = [*CORPUS, "cat", "far far far far", "the the the unknown dog", "query engine mat mat"]


def test_every_pooling_has_a_twin() -> None:
    assert set(TWINS) == set(POOLINGS)


@pytest.mark.parametrize("name", TWINS)
def test_as_its_plain_twin(name: str) -> None:
    vectors = vectors_of()
    ours = learnt(vectors, name, CORPUS).embed(TEXTS)
    theirs = np.array([TWINS[name](vectors, CORPUS, text) for text in TEXTS])
    np.testing.assert_allclose(ours, theirs, atol=2e-6)
    lengths = np.linalg.norm(ours, axis=1)
    np.testing.assert_allclose(
        lengths, [0 if text in ("", "nothing known") else 1 for text in TEXTS], atol=1e-6
    )


texts = st.lists(st.lists(st.sampled_from([*WORDS, "unknown", "far"]), max_size=9).map(" ".join), max_size=8)


@pytest.mark.parametrize("name", TWINS)
@settings(max_examples=30)
@given(texts=texts, seed=st.integers(0, 3))
def test_company_changes_no_bit(name: str, texts: list[str], seed: int) -> None:
    made = learnt(vectors_of(seed=seed), name, CORPUS)
    alone = [made.embed([text])[0].tobytes() for text in texts]
    assert [row.tobytes() for row in made.embed(texts)] == alone
    fresh = learnt(vectors_of(seed=seed), name, CORPUS)  # whose memory knows none of their words yet
    assert [row.tobytes() for row in fresh.embed(texts[::-1])] == alone[::-1]


@pytest.mark.parametrize("name", TWINS)
def test_blocks_change_no_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts, corpus and gathered words in blocks so small that every text lies in several."""
    vectors = vectors_of()
    whole = learnt(vectors, name, CORPUS).embed(TEXTS)
    monkeypatch.setattr("ragembed.embed.words.pooling.passages._CHARACTERS", 30)
    monkeypatch.setattr("ragembed.embed.words.pooling.poolings._GATHERED", 3)
    monkeypatch.setattr("ragembed.embed.words.corpus._PIECE", 16)
    made = learnt(vectors, name, CORPUS)
    assert made.embed(TEXTS).tobytes() == whole.tobytes()
    monkeypatch.setattr("ragembed.embed.words.pooling.statistics._BLOCK", 4)
    np.testing.assert_allclose(learnt(vectors, name, CORPUS).embed(TEXTS), whole, atol=1e-6)


@pytest.mark.parametrize("name", TWINS)
def test_summands_add_up_to_the_vector(name: str) -> None:
    made = learnt(vectors_of(), name, CORPUS)
    for text, vector in zip(TEXTS, made.embed(TEXTS), strict=True):
        tokens, shares = made.summands(text)
        assert shares.shape == (len(tokens), made.dimension)
        assert tokens == list(dict.fromkeys(token for token in text.split() if token in WORDS))
        np.testing.assert_allclose(unit(shares.astype(np.float64).sum(axis=0)), vector, atol=1e-5)


def test_largest_values_belong_to_the_word_that_has_them() -> None:
    vectors = WordVectors(["low", "high"], np.array([[1, 5], [3, -2]], np.float32))
    tokens, shares = learnt(vectors, "max", ["low high"]).summands("low high")
    assert (tokens, shares.tolist()) == (["low", "high"], [[0, 5], [3, 0]])


def test_words_that_the_corpus_lacks_weigh_most() -> None:
    """One word a passage, of 4 passages: idf is ln(1 + 4/3), ln(1 + 4/1), and for "on" as if it stood in one."""
    statistics = Statistics(["the", "cat"], np.array([3, 1]), np.array([3, 1]), 4)
    weights, unseen = POOLINGS["tfidf"]().weights(statistics)
    np.testing.assert_allclose([*weights, unseen], np.log([1 + 4 / 3, 5, 5]), rtol=1e-6)
    weights, unseen = POOLINGS["sif"](0.25).weights(statistics)
    np.testing.assert_allclose([*weights, unseen], [0.25 / (0.25 + 0.75), 0.25 / 0.5, 1])
    weights, unseen = POOLINGS["usif"](0.5).weights(statistics)
    np.testing.assert_allclose([*weights, unseen], [0.5 / (0.25 + 0.75), 0.5 / 0.5, 2])


def test_a_of_usif_by_hand() -> None:
    """4 words, 10 tokens in 5 passages: n = 2, threshold 1 - (3/4)^2 = 0.4375, above which only 5/10 is."""
    statistics = Statistics(["a", "b", "c", "d"], np.array([5, 3, 1, 1]), np.array([5, 3, 1, 1]), 5)
    assert usif_a(statistics) == pytest.approx((1 - 0.25) / (0.25 * 2))
    one = Statistics(["a"], np.array([5]), np.array([5]), 5)
    none = Statistics([], np.zeros(0, np.int64), np.zeros(0, np.int64), 5)
    assert usif_a(one) > 0
    assert usif_a(none) > 0


def test_a_single_passage_keeps_its_vector() -> None:
    """All that it has it has in common with itself; taking that out would leave rounding errors."""
    vectors = vectors_of()
    found = learnt(vectors, "sif", ["cat sat"]).embed(["cat sat", "dog"])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_nothing_is_left_of_what_is_common_alone() -> None:
    common = common_directions([np.array([[3, 0], [4, 0], [0, 1]], np.float32)], 2, 1, weighted=False)
    np.testing.assert_allclose(np.abs(common.directions), [[1, 0]], atol=1e-7)
    left = common.removed(np.array([[7, 0], [7, 1e-7], [2, 2], [0, 0]], np.float32))
    np.testing.assert_allclose(left, [[0, 0], [0, 0], [0, 2], [0, 0]], atol=1e-7)


def test_shares_of_directions_are_those_of_squared_singular_values() -> None:
    """Rows along three axes with lengths 3, 2, 1: squares 9, 4, 1; of the first two 9/13 and 4/13."""
    common = common_directions([np.diag([3, 2, 1]).astype(np.float32)], 3, 2, weighted=True)
    np.testing.assert_allclose(common.shares, [9 / 13, 4 / 13])
    np.testing.assert_allclose(common.removed(np.ones((1, 3), np.float32)), [[4 / 13, 9 / 13, 1]], rtol=1e-6)
    assert len(common_directions([], 3, 2, weighted=True).shares) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_told(value: float) -> None:
    vectors = vectors_of()
    vectors.vectors[1, 2] = value
    with pytest.raises(EmbeddingError, match="the word vectors hold NaN or infinity"):
        learnt(vectors, "sif", CORPUS)
    passages = PassageVectors(vectors, POOLINGS["mean"](None))
    assert np.isfinite(passages.embed(["the dog"])).all()
    with pytest.raises(EmbeddingError, match="gave NaN or infinity for text 1 of 2"):
        passages.embed(["the dog", "the cat"])


def test_blocks_hold_few_passages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragembed.embed.words.pooling.statistics._PASSAGES", 2)
    bags = CorpusBags(Lookup(vectors_of()), ["cat", "dog"], np.array([0, 1, 0, 1, 1], np.int32), np.arange(6))
    assert [each.ids.tolist() for each in bags.bags()] == [[1, 5], [1, 5], [5]]
