"""Exact search by MaxSim over all live token vectors of an index.

A first pass in float32 scores every document, some tokens at a time; what can belong to the answer, by the bound on the
error of its sums (Higham 2002, section 3.1), is scored again in float64, each document by itself. So the answer depends
on the stored vectors alone, not on what else is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.embed.token_vectors import Codec, TokenVectors
from ragembed.errors import CorruptError, EmbeddingError
from ragembed.index.selection import Selection
from ragembed.index.tokens import Rows, Tokens
from ragembed.retrieve.maxsim import exact, maxsim_many

Floats = NDArray[np.float32]

_BYTES = 1 << 23
"""Vectors that are held as float32 at a time: 8 MB."""
_QUERIES = 256
"""Tokens of queries that are compared with them together."""
_ROUNDING = 2.0**-24
"""Largest relative error of one operation in float32."""


@dataclass(slots=True, eq=False)
class MultiSegment:
    """One file of token vectors.

    `rows` are the catalog's numbers of its texts, ascending; `dead` are places of deleted ones.
    """

    tokens: Tokens
    rows: Rows
    dead: Rows

    def places(self, selection: Selection | None) -> Rows | None:
        """Where the texts lie that may be found, ascending; None: everywhere."""
        if selection is not None:
            return selection.positions(self.rows)  # which holds no dead ones
        return np.delete(np.arange(len(self.rows)), self.dead) if len(self.dead) else None


class MultiIndex:
    """Segments of one embedder searched together. Any number of threads may search at once."""

    def __init__(self, segments: Sequence[MultiSegment], codec: Codec, dimension: int) -> None:
        """Raises `CorruptError` where a segment's vectors are of another width than the codec's."""
        for segment in segments:
            width = segment.tokens.codes.shape[1]
            if width != codec.width:
                raise CorruptError(
                    f"a segment has token vectors of {width} bytes, the embedder makes {codec.width}",
                    "run: ragembed verify INDEX --repair",
                )
        self.segments = list(segments)
        self.codec = codec
        self.dimension = dimension

    def search_many(
        self, queries: Sequence[Dense], k: int, selection: Selection | None = None
    ) -> list[tuple[Rows, Floats]]:
        """The k best (rows, scores) for each query ``(tokens, dimension)``, best first, equal scores by row.

        With a `selection`, the k best among its rows. A query without tokens finds nothing, a document without tokens
        is not found.
        """
        for query in queries:
            self._check(query)
        found = [(np.zeros(0, np.int64), np.zeros(0, np.float32))] * len(queries)
        for group in _groups([len(query) for query in queries]):
            asked = [queries[i] for i in group]
            for i, answer in zip(group, self._best(asked, k, selection), strict=True):
                found[i] = answer
        return found

    def scores(self, query: Dense) -> tuple[Rows, Floats]:
        """All live rows with tokens and their scores for one query, those by which `search_many` ranks them."""
        self._check(query)
        rows, scores = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
        for segment, places, documents in self._blocks(None) if len(query) else ():
            values = np.array([exact(query, document) for document in documents])
            there = np.isfinite(values)
            rows.append(segment.rows[places[there]])
            scores.append(values[there].astype(np.float32))
        return np.concatenate(rows), np.concatenate(scores)

    def tokens_of(self, rows: Sequence[int]) -> TokenVectors:
        """The token vectors of those rows, in that order; raises `CorruptError` where one is nowhere."""
        wanted = np.array(rows, np.int64)
        parts: list[Dense | None] = [None] * len(wanted)
        for segment in self.segments:
            at = np.searchsorted(segment.rows, wanted)
            at[at == len(segment.rows)] = 0
            here = np.flatnonzero(segment.rows[at] == wanted) if len(segment.rows) else np.zeros(0, np.int64)
            if len(here):
                some = segment.tokens.take(at[here])
                vectors = self.codec.decode(some.codes)
                for n, i in enumerate(here.tolist()):
                    parts[i] = vectors[some.starts[n] : some.starts[n + 1]]
        missing = [row for row, part in zip(rows, parts, strict=True) if part is None]
        if missing:
            raise CorruptError(
                f"{len(missing)} chunks have no token vectors, the first in row {missing[0]}",
                "run: ragembed verify INDEX --repair",
            )
        return TokenVectors.of([part for part in parts if part is not None], self.dimension)

    def _best(
        self, queries: Sequence[Dense], k: int, selection: Selection | None
    ) -> list[tuple[Rows, Floats]]:
        """As `search_many`, of some queries that fit together."""
        asked = TokenVectors.of(queries, self.dimension)
        rough: list[list[Floats]] = [[] for _ in queries]
        rows, owners, places = [], [], []
        longest = 0.0
        for segment, at, documents in self._blocks(selection):
            scores = maxsim_many(asked, documents)  # (queries, documents)
            for held, part in zip(rough, scores, strict=True):
                held.append(part)
            rows.append(segment.rows[at])
            owners.append(np.full(len(at), self.segments.index(segment)))
            places.append(at)
            squares = np.einsum("td,td->t", documents.vectors, documents.vectors)
            longest = max(longest, float(squares.max(initial=0.0)))
        if not rows:
            return [(np.zeros(0, np.int64), np.zeros(0, np.float32)) for _ in queries]
        every = [np.concatenate(each) for each in (rows, owners, places)]
        answers = []
        for query, parts in zip(queries, rough, strict=True):
            values = np.concatenate(parts)
            values[~np.isfinite(values)] = -np.inf
            lengths = float(np.sqrt(np.einsum("td,td->t", query, query)).sum())
            error = (self.dimension + 8 + len(query)) * _ROUNDING * lengths * float(np.sqrt(longest))
            answers.append(self._settled(query, values, error, k, every))
        return answers

    def _settled(
        self, query: Dense, values: Floats, error: float, k: int, every: Sequence[Rows]
    ) -> tuple[Rows, Floats]:
        """The k best by exact scores, given those of all that are `error` off at most."""
        rows, owners, places = every
        there = np.flatnonzero(values > -np.inf) if len(query) else np.zeros(0, np.int64)
        if len(there) > k:
            least = np.partition(values[there], len(there) - k)[len(there) - k]
            there = there[values[there] >= least - 2 * error - 1e-6 * abs(float(least))]
        scores = np.empty(len(there), np.float64)
        for n, i in enumerate(there.tolist()):
            tokens = self.segments[owners[i]].tokens
            place = int(places[i])
            codes = tokens.codes[tokens.starts[place] : tokens.starts[place + 1]]
            scores[n] = exact(query, self.codec.decode(codes))
        rounded = scores.astype(np.float32)
        order = np.lexsort((rows[there], -rounded))[:k]
        return rows[there][order], rounded[order]

    def _blocks(self, selection: Selection | None) -> Iterator[tuple[MultiSegment, Rows, TokenVectors]]:
        """All documents that may be found, some at a time: their segment, their places in it, their vectors."""
        most = max(1, _BYTES // (4 * self.dimension))
        for segment in self.segments:
            places = segment.places(selection)
            for part, codes in segment.tokens.runs(places, most):
                starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(segment.tokens.sizes[part])])
                yield segment, part, TokenVectors(self.codec.decode(codes), starts)

    def _check(self, query: Dense) -> None:
        if query.ndim != 2 or query.shape[1] != self.dimension:
            raise EmbeddingError(
                f"the index has token vectors of {self.dimension} dimensions, the query {query.shape}",
                "query with the embedder that made the index",
            )
        if not np.isfinite(query).all():
            raise EmbeddingError(
                "the vectors of the query have NaN or infinity in them",
                "the embedder is broken, or cannot embed that query",
            )


def _groups(sizes: Sequence[int]) -> Iterator[list[int]]:
    """Queries that together have few enough tokens, in order."""
    group: list[int] = []
    held = 0
    for number, size in enumerate(sizes):
        if group and held + size > _QUERIES:
            yield group
            group, held = [], 0
        group.append(number)
        held += size
    if group:
        yield group
