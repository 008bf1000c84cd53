"""Query -> Hit: one search over all embedders of an index, on one unchanging state of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import numpy as np

from ragembed.embed.base import Embedder
from ragembed.errors import CorruptError, QueryError
from ragembed.index.catalog import Catalog, SegmentRecord
from ragembed.index.postings import Postings
from ragembed.index.sparse import SparseIndex, SparseSegment
from ragembed.index.store import Store
from ragembed.retrieve.fusion import Fused, reciprocal_rank_fusion
from ragembed.types import Hit

if TYPE_CHECKING:
    from ragembed.embed.lexical import Lexical
    from ragembed.index.dense import DenseIndex

LONGEST_QUERY = 1 << 20
"""Characters; a longer query is surely a file that was meant to be indexed."""
_DEPTH = 200
"""How far down each embedder's list a fusion looks, or k where that is more: a constant, so that up to here the first
hits are the same whatever k is."""

Ranked = list[tuple[int, float]]
T = TypeVar("T")


class Searcher:
    """Searches a store with the embedders it was made by. Not for several threads at once."""

    def __init__(self, store: Store, embedders: Sequence[Embedder]) -> None:
        self.store = store
        self.embedders = embedders
        self._generation = -1
        self._loaded: dict[str, Any] = {}
        self._indexes: list[_Side] = []

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The k best chunks for each query."""
        check(queries, k)
        with self._state() as catalog:
            ranked = self._rank(queries, k)
            chunks = self._complete(catalog.chunks(rows := _rows(ranked)), rows)
        names = [str(embedder.spec) for embedder in self.embedders]
        return [
            [
                Hit(chunks[fused.row], fused.score, rank, {names[n]: part for n, part in fused.parts.items()})
                for rank, fused in enumerate(hits, 1)
            ]
            for hits in ranked
        ]

    def search_documents(self, queries: Sequence[str], k: int) -> list[dict[str, float]]:
        """The k best documents for each query, each scored by its best chunk (MaxP, Dai & Callan 2019)."""
        check(queries, k)
        with self._state() as catalog:
            counts = catalog.counts()
            depth = k if counts["chunks"] == counts["documents"] else 4 * k
            results: list[dict[str, float]] = [{} for _ in queries]
            open_queries = list(range(len(queries)))
            while open_queries:
                ranked = self._rank([queries[i] for i in open_queries], depth)
                owner = self._complete(catalog.document_ids(rows := _rows(ranked)), rows)
                unfinished = []
                for i, hits in zip(open_queries, ranked, strict=True):
                    best: dict[str, float] = {}
                    for fused in hits:
                        best.setdefault(owner[fused.row], fused.score)
                    results[i] = dict(list(best.items())[:k])
                    if len(best) < k and len(hits) == depth:
                        unfinished.append(i)
                open_queries = unfinished
                depth *= 4
        return results

    @contextlib.contextmanager
    def _state(self) -> Iterator[Catalog]:
        """One unchanging state of the index, with all segments that it names loaded.

        A writer may merge segments away before they are loaded; then the next state is taken.
        """
        while True:
            with self.store.snapshot() as catalog:
                generation = catalog.generation()
                try:
                    self._refresh(catalog, generation)
                except CorruptError as error:
                    failed = error
                else:
                    yield catalog
                    return
            with self.store.snapshot() as catalog:
                if catalog.generation() == generation:
                    raise failed

    def _complete(self, found: dict[int, T], rows: Sequence[int]) -> dict[int, T]:
        if len(found) < len(rows):
            raise CorruptError(
                f"{self.store.folder} lacks {len(rows) - len(found)} chunks that its segments hold",
                f"run: ragembed verify {self.store.folder}",
            )
        return found

    def _rank(self, queries: Sequence[str], k: int) -> list[list[Fused]]:
        if len(self._indexes) == 1:
            return [
                [Fused(row, score, {0: (rank, score)}) for rank, (row, score) in enumerate(hits, 1)]
                for hits in self._indexes[0].search(queries, k)
            ]
        depth = max(k, _DEPTH)
        sides = [index.search(queries, depth) for index in self._indexes]
        return [reciprocal_rank_fusion(lists, k) for lists in zip(*sides, strict=True)]

    def _refresh(self, catalog: Catalog, generation: int) -> None:
        """Load the segments that the catalog names now; those already loaded are kept."""
        if generation == self._generation:
            return
        records = catalog.segments()
        dead = np.array(catalog.dead_rows(), np.int64)
        names = {record.name for record in records}
        self._loaded = {name: loaded for name, loaded in self._loaded.items() if name in names}
        self._indexes = []
        for number, embedder in enumerate(self.embedders):
            own = [record for record in records if record.embedder == number]
            side = (
                self._sparse_side(embedder, own, dead)
                if embedder.kind == "sparse"
                else self._dense_side(embedder, own, dead)
            )
            self._indexes.append(side)
        self._generation = generation

    def _sparse_side(self, embedder: Embedder, records: Sequence[SegmentRecord], dead: np.ndarray) -> _Side:
        segments = []
        for record in records:
            if record.name not in self._loaded:
                self._loaded[record.name] = self.store.load_postings(record)
            postings: Postings = self._loaded[record.name]
            rows = np.arange(record.first_row, record.first_row + record.rows)
            gone = _positions(dead, record)
            mask = None
            if len(gone):
                mask = np.zeros(record.rows, np.bool_)
                mask[gone] = True
            segments.append(SparseSegment(postings, rows, mask))
        lexical = cast("Lexical", embedder)
        return _SparseSide(lexical, SparseIndex(segments, lexical.weighting))

    def _dense_side(self, embedder: Embedder, records: Sequence[SegmentRecord], dead: np.ndarray) -> _Side:
        from ragembed.index.dense import DenseIndex, DenseSegment

        segments = []
        for record in records:
            if record.name not in self._loaded:
                self._loaded[record.name] = self.store.load_flat(record, embedder.dimension)
            segments.append(
                DenseSegment(self._loaded[record.name], record.first_row, _positions(dead, record))
            )
        return _DenseSide(embedder, DenseIndex(segments, embedder.dimension) if segments else None)


def _positions(dead: np.ndarray, record: SegmentRecord) -> np.ndarray:
    """Where in a segment those of the `dead` rows, ascending, lie that it holds."""
    first, last = np.searchsorted(dead, (record.first_row, record.first_row + record.rows))
    return dead[first:last] - record.first_row


def _rows(ranked: Sequence[Sequence[Fused]]) -> list[int]:
    return sorted({fused.row for hits in ranked for fused in hits})


class _Side(Protocol):
    """One embedder's part of the index."""

    def search(self, queries: Sequence[str], k: int) -> list[Ranked]: ...


class _SparseSide:
    def __init__(self, embedder: Lexical, index: SparseIndex) -> None:
        self.embedder = embedder
        self.index = index

    def search(self, queries: Sequence[str], k: int) -> list[Ranked]:
        found = self.index.search_many([self.embedder.analyzer.terms(query) for query in queries], k)
        return [list(zip(rows.tolist(), scores.tolist(), strict=True)) for rows, scores in found]


class _DenseSide:
    def __init__(self, embedder: Embedder, index: DenseIndex | None) -> None:
        self.embedder = embedder
        self.index = index

    def search(self, queries: Sequence[str], k: int) -> list[Ranked]:
        if self.index is None:
            return [[] for _ in queries]
        vectors = cast("np.ndarray", self.embedder.embed_queries(queries))
        found = self.index.search_many(vectors, k)
        return [list(zip(rows.tolist(), scores.tolist(), strict=True)) for rows, scores in found]


def check(queries: Sequence[str], k: int) -> None:
    """Raise `QueryError` for a query or a k that makes no sense."""
    if k < 1:
        raise QueryError(f"k is {k}", "ask for at least 1 hit")
    for number, query in enumerate(queries, 1):
        which = "the query" if len(queries) == 1 else f"query {number}"
        if not query.strip():
            raise QueryError(f"{which} is empty", "write at least one word")
        if len(query) >= LONGEST_QUERY:
            raise QueryError(
                f"{which} has {len(query):,} characters, the limit is {LONGEST_QUERY:,}",
                "ask in fewer words, or index the text as a document",
            )
