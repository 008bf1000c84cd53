"""Where vectors of words come from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from ragembed.embed import EMBEDDERS
from ragembed.errors import EmbeddingError
from ragembed.eval.quality import words as module
from ragembed.eval.quality.words import (
    EmbeddedTexts,
    WordLookup,
    WordTable,
    check_finite,
    cosines,
    embedded,
    unit_rows,
    word_vectors_of,
)

VECTORS = np.array([[3, 4], [1, 0], [0, 2], [0, 0]], np.float32)


def test_table_finds_the_first_spelling_whatever_the_case() -> None:
    table = WordTable(["May", "june", "may", "zero"], VECTORS)
    known, found = table.word_vectors(["MAY", "June", "july", "zero"])
    assert known.tolist() == [True, True, False, False]  # a vector of zeros is as good as none
    assert found.tolist() == [[3, 4], [1, 0], [0, 0], [0, 0]]
    exact = WordTable(["May", "june", "may", "zero"], VECTORS, ignore_case=False)
    assert exact.word_vectors(["may"])[1].tolist() == [[0, 2]]
    assert exact.word_vectors(["MAY"])[0].tolist() == [False]


def test_table_needs_a_vector_a_word() -> None:
    with pytest.raises(EmbeddingError, match="2 words and 4 vectors"):
        WordTable(["a", "b"], VECTORS)


def test_an_embedder_embeds_each_word_as_a_text() -> None:
    embedder = EMBEDDERS.create("random-projection(dimension=64, language=english)")
    vectors = word_vectors_of(embedder)
    assert isinstance(vectors, EmbeddedTexts)
    assert vectors.vocabulary() is None
    known, found = vectors.word_vectors(["cat", "the", "dog"])
    assert known.tolist() == [True, False, True]  # a stop word has no vector
    assert np.array_equal(found, embedder.embed(["cat", "the", "dog"]))


def test_sparse_words_are_weighted_with_idf() -> None:
    embedder = EMBEDDERS.create("tfidf(language=none)")
    embedder.fit(["cat", "cat dog", "cat bird"])
    known, found = EmbeddedTexts(embedder).word_vectors(["cat dog", "fish"])
    assert known.tolist() == [True, False]
    assert np.array_equal(found.toarray(), embedder.embed_queries(["cat dog", "fish"]).toarray())
    row = found.toarray()[0]
    assert row[1] < row[2]  # cat stands in all texts, dog in one (columns: bird, cat, dog)


def test_who_has_words_is_asked_for_them() -> None:
    table = WordTable(["a"], np.ones((1, 2), np.float32))
    assert isinstance(table, WordLookup)
    assert word_vectors_of(table) is table


def test_cosines_dense_and_sparse() -> None:
    left, right = VECTORS, np.array([[4, 3], [0, 5], [0, 1], [1, 1]], np.float32)
    expected = [24 / 25, 0, 1, 0]  # (3 * 4 + 4 * 3) / (5 * 5)
    assert cosines(left, right).tolist() == pytest.approx(expected)
    assert cosines(csr_array(left), csr_array(right)).tolist() == expected  # rounded to 6 digits


def test_unit_rows_dense_and_sparse() -> None:
    expected = [[0.6, 0.8], [1, 0], [0, 1], [0, 0]]
    assert unit_rows(VECTORS) == pytest.approx(np.array(expected))
    stored_zero = csr_array((np.array([3, 4, 1, 2, 0], np.float32), [0, 1, 0, 1, 0], [0, 2, 3, 4, 5]), (4, 2))
    assert unit_rows(stored_zero).toarray() == pytest.approx(np.array(expected))
    assert VECTORS[0].tolist() == [3, 4]  # what was given stays


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_nan_is_told_with_its_word(wrong: float, form: type) -> None:
    vectors = VECTORS.copy()
    vectors[1] = [wrong, -wrong]
    with pytest.raises(EmbeddingError, match="the vector of 'b' holds NaN or infinity"):
        check_finite(["a", "b", "c", "d"], form(vectors))


@pytest.mark.parametrize("spec", ["random-projection(language=none, dimension=64)", "onehot(language=none)"])
def test_slices_change_nothing(monkeypatch: pytest.MonkeyPatch, spec: str) -> None:
    texts = [f"word{number}" for number in range(10)]
    embedder = EMBEDDERS.create(spec)
    if embedder.kind == "sparse":
        embedder.fit(texts[:7])
    known, rows = EmbeddedTexts(embedder).word_vectors(texts)
    told: list[float] = []
    monkeypatch.setattr(module, "_SLICE", 4)
    again, sliced = embedded(texts, EmbeddedTexts(embedder), told.append)
    assert np.array_equal(again, known)
    assert type(sliced) is type(rows)
    assert abs(rows - sliced).max() == 0
    assert told == [0.4, 0.8, 1.0]
