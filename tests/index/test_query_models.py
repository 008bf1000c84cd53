"""A query whose terms have weights of their own, and what else steps ask of an index."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragembed import Document
from ragembed.embed.weighting import BM25Weighting, CountWeighting, OneHotWeighting, TfIdfWeighting, Weighting
from ragembed.errors import QueryError
from ragembed.index.dense import DenseIndex, DenseSegment
from ragembed.index.flat import flat_index
from ragembed.index.kernels import available
from ragembed.index.postings import postings_of_terms
from ragembed.index.sparse import SparseIndex, SparseSegment

WEIGHTINGS = [BM25Weighting(), TfIdfWeighting(), CountWeighting(), OneHotWeighting()]
TERMS = st.lists(st.sampled_from("abcdef"), max_size=8)
MODEL = st.dictionaries(st.sampled_from("abcdefz"), st.floats(0, 4, width=32), max_size=5)
COMPILED = [
    False,
    pytest.param(True, marks=pytest.mark.skipif(not available(), reason="needs the extra fast")),
]


def index_of(documents: list[list[str]], weighting: Weighting, compiled: bool) -> SparseIndex:
    half = len(documents) // 2
    parts = [(0, documents[:half]), (half, documents[half:])]
    segments = [
        SparseSegment(postings_of_terms(part), np.arange(start, start + len(part)))
        for start, part in parts
        if part
    ]
    return SparseIndex(segments, weighting, compiled=compiled)


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@settings(max_examples=40, deadline=None)
@given(documents=st.lists(TERMS, min_size=1, max_size=8), model=MODEL)
def test_scores_are_the_weighted_sums(
    documents: list[list[str]], model: dict[str, float], weighting: Weighting, compiled: bool
) -> None:
    """Each term's score alone, by its share: for cosines a query of one term has length 1, for BM25 its idf."""
    index = index_of(documents, weighting, compiled)
    idf = dict(zip(model, index.idf(list(model)).tolist(), strict=True))
    weights = {term: value * idf[term] for term, value in model.items()}
    length = np.sqrt(sum(value**2 for value in weights.values())) if weighting.cosine else 1.0
    expected: dict[int, float] = {}
    for term, weight in weights.items():
        rows, scores = index.search([term], 100)
        for row, score in zip(rows.tolist(), scores.tolist(), strict=True):
            alone = 1.0 if weighting.cosine else idf[term]
            if weight and length:
                expected[row] = expected.get(row, 0.0) + score / alone * weight / length
    rows, scores = index.search(model, 100)
    found = dict(zip(rows.tolist(), scores.tolist(), strict=True))
    for row in {*found, *expected}:
        assert found.get(row, 0.0) == pytest.approx(expected.get(row, 0.0), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_a_list_of_terms_beside_a_model_is_answered_as_alone(weighting: Weighting, compiled: bool) -> None:
    index = index_of([["a", "b", "b"], ["a", "c"], ["b"]], weighting, compiled)
    alone = index.search(["a", "b", "a"], 5)
    _, beside, empty = index.search_many([{"c": 0.3}, ["a", "b", "a"], {}], 5)
    assert beside[0].tolist() == alone[0].tolist()
    assert beside[1].tolist() == alone[1].tolist()
    assert not len(empty[0])


@pytest.mark.parametrize("compiled", COMPILED)
def test_bm25_of_counts_as_weights_is_bm25_of_the_list(compiled: bool) -> None:
    index = index_of([["a", "b", "b"], ["a", "c"], ["b"]], BM25Weighting(), compiled)
    rows, scores = index.search({"a": 2.0, "b": 1.0}, 5)
    same_rows, same_scores = index.search(["a", "b", "a"], 5)
    assert rows.tolist() == same_rows.tolist()
    assert scores == pytest.approx(same_scores)
    assert index.query_weights({"a": 2.0, "b": 1.0}) == pytest.approx(index.query_weights(["a", "b", "a"]))


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_weights_that_are_none(weight: float) -> None:
    with pytest.raises(QueryError, match="negative or no number"):
        index_of([["a"]], BM25Weighting(), False).search({"a": weight}, 1)


def test_stored_vectors_of_rows() -> None:
    vectors = np.arange(12, dtype=np.float32).reshape(6, 2)
    nothing = np.zeros(0, np.int64)
    index = DenseIndex(
        [
            DenseSegment(flat_index(vectors[:2]), np.array([3, 7]), nothing),
            DenseSegment(flat_index(vectors[2:]), np.array([1, 4, 8, 9]), nothing),
        ],
        2,
    )
    assert index.vectors([9, 3, 1, 9]).tolist() == vectors[[5, 0, 2, 5]].tolist()
    assert index.vectors([]).shape == (0, 2)
    with pytest.raises(KeyError, match="5"):
        index.vectors([3, 5])


def test_documents_and_their_chunks(tmp_path_factory: pytest.TempPathFactory) -> None:
    from ragembed import Pipeline

    text = "One here. Two here. Three here."
    with Pipeline.create(
        tmp_path_factory.mktemp("o") / "i", "bm25", "sentence(tokens=3, overlap=0)"
    ) as pipeline:
        pipeline.add([Document("d", text), Document("e", "Alone.")])
        with pipeline.store.snapshot() as catalog:
            found = catalog.outline(["d", "e", "nowhere"])
    assert list(found) == ["d", "e"]
    assert [text[start:end] for _, start, end in found["d"]] == ["One here.", "Two here.", "Three here."]
