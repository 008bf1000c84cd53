"""Query -> Hit: one search over all embedders of an index, on one unchanging state of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from ragembed.config import EmbedderRecord, PipelineConfig
from ragembed.embed.base import Embedder
from ragembed.errors import CorruptError, QueryError
from ragembed.index.catalog import Catalog
from ragembed.index.records import SegmentRecord
from ragembed.index.runs import Rows
from ragembed.index.sparse import SparseIndex, SparseSegment
from ragembed.index.store import Store
from ragembed.retrieve.fusion import DEFAULT, FUSIONS, Fused
from ragembed.retrieve.sides import DenseSide, Side, SparseSide
from ragembed.types import Hit

if TYPE_CHECKING:
    from ragembed.embed.lexical import Lexical
    from ragembed.embed.weighting import Weighting
    from ragembed.filters.conditions import Condition
    from ragembed.index.selection import Selection

LONGEST_QUERY = 1 << 20
"""Characters; a longer query is surely a file that was meant to be indexed."""
DEPTH = 200
"""How far down each embedder's list a fusion looks, or k where that is more: a constant, so that up to here the first
hits are the same whatever k is."""
_SELECTIONS = 64
"""Filters whose rows are remembered."""

T = TypeVar("T")


@dataclass(slots=True)
class _View:
    """One state of the index, loaded. Searches that began with it end with it, whatever is loaded meanwhile."""

    generation: int
    loaded: dict[str, tuple[Any, Rows]]
    """Content and rows of each segment by its name."""
    sides: list[Side]
    selections: dict[Condition, Selection] = field(default_factory=dict)


class OutdatedError(Exception):
    """The index's embedders are not those that the searcher has: what they learnt was learnt anew, or forgotten."""


class Searcher:
    """Searches a store with the embedders it was made by. Threads may share it."""

    def __init__(
        self, store: Store, embedders: Sequence[Embedder], made_by: Sequence[EmbedderRecord]
    ) -> None:
        """`made_by` is what the index recorded of the embedders when they were loaded."""
        self.store = store
        self.embedders = embedders
        self.made_by = tuple(made_by)
        self._view = _View(-1, {}, [])
        self._loading = threading.Lock()

    def search(
        self, queries: Sequence[str], k: int, condition: Condition | None = None, fusion: str | None = None
    ) -> list[list[Hit]]:
        """The k best chunks for each query, of those that meet the condition."""
        check(queries, k)
        with self._state() as (catalog, view):
            ranked = Ranking(catalog, view, queries, condition, fusion).best(range(len(queries)), k)
            chunks = self._complete(catalog.chunks(rows := _rows(ranked)), rows)
        names = [str(embedder.spec) for embedder in self.embedders]
        return [
            [
                Hit(chunks[fused.row], fused.score, rank, {names[n]: part for n, part in fused.parts.items()})
                for rank, fused in enumerate(hits, 1)
            ]
            for hits in ranked
        ]

    def search_documents(
        self, queries: Sequence[str], k: int, condition: Condition | None = None, fusion: str | None = None
    ) -> list[dict[str, float]]:
        """The k best documents for each query, each scored by its best chunk (MaxP, Dai & Callan 2019)."""
        check(queries, k)
        with self._state() as (catalog, view):
            found = self._best_rows(catalog, view, queries, k, condition, fusion)
        return [{document: score for document, (score, _) in best.items()} for best in found]

    def best_chunks(
        self, queries: Sequence[str], k: int, condition: Condition | None = None, fusion: str | None = None
    ) -> list[dict[str, tuple[float, str]]]:
        """As `search_documents`, with the id of the best chunk: ``{document_id: (score, chunk_id)}``."""
        check(queries, k)
        with self._state() as (catalog, view):
            found = self._best_rows(catalog, view, queries, k, condition, fusion)
            rows = sorted({row for best in found for _, row in best.values()})
            ids = self._complete(catalog.chunk_ids(rows), rows)
        return [{document: (score, ids[row]) for document, (score, row) in best.items()} for best in found]

    def _best_rows(
        self,
        catalog: Catalog,
        view: _View,
        queries: Sequence[str],
        k: int,
        condition: Condition | None,
        fusion: str | None,
    ) -> list[dict[str, tuple[float, int]]]:
        """For each query score and row of the best chunk of the k best documents."""
        depth = k if catalog.chunk_count() == catalog.document_count() else 4 * k
        ranking = Ranking(catalog, view, queries, condition, fusion)
        results: list[dict[str, tuple[float, int]]] = [{} for _ in queries]
        open_queries = list(range(len(queries)))
        while open_queries:
            ranked = ranking.best(open_queries, depth)
            places = self._complete(catalog.places(rows := _rows(ranked)), rows)
            unfinished = []
            for i, hits in zip(open_queries, ranked, strict=True):
                best: dict[str, tuple[float, int]] = {}
                for fused in hits:
                    best.setdefault(places[fused.row][0], (fused.score, fused.row))
                results[i] = dict(list(best.items())[:k])
                if len(best) < k and len(hits) == depth:
                    unfinished.append(i)
            open_queries = unfinished
            depth *= 4
        return results

    @contextlib.contextmanager
    def ranking(
        self, query: str, condition: Condition | None = None, fusion: str | None = None
    ) -> Iterator[Ranking]:
        """The ranking for `query` in one unchanging state of the index, to ask more of than `search` tells."""
        check([query], 1)
        with self._state() as (catalog, view):
            yield Ranking(catalog, view, [query], condition, fusion)

    @contextlib.contextmanager
    def _state(self) -> Iterator[tuple[Catalog, _View]]:
        """One unchanging state of the index, with all segments that it names loaded.

        A writer may merge segments away before they are loaded; then the next state is taken.
        """
        while True:
            with self.store.snapshot() as catalog:
                generation = catalog.generation()
                try:
                    view = self._loaded(catalog, generation)
                except CorruptError as error:
                    failed = error
                else:
                    yield catalog, view
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

    def _loaded(self, catalog: Catalog, generation: int) -> _View:
        """The state of the catalog in memory; segments that are there already are kept."""
        view = self._view
        if view.generation == generation:
            return view
        with self._loading:
            if self._view.generation == generation:
                return self._view
            config = PipelineConfig.from_json(catalog.setting("config"))
            if config.embedders != self.made_by:
                raise OutdatedError
            records = catalog.segments()
            dead = np.array(catalog.dead_rows(), np.int64)
            self._complain_of_gaps(catalog, records, len(dead))
            known = self._view.loaded
            loaded = {record.name: known[record.name] for record in records if record.name in known}
            sides = [
                self._side(embedder, [r for r in records if r.embedder == number], dead, loaded)
                for number, embedder in enumerate(self.embedders)
            ]
            view = _View(generation, loaded, sides)
            if generation > self._view.generation:  # a thread that began earlier may come here later
                self._view = view
            return view

    def _complain_of_gaps(self, catalog: Catalog, records: Sequence[SegmentRecord], dead: int) -> None:
        """Raise `CorruptError` where an embedder's segments cannot hold all chunks: it would miss some silently."""
        chunks = catalog.chunk_count()
        for number, embedder in enumerate(self.embedders):
            held = sum(record.rows for record in records if record.embedder == number)
            if held < chunks or held > chunks + dead:
                raise CorruptError(
                    f"the segments of {embedder.spec} hold {held} rows, for {chunks} chunks and {dead} deleted ones",
                    f"run: ragembed verify {self.store.folder} --repair",
                )

    def _side(
        self,
        embedder: Embedder,
        records: Sequence[SegmentRecord],
        dead: Rows,
        loaded: dict[str, tuple[Any, Rows]],
    ) -> Side:
        for record in records:
            if record.name not in loaded:
                content = (
                    self.store.load_postings(record)
                    if embedder.kind == "sparse"
                    else self.store.load_flat(record, embedder.dimension)
                )
                loaded[record.name] = content, self.store.rows_of(record)
        held = [loaded[record.name] for record in records]
        gone = [np.isin(rows, dead, assume_unique=True) if len(dead) else None for _, rows in held]
        if embedder.kind == "sparse":
            postings = [
                SparseSegment(content, rows, mask if mask is not None and mask.any() else None)
                for (content, rows), mask in zip(held, gone, strict=True)
            ]
            return SparseSide(embedder, SparseIndex(postings, _weighting(embedder)))
        from ragembed.index.dense import DenseIndex, DenseSegment

        nothing = np.zeros(0, np.int64)
        vectors = [
            DenseSegment(content, rows, nothing if mask is None else np.flatnonzero(mask))
            for (content, rows), mask in zip(held, gone, strict=True)
        ]
        return DenseSide(embedder, DenseIndex(vectors, embedder.dimension) if vectors else None)


class Ranking:
    """The ranking of chunks for some queries, to any depth. Equal scores are ordered by document and place in it, so
    that an index gives the same lists whatever way it came to hold what it holds.
    """

    def __init__(
        self,
        catalog: Catalog,
        view: _View,
        queries: Sequence[str],
        condition: Condition | None,
        fusion: str | None = None,
    ) -> None:
        self.fusion = FUSIONS.create(fusion or DEFAULT)
        self.catalog = catalog
        self.sides = view.sides
        self.selection = _selection(catalog, view, condition)
        self.encoded = [side.encode(queries) for side in view.sides]

    def best(self, which: Sequence[int], k: int) -> list[list[Fused]]:
        """The k best chunks for each of those queries."""
        if len(self.sides) == 1:
            return [
                [Fused(row, score, {0: (rank, score)}) for rank, (row, score) in enumerate(hits, 1)]
                for hits in self.lists(0, which, k)
            ]
        lists = [self.lists(number, which, max(k, DEPTH)) for number in range(len(self.sides))]
        return self.fuse([list(parts) for parts in zip(*lists, strict=True)], k)

    def fuse(self, queries: Sequence[Sequence[Sequence[tuple[int, float]]]], k: int) -> list[list[Fused]]:
        """The k best of the lists that each query has, one an embedder, each of (row, score), best first."""
        ranked = [self.fusion.fuse(lists) for lists in queries]
        tied = {fused.row for hits in ranked for fused in _tied(hits, [hit.score for hit in hits], k)}
        if tied:
            place = self.catalog.places(sorted(tied))
            nowhere = ("", 0)
            for hits in ranked:
                hits.sort(key=lambda fused: (-fused.score, place.get(fused.row, nowhere)))
        return [hits[:k] for hits in ranked]

    def lists(self, number: int, which: Sequence[int], k: int) -> list[list[tuple[int, float]]]:
        """One embedder's k best (row, score) for each of those queries."""
        found = self._with_ties(number, list(which), k)
        lists = [list(zip(rows.tolist(), scores.tolist(), strict=True)) for rows, scores in found]
        tied = {row for hits in lists for row, _ in _tied(hits, [score for _, score in hits], k)}
        if tied:
            place = self.catalog.places(sorted(tied))
            nowhere = ("", 0)
            for hits in lists:
                hits.sort(key=lambda hit: (-hit[1], place.get(hit[0], nowhere)))
        return [hits[:k] for hits in lists]

    def _with_ties(self, number: int, which: list[int], k: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """The k best rows and scores for each of those queries, and all that equal the last of them."""
        side, encoded = self.sides[number], self.encoded[number]
        width = k + 1
        found = side.search(encoded, which, width, self.selection)
        unsure = list(range(len(which)))
        while True:
            unsure = [
                i for i in unsure if len(found[i][1]) == width and found[i][1][k - 1] == found[i][1][-1]
            ]
            if not unsure:
                return found
            width *= 4
            again = side.search(encoded, [which[i] for i in unsure], width, self.selection)
            for i, answer in zip(unsure, again, strict=True):
                found[i] = answer


def _selection(catalog: Catalog, view: _View, condition: Condition | None) -> Selection | None:
    if condition is None:
        return None
    from ragembed.index.selection import Selection

    known = view.selections.get(condition)
    if known is None:
        known = Selection(np.array(catalog.rows_where(condition), np.int64))
        if len(view.selections) >= _SELECTIONS:
            view.selections.clear()
        view.selections[condition] = known
    return known


def _tied(hits: Sequence[T], scores: Sequence[float], k: int) -> list[T]:
    """Those of `hits`, best first, that have the score of a neighbour, as far as that matters to the first k."""
    tied = []
    for i, hit in enumerate(hits):
        if i > k and scores[i] != scores[k - 1]:
            break
        if (i and scores[i] == scores[i - 1]) or (i + 1 < len(scores) and scores[i] == scores[i + 1]):
            tied.append(hit)
    return tied


def _weighting(embedder: Embedder) -> Weighting:
    return cast("Lexical", embedder).weighting


def _rows(ranked: Sequence[Sequence[Fused]]) -> list[int]:
    return sorted({fused.row for hits in ranked for fused in hits})


def check(queries: Sequence[str], k: int) -> None:
    """Raise `QueryError` for a query or a k that makes no sense."""
    if isinstance(queries, str):
        raise QueryError("search_many was given one text, not a list", "give a list, or call search")
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
