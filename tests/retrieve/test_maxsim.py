"""MaxSim against its definition, one product at a time in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ragembed.embed.token_vectors import TokenVectors
from ragembed.retrieve import maxsim as module
from ragembed.retrieve.maxsim import best_matches, exact, interpolated, maxsim, maxsim_many

Array = NDArray[np.float32]


def plain(query: Array, document: Array) -> float:
    """Khattab & Zaharia 2020, equation 3, as it is written."""
    if not len(document):
        return -np.inf
    total = 0.0
    for one in query.astype(np.float64):
        total += max(float(one @ other) for other in document.astype(np.float64))
    return total


def texts(seed: int, sizes: list[int], dimension: int = 3, shift: float = 0.0) -> TokenVectors:
    draw = np.random.default_rng(seed)
    parts = [(draw.standard_normal((n, dimension)) + shift).astype(np.float32) for n in sizes]
    return TokenVectors.of(parts, dimension)


sizes = st.lists(st.integers(0, 6), max_size=8)


@given(st.integers(0, 1000), sizes, sizes, st.integers(1, 40))
def test_scores_are_those_of_the_definition(
    seed: int, asked: list[int], held: list[int], products: int
) -> None:
    """Whatever the block, and with texts without tokens anywhere."""
    queries, documents = texts(seed, asked), texts(seed + 1, held)
    before, module._PRODUCTS = module._PRODUCTS, products
    try:
        found = maxsim_many(queries, documents)
        alone = [maxsim(query, documents) for query in queries]
    finally:
        module._PRODUCTS = before
    wanted = np.array([[plain(query, document) for document in documents] for query in queries])
    assert found.shape == (len(asked), len(held))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted.reshape(found.shape), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(np.reshape(alone, found.shape), found, rtol=1e-6, atol=1e-6)
    for query in queries:
        for document in documents:
            assert exact(query, document) == pytest.approx(plain(query, document), rel=1e-12)


def test_what_is_not_there_never_wins() -> None:
    """All products are negative: a document padded with zeros would score 0, more than its tokens do."""
    query = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    documents = TokenVectors.of(
        [np.array([[-1.0, -2.0]], np.float32), np.array([[-3.0, -1.0], [-2.0, -5.0]], np.float32)], 2
    )
    np.testing.assert_array_equal(maxsim(query, documents), np.array([-3.0, -3.0], np.float32))


def test_a_document_without_tokens_matches_nothing() -> None:
    query = np.ones((1, 2), np.float32)
    documents = TokenVectors.of([np.zeros((0, 2), np.float32), -np.ones((1, 2), np.float32)], 2)
    assert maxsim(query, documents).tolist() == [-np.inf, -2.0]
    nothing = TokenVectors.of([], 2)
    assert maxsim(query, nothing).shape == (0,)
    assert best_matches(query, nothing.vectors, nothing.starts).shape == (0, 1)


def test_weights_of_query_tokens() -> None:
    query = np.eye(2, dtype=np.float32)
    documents = TokenVectors.of([np.array([[0.5, 0.25]], np.float32)], 2)
    assert maxsim(query, documents, np.array([2.0, 4.0])).tolist() == [2.0]


@given(st.integers(0, 99), st.permutations(range(5)))
def test_the_order_of_documents_does_not_matter(seed: int, order: list[int]) -> None:
    documents, query = texts(seed, [3, 1, 4, 2, 5]), texts(seed + 1, [4])[0]
    np.testing.assert_array_equal(maxsim(query, documents)[order], maxsim(query, documents.take(order)))


def test_more_tokens_never_lower_a_score() -> None:
    documents, query = texts(3, [7]), texts(4, [3])[0]
    scores = [exact(query, documents[0][:n]) for n in range(1, 8)]
    assert scores == sorted(scores)


def test_interpolation() -> None:
    """0.25 of MaxSim scaled to 0..1 and 0.75 of the score before; what matches nothing counts 0."""
    found = interpolated([4.0, 2.0, 0.0], np.array([1.0, 3.0, -np.inf]), 0.25)
    np.testing.assert_allclose(found, [0.75, 0.25 + 0.375, 0.0])
    assert interpolated([1.0, 1.0], [2.0, 2.0], 0.5).tolist() == [1.0, 1.0]
    assert interpolated([1.0], [-np.inf], 1.0).tolist() == [0.0]


def test_token_vectors() -> None:
    held = texts(0, [2, 0, 3])
    assert len(held) == 3
    assert held.sizes.tolist() == [2, 0, 3]
    assert [len(each) for each in held] == [2, 0, 3]
    assert len(TokenVectors.of([], 4)) == 0
