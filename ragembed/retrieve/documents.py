"""Documents from rankings of chunks: how far down a list is looked at, and which document each row belongs to."""

from __future__ import annotations

import itertools
from collections.abc import Collection

from ragembed.index.catalog import Catalog
from ragembed.retrieve.aggregate import Aggregate, Scored
from ragembed.retrieve.ranking import Ranking, complete

_REMEMBERED = 1_000_000
"""Rows whose documents are remembered during one batch: about 100 MB at most."""


class Owners:
    """Which document each row belongs to, and how many chunks that has; asked of the catalog once."""

    def __init__(self, catalog: Catalog, *, counted: bool) -> None:
        self.of: dict[int, str] = {}
        self.chunks: dict[str, int] = {}
        self._catalog = catalog
        self._counted = counted

    def learn(self, rows: Collection[int]) -> None:
        """Have `of`, and where they count `chunks`, hold what belongs to `rows`."""
        if len(self.of) > _REMEMBERED:
            self.of.clear()
            self.chunks.clear()
        unknown = [row for row in rows if row not in self.of]
        if unknown:
            places = complete(self._catalog.places(unknown), unknown)
            self.of.update((row, document) for row, (document, _) in places.items())
            if self._counted:
                self.chunks.update(self._catalog.chunks_by_document(unknown))


def best_documents(
    ranking: Ranking, owners: Owners, aggregate: Aggregate, k: int, depth: int
) -> list[dict[str, Scored]]:
    """The k best documents of each query of a ranking, from its list to `depth` or, where these are too few, further.

    Documents that only a longer list has stay below the others: the first ones are the same whatever k is.
    """
    results: list[dict[str, Scored]] = [{} for _ in ranking.queries]
    waiting = list(range(len(ranking.queries)))
    while waiting:
        ranked = ranking.scored(waiting, depth)
        owners.learn({row for hits in ranked for row, _ in hits})
        of = owners.of
        unfinished = []
        for query, hits in zip(waiting, ranked, strict=True):
            found = aggregate.documents([(of[row], score, row) for row, score in hits], owners.chunks)
            results[query] = joined = _followed(results[query], found)
            if len(joined) < k and len(hits) >= depth:
                unfinished.append(query)
        waiting = unfinished
        depth *= 4
    return [best if len(best) <= k else dict(itertools.islice(best.items(), k)) for best in results]


def _followed(first: dict[str, Scored], found: dict[str, Scored]) -> dict[str, Scored]:
    """`first`, then those of `found` that are new, lowered where they would rise above it."""
    if not first:
        return found
    new = {document: scored for document, scored in found.items() if document not in first}
    if new:
        last = next(reversed(first.values()))[0]
        above = max(score for score, _ in new.values()) - last
        if above > 0:
            lowered = above + 1e-3 * max(1e-3, abs(last))  # a gap that a float32 can hold
            new = {document: (score - lowered, row) for document, (score, row) in new.items()}
    return {**first, **new}
