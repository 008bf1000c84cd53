"""Of an accelerator's candidates the best by their flat vectors: a few by products in float32, these in float64.

Compiled by numba (extra ``fast``) where so many queries have come that its loading is repaid. The results are the same
to the last bit, as a product in float64 is summed in the order in which numpy sums one: in eight parts, pairwise in
blocks of up to 128.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from ragembed.embed.base import Dense
from ragembed.errors import CorruptError
from ragembed.index import kernels
from ragembed.index.dense import DenseSegment, Floats, Rows, products
from ragembed.index.flat import Flat
from ragembed.threads import spread

Best = tuple[Rows, Floats, int]

_MARGIN = 8
"""Candidates beyond those that are wanted, whose order in float32 may not be that of the exact scores."""
_MODULE = "ragembed.index.ann.rescore_compiled"
_LEAST = 16
"""Queries for which a thread is worth starting."""
_BLOCK = 128
"""Numbers that numpy adds without halving them."""
_SAVED = 2e-4
"""Seconds that the compiled code saves a query, about."""


def worth_compiling(queries: int) -> bool:
    """Whether so many queries would have repaid the loading of the compiled code, or it is loaded already."""
    repaid = kernels.available() and queries * _SAVED > kernels.LOADING
    return (_MODULE in sys.modules or repaid) and kernels.usable(_MODULE)


def rescored(
    segments: Sequence[DenseSegment], queries: Dense, rows: Rows, k: int, *, compiled: bool
) -> tuple[Rows, Floats]:
    """The k best of the candidate `rows` (n, width) for each of `queries` (n, dimension), best first, equal scores by
    row, and their scores in float64, rounded: (n, k or fewer).

    Where a row is -1 there is no candidate; such ones come last, with a score of minus infinity. Raises `CorruptError`
    for a row that no segment has.
    """
    best = _best_compiled if compiled else _best
    k = min(k, rows.shape[1])
    parts = [best(segment.flat, segment.rows, queries, rows, k) for segment in segments if len(segment.rows)]
    if sum(found for _, _, found in parts) < np.count_nonzero(rows >= 0):
        raise CorruptError(
            "an accelerator names rows that no segment holds", "run: ragembed verify INDEX --repair"
        )
    if len(parts) == 1:
        return parts[0][:2]
    return _first(np.hstack([part[0] for part in parts]), np.hstack([part[1] for part in parts]), k)


def _best(flat: Flat, held: Rows, queries: Dense, rows: Rows, k: int) -> Best:
    """The k best of those `rows` (n, width) that the segment has held, as `rescored`; and how many it has."""
    if held[-1] - held[0] == len(held) - 1:  # no gap
        at = np.clip(rows - held[0], 0, len(held) - 1)
    else:
        at = np.minimum(np.searchsorted(held, rows), len(held) - 1)
    here = held[at] == rows
    rows, found = np.where(here, rows, -1), int(np.count_nonzero(here))
    few = k + _MARGIN
    if rows.shape[1] > few + _MARGIN:
        scores = np.where(here, _rough(flat, queries, at), -np.inf)
        some = np.argpartition(scores, rows.shape[1] - few, axis=1)[:, -few:]
        at, here, rows = (np.take_along_axis(each, some, 1) for each in (at, here, rows))
    scores = np.where(here, products(flat, queries, at), np.float32(-np.inf))
    return *_first(rows, scores, k), found


def _rough(flat: Flat, queries: Dense, at: Rows) -> Floats:
    """Inner products (n, width) in float32 of each query with the vectors `at` (n, width)."""
    import faiss

    library: Any = faiss
    pointer = library.swig_ptr
    scores = np.empty(at.shape, np.float32)
    library.fvec_inner_products_by_idx(
        pointer(scores),
        pointer(queries),
        pointer(flat.codes.view(np.float32)),
        pointer(np.ascontiguousarray(at)),
        flat.dimension,
        *at.shape,
    )
    return scores


def _first(rows: Rows, scores: Floats, k: int) -> tuple[Rows, Floats]:
    """The k first of `rows` (n, width) by `scores`, equal ones by row; and their scores: (n, k)."""
    order = np.lexsort((rows, -scores), axis=1)[:, :k]
    return np.take_along_axis(rows, order, 1), np.take_along_axis(scores, order, 1)


def _best_compiled(flat: Flat, held: Rows, queries: Dense, rows: Rows, k: int) -> Best:
    """As `_best`, by compiled code."""
    from ragembed.index.ann import rescore_compiled

    vectors, order = flat.codes.view(np.float32), order_of_sums(flat.dimension)

    def part(first: int, last: int) -> Best:
        some = slice(first, last)
        found: Best = rescore_compiled.best(vectors, held, queries[some], rows[some], k, _MARGIN, order)
        return found

    parts = spread(part, len(queries), _LEAST)
    if len(parts) == 1:
        return parts[0]
    best_rows, best_scores, found = zip(*parts, strict=True)
    return np.concatenate(best_rows), np.concatenate(best_scores), sum(found)


@functools.cache
def order_of_sums(dimension: int) -> Rows:
    """How numpy adds so many numbers, block by block: (blocks, 3), the start of each, its length, and how many times
    the last two sums are added to one after it.
    """

    def halves(start: int, count: int) -> list[list[int]]:
        if count <= _BLOCK:
            return [[start, count, 0]]
        half = count // 2 // 8 * 8
        order = halves(start, half) + halves(start + half, count - half)
        order[-1][2] += 1
        return order

    return np.array(halves(0, dimension), np.int64)
