"""Documents from rankings of chunks: how far down a list is looked at, and which document each row belongs to."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Collection

from ragembed.index.catalog import Catalog
from ragembed.retrieve.aggregate import Aggregate, Scored
from ragembed.retrieve.ranking import Ranking, complete

_REMEMBERED = 1_000_000
"""Rows whose documents are remembered during one batch: about 100 MB at most."""

Known = tuple[dict[int, str], dict[str, int]]


class Owners:
    """Which document each row belongs to, and how many chunks that has; asked once. Threads may share it."""

    def __init__(self, *, counted: bool) -> None:
        self._counted = counted
        self._known: Known = {}, {}
        self._lock = threading.Lock()

    def of(self, rows: Collection[int], catalog: Catalog) -> Known:
        """The document of each of `rows`, of some others too, and where they count its number of chunks."""
        with self._lock:
            if len(self._known[0]) > _REMEMBERED:
                self._known = {}, {}
            documents, chunks = self._known
            unknown = [row for row in rows if row not in documents]
            if unknown:
                places = complete(catalog.places(unknown), unknown)
                if self._counted:
                    chunks.update(catalog.chunks_by_document(unknown))
                documents.update((row, document) for row, (document, _) in places.items())
            return documents, chunks


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
        of, chunks = owners.of({row for hits in ranked for row, _ in hits}, ranking.catalog)
        unfinished = []
        for query, hits in zip(waiting, ranked, strict=True):
            found = aggregate.documents([(of[row], score, row) for row, score in hits], chunks)
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
