"""Random projection: what it promises is a bound on its error, and the tests derive it."""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from ragembed.embed import EMBEDDERS
from ragembed.embed.random_projection import RandomProjection
from ragembed.errors import SpecError

WORDS = [f"w{number}" for number in range(400)]


def texts(count: int) -> list[str]:
    """Texts of 30 to 80 words, of which the first are frequent, so that all degrees of likeness occur."""
    draw = random.Random(0)
    weights = [1 / (rank + 10) for rank in range(len(WORDS))]
    return [" ".join(draw.choices(WORDS, weights, k=draw.randint(30, 80))) for _ in range(count)]


def cosines(corpus: list[str]) -> NDArray[np.float64]:
    """Of the vectors with 1 + ln(count) for each word."""
    rows = np.zeros((len(corpus), len(WORDS)))
    for row, text in zip(rows, corpus, strict=True):
        for word, count in Counter(text.split()).items():
            row[WORDS.index(word)] = 1 + math.log(count)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows @ rows.T)


def errors(dimension: int, seed: int = 0) -> NDArray[np.float64]:
    corpus = texts(60)
    vectors = RandomProjection(dimension=dimension, seed=seed, language="none").embed(corpus)
    pairs = np.triu_indices(len(corpus), k=1)
    return np.asarray((vectors @ vectors.T - cosines(corpus))[pairs])


def test_every_pair_is_within_the_bound_of_johnson_and_lindenstrauss() -> None:
    # Achlioptas 2003, Theorem 1.1: with d >= (4 + 2 beta) ln(n) / (e^2/2 - e^3/3), the squared distances of n
    # points are kept within the factors 1 +- e, with a probability of at least 1 - n^-beta. Here n is 60 and
    # the origin, beta = 1, e = 0.16: d >= 6 ln(61) / 0.01143 = 2157. With |x| = |y| = 1 and x.y >= 0,
    # 2 x.y = |x|^2 + |y|^2 - |x - y|^2 errs by at most e (1 + 1 + |x - y|^2) <= 4 e, so x.y by at most 2 e;
    # division by the lengths, in 1 +- e, makes it at most (2 e + e) / (1 - e).
    e = 0.16
    assert 6 * math.log(61) / (e**2 / 2 - e**3 / 3) < 2160
    assert np.abs(errors(2160)).max() <= 3 * e / (1 - e)


@pytest.mark.parametrize("dimension", [128, 512, 2048])
def test_error_falls_with_the_root_of_the_dimension(dimension: int) -> None:
    # over seeds, the standard error of a cosine c is (1 - c^2) / sqrt(d) for projections to many dimensions
    expected = math.sqrt(np.mean((1 - cosines(texts(60))[np.triu_indices(60, k=1)] ** 2) ** 2) / dimension)
    measured = [math.sqrt(np.mean(errors(dimension, seed) ** 2)) for seed in range(4)]
    assert 0.8 * expected < sum(measured) / 4 < 1.2 * expected


def test_estimate_is_not_biased() -> None:
    # the errors of one seed hang together, so the means of 16 seeds are the independent draws
    means = [errors(512, seed).mean() for seed in range(16)]
    assert abs(sum(means) / 16) < 4 * np.std(means) / math.sqrt(16)


def test_rows_are_fixed_for_ever() -> None:
    # saved indexes depend on these bits
    assert hashlib.shake_128(b"0:cat").digest(2) == bytes([0b11001101, 0b01011100])
    row = RandomProjection(dimension=16, language="none").embed(["cat"])[0] * 4
    np.testing.assert_array_equal(row, [1, 1, -1, -1, 1, 1, -1, 1, -1, 1, -1, 1, 1, 1, -1, -1])


def test_a_shorter_vector_is_the_beginning_of_a_longer_one() -> None:
    short, long = (RandomProjection(dimension=dimension, language="none") for dimension in (13, 64))
    np.testing.assert_array_equal(short.signs(["cat", "dog"]), long.signs(["cat", "dog"])[:, :13])


def test_seeds_and_words_are_independent() -> None:
    signs = RandomProjection(dimension=4096).signs(["cat", "dog", "cats"])
    signs = np.vstack([signs, RandomProjection(dimension=4096, seed=1).signs(["cat"])])
    correlation = signs @ signs.T / 4096
    assert np.abs(correlation - np.eye(4)).max() < 5 / math.sqrt(4096)
    assert np.abs(signs.mean(axis=1)).max() < 5 / math.sqrt(4096)


def test_by_hand() -> None:
    embedder = RandomProjection(dimension=64, language="none")
    cat, dog = embedder.signs(["cat", "dog"])
    expected = (1 + math.log(2)) * cat + dog
    np.testing.assert_allclose(
        embedder.embed(["cat dog cat"])[0], expected / np.linalg.norm(expected), rtol=1e-5
    )


def test_stop_words_add_nothing() -> None:
    embedder = RandomProjection(language="english")
    np.testing.assert_array_equal(embedder.embed(["the cats and the dogs"]), embedder.embed(["cats dogs"]))


def test_texts_without_terms_are_zeros() -> None:
    vectors = RandomProjection(dimension=8).embed(["", "... !", "cat"])
    assert not vectors[:2].any()
    assert np.linalg.norm(vectors[2]) == pytest.approx(1)


def test_a_text_of_very_many_words(monkeypatch: pytest.MonkeyPatch) -> None:
    text = " ".join(WORDS)
    whole = RandomProjection(language="none").embed([text])
    monkeypatch.setattr("ragembed.embed.random_projection._TERMS", 7)
    np.testing.assert_allclose(RandomProjection(language="none").embed([text]), whole, atol=1e-6)


def test_nothing_is_fitted() -> None:
    embedder = EMBEDDERS.create("random-projection(dimension=8, seed=3)")
    assert not embedder.learns
    assert embedder.state_hash() is None
    assert str(embedder.spec) == "random-projection(dimension=8, seed=3)"
    with pytest.raises(SpecError, match="dimension is 0; give a dimension of at least 1"):
        EMBEDDERS.create("random-projection(dimension=0)")
