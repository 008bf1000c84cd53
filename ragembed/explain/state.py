"""One query in one state of an index: what the search answers, and the exact ranking that it should have answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Embedder
from ragembed.index.catalog import Catalog
from ragembed.index.runs import Rows
from ragembed.retrieve.fusion import DEPTH, Fused
from ragembed.retrieve.ranking import Ranking

if TYPE_CHECKING:
    from ragembed.retrieve.steps import Step

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
        """The k hits that a search gives, before any step."""
        return self.joined(self.found)[: self.k]

    @cached_property
    def first(self) -> list[Fused]:
        """What the steps begin with, as far down as any of them looks."""
        if not self.ranking.steps:
            return self.joined(self.found)
        return self.ranking.joined([0], max(self.k, DEPTH))[0]

    @cached_property
    def final(self) -> list[Fused]:
        """The k hits that `Pipeline.search` gives, after all steps."""
        return self._stepped[0] if self.ranking.steps else self.answer

    @property
    def after_steps(self) -> list[tuple[Step, Hits]]:
        """Each step of the search with the rows and scores that it left, further down than the answer goes."""
        return self._stepped[1]

    @cached_property
    def _stepped(self) -> tuple[list[Fused], list[tuple[Step, Hits]]]:
        seen: list[tuple[Step, Hits]] = []

        def watch(step: Step, hits: Sequence[Fused]) -> None:
            seen.append((step, [(hit.row, hit.score) for hit in hits]))

        self.ranking.best([0], max(self.k, DEPTH), watch)
        return self.ranking.best([0], self.k)[0], seen

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
        found = np.zeros(len(rows), np.int64)
        fusion, about = self.ranking.fusion, self.ranking.about
        given = fusion.contributions([listing.scores.tolist() for listing in self.exact], about)
        for listing, shares in zip(self.exact, given, strict=True):
            at = np.searchsorted(rows, listing.rows)
            scores[at] += shares
            found[at] += 1
        scores *= np.array([fusion.bonus(lists) for lists in range(len(given) + 1)])[found]
        return ordered(self.catalog, rows, scores)

    def shares(self, fused: Sequence[Fused]) -> list[dict[int, float]]:
        """For each list what it adds to the score of each row, which is the sum of them all."""
        if not self.hybrid:
            return [{hit.row: hit.score for hit in fused}]
        fusion = self.ranking.fusion
        lists = len(self.found)
        given = fusion.contributions(
            [[score for _, score in hits] for hits in self.found], self.ranking.about
        )
        added = [
            dict(zip((row for row, _ in hits), shares.tolist(), strict=True))
            for hits, shares in zip(self.found, given, strict=True)
        ]
        holding = Counter(row for each in added for row in each)
        bonus = [fusion.bonus(number) for number in range(lists + 1)]
        return [{row: share * bonus[holding[row]] for row, share in each.items()} for each in added]


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
