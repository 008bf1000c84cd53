"""Of an accelerator's candidates the best by their flat vectors: a few by products in float32, these in float64.

Compiled by numba (extra ``fast``) where so many queries have come that its loading is repaid. The results are the same
to the last bit, as a product in float64 is summed in the order in which numpy sums one: in eight parts, pairwise in
blocks of up to 128.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.errors import CorruptError
from ragembed.index import kernels
from ragembed.index.dense import DenseSegment, Floats, Rows, products
from ragembed.index.flat import Flat

_MARGIN = 8
"""Candidates beyond those that are wanted, whose order in float32 may not be that of the exact scores."""
_SAVED = 5e-5
"""Seconds that the compiled code saves a query, about."""


def worth_compiling(queries: int) -> bool:
    """Whether so many queries would have repaid the loading of the compiled code, or it is loaded already."""
    return kernels.available() and ("numba" in sys.modules or queries * _SAVED > kernels.LOADING)


def rescored(
    segments: Sequence[DenseSegment], queries: Dense, rows: Rows, k: int, *, compiled: bool
) -> tuple[Rows, Floats]:
    """The k best of the candidate `rows` (n, width) for each of `queries` (n, dimension), best first, equal scores by
    row, and their scores in float64, rounded: (n, k or fewer).

    Where a row is -1 there is no candidate; such ones come last, with a score of minus infinity. Raises `CorruptError`
    for a row that no segment has.
    """
    rough, best, exact = _compiled() if compiled else (_rough, _best, _exact)
    few = k + _MARGIN
    if rows.shape[1] > few + _MARGIN:
        rows = best(_scores(rough, segments, queries, rows), rows, few)[0]
    scores = _scores(exact, segments, queries, rows)
    found: tuple[Rows, Floats] = best(scores, rows, min(k, rows.shape[1]))
    return found


def _scores(
    score: Callable[..., int], segments: Sequence[DenseSegment], queries: Dense, rows: Rows
) -> Floats:
    """Scores (n, width) of `rows` (n, width), each by the segment that has it."""
    scores = np.full(rows.shape, -np.inf, np.float32)
    left = int(np.count_nonzero(rows >= 0))
    for segment in segments:
        if left:
            left -= score(segment.flat, segment.rows, queries, rows, scores)
    if left:
        raise CorruptError(
            "an accelerator names rows that no segment holds", "run: ragembed verify INDEX --repair"
        )
    return scores


def _rough(flat: Flat, held: Rows, queries: Dense, rows: Rows, scores: Floats) -> int:
    """Fill in the `scores` (n, width) in float32 of those `rows` (n, width) that are `held`; how many these are."""
    import faiss

    library: Any = faiss
    pointer = library.swig_ptr
    at, here = _places(held, rows)
    part = np.empty_like(scores)
    library.fvec_inner_products_by_idx(
        pointer(part),
        pointer(queries),
        pointer(flat.codes.view(np.float32)),
        pointer(at),
        flat.dimension,
        *rows.shape,
    )
    np.copyto(scores, part, where=here)
    return int(np.count_nonzero(here))


def _exact(flat: Flat, held: Rows, queries: Dense, rows: Rows, scores: Floats) -> int:
    """As `_rough`, in float64 and then rounded."""
    at, here = _places(held, rows)
    if here.all():
        scores[:] = products(flat, queries, at)
    else:
        which, _ = np.nonzero(here)
        scores[here] = products(flat, queries[which], at[here][:, np.newaxis])[:, 0]
    return int(np.count_nonzero(here))


def _places(held: Rows, rows: Rows) -> tuple[Rows, NDArray[np.bool_]]:
    """Where `rows` stand among those that are `held`, ascending, and which of them do; of others any place."""
    at = np.minimum(np.searchsorted(held, rows), len(held) - 1)
    return at, held[at] == rows


def _best(scores: Floats, rows: Rows, k: int) -> tuple[Rows, Floats]:
    """The k best of `rows` (n, width) by `scores`, best first, equal ones by row; and their scores: (n, k)."""
    order = np.lexsort((rows, -scores), axis=1)[:, :k]
    return np.take_along_axis(rows, order, 1), np.take_along_axis(scores, order, 1)


Scoring = Callable[[Flat, Rows, Dense, Rows, Floats], int]
Choosing = Callable[[Floats, Rows, int], tuple[Rows, Floats]]


@functools.cache
def _compiled() -> tuple[Scoring, Choosing, Scoring]:
    """`_rough`, `_best` and `_exact`, which are compiled when they are called first, or read from numba's cache."""
    from numba import njit

    @njit(nogil=True, cache=True)
    def place(held, row):  # type: ignore[no-untyped-def]
        """Where `row` stands among those that are `held`, ascending; -1: nowhere."""
        guess = row - held[0]
        if 0 <= guess < len(held) and held[guess] == row:  # mostly there is no gap
            return guess
        at = np.searchsorted(held, row)
        return at if at < len(held) and held[at] == row else -1

    @njit(nogil=True, cache=True, fastmath=True)
    def product(vector, query):  # type: ignore[no-untyped-def]
        total = np.float32(0)
        for i in range(len(query)):
            total += vector[i] * query[i]
        return total

    @njit(nogil=True, cache=True)
    def eight(vector, query, start, count):  # type: ignore[no-untyped-def]
        """The product of `count` numbers from `start` on, up to 128."""
        total = 0.0
        whole = start + count - count % 8 if count >= 8 else start
        if whole > start:
            a = b = c = d = e = f = g = h = 0.0
            for i in range(start, whole, 8):
                a += np.float64(vector[i]) * query[i]
                b += np.float64(vector[i + 1]) * query[i + 1]
                c += np.float64(vector[i + 2]) * query[i + 2]
                d += np.float64(vector[i + 3]) * query[i + 3]
                e += np.float64(vector[i + 4]) * query[i + 4]
                f += np.float64(vector[i + 5]) * query[i + 5]
                g += np.float64(vector[i + 6]) * query[i + 6]
                h += np.float64(vector[i + 7]) * query[i + 7]
            total = ((a + b) + (c + d)) + ((e + f) + (g + h))
        for i in range(whole, start + count):
            total += np.float64(vector[i]) * query[i]
        return total

    @njit(nogil=True, cache=True)
    def wide_product(vector, query, start, count):  # type: ignore[no-untyped-def]
        if count <= 128:
            return eight(vector, query, start, count)
        half = count // 2
        half -= half % 8
        return wide_product(vector, query, start, half) + wide_product(
            vector, query, start + half, count - half
        )

    @njit(nogil=True, cache=True)
    def rough(vectors, held, queries, rows, scores):  # type: ignore[no-untyped-def]
        found = 0
        for query in range(len(rows)):
            for i in range(rows.shape[1]):
                at = place(held, rows[query, i])
                if at >= 0:
                    scores[query, i] = product(vectors[at], queries[query])
                    found += 1
        return found

    @njit(nogil=True, cache=True)
    def exact(vectors, held, queries, rows, scores):  # type: ignore[no-untyped-def]
        wide = np.empty(queries.shape[1], np.float64)
        found = 0
        for query in range(len(rows)):
            wide[:] = queries[query]
            for i in range(rows.shape[1]):
                at = place(held, rows[query, i])
                if at >= 0:
                    scores[query, i] = wide_product(vectors[at], wide, 0, len(wide))
                    found += 1
        return found

    @njit(nogil=True, cache=True)
    def best(scores, rows, k):  # type: ignore[no-untyped-def]
        best_rows = np.empty((len(rows), k), np.int64)
        best_scores = np.empty((len(rows), k), np.float32)
        for query in range(len(rows)):
            count = 0
            for i in range(rows.shape[1]):
                score, row = scores[query, i], rows[query, i]
                at = count
                while at and (
                    score > best_scores[query, at - 1]
                    or (score == best_scores[query, at - 1] and row < best_rows[query, at - 1])
                ):
                    at -= 1
                if at == k:
                    continue
                count = min(count + 1, k)
                for later in range(count - 1, at, -1):
                    best_scores[query, later] = best_scores[query, later - 1]
                    best_rows[query, later] = best_rows[query, later - 1]
                best_scores[query, at] = score
                best_rows[query, at] = row
        return best_rows, best_scores

    def over_numbers(score: Callable[..., int]) -> Scoring:
        return lambda flat, *rest: score(flat.codes.view(np.float32), *rest)

    return over_numbers(rough), best, over_numbers(exact)
