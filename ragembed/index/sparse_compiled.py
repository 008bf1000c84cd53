"""The loop of the sparse search, compiled by numba when this module is used first, or read from numba's cache.

These functions stand at the top of a module of their own since numba finds no function in its cache that is made anew
by each process together with others that it calls.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_BLOCK = 64
"""Documents whose largest score is found at once, and passed over at once when it is too small."""


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
def search(bounds, numbers, values, starts, documents, weights, excluded, size, k):  # type: ignore[no-untyped-def]
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
