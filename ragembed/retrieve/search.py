"""Query -> Hit: one search over all embedders of an index, on one unchanging state of it."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from ragembed.config import EmbedderRecord, PipelineConfig
from ragembed.embed.base import Embedder
from ragembed.errors import CorruptError, QueryError
from ragembed.index.catalog import Catalog
from ragembed.index.store import Store
from ragembed.retrieve.agreement import doubt
from ragembed.retrieve.documents import Owners, best_documents
from ragembed.retrieve.fusion import DEPTH as LIST_DEPTH
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.options import DEFAULTS, SearchOptions
from ragembed.retrieve.ranking import Ranking, complete
from ragembed.retrieve.view import View, load
from ragembed.threads import threads
from ragembed.types import Hit

if TYPE_CHECKING:
    from ragembed.filters.conditions import Condition
    from ragembed.retrieve.aggregate import Scored
    from ragembed.types import Chunk

LONGEST_QUERY = 1 << 20
"""Characters; a longer query is surely a file that was meant to be indexed."""
_HELD = 1 << 16
"""Entries of lists that are held at a time, of half a kilobyte each."""
_FEWEST, _MOST = 32, 1024
"""Queries that are searched for together, however long their lists are: enough for products of matrices."""

T = TypeVar("T")


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
        self._view = View(-1, {}, [])
        self._loading = threading.Lock()

    def doubts(self) -> list[str]:
        """What people should know of embedders that the last searches trusted less than fully."""
        return [line for line in map(doubt, self._view.sides) if line]

    def search(
        self,
        queries: Sequence[str],
        k: int,
        condition: Condition | None = None,
        options: SearchOptions = DEFAULTS,
    ) -> list[list[Hit]]:
        """The k best chunks for each query, of those that meet the condition."""
        check(queries, k)
        return list(self.search_each(queries, k, condition, options))

    def search_each(
        self,
        queries: Iterable[str],
        k: int,
        condition: Condition | None = None,
        options: SearchOptions = DEFAULTS,
    ) -> Iterator[list[Hit]]:
        """As `search`, one query's hits after the other, all in one state of the index; only some are in memory."""
        names = [str(embedder.spec) for embedder in self.embedders]

        def hits(ranking: Ranking) -> list[list[Hit]]:
            ranked = ranking.best(range(len(ranking.queries)), k)
            chunks = complete(ranking.catalog.chunks(rows := _rows(ranked)), rows)
            return [
                [_hit(chunks[fused.row], fused, rank, names) for rank, fused in enumerate(each, 1)]
                for each in ranked
            ]

        with self._state() as (catalog, view):
            yield from self._of_each(hits, catalog, view, queries, k, condition, options)

    def search_documents(
        self,
        queries: Sequence[str],
        k: int,
        condition: Condition | None = None,
        options: SearchOptions = DEFAULTS,
    ) -> list[dict[str, float]]:
        """The k best documents for each query, scored by their chunks as `options.aggregate` says, best first."""
        check(queries, k)
        return list(self.documents_each(queries, k, condition, options))

    def documents_each(
        self,
        queries: Iterable[str],
        k: int,
        condition: Condition | None = None,
        options: SearchOptions = DEFAULTS,
    ) -> Iterator[dict[str, float]]:
        """As `search_documents`, one query after the other, all in one state of the index."""
        with self._state() as (catalog, view):
            for best in self._best_rows(catalog, view, queries, k, condition, options):
                yield {document: score for document, (score, _) in best.items()}

    def best_chunks(
        self,
        queries: Sequence[str],
        k: int,
        condition: Condition | None = None,
        options: SearchOptions = DEFAULTS,
    ) -> list[dict[str, tuple[float, str]]]:
        """As `search_documents`, with the id of the best chunk: ``{document_id: (score, chunk_id)}``."""
        check(queries, k)
        with self._state() as (catalog, view):
            found = list(self._best_rows(catalog, view, queries, k, condition, options))
            rows = sorted({row for best in found for _, row in best.values()})
            ids = complete(catalog.chunk_ids(rows), rows)
        return [{document: (score, ids[row]) for document, (score, row) in best.items()} for best in found]

    def _best_rows(
        self,
        catalog: Catalog,
        view: View,
        queries: Iterable[str],
        k: int,
        condition: Condition | None,
        options: SearchOptions,
    ) -> Iterator[dict[str, Scored]]:
        """For each query the k best documents, with their scores and the rows of their best chunks."""
        aggregate = options.make_aggregate()
        chunked = catalog.chunk_count() > catalog.document_count()
        depth = k
        if chunked and not aggregate.first_only:
            prefix = len(view.sides) == 1 and not options.make_steps() and not aggregate.additive
            depth = 4 * k if prefix else aggregate.depth  # of such a list any length begins alike
        owners = Owners(counted=chunked and aggregate.additive)
        first_only = chunked and aggregate.first_only

        def documents(ranking: Ranking) -> list[dict[str, Scored]]:
            return best_documents(ranking, owners, aggregate, k, depth)

        yield from self._of_each(documents, catalog, view, queries, depth, condition, options, first_only)

    def _of_each(
        self,
        work: Callable[[Ranking], list[T]],
        catalog: Catalog,
        view: View,
        queries: Iterable[str],
        depth: int,
        condition: Condition | None,
        options: SearchOptions,
        first_only: bool = False,
    ) -> Iterator[T]:
        """What `work` makes of the rankings of some queries at a time, in their order."""
        selection = view.selection(catalog, condition, first_only)
        # what a lexical search does between its compiled loops keeps other threads out, and a model that ranks again
        # uses all cores by itself
        alone = options.make_steps() or all(embedder.kind == "sparse" for embedder in self.embedders)
        workers = 1 if alone else threads()
        size = _group_size(view, depth, workers)
        taken = threading.Lock()

        def done(group: list[str]) -> list[T]:
            check(group, depth)
            with self._beside(catalog, view, taken) as own:
                return work(Ranking(own, view, group, selection, options))

        for part in _in_order(done, _grouped(queries, size), size, workers):
            yield from part

    @contextlib.contextmanager
    def _beside(self, catalog: Catalog, view: View, taken: threading.Lock) -> Iterator[Catalog]:
        """A catalog in that state for one thread: the given one, or one more unless a writer has come since."""
        if not taken.acquire(blocking=False):
            with self.store.snapshot() as own:
                if own.generation() == view.generation:
                    yield own
                    return
            taken.acquire()
        try:
            yield catalog
        finally:
            taken.release()

    def _rankings(
        self,
        catalog: Catalog,
        view: View,
        queries: Iterable[str],
        depth: int,
        condition: Condition | None,
        options: SearchOptions,
    ) -> Iterator[Ranking]:
        """The rankings of some queries at a time, so many that lists of that depth stay small."""
        selection = view.selection(catalog, condition)
        size = _group_size(view, depth, 1)

        def ranking(group: list[str]) -> Ranking:
            check(group, depth)
            return Ranking(catalog, view, group, selection, options)

        return _in_order(ranking, _grouped(queries, size), size, 1)

    def rankings(
        self,
        queries: Iterable[str],
        depth: int,
        condition: Condition | None = None,
        options: SearchOptions = DEFAULTS,
    ) -> Iterator[Ranking]:
        """The rankings of `queries`, some at a time, all in one state of the index, to ask more of than hits tell."""
        with self._state() as (catalog, view):
            yield from self._rankings(catalog, view, queries, depth, condition, options)

    @contextlib.contextmanager
    def ranking(
        self, query: str, condition: Condition | None = None, options: SearchOptions = DEFAULTS
    ) -> Iterator[Ranking]:
        """The ranking for `query` in one unchanging state of the index, to ask more of than `search` tells."""
        check([query], 1)
        with self._state() as (catalog, view):
            yield Ranking(catalog, view, [query], view.selection(catalog, condition), options)

    @contextlib.contextmanager
    def _state(self) -> Iterator[tuple[Catalog, View]]:
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

    def _loaded(self, catalog: Catalog, generation: int) -> View:
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
            view = load(self.store, self.embedders, catalog, generation, self._view.loaded)
            if generation > self._view.generation:  # a thread that began earlier may come here later
                self._view = view
            return view


def _hit(chunk: Chunk, fused: Fused, rank: int, names: Sequence[str]) -> Hit:
    return Hit(
        chunk,
        fused.score,
        rank,
        {names[n]: part for n, part in fused.parts.items()},
        fused.trail,
        fused.context,
        tuple(fused.stands_for),
        fused.probability,
    )


def _group_size(view: View, depth: int, workers: int) -> int:
    """How many queries to search for together, so that lists of that depth stay small with so many groups at a time."""
    length = depth if len(view.sides) == 1 else max(depth, LIST_DEPTH) * len(view.sides)
    return max(_FEWEST, min(_MOST, _HELD // length // workers))


def _in_order(
    make: Callable[[list[str]], T], groups: Iterator[list[str]], size: int, workers: int
) -> Iterator[T]:
    """What `make` makes of each group, in their order: so many at once in threads, and one more that waits.

    A group below `size` is the last one, so that few queries need no thread.
    """
    first = next(groups, [])
    if len(first) < size:
        if first:
            yield make(first)
        return
    with ThreadPoolExecutor(workers, "ragembed-search") as pool:
        some = itertools.chain([first], itertools.islice(groups, workers))
        coming = deque(pool.submit(make, group) for group in some)
        while coming:
            made = coming.popleft().result()
            if group := next(groups, []):
                coming.append(pool.submit(make, group))
            yield made


def _grouped(queries: Iterable[str], size: int) -> Iterator[list[str]]:
    """The queries, `size` at a time."""
    rest = iter(queries)
    while group := list(itertools.islice(rest, size)):
        yield group


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
