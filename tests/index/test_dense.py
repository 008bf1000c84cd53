"""Exact dense search: whatever way is taken inside, the answer is that of sorting all products."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ragembed.errors import EmbeddingError
from ragembed.index import dense
from ragembed.index.dense import DenseIndex, DenseSegment
from ragembed.index.flat import flat_index
from ragembed.index.selection import Selection

Vectors = NDArray[np.float32]
Found = list[tuple[list[int], list[float]]]


def index_of(parts: Sequence[Vectors], rows: Sequence[int], dead: Sequence[int] = ()) -> DenseIndex:
    """An index of segments; `rows` are the numbers of all vectors one after the other, `dead` some of these."""
    segments = []
    first = 0
    for vectors in parts:
        numbers = np.array(rows[first : first + len(vectors)], np.int64)
        segments.append(DenseSegment(flat_index(vectors), numbers, np.flatnonzero(np.isin(numbers, dead))))
        first += len(vectors)
    return DenseIndex(segments, parts[0].shape[1] if parts else 3)


def as_lists(found: list[tuple[NDArray[np.int64], NDArray[np.float32]]]) -> Found:
    return [(rows.tolist(), scores.tolist()) for rows, scores in found]


def plain(
    vectors: Vectors, rows: Sequence[int], allowed: set[int], query: Vectors, k: int
) -> tuple[list[int], list[float]]:
    """The same by sorting all products, taken in float64 and rounded."""
    products = (vectors.astype(np.float64) * query.astype(np.float64)).sum(axis=1).astype(np.float32).tolist()
    scored = [hit for hit in zip(rows, products, strict=True) if hit[0] in allowed]
    best = sorted(scored, key=lambda hit: (-hit[1], hit[0]))[:k]
    return [row for row, _ in best], [score for _, score in best]


small = st.integers(-3, 3).map(float)
vector = st.lists(small, min_size=2, max_size=2)


@given(
    parts=st.lists(st.lists(vector, min_size=1, max_size=5), min_size=1, max_size=3),
    gaps=st.lists(st.integers(1, 3), min_size=15, max_size=15),
    dead=st.sets(st.integers(1, 30), max_size=6),
    chosen=st.none() | st.sets(st.integers(1, 30)),
    queries=st.lists(vector.filter(any), max_size=3),
    k=st.integers(1, 20),
    few=st.sampled_from([0, 100]),
)
def test_it_finds_what_sorting_all_products_finds(
    parts: list[list[list[float]]],
    gaps: list[int],
    dead: set[int],
    chosen: set[int] | None,
    queries: list[list[float]],
    k: int,
    few: int,
) -> None:
    arrays = [np.array(part, np.float32) for part in parts]
    everything = np.concatenate(arrays)
    rows = np.cumsum(gaps)[: len(everything)].tolist()
    asked = np.array(queries, np.float32).reshape(-1, 2)
    selection = None if chosen is None else Selection(np.array(sorted(chosen - dead), np.int64))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense, "_FEW", few)
        found = as_lists(index_of(arrays, rows, sorted(dead)).search_many(asked, k, selection))
    allowed = (set(rows) if chosen is None else chosen) - dead
    assert found == [plain(everything, rows, allowed, query, k) for query in asked]


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("k", [1, 10, 300])
def test_a_filter_is_exact_at_any_selectivity_and_batch(share: float, k: int) -> None:
    random = np.random.default_rng(round(1000 * share) + k)
    vectors = random.normal(size=(3_000, 24)).astype(np.float32)
    rows = np.sort(random.choice(10_000, 3_000, replace=False))
    dead = random.choice(rows, 300, replace=False)
    chosen = np.sort(random.choice(rows, max(1, round(share * 3_000)), replace=False))
    chosen = chosen[~np.isin(chosen, dead)]
    queries = random.normal(size=(20, 24)).astype(np.float32)
    index = index_of([vectors[:100], vectors[100:1_000], vectors[1_000:]], rows.tolist(), dead.tolist())
    selection = Selection(chosen)
    expected = [plain(vectors, rows.tolist(), set(chosen.tolist()), query, k) for query in queries]
    assert as_lists(index.search_many(queries, k, selection)) == expected
    one_by_one = [index.search_many(queries[i : i + 1], k, selection)[0] for i in range(len(queries))]
    assert as_lists(one_by_one) == expected


@pytest.mark.parametrize("k", [1, 5, 99, 100, 150, 299, 300, 1000])
@pytest.mark.parametrize("queries", [1, 30])
def test_equal_scores_come_by_row(k: int, queries: int) -> None:
    random = np.random.default_rng(0)
    same = random.normal(size=(1, 24)).astype(np.float32)
    parts = [np.repeat(same, 100, axis=0), np.repeat(same, 200, axis=0)]
    asked = np.repeat(random.normal(size=(1, 24)).astype(np.float32), queries, axis=0)
    alive = [row for row in range(1, 301) if row not in (3, 150)]
    for rows, scores in index_of(parts, range(1, 301), [3, 150]).search_many(asked, k):
        assert rows.tolist() == alive[:k]
        assert len(set(scores.tolist())) == 1


@pytest.mark.parametrize("few", [0, 100])
def test_what_float32_cannot_tell_apart_is_told_apart(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    """Sums whose small parts are lost beside large ones that cancel: every rough score is 0 or far off."""
    monkeypatch.setattr(dense, "_FEW", few)
    vectors = np.zeros((200, 3), np.float32)
    vectors[:, 0], vectors[:, 2] = 1e10, -1e10
    vectors[:, 1] = np.random.default_rng(3).permutation(200)
    rows, scores = index_of([vectors], range(200)).search_many(np.ones((1, 3), np.float32), 5)[0]
    assert scores.tolist() == [199, 198, 197, 196, 195]
    assert vectors[rows, 1].tolist() == [199, 198, 197, 196, 195]


def test_scores_are_those_of_float64_and_the_same_in_any_batch() -> None:
    random = np.random.default_rng(1)
    vectors = random.normal(size=(5_000, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = vectors[:40] + random.normal(size=(40, 384)).astype(np.float32) / 30
    index = index_of([vectors[:3_000], vectors[3_000:]], range(5_000))
    exact = queries.astype(np.float64) @ vectors.astype(np.float64).T
    together = index.search_many(queries, 20)
    for number, (rows, scores) in enumerate(together):
        assert rows.tolist() == np.argsort(-exact[number], kind="stable")[:20].tolist()
        assert np.abs(scores - exact[number, rows]).max() < 1e-6
    for size in (1, 3, 17):
        parts = [index.search_many(queries[at : at + size], 20) for at in range(0, 40, size)]
        assert as_lists([found for part in parts for found in part]) == as_lists(together)


def test_many_queries_are_searched_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(4)
    vectors, queries = (random.normal(size=(n, 8)).astype(np.float32) for n in (500, 60))
    index = index_of([vectors], range(500))
    expected = as_lists(index.search_many(queries, 10))
    monkeypatch.setattr(dense, "_SCORES", 400)  # 22 queries at once, and blocks of 18 vectors
    monkeypatch.setattr(dense, "_BLOCK", 4 * 8 * 50)
    assert as_lists(index.search_many(queries, 10)) == expected


def test_any_number_of_threads_may_search() -> None:
    random = np.random.default_rng(5)
    vectors, queries = (random.normal(size=(n, 16)).astype(np.float32) for n in (2_000, 40))
    index = index_of([vectors], range(2_000), range(0, 2_000, 7))
    selection = Selection(np.array([row for row in range(0, 2_000, 3) if row % 7]))
    sizes = (1, 5, 40)
    jobs = [(size, chosen) for size in sizes for chosen in (None, selection)]
    expected = {job: as_lists(index.search_many(queries[: job[0]], 9, job[1])) for job in jobs}
    fresh = index_of([vectors], range(2_000), range(0, 2_000, 7))  # nothing is remembered in it yet
    start = threading.Barrier(6)
    wrong: list[object] = []

    def work(job: tuple[int, Selection | None]) -> None:
        start.wait()
        found = [as_lists(fresh.search_many(queries[: job[0]], 9, job[1])) for _ in range(10)]
        wrong.extend(one for one in found if one != expected[job])

    threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nothing_to_find() -> None:
    vectors = np.eye(3, dtype=np.float32)
    index = index_of([vectors], [1, 2, 3])
    assert index_of([vectors], [1, 2, 3], [1, 2, 3]).search_many(vectors[:1], 5)[0][0].tolist() == []
    assert [rows.tolist() for rows, _ in DenseIndex([], 3).search_many(vectors[:2], 5)] == [[], []]
    assert index.search_many(vectors[:0], 5) == []
    nothing = Selection(np.array([7]))
    assert index.search_many(vectors[:1], 5, nothing)[0][0].tolist() == []
    zeros = np.zeros((1, 3), np.float32)  # a query of unknown words is near to nothing
    assert index.search_many(zeros, 5)[0][0].tolist() == []
    assert [rows.tolist() for rows, _ in index.search_many(np.vstack((zeros, vectors[1:2])), 1)] == [[], [2]]


def test_a_query_of_another_dimension() -> None:
    with pytest.raises(
        EmbeddingError, match="the index has 3 dimensions, the query has 4; query with the embedder"
    ):
        index_of([np.eye(3, dtype=np.float32)], [1, 2, 3]).search_many(np.zeros((1, 4), np.float32), 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_query_that_is_no_vector(bad: float) -> None:
    queries = np.array([[1, 2, 3], [1, bad, 3]], np.float32)
    with pytest.raises(EmbeddingError, match="the vector of query 2 of 2 has NaN or infinity in it"):
        index_of([np.eye(3, dtype=np.float32)], [1, 2, 3]).search_many(queries, 1)


def test_vectors_so_long_that_their_squares_overflow() -> None:
    vectors = np.outer(np.arange(1, 101), [1e25, 0]).astype(np.float32)
    rows, scores = index_of([vectors], range(1, 101)).search_many(np.array([[1e5, 0]], np.float32), 2)[0]
    assert rows.tolist() == [100, 99]
    assert scores == pytest.approx([1e32, 9.9e31], rel=1e-6)
