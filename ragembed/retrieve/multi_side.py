"""An embedder of many vectors a text as one side of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ragembed.embed.base import Embedder
from ragembed.retrieve.fusion import Scores
from ragembed.retrieve.sides import Found

if TYPE_CHECKING:
    from ragembed.embed.base import Dense
    from ragembed.embed.token_vectors import MultiVector, TokenVectors
    from ragembed.index.multi import MultiIndex
    from ragembed.index.selection import Selection


class MultiSide:
    """Search by MaxSim."""

    def __init__(self, embedder: Embedder, index: MultiIndex | None) -> None:
        self.embedder = embedder
        self.index = index

    def encode(self, queries: Sequence[str]) -> list[Dense] | None:
        """The token vectors of each query; where there is nothing to search no model is loaded."""
        if self.index is None:
            return None
        return list(cast("MultiVector", self.embedder).tokens(queries, queries=True))

    def search(self, encoded: Any, which: Sequence[int], k: int, selection: Selection | None) -> list[Found]:
        """The k best of the selection for those of the encoded queries."""
        if self.index is None:
            return [(np.zeros(0, np.int64), np.zeros(0, np.float32)) for _ in which]
        return self.index.search_many([encoded[i] for i in which], k, selection)

    def about(self) -> Scores:
        """What is known of the scores without looking at them."""
        return Scores(nats=self.embedder.nats)

    def scores(self, encoded: Any, which: int) -> Found:
        """All rows with tokens, scored one by one."""
        if self.index is None:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        return self.index.scores(encoded[which])

    def tokens_of(self, rows: Sequence[int]) -> TokenVectors | None:
        """The stored token vectors of those rows, in that order; None where the index holds none."""
        return None if self.index is None else self.index.tokens_of(rows)
