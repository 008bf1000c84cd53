"""One embedder's part of an index: its segments, and how a query becomes what they are searched with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from ragembed.embed.base import Dense, Embedder, checked_vectors
from ragembed.index.sparse import Query, SparseIndex
from ragembed.retrieve.fusion import Scores

if TYPE_CHECKING:
    from ragembed.embed.lexical import Lexical
    from ragembed.index.dense import DenseIndex
    from ragembed.index.selection import Selection
    from ragembed.retrieve.agreement import Measured

_UNIT = 1.001
"""Vectors up to this length count as normalised ones, in any precision."""

Found = tuple[np.ndarray, np.ndarray]
"""Rows and scores of one query's answer, best first, equal scores by row."""


class Side(Protocol):
    """What a search needs of one embedder. Threads may share it."""

    @property
    def embedder(self) -> Embedder:
        """Whose part of the index it is."""
        ...

    def encode(self, queries: Sequence[str]) -> Any:
        """The queries as `search` takes them: something that a list of positions can choose from."""
        ...

    def search(self, encoded: Any, which: Sequence[int], k: int, selection: Selection | None) -> list[Found]:
        """The k best of the selection for those of the encoded queries."""
        ...

    def about(self) -> Scores:
        """What is known of the scores without looking at them."""
        ...

    def scores(self, encoded: Any, which: int) -> Found:
        """All rows that one of the encoded queries finds at all, in any order, with their exact scores."""
        ...


class SparseSide:
    """Search in an inverted index."""

    def __init__(self, embedder: Embedder, index: SparseIndex) -> None:
        self.embedder = cast("Lexical", embedder)
        self.index = index

    def encode(self, queries: Sequence[str]) -> list[Query]:
        """The terms of each query."""
        return [self.embedder.analyzer.terms(query) for query in queries]

    def search(self, encoded: Any, which: Sequence[int], k: int, selection: Selection | None) -> list[Found]:
        """The k best of the selection for those of the encoded queries."""
        return self.index.search_many([encoded[i] for i in which], k, selection)

    def about(self) -> Scores:
        """No document has less than 0, and BM25's are sums of idf."""
        return Scores(0.0, self.index.weighting.additive, self.embedder.nats)

    def scores(self, encoded: Any, which: int) -> Found:
        """All rows that share a term with one of the encoded queries."""
        return self.index.search(encoded[which], max(1, self.index.statistics.documents))


class DenseSide:
    """Search by vectors."""

    def __init__(self, embedder: Embedder, index: DenseIndex | None) -> None:
        self.embedder = embedder
        self.index = index
        self.measured: Measured | None = None
        """What the index's chunks tell of the embedder (`ragembed.retrieve.agreement`), once it was `judged`."""
        self.judged = False

    def encode(self, queries: Sequence[str]) -> Any:
        """The queries' vectors (n, dimension); where there is nothing to search no model is loaded."""
        return checked_vectors(self.embedder, queries, queries=True) if self.index else None

    def search(self, encoded: Any, which: Sequence[int], k: int, selection: Selection | None) -> list[Found]:
        """The k best of the selection for those of the encoded queries."""
        if self.index is None:
            return [(np.zeros(0, np.int64), np.zeros(0, np.float32)) for _ in which]
        found = self.index.search_many(encoded[list(which)], k, selection)
        return found if self.embedder.field is None else [_above_zero(*each) for each in found]

    def vectors(self, rows: Sequence[int]) -> Dense:
        """The stored vectors ``(len(rows), dimension)`` of rows that a search found."""
        assert self.index is not None
        return self.index.vectors(rows)

    def about(self) -> Scores:
        """What is known of the scores without looking at a vector."""
        return Scores(nats=self.embedder.nats)

    def least(self) -> float | None:
        """The least score: inner products of vectors that are no longer than 1 are cosines. None: there is none."""
        if self.index is None:
            return None
        longest = max((segment.flat.largest_norm for segment in self.index.segments), default=0.0)
        return -1.0 if longest < _UNIT else None

    def scores(self, encoded: Any, which: int) -> Found:
        """All rows, scored one by one: no search can lose any."""
        if self.index is None:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        found = self.index.scores(encoded[which])
        return found if self.embedder.field is None else _above_zero(*found)


def _above_zero(rows: np.ndarray, scores: np.ndarray) -> Found:
    """Those with something in common with the query: chunks that lack an embedder's field have zeros for a vector."""
    above = scores > 0
    return rows[above], scores[above]
