"""One embedder's part of an index: its segments, and how a query becomes what they are searched with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from ragembed.embed.base import Embedder, checked_vectors
from ragembed.index.sparse import SparseIndex

if TYPE_CHECKING:
    from ragembed.embed.lexical import Lexical
    from ragembed.index.dense import DenseIndex
    from ragembed.index.selection import Selection

Found = tuple[np.ndarray, np.ndarray]
"""Rows and scores of one query's answer, best first, equal scores by row."""


class Side(Protocol):
    """What a search needs of one embedder. Threads may share it."""

    def encode(self, queries: Sequence[str]) -> Any:
        """The queries as `search` takes them: something that a list of positions can choose from."""
        ...

    def search(self, encoded: Any, which: Sequence[int], k: int, selection: Selection | None) -> list[Found]:
        """The k best of the selection for those of the encoded queries."""
        ...

    def scores(self, encoded: Any, which: int) -> Found:
        """All rows that one of the encoded queries finds at all, in any order, with their exact scores."""
        ...


class SparseSide:
    """Search in an inverted index."""

    def __init__(self, embedder: Embedder, index: SparseIndex) -> None:
        self.embedder = cast("Lexical", embedder)
        self.index = index

    def encode(self, queries: Sequence[str]) -> list[list[str]]:
        """The terms of each query."""
        return [self.embedder.analyzer.terms(query) for query in queries]

    def search(self, encoded: Any, which: Sequence[int], k: int, selection: Selection | None) -> list[Found]:
        """The k best of the selection for those of the encoded queries."""
        return self.index.search_many([encoded[i] for i in which], k, selection)

    def scores(self, encoded: Any, which: int) -> Found:
        """All rows that share a term with one of the encoded queries."""
        return self.index.search(encoded[which], max(1, self.index.statistics.documents))


class DenseSide:
    """Search by vectors."""

    def __init__(self, embedder: Embedder, index: DenseIndex | None) -> None:
        self.embedder = embedder
        self.index = index

    def encode(self, queries: Sequence[str]) -> Any:
        """The queries' vectors (n, dimension); where there is nothing to search no model is loaded."""
        return checked_vectors(self.embedder, queries, queries=True) if self.index else None

    def search(self, encoded: Any, which: Sequence[int], k: int, selection: Selection | None) -> list[Found]:
        """The k best of the selection for those of the encoded queries."""
        if self.index is None:
            return [(np.zeros(0, np.int64), np.zeros(0, np.float32)) for _ in which]
        return self.index.search_many(encoded[list(which)], k, selection)

    def scores(self, encoded: Any, which: int) -> Found:
        """All rows, scored one by one: no search can lose any."""
        if self.index is None:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        return self.index.scores(encoded[which])
