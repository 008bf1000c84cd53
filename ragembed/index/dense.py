"""Exact search by inner product over all live vectors of an index.

A search has two steps. A fast one in float32 finds candidates: FAISS where there are few queries, blocked products of
matrices where there are many. Their scores differ in the last bits with the way that was taken, so the second step
computes those of the candidates in float64, and asks for more of them until nothing that was left out can belong to
the answer, by the bound on the error of a float32 sum (Higham 2002, section 3.1). So the answer is a matter of the
vectors alone: the same for a query by itself or among a thousand, filtered in this way or that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.errors import EmbeddingError
from ragembed.index.flat import Flat
from ragembed.index.selection import Selection

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]

_FEW = 16
"""Queries below which FAISS, a product at a time, is faster than copying the vectors into blocks."""
_SPARSE = 8
"""FAISS is told which vectors to look at one by one where they are fewer than one in this many, else by a bitmap."""
_MARGIN = 8
"""Candidates beyond those asked for, so that the bound can be met at once."""
_BLOCK = 1 << 25
"""Bytes of vectors in a block: smaller ones spend their time on waiting for threads, larger ones leave the cache."""
_SCORES = 1 << 22
"""Scores that are held at a time: 16 MB."""
_ROUNDING = 2.0**-24
"""Largest relative error of one operation in float32."""


@dataclass(slots=True, eq=False)
class DenseSegment:
    """One file of vectors.

    `rows` are the catalog's numbers of its vectors, ascending; `dead` are positions of deleted ones.
    """

    flat: Flat
    rows: Rows
    dead: Rows
    _live: Rows | None = None

    @property
    def live(self) -> Rows:
        """The rows that are not deleted, ascending."""
        at = self.positions(None)
        return self.rows if at is None else self.rows[at]

    def positions(self, selection: Selection | None) -> Rows | None:
        """Where the vectors lie that may be found, ascending; None: everywhere."""
        if selection is not None:
            return selection.positions(self.rows)  # which holds no dead ones
        if not len(self.dead):
            return None
        if self._live is None:
            self._live = np.delete(np.arange(len(self.rows)), self.dead)
        return self._live


@dataclass(frozen=True, slots=True)
class _Part:
    """What one search looks at in one segment."""

    flat: Flat
    rows: Rows
    positions: Rows | None

    def __len__(self) -> int:
        return len(self.flat) if self.positions is None else len(self.positions)


class DenseIndex:
    """Segments of one embedder searched together. Any number of threads may search at once."""

    def __init__(self, segments: Sequence[DenseSegment], dimension: int) -> None:
        self.segments = list(segments)
        self.dimension = dimension

    def search_many(
        self, queries: Dense, k: int, selection: Selection | None = None
    ) -> list[tuple[Rows, Floats]]:
        """The k best (rows, scores) for each query vector (n, dimension), best first, equal scores by row.

        With a `selection`, the k best among its rows. A query of zeros finds nothing: it is equally near to all.
        """
        queries = self._checked(queries)
        found = [(np.zeros(0, np.int64), np.zeros(0, np.float32))] * len(queries)
        parts = [_Part(segment.flat, segment.rows, segment.positions(selection)) for segment in self.segments]
        parts = [part for part in parts if len(part)]
        waiting = np.flatnonzero(queries.any(axis=1)) if parts else np.zeros(0, np.int64)
        width = k + max(_MARGIN, k // 16)
        while len(waiting):
            unsettled = []
            for some in _groups(waiting, max(1, _SCORES // (width * len(parts)))):
                rows, scores, settled = _search(parts, queries[some], k, width)
                for number, query in enumerate(some.tolist()):
                    found[query] = rows[number], scores[number]
                unsettled.append(some[~settled])
            waiting = np.concatenate(unsettled)
            width *= 4
        return found

    @property
    def live(self) -> Rows:
        """All rows that are not deleted, segment by segment."""
        return np.concatenate([np.zeros(0, np.int64), *(segment.live for segment in self.segments)])

    def scores(self, query: Dense) -> tuple[Rows, Floats]:
        """All live rows and their scores for one query vector (dimension,): those by which `search_many` ranks them.

        It looks at every vector, so that it tells what a search should have found. A query of zeros finds nothing.
        """
        query = self._checked(query[np.newaxis])  # (1, dimension)
        if not query.any():
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        wide = query[0].astype(np.float64)
        rows, scores = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
        for segment in self.segments:
            rows.append(segment.live)
            for _, vectors in segment.flat.blocks(segment.positions(None), segment.flat.piece):
                # a row by itself, as in `products`: the same to the last bit
                scores.append((vectors * wide).sum(axis=1).astype(np.float32))
        return np.concatenate(rows), np.concatenate(scores)

    def vectors(self, rows: Sequence[int] | Rows) -> Dense:
        """The vectors ``(len(rows), dimension)`` of live rows, as they are stored; `KeyError` for a row it has not."""
        wanted = np.asarray(rows, np.int64)
        found = np.zeros((len(wanted), self.dimension), np.float32)
        missing = np.ones(len(wanted), np.bool_)
        for segment in self.segments:
            at = np.searchsorted(segment.rows, wanted)
            here = at < len(segment.rows)
            here[here] = segment.rows[at[here]] == wanted[here]
            found[here] = segment.flat.take(at[here])
            missing &= ~here
        if missing.any():
            raise KeyError(int(wanted[missing][0]))
        return found

    def _checked(self, queries: Dense) -> Dense:
        if queries.shape[1] != self.dimension:
            raise EmbeddingError(
                f"the index has {self.dimension} dimensions, the query has {queries.shape[1]}",
                "query with the embedder that made the index",
            )
        finite = np.isfinite(queries).all(axis=1)
        if not finite.all():
            raise EmbeddingError(
                f"the vector of query {int(np.argmin(finite)) + 1} of {len(queries)} has NaN or infinity in it",
                "the embedder is broken, or cannot embed that query",
            )
        return np.ascontiguousarray(queries, np.float32)


def _groups(numbers: Rows, size: int) -> Iterator[Rows]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def _search(
    parts: Sequence[_Part], queries: Dense, k: int, width: int
) -> tuple[Rows, Floats, NDArray[np.bool_]]:
    """The k best rows and scores (n, k or fewer) among `width` candidates of each part, and for which queries (n)
    these are certain to be the k best of all."""
    rows, scores = [], []
    ceiling = np.full(len(queries), -np.inf)  # no score that was left out is higher
    norms = np.linalg.norm(queries.astype(np.float64), axis=1)
    for part in parts:
        rough, at = _candidates(part, queries, min(width, len(part)))
        rows.append(part.rows[at])
        scores.append(products(part.flat, queries, at))
        if width < len(part):
            error = (part.flat.dimension + 8) * _ROUNDING * norms * part.flat.largest_norm
            np.maximum(ceiling, rough.min(axis=1) + error, out=ceiling)
    all_rows, all_scores = np.hstack(rows), np.hstack(scores)
    order = np.lexsort((all_rows, -all_scores), axis=1)[:, :k]
    best = np.take_along_axis(all_scores, order, 1)
    settled = (ceiling.astype(np.float32) < best[:, -1]) | np.isneginf(ceiling)
    return np.take_along_axis(all_rows, order, 1), best, settled


def _candidates(part: _Part, queries: Dense, width: int) -> tuple[Floats, Rows]:
    """Rough scores and positions (n, width) of the best vectors of a part, in any order."""
    if len(queries) < _FEW:
        return _by_faiss(part, queries, width)
    best = _Best(len(queries), width)
    most = max(1, min(_BLOCK // (4 * part.flat.dimension), _SCORES // len(queries)))
    for start, vectors in part.flat.blocks(part.positions, most):
        best.offer(queries @ vectors.T, start)
    scores, at = best.matrices()
    return scores, at if part.positions is None else part.positions[at]


def _by_faiss(part: _Part, queries: Dense, width: int) -> tuple[Floats, Rows]:
    import faiss

    library: Any = faiss  # its stubs know the C++ signatures only
    selector = None
    if part.positions is not None:
        if _SPARSE * len(part) < len(part.flat):
            selector = library.IDSelectorArray(part.positions)
        else:
            chosen = np.zeros(len(part.flat), np.bool_)
            chosen[part.positions] = True
            selector = library.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))
    scores = np.empty((len(queries), width), np.float32)
    at = np.empty((len(queries), width), np.int64)
    pointer = library.swig_ptr
    library.knn_inner_product(
        pointer(queries),
        pointer(part.flat.codes.view(np.float32)),
        part.flat.dimension,
        len(queries),
        len(part.flat),
        width,
        pointer(scores),
        pointer(at),
        selector,
    )
    return scores, at


def products(flat: Flat, queries: Dense, at: Rows) -> Floats:
    """Inner products (n, width), in float64 and then rounded, of each query with the vectors `at` (n, width).

    Each is a sum over one row by itself, so that it never depends on what else is asked for.
    """
    wide = queries.astype(np.float64)
    products = np.empty(at.size, np.float64)
    positions = at.ravel()
    for start in range(0, at.size, flat.piece):
        some = slice(start, start + flat.piece)
        owners = np.arange(start, min(start + flat.piece, at.size)) // at.shape[1]
        products[some] = (flat.take(positions[some]) * wide[owners]).sum(axis=1)
    return products.astype(np.float32).reshape(at.shape)


class _Best:
    """The `width` best of what is offered for each of n queries, sorted only now and then."""

    def __init__(self, queries: int, width: int) -> None:
        self.width = width
        self.most = 4 * queries * width
        self.bounds: Floats | None = None
        """(n, 1): what is not above it is out. None until there are `width` for each query."""
        self.found: list[tuple[Rows, Rows, Floats]] = []
        """Entries so far: query, position, score."""
        self.count = 0

    def offer(self, scores: Floats, first: int) -> None:
        """Scores (n, block) of the positions from `first` on."""
        queries, block = scores.shape
        if self.bounds is not None:
            query, column = np.divmod(np.flatnonzero(scores > self.bounds), block)
        else:
            cut = max(0, block - self.width)
            best = np.argpartition(scores, cut, axis=1)[:, cut:] if cut else np.indices(scores.shape)[1]
            query, column = np.repeat(np.arange(queries), best.shape[1]), best.ravel()
        self.found.append((query, column + first, scores[query, column]))
        self.count += len(query)
        if self.count > self.most or self.bounds is None:
            self._compact(queries)

    def _compact(self, queries: int) -> None:
        query, at, scores = map(np.concatenate, zip(*self.found, strict=True))
        order = np.lexsort((-scores, query))
        query, at, scores = query[order], at[order], scores[order]
        starts = np.searchsorted(query, np.arange(queries))
        within = np.arange(len(query)) - starts[query] < self.width
        self.found = [(query[within], at[within], scores[within])]
        self.count = len(self.found[0][0])
        if self.count == queries * self.width:
            self.bounds = self.found[0][2].reshape(queries, self.width)[:, -1:]

    def matrices(self) -> tuple[Floats, Rows]:
        """Scores and positions (n, width); at least that many positions must have been offered."""
        assert self.bounds is not None
        self._compact(len(self.bounds))
        _, at, scores = self.found[0]
        return scores.reshape(-1, self.width), at.reshape(-1, self.width)
