"""One query in one state of an index: what the search answers, and the exact ranking that it should have answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Embedder
from ragembed.index.catalog import Catalog
from ragembed.index.runs import Rows
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.search import DEPTH, Ranking

Floats = NDArray[np.floating]
Hits = list[tuple[int, float]]


@dataclass(frozen=True, eq=False)
class Listing:
    """Rows that one embedder ranks, best first, with their scores."""

    rows: Rows
    scores: Floats

    def __len__(self) -> int:
        return len(self.rows)

    def top_of(self, wanted: set[int]) -> tuple[int, int, float] | None:
        """Rank, row and score of the best of `wanted`; None where none is listed."""
        at = np.flatnonzero(np.isin(self.rows, np.fromiter(wanted, np.int64)))
        return (int(at[0]) + 1, int(self.rows[at[0]]), float(self.scores[at[0]])) if len(at) else None

    def only(self, rows: Rows) -> Listing:
        """Those of `rows`, in the same order."""
        kept = np.isin(self.rows, rows)
        return Listing(self.rows[kept], self.scores[kept])

    def top(self, k: int) -> Hits:
        """The first k as (row, score)."""
        return list(zip(self.rows[:k].tolist(), self.scores[:k].tolist(), strict=True))


class State:
    """What is asked of a query in one state of the index; what takes long is computed when it is asked for."""

    def __init__(self, ranking: Ranking, embedders: Sequence[Embedder], k: int) -> None:
        self.ranking = ranking
        self.embedders = embedders
        self.k = k
        self.catalog: Catalog = ranking.catalog
        self.depth = max(k, DEPTH) if self.hybrid else k
        """How far down each list the search looks."""

    @property
    def hybrid(self) -> bool:
        """Whether there is more than one list."""
        return len(self.ranking.sides) > 1

    @cached_property
    def found(self) -> list[Hits]:
        """What the index's own search lists for each embedder, to `depth`."""
        return [self.ranking.lists(number, [0], self.depth)[0] for number in range(len(self.ranking.sides))]

    @cached_property
    def answer(self) -> list[Fused]:
        """The k hits that `Pipeline.search` gives."""
        return self.joined(self.found)[: self.k]

    @cached_property
    def selected(self) -> Rows | None:
        """The rows that the filter lets through, ascending; None where there is no filter."""
        return None if self.ranking.selection is None else self.ranking.selection.rows

    @cached_property
    def everything(self) -> list[Listing]:
        """For each embedder all rows that it ranks at all, scored one by one, without the filter."""
        return [
            ordered(self.catalog, *side.scores(encoded, 0))
            for side, encoded in zip(self.ranking.sides, self.ranking.encoded, strict=True)
        ]

    @cached_property
    def exact(self) -> list[Listing]:
        """As `everything`, of those that the filter lets through."""
        return self.restricted(self.selected)

    def restricted(self, rows: Rows | None) -> list[Listing]:
        """The exact lists of `rows` only; None: of all."""
        return self.everything if rows is None else [listing.only(rows) for listing in self.everything]

    def joined(self, lists: Sequence[Hits]) -> list[Fused]:
        """The lists as one, best first, as a search joins them."""
        if len(lists) == 1:
            return [Fused(row, score, {0: (rank, score)}) for rank, (row, score) in enumerate(lists[0], 1)]
        return self.ranking.fuse([lists], sum(map(len, lists)) or 1)[0]

    def answer_of(self, lists: Sequence[Listing]) -> list[Fused]:
        """What a search that loses nothing gives for these lists, to the depth that it joins."""
        return self.joined([listing.top(self.depth) for listing in lists])

    @cached_property
    def full(self) -> Listing:
        """All that the filter lets through, the lists joined over their whole length."""
        if not self.hybrid:
            return self.exact[0]
        rows = np.unique(np.concatenate([listing.rows for listing in self.exact]))
        scores = np.zeros(len(rows))
        for listing in self.exact:
            scores[np.searchsorted(rows, listing.rows)] += self.ranking.fusion.shares(listing.scores.tolist())
        return ordered(self.catalog, rows, scores)

    def shares(self, fused: Sequence[Fused]) -> list[dict[int, float]]:
        """For each list what it adds to the score of each row: the score that the row has without the other lists."""
        if not self.hybrid:
            return [{hit.row: hit.score for hit in fused}]
        alone = [
            [hits if n == number else [] for n in range(len(self.found))]
            for number, hits in enumerate(self.found)
        ]
        return [{hit.row: hit.score for hit in self.ranking.fusion.fuse(lists)} for lists in alone]


def ordered(catalog: Catalog, rows: Rows, scores: Floats) -> Listing:
    """Rows by falling score, equal ones by document and place, as a search orders them."""
    order = np.lexsort((rows, -scores))
    rows, scores = rows[order], scores[order]
    equal = scores[1:] == scores[:-1]
    if equal.any():
        bounds = np.flatnonzero(np.diff(np.concatenate(([False], equal, [False])).astype(np.int8)))
        runs = [(int(first), int(last) + 1) for first, last in bounds.reshape(-1, 2)]
        place = catalog.places([row for first, last in runs for row in rows[first:last].tolist()])
        nowhere = ("", 0)
        for first, last in runs:
            rows[first:last] = sorted(rows[first:last].tolist(), key=lambda row: place.get(row, nowhere))
    return Listing(rows, scores)
