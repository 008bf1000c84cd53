"""The inverted index: segments with deleted documents score as one fresh segment of the living, bit for bit."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ragembed.embed.weighting import BM25Weighting, CountWeighting, OneHotWeighting, TfIdfWeighting, Weighting
from ragembed.index import sparse
from ragembed.index.merge import merge_postings
from ragembed.index.postings import postings_of_terms
from ragembed.index.selection import Selection
from ragembed.index.sparse import SparseIndex, SparseSegment, merge_best

WEIGHTINGS: list[Weighting] = [OneHotWeighting(), CountWeighting(), TfIdfWeighting(), BM25Weighting()]
weightings = pytest.mark.parametrize("weighting", WEIGHTINGS, ids=lambda weighting: type(weighting).__name__)

numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="needs the extra fast")
compiled_or_not = pytest.mark.parametrize(
    "compiled", [False, pytest.param(True, marks=numba)], ids=["numpy", "numba"]
)

Terms = list[str]
DOCUMENT = st.lists(st.sampled_from("abcde"), max_size=6)
QUERIES = st.lists(st.lists(st.sampled_from("abcdex"), max_size=4), max_size=4)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(DOCUMENT, min_size=1, max_size=4)),
        st.tuples(st.just("delete"), st.lists(st.integers(0, 12), max_size=3)),
        st.tuples(st.just("replace"), st.lists(st.tuples(st.integers(0, 12), DOCUMENT), max_size=3)),
    ),
    max_size=6,
)


class Collection:
    """What the store does, in memory: segments never change, rows are never used twice, the dead are marked."""

    def __init__(self) -> None:
        self.segments: list[list[Terms]] = []
        self.living: dict[int, Terms] = {}
        self.rows = 0

    def add(self, documents: Sequence[Terms]) -> None:
        if documents:
            self.segments.append(list(documents))
            self.living |= dict(enumerate(documents, self.rows))
            self.rows += len(documents)

    def delete(self, numbers: Sequence[int]) -> list[int]:
        gone = [row for row in self.living if row in numbers]
        for row in gone:
            del self.living[row]
        return gone

    def apply(self, steps: Sequence[tuple[str, list[object]]]) -> None:
        values: Any
        for what, values in steps:
            if what == "add":
                self.add(values)
            elif what == "delete":
                self.delete(values)
            else:
                new = dict(values)
                self.add([new[row] for row in self.delete(list(new))])

    def parts(self) -> list[SparseSegment]:
        """The segments as they lie on disk."""
        segments, first = [], 0
        for documents in self.segments:
            rows = np.arange(first, first + len(documents))
            dead = np.array([row not in self.living for row in rows], bool)
            segments.append(SparseSegment(postings_of_terms(documents), rows, dead if dead.any() else None))
            first += len(documents)
        return segments

    def merged(self) -> list[SparseSegment]:
        """All segments merged into one, which still holds the dead."""
        if not self.segments:
            return []
        dead = np.array([row not in self.living for row in range(self.rows)], bool)
        postings = merge_postings([part.postings for part in self.parts()])
        return [SparseSegment(postings, np.arange(self.rows), dead if dead.any() else None)]

    def fresh(self) -> list[SparseSegment]:
        """One new segment of the living."""
        rows = np.array(sorted(self.living), np.int64)
        return [SparseSegment(postings_of_terms([self.living[row] for row in rows.tolist()]), rows)]


Found = list[tuple[list[int], list[float]]]


def search(
    segments: list[SparseSegment], weighting: Weighting, queries: list[Terms], k: int, compiled: bool
) -> Found:
    found = SparseIndex(segments, weighting, compiled=compiled).search_many(queries, k)
    return [(rows.tolist(), scores.tolist()) for rows, scores in found]


@weightings
@given(steps=STEPS, queries=QUERIES, k=st.integers(1, 20))
def test_any_history_scores_as_a_fresh_index(
    weighting: Weighting, steps: list[tuple[str, list[object]]], queries: list[Terms], k: int
) -> None:
    collection = Collection()
    collection.apply(steps)
    expected = search(collection.fresh(), weighting, queries, k, False)
    assert search(collection.parts(), weighting, queries, k, False) == expected
    assert search(collection.merged(), weighting, queries, k, False) == expected


@numba
@weightings
@given(steps=STEPS, queries=QUERIES, k=st.integers(1, 20))
def test_compiled_it_scores_the_same_bit_for_bit(
    weighting: Weighting, steps: list[tuple[str, list[object]]], queries: list[Terms], k: int
) -> None:
    collection = Collection()
    collection.apply(steps)
    for segments in (collection.parts(), collection.merged(), collection.fresh()):
        assert search(segments, weighting, queries, k, True) == search(segments, weighting, queries, k, False)


@compiled_or_not
@weightings
@given(
    steps=STEPS,
    queries=QUERIES,
    k=st.integers(1, 20),
    chosen=st.sets(st.integers(0, 15)),
    times=st.integers(1, 2),
)
def test_a_selection_picks_from_the_full_answer_and_changes_no_score(
    weighting: Weighting,
    compiled: bool,
    steps: list[tuple[str, list[object]]],
    queries: list[Terms],
    k: int,
    chosen: set[int],
    times: int,
) -> None:
    collection = Collection()
    collection.apply(steps)
    full = search(collection.parts(), weighting, queries, 10**6, False)
    expected = []
    for rows, scores in full:
        hits = [hit for hit in zip(rows, scores, strict=True) if hit[0] in chosen][:k]
        expected.append(([row for row, _ in hits], [score for _, score in hits]))
    selection = Selection(np.array(sorted(chosen & set(collection.living)), np.int64))
    index = SparseIndex(collection.parts(), weighting, compiled=compiled)
    for _ in range(times):
        found = index.search_many(queries, k, selection)
        assert [(rows.tolist(), scores.tolist()) for rows, scores in found] == expected


def test_a_dead_row_in_a_selection_stays_dead() -> None:
    dead = np.array([True, False])
    index = SparseIndex(
        [SparseSegment(postings_of_terms([["a"], ["a"]]), np.arange(2), dead)], BM25Weighting()
    )
    assert index.search(["a"], 5, Selection(np.arange(2)))[0].tolist() == [1]


def many_documents(count: int, seed: int) -> list[Terms]:
    """Documents of a skewed vocabulary, with many equal ones among them."""
    random = np.random.default_rng(seed)
    return [
        [f"t{number}" for number in random.zipf(1.5, random.integers(0, 9)) if number < 99]
        for _ in range(count)
    ]


def all_scores(segment: SparseSegment, weighting: Weighting, query: Terms) -> NDArray[np.float32]:
    scores = np.zeros(segment.postings.size, np.float32)
    rows, values = SparseIndex([segment], weighting, compiled=False).search(query, segment.postings.size)
    scores[rows] = values
    return scores


@compiled_or_not
@weightings
@pytest.mark.parametrize("k", [1, 7, 100, 2_999, 3_000, 10**9])
def test_the_best_of_many_are_the_head_of_all(weighting: Weighting, compiled: bool, k: int) -> None:
    documents = many_documents(3_000, 1)
    dead = np.random.default_rng(2).random(3_000) < 0.3
    segment = SparseSegment(postings_of_terms(documents), np.arange(3_000), dead)
    index = SparseIndex([segment], weighting, compiled=compiled)
    queries = [["t1"], ["t1", "t2", "t1"], ["t50", "t60"], ["t98"], ["absent"], []]
    for query, (rows, values) in zip(queries, index.search_many(queries, k), strict=True):
        scores = all_scores(segment, weighting, query)
        order = [row for row in sorted(range(3_000), key=lambda row: (-scores[row], row)) if scores[row] > 0]
        assert rows.tolist() == order[:k]
        assert values.tolist() == scores[order[:k]].tolist()
        assert not dead[rows].any()


@compiled_or_not
def test_equal_scores_come_by_row(compiled: bool) -> None:
    parts = [SparseSegment(postings_of_terms([["a"]] * 300), np.arange(n, n + 300)) for n in (0, 300)]
    index = SparseIndex(parts, BM25Weighting(), compiled=compiled)
    for k in (1, 5, 299, 301, 600, 900):
        rows, scores = index.search(["a"], k)
        assert rows.tolist() == list(range(min(k, 600)))
        assert len(set(scores.tolist())) == 1


@compiled_or_not
@weightings
def test_nothing_to_find(weighting: Weighting, compiled: bool) -> None:
    for segments in ([], [SparseSegment(postings_of_terms([]), np.arange(0))]):
        assert search(segments, weighting, [["a"], []], 5, compiled) == [([], []), ([], [])]
    without_terms = [SparseSegment(postings_of_terms([[], []]), np.arange(2))]
    assert search(without_terms, weighting, [["a"]], 5, compiled) == [([], [])]
    some = [SparseSegment(postings_of_terms([["a"], []]), np.arange(2))]
    assert search(some, weighting, [["b"], [], ["b", "a"]], 5, compiled)[:2] == [([], []), ([], [])]
    assert search(some, weighting, [["b", "a"]], 5, compiled)[0][0] == [0]
    assert search(some, weighting, [], 5, compiled) == []
    all_dead = [SparseSegment(postings_of_terms([["a"]]), np.arange(1), np.array([True]))]
    assert search(all_dead, weighting, [["a"]], 5, compiled) == [([], [])]


@compiled_or_not
def test_a_repeated_term_counts_again(compiled: bool) -> None:
    segment = [SparseSegment(postings_of_terms([["a", "b"], ["a"]]), np.arange(2))]
    once, twice = search(segment, BM25Weighting(), [["b"], ["b", "b"]], 1, compiled)
    assert twice[1][0] == pytest.approx(2 * once[1][0])


def test_searching_often_changes_no_score() -> None:
    documents = many_documents(200, 3)
    index = SparseIndex(
        [SparseSegment(postings_of_terms(documents), np.arange(200))], TfIdfWeighting(), compiled=False
    )
    found = [index.search(["t1", "t2"], 10) for _ in range(2 * sparse._WARM)]
    for rows, scores in found[1:]:
        assert rows.tolist() == found[0][0].tolist()
        assert scores.tolist() == found[0][1].tolist()


@compiled_or_not
def test_any_number_of_threads_may_search(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse, "_MOST_TERMS", 20)  # the numbering of terms starts anew now and then
    documents = many_documents(300, 4)
    segment = SparseSegment(postings_of_terms(documents), np.arange(300))
    queries = [[f"t{i}", f"t{j}"] for i in range(1, 40) for j in (1, i + 1)]
    expected = [SparseIndex([segment], TfIdfWeighting(), compiled=False).search(q, 10) for q in queries]
    index = SparseIndex([SparseSegment(segment.postings, segment.rows)], TfIdfWeighting(), compiled=compiled)
    start = threading.Barrier(4)
    wrong: list[Terms] = []

    def work(seed: int) -> None:
        start.wait()
        for number in np.random.default_rng(seed).permutation(np.tile(np.arange(len(queries)), 3)):
            rows, scores = index.search(queries[number], 10)
            if not (
                np.array_equal(rows, expected[number][0]) and np.array_equal(scores, expected[number][1])
            ):
                wrong.append(queries[number])

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_memory_for_query_terms_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse, "_MOST_TERMS", 10)
    index = SparseIndex([SparseSegment(postings_of_terms([["a"], ["b"]]), np.arange(2))], BM25Weighting())
    expected = index.search(["a"], 1)[1].tolist()
    for number in range(100):
        assert index.search([f"unknown{number}", "a"], 1)[1].tolist() == expected
    assert len(index._terms) < 20


def test_the_best_of_several_lists() -> None:
    def part(*hits: tuple[int, float]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        return np.array([row for row, _ in hits], np.int64), np.array(
            [score for _, score in hits], np.float32
        )

    rows, scores = merge_best([part((3, 2.0), (1, 1.0)), part((7, 2.0), (5, 1.5)), part()], 3)
    assert (rows.tolist(), scores.tolist()) == ([3, 7, 5], [2.0, 2.0, 1.5])
    assert merge_best([], 3)[0].tolist() == []
