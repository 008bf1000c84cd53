from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ragembed import Document, Pipeline
from ragembed.explain.state import Listing, State, ordered
from ragembed.index.dense import DenseIndex, DenseSegment
from ragembed.index.flat import flat_index
from ragembed.retrieve.options import SearchOptions

Make = Callable[..., Pipeline]


def test_scores_of_all_vectors_are_those_of_a_search() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((500, 33), np.float32)
    segments = [
        DenseSegment(flat_index(vectors[:200]), np.arange(1, 201), np.array([3, 77])),
        DenseSegment(flat_index(vectors[200:]), np.arange(301, 601), np.zeros(0, np.int64)),
    ]
    index = DenseIndex(segments, 33)
    for query in rng.standard_normal((5, 33), np.float32):
        found = dict(
            zip(*(part.tolist() for part in index.search_many(query[np.newaxis], 600)[0]), strict=True)
        )
        scored = dict(zip(*(part.tolist() for part in index.scores(query)), strict=True))
        assert scored == found  # to the last bit
        assert len(scored) == 498


def test_a_query_of_zeros_scores_nothing() -> None:
    segment = DenseSegment(flat_index(np.ones((2, 3), np.float32)), np.arange(1, 3), np.zeros(0, np.int64))
    rows, scores = DenseIndex([segment], 3).scores(np.zeros(3, np.float32))
    assert len(rows) == len(scores) == 0


def test_equal_scores_go_by_document_and_place(make: Make) -> None:
    pipeline = make([Document(name, "fox") for name in "dbca"])
    with pipeline._search().ranking("fox") as ranking:
        listing = ordered(ranking.catalog, np.array([1, 2, 3, 4]), np.array([1, 2, 1, 1], np.float32))
    assert listing.rows.tolist() == [2, 4, 3, 1]  # b by its score, then a, c, d
    assert listing.top(1) == [(2, 2.0)]
    assert listing.top_of({1, 3}) == (3, 3, 1.0)
    assert listing.top_of({9}) is None
    assert listing.only(np.array([1, 4])).rows.tolist() == [4, 1]


def test_the_whole_fusion_is_that_of_a_search_as_deep(make: Make) -> None:
    pipeline = make([f"fox den {n} {'mice ' * (n % 7)}" for n in range(300)], "bm25+onehot")
    for fusion in ("rrf", "rrf(k=1)", "combsum"):
        hits = pipeline.search("fox mice", 1000, fusion=fusion)
        with pipeline._search().ranking("fox mice", None, SearchOptions(fusion)) as ranking:
            state = State(ranking, pipeline.embedders, 5)
            chunks = ranking.catalog.chunks(state.full.rows.tolist())
            assert [chunks[row].id for row in state.full.rows.tolist()] == [hit.chunk.id for hit in hits]
            assert state.full.scores.tolist() == [hit.score for hit in hits]


def test_an_empty_listing() -> None:
    empty = Listing(np.zeros(0, np.int64), np.zeros(0, np.float32))
    assert (len(empty), empty.top(3), empty.top_of({1})) == (0, [], None)
