"""The sparse search compiled by numba (extra ``fast``), for batches large enough to repay its import.

Same sums in the same order as `ragembed.index.sparse`, hence the same scores bit for bit.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ragembed.index.sparse import SparseSegment, Weighed

LOADING = 0.5
"""Seconds that loading numba and its cached code takes, about."""
_NONE = np.zeros(0, np.bool_)
_BLOCK = 64
"""Documents whose largest score is found at once, and passed over at once when it is too small."""


def worth_compiling(queries: int, documents: int) -> bool:
    """Whether a batch is large enough to repay the loading of the compiled code, unless that is loaded already."""
    if not available():
        return False
    without = queries * (4e-5 + documents * 3e-9)
    return _compiled.cache_info().currsize > 0 or without > LOADING


@functools.cache
def available() -> bool:
    """Whether numba is installed."""
    return importlib.util.find_spec("numba") is not None


def search_many(
    segment: SparseSegment,
    weights: NDArray[np.float32],
    weighed: Weighed,
    numbers: NDArray[np.int64],
    k: int,
    excluded: NDArray[np.bool_] | None,
) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """The k best (rows, scores) of one segment for each query, without the documents `excluded`.

    `numbers` are the segment's numbers of ``weighed.terms``.
    """
    postings = segment.postings
    k = min(k, postings.size)
    documents, scores, found = _compiled()(
        weighed.bounds,
        numbers,
        weighed.values,
        postings.list_starts,
        postings.documents.view(np.uint32),  # unsigned: spares the compiled code a check for negative ones
        weights,
        excluded if excluded is not None else _NONE,
        postings.size,
        k,
    )
    rows = segment.rows[documents]
    return [(of[:n], score[:n]) for of, score, n in zip(rows, scores, found.tolist(), strict=True)]


@functools.cache
def _compiled() -> Callable[..., Any]:
    from numba import njit

    @njit(nogil=True, cache=True)
    def better(score, document, other_score, other_document):  # type: ignore[no-untyped-def]
        return score > other_score or (score == other_score and document < other_document)

    @njit(nogil=True, cache=True)
    def sift(heap_scores, heap_documents, at, size):  # type: ignore[no-untyped-def]
        """Restore the heap, whose root is the worst entry, below position `at`."""
        while True:
            worst = at
            for child in (2 * at + 1, 2 * at + 2):
                if child < size and better(
                    heap_scores[worst], heap_documents[worst], heap_scores[child], heap_documents[child]
                ):
                    worst = child
            if worst == at:
                return
            heap_scores[at], heap_scores[worst] = heap_scores[worst], heap_scores[at]
            heap_documents[at], heap_documents[worst] = heap_documents[worst], heap_documents[at]
            at = worst

    @njit(nogil=True, cache=True, fastmath={"nnan", "nsz"})
    def largest(scores, start, end):  # type: ignore[no-untyped-def]
        """A maximum that the compiler may vectorise, since there is no NaN."""
        top = np.float32(0)
        for at in range(start, end):
            top = max(top, scores[at])
        return top

    @njit(nogil=True, cache=True)
    def run(bounds, numbers, values, starts, documents, weights, excluded, size, k):  # type: ignore[no-untyped-def]
        queries = len(bounds) - 1
        best_documents = np.zeros((queries, k), np.int64)
        best_scores = np.zeros((queries, k), np.float32)
        found = np.zeros(queries, np.int64)
        scores = np.zeros(size, np.float32)
        for query in range(queries):
            for term in range(bounds[query], bounds[query + 1]):
                number = numbers[term]
                value = values[term]
                if number < 0 or value <= 0:
                    continue
                for at in range(np.uint64(starts[number]), np.uint64(starts[number + 1])):
                    scores[documents[at]] += weights[at] * value
            heap_scores = best_scores[query]
            heap_documents = best_documents[query]
            threshold = np.float32(0)
            count = 0
            for start in range(0, size, _BLOCK):
                end = min(start + _BLOCK, size)
                if largest(scores, start, end) > threshold:
                    for document in range(start, end):
                        score = scores[document]
                        if score <= threshold or (len(excluded) and excluded[document]):
                            continue
                        if count < k:
                            heap_scores[count] = score
                            heap_documents[count] = document
                            count += 1
                            if count < k:
                                continue
                            for at in range(k // 2, -1, -1):
                                sift(heap_scores, heap_documents, at, k)
                        else:
                            heap_scores[0] = score
                            heap_documents[0] = document
                            sift(heap_scores, heap_documents, 0, k)
                        threshold = heap_scores[0]
                if query < queries - 1:
                    scores[start:end] = 0
            if count < k:
                for at in range(count // 2, -1, -1):
                    sift(heap_scores, heap_documents, at, count)
            for last in range(count - 1, 0, -1):
                heap_scores[0], heap_scores[last] = heap_scores[last], heap_scores[0]
                heap_documents[0], heap_documents[last] = heap_documents[last], heap_documents[0]
                sift(heap_scores, heap_documents, 0, last)
            found[query] = count
        return best_documents, best_scores, found

    compiled: Callable[..., Any] = run
    return compiled
