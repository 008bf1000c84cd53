"""The whole flow behind one object: files or documents in, hits out."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ragembed.budget import LEAST_MEMORY, MANY_SEGMENTS, MEMORY
from ragembed.config import PipelineConfig, check_index_type
from ragembed.embed import EMBEDDERS
from ragembed.embed.lexical import Lexical
from ragembed.errors import IdentityError, QueryError, RagembedError, ReadError, SpecError
from ragembed.index.content import Passage, is_storable
from ragembed.index.files import folder_size
from ragembed.index.merge import largest_merged
from ragembed.index.schema import ACCELERATORS, FORMAT_VERSION
from ragembed.index.store import ChangedError, Store
from ragembed.index.writer import Plan, Writer
from ragembed.makers import Makers, stored_config, vectors_of
from ragembed.read.names import printable
from ragembed.retrieve.learnt import SETTING, Learnt
from ragembed.retrieve.options import SearchOptions
from ragembed.retrieve.search import OutdatedError, Searcher
from ragembed.settle import SAMPLE
from ragembed.spec import parse_all
from ragembed.types import Chunk, Document, Hit

if TYPE_CHECKING:
    from ragembed.analysis import Analyzer
    from ragembed.chunk.base import Chunker
    from ragembed.embed.base import Embedder
    from ragembed.embed.cache import VectorCache
    from ragembed.explain import Explanation
    from ragembed.explain.tokens import TokenExplanation
    from ragembed.filters import Condition, Where
    from ragembed.index.verify import Problem
    from ragembed.optimize import Optimized
    from ragembed.read import Found
    from ragembed.read.base import ReadOptions
    from ragembed.retrieve.ranking import Ranking
    from ragembed.sync import Progress, Syncer
    from ragembed.sync_report import SyncReport

T = TypeVar("T")

_TRIES = 10
"""Times that a search begins anew because the index was changed under it."""


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """What `Pipeline.vacuum` did: deleted rows dropped, and the size in bytes before and after."""

    rows: int
    before: int
    after: int
    notes: Sequence[str] = ()


class Pipeline:
    """An index with everything that fills and searches it.

    Threads may share it. Searches run side by side, also while another thread or process writes, and each sees one
    committed state; writes take turns within a process, and a second process that writes gets `LockedError`.
    """

    def __init__(self, store: Store, config: PipelineConfig) -> None:
        """Use `create` or `open`."""
        self.store = store
        self.cache: VectorCache | None = None
        """Where vectors of documents are looked up before they are made, and kept; none unless it is set."""
        self._makers = Makers(store, config)
        self._lock = threading.Lock()
        """Held while a searcher is chosen, and while models load for it."""
        self._turn = threading.RLock()
        """Held by the thread that writes."""
        self._searcher: Searcher | None = None

    @property
    def config(self) -> PipelineConfig:
        """How the index was made, as far as this object has looked."""
        return self._makers.config

    @classmethod
    def create(
        cls,
        path: str | Path,
        embedder: str = "bm25",
        chunker: str = "recursive",
        index_type: str = "flat",
    ) -> Pipeline:
        """Make a new, empty index in the folder `path`. The specs are checked before anything is made."""
        from ragembed.chunk import CHUNKERS

        config = PipelineConfig(
            _canonical(embedder), str(CHUNKERS.create(chunker).spec), check_index_type(index_type)
        )
        return cls(Store.create(Path(path), {"config": config.to_json(), "created": time.time()}), config)

    @classmethod
    def open(
        cls,
        path: str | Path,
        embedder: str | None = None,
        chunker: str | None = None,
        index_type: str | None = None,
    ) -> Pipeline:
        """Open an index. Specs, where given, must be the ones that it was made by.

        What an embedder runs on (``batch``, ``device``, ``strict``) may differ, and holds while it is open.
        """
        store = Store(Path(path))
        try:
            config = stored_config(store)
            settled = "+".join(record.spec for record in config.embedders)
            wishes: tuple[str, ...] = ()
            if embedder is not None:
                wanted = _canonical(embedder)
                if vectors_of(wanted) not in [
                    vectors_of(made) for made in (config.embedder, settled) if made
                ]:
                    _same("embedder", wanted, (config.embedder,), path)
                wishes = tuple(map(str, parse_all(wanted)))
            if chunker is not None:
                from ragembed.chunk import CHUNKERS

                asked = str(CHUNKERS.create(chunker).spec)
                _same("chunker", asked, (config.chunker, config.settled_chunker), path)
            if index_type is not None:
                _same("index type", check_index_type(index_type), (config.index_type,), path)
        except RagembedError:
            store.close()
            raise
        opened = cls(store, config)
        opened._makers.asked = wishes
        return opened

    def discard_if_empty(self) -> None:
        """Close the index, and remove it where it holds no document."""
        with self._turn, self.store.writing() as writer:
            empty = not writer.catalog.counts()["documents"]
            self.close()
            if empty:
                shutil.rmtree(self.store.folder)

    def close(self) -> None:
        """Release the catalog and all files."""
        self._searcher = None
        self.store.close()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # writing

    def index(
        self,
        *paths: str | Path,
        options: ReadOptions | None = None,
        prune: bool = False,
        dry_run: bool = False,
        checksum: bool = False,
        memory: int | None = None,
        progress: Progress | None = None,
    ) -> SyncReport:
        """Bring the index in step with files and folders: only what is new or changed is embedded.

        `prune` deletes what was read from files under `paths` that are there no more. With `dry_run` nothing is
        written, and the report says what would happen. With `checksum` a file whose size and time of change are as they
        were is compared by its content all the same. `memory`, in bytes, bounds batches, merges and the size of a
        file. A file that cannot be read is reported and passed over.
        """
        from ragembed.read import Found, walk
        from ragembed.read.base import ReadOptions, Report
        from ragembed.sync import texts_of

        options = options or ReadOptions()
        budget = _budget(memory)
        if memory is not None:  # reading a file takes up to ten times its size
            options = replace(options, max_bytes=max(1, min(options.max_bytes, memory // 10)))
        started = time.perf_counter()
        with self._turn, self.store.rehearsing() if dry_run else self.store.writing() as writer:
            roots = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - Path.absolute keeps ".."
            tops = [printable(str(root)) for root in roots]
            known = writer.catalog.files()
            # what was indexed and is gone altogether counts as empty when pruning; anything else is a mistake
            there = [
                Path(path)
                for path, root, top in zip(paths, roots, tops, strict=True)
                if root.exists() or not (prune and any(_below(file, [top]) for file in known))
            ]
            found = walk(there, options) if there or not paths else Found([], [], Report())
            if not (found.sources or found.failures or any(_below(path, tops) for path in known)):
                skipped = ", ".join(f"{count} {reason}" for reason, count in found.skipped.items())
                raise ReadError(
                    f"nothing to read in {', '.join(map(str, paths))}"
                    + (f" (left out: {skipped})" if skipped else ""),
                    "name files or a folder with documents; see docs/reading.md for the formats",
                )
            syncer = self._syncer(
                writer, lambda chunker: texts_of(found.sources, options, chunker), budget, progress
            )
            syncer.report.failed.extend(found.failures)
            syncer.report.skipped.update(found.skipped)
            syncer.files(found.sources, options, known, checksum=checksum)
            left = [path for path in writer.catalog.unrecorded_files() if path not in known]
            gone = [path for path in _gone([*known, *left], found, tops) if path not in syncer.moved]
            syncer.forget(gone, delete=prune)
            return self._finish(syncer, started)

    def add(
        self,
        documents: Iterable[Document],
        progress: Progress | None = None,
        *,
        memory: int | None = None,
    ) -> SyncReport:
        """Add documents. One that is in the index already stays; the same id with other content is an error.

        Documents are streamed, in batches that are each permanent once they are committed; only an embedder that
        learns, in an empty index, needs to see them twice, and an iterator then is read into memory first.
        """
        return self._put(documents, progress, memory, overwrite=False)

    def upsert(
        self,
        documents: Iterable[Document],
        progress: Progress | None = None,
        *,
        memory: int | None = None,
    ) -> SyncReport:
        """As `add`, but a document whose id is there with other content is replaced; unchanged chunks of it keep
        their vectors.
        """
        return self._put(documents, progress, memory, overwrite=True)

    def delete(self, ids: Iterable[str] | None = None, where: Where | None = None) -> int:
        """Delete documents by id, or those whose own metadata meet `where`; returns how many there were.

        One that was read from a file stays deleted until that file changes.
        """
        if (ids is None) == (where is None):
            raise QueryError("delete takes ids or where", "give exactly one of them")
        if isinstance(ids, str):
            ids = [ids]
        condition = _condition(where)
        with self._turn, self.store.writing() as writer:
            if condition is None:
                wanted = [one for one in dict.fromkeys(ids or ()) if is_storable(one)]
                known = list(writer.catalog.document_hashes(wanted))
            else:
                known = writer.catalog.documents_where(condition)
            if known:
                writer.commit(Plan([], known, []), [])
                self._after_update(writer)
            return len(known)

    def vacuum(self) -> Vacuumed:
        """Give the space of deleted chunks back, so that no file of the index holds anything of them any more."""
        before = folder_size(self.store.folder)
        notes: list[str] = []
        with self._turn, self.store.writing() as writer:
            rows = len(writer.catalog.dead_rows())
            if rows and writer.catalog.setting(ACCELERATORS):
                from ragembed.accelerate import purge

                purge(writer, self._makers.refresh())
            writer.compact(
                [record.dimension for record in self._makers.refresh().embedders], largest_merged(MEMORY)
            )
            self._makers.forget_words(writer, notes)
            writer.sweep()
            writer.shrink()
        return Vacuumed(rows, before, folder_size(self.store.folder), notes)

    def optimize(
        self,
        target_recall: float | None = None,
        memory: int | None = None,
        latency: float | None = None,
        queries: Sequence[str] | None = None,
        index_type: str | None = None,
        progress: Progress | None = None,
    ) -> Optimized:
        """Choose an index type by measuring, build it beside the flat segments, and search through it from now on.

        `target_recall` is the share of the 10 best hits of exact search that must be found (default: 0.95), `memory`
        bounds the bytes held for searching, `latency` the seconds of one query by one thread. `queries` are what
        users ask; without them, chunks that are left out of the structure stand for them. `index_type` names a type
        instead of choosing one; ``flat`` goes back to exact search. Raises `QueryError` where no type does all that.
        """
        from ragembed.optimize import optimize

        with self._turn:
            return optimize(self, target_recall, memory, latency, queries, index_type, progress)

    def repair(self) -> list[Problem]:
        """Mend what `verify` finds, by embedding stored texts again; returns what was wrong."""
        from ragembed.repair import repair

        with self._turn:
            return repair(self)

    # reading

    def search(
        self,
        query: str,
        k: int = 10,
        where: Where | None = None,
        fusion: str | None = None,
        steps: str | None = None,
    ) -> list[Hit]:
        """The k best chunks for `query`, best first; with `where` of those whose metadata meet it.

        `fusion` names how the lists of several embedders are joined, such as ``rrf(k=20)`` (default: as the index has
        learnt, else ``evidence``), `steps` what is then done with the list, such as ``rm3+mmr(weight=0.7)``.
        """
        return self.search_many([query], k, where, fusion, steps)[0]

    def search_many(
        self,
        queries: Sequence[str],
        k: int = 10,
        where: Where | None = None,
        fusion: str | None = None,
        steps: str | None = None,
    ) -> list[list[Hit]]:
        """The k best chunks for each of `queries`."""
        condition = _condition(where)
        return self._searched(
            lambda searcher: searcher.search(queries, k, condition, SearchOptions(fusion, steps))
        )

    def search_each(
        self,
        queries: Iterable[str],
        k: int = 10,
        where: Where | None = None,
        fusion: str | None = None,
        steps: str | None = None,
    ) -> Iterator[list[Hit]]:
        """As `search_many`, one query after the other, for more of them than memory holds the hits of.

        All are answered by the index as it is at the first one; until the last, a vacuum by others has to wait.
        """
        condition = _condition(where)
        options = SearchOptions(fusion, steps)
        return self._streamed(lambda searcher: searcher.search_each(queries, k, condition, options))

    def search_documents(
        self,
        queries: Sequence[str],
        k: int = 10,
        where: Where | None = None,
        fusion: str | None = None,
        steps: str | None = None,
        *,
        aggregate: str | None = None,
    ) -> list[dict[str, float]]:
        """``{document_id: score}`` of the k best documents for each query, best first.

        `aggregate` names how the scores of its chunks become a document's: ``max`` (the default), ``first``, ``sum``,
        ``mean(top=3)``.
        """
        condition = _condition(where)
        options = SearchOptions(fusion, steps, aggregate)
        return self._searched(lambda searcher: searcher.search_documents(queries, k, condition, options))

    def documents_each(
        self,
        queries: Iterable[str],
        k: int = 10,
        where: Where | None = None,
        fusion: str | None = None,
        steps: str | None = None,
        *,
        aggregate: str | None = None,
    ) -> Iterator[dict[str, float]]:
        """As `search_documents`, one query after the other; see `search_each`."""
        condition = _condition(where)
        options = SearchOptions(fusion, steps, aggregate)
        return self._streamed(lambda searcher: searcher.documents_each(queries, k, condition, options))

    def best_chunks(
        self,
        queries: Sequence[str],
        k: int = 10,
        where: Where | None = None,
        fusion: str | None = None,
        steps: str | None = None,
        *,
        aggregate: str | None = None,
    ) -> list[dict[str, tuple[float, str]]]:
        """As `search_documents`, with the id of the best chunk: ``{document_id: (score, chunk_id)}``."""
        condition = _condition(where)
        options = SearchOptions(fusion, steps, aggregate)
        return self._searched(lambda searcher: searcher.best_chunks(queries, k, condition, options))

    def rankings(
        self,
        queries: Iterable[str],
        depth: int,
        where: Where | None = None,
        fusion: str | None = None,
    ) -> Iterator[Ranking]:
        """The rankings of `queries`, some at a time: each embedder's lists, and all else that hits are made of."""
        condition = _condition(where)
        options = SearchOptions(fusion)
        return self._streamed(lambda searcher: searcher.rankings(queries, depth, condition, options))

    @property
    def learnt(self) -> Learnt | None:
        """What labelled queries have taught the index (`ragembed tune`); None where that is nothing."""
        with self.store.snapshot() as catalog:
            return Learnt.of(catalog)

    @learnt.setter
    def learnt(self, learnt: Learnt | None) -> None:
        values = None if learnt is None else learnt.to_json()
        if learnt is not None and learnt.calibration is not None:
            Learnt.from_json(values)  # what cannot be read back is not stored
        with self._turn, self.store.writing() as writer:
            writer.put_settings({SETTING: values})

    def explain(
        self,
        query: str,
        expected: str | None = None,
        k: int = 10,
        where: Where | None = None,
        fusion: str | None = None,
        steps: str | None = None,
    ) -> Explanation:
        """Why the k hits of `query` have their scores, and at which stage the document `expected` was lost.

        `expected` is a document's id, a chunk's, or the path of a file.
        """
        from ragembed.explain import explain

        condition = _condition(where)
        return self._searched(
            lambda searcher: explain(
                searcher, query, expected=expected, k=k, condition=condition, fusion=fusion, steps=steps
            )
        )

    def explain_tokens(
        self,
        query: str,
        expected: str | None = None,
        where: Where | None = None,
        fusion: str | None = None,
    ) -> TokenExplanation:
        """Which words of the first hit of `query`, or of `expected`, answered: by an embedder in our own encoder."""
        from ragembed.explain.tokens import explain_tokens

        condition = _condition(where)
        return self._searched(
            lambda searcher: explain_tokens(
                searcher, query, expected=expected, condition=condition, fusion=fusion
            )
        )

    def get(self, ids: Iterable[str]) -> dict[str, list[Chunk]]:
        """The chunks of documents, by document id, and single ones, by chunk id; unknown ids are left out."""
        wanted = [ids] if isinstance(ids, str) else [one for one in ids if is_storable(one)]
        with self.store.snapshot() as catalog:
            return catalog.chunks_of(wanted)

    def chunks(self, where: Where | None = None) -> Iterator[Chunk]:
        """All chunks, or those whose metadata meet `where`, as they are at the first; they are not held in memory."""
        condition = _condition(where)
        with self.store.snapshot() as catalog:
            if condition is not None:
                rows = catalog.rows_where(condition)
                for part in (rows[i : i + 1000] for i in range(0, len(rows), 1000)):
                    found = catalog.chunks(part)
                    yield from (found[row] for row in part)
                return
            page = catalog.chunk_page(0)
            while page:
                yield from page.values()
                page = catalog.chunk_page(max(page))

    def document_ids(self, where: Where | None = None) -> Iterator[str]:
        """The ids of all documents, or of those whose own metadata meet `where`."""
        condition = _condition(where)
        with self.store.snapshot() as catalog:
            if condition is not None:
                yield from catalog.documents_where(condition)
                return
            page = catalog.document_page(0)
            while page:
                yield from (identifier for _, identifier in page)
                page = catalog.document_page(page[-1][0])

    def counts(self) -> dict[str, int]:
        """How many files, documents and chunks the index holds."""
        with self.store.snapshot() as catalog:
            return catalog.counts()

    def info(self) -> dict[str, Any]:
        """What the index holds and how it was made."""
        from ragembed.index.ann.told import told

        self._makers.refresh()
        with self.store.snapshot() as catalog:
            segments = catalog.segments()
            return {
                "index": str(self.store.folder),
                **catalog.counts(),
                "format_version": FORMAT_VERSION,
                "embedder": self._makers.config.embedder,
                "chunker": self._makers.config.settled_chunker or self._makers.config.chunker,
                "index_type": self._makers.config.index_type,
                "embedders": [asdict(record) for record in self._makers.config.embedders],
                "segments": [
                    {key: value for key, value in asdict(record).items() if key != "runs"}
                    for record in segments
                ],
                "dead_rows": len(catalog.dead_rows()),
                "accelerators": told(catalog),
                **({"learnt": learnt.to_json()} if (learnt := Learnt.of(catalog)) else {}),
                "bytes": folder_size(self.store.folder),
            }

    def doubts(self) -> list[str]:
        """A line on each embedder that searches so far have trusted less than fully; see docs/hybrid.md."""
        searcher = self._searcher
        return [] if searcher is None else searcher.doubts()

    @property
    def embedders(self) -> list[Embedder]:
        """The embedders, in the order of their specs, with what they have learnt."""
        return self._makers.load()

    @property
    def analyzer(self) -> Analyzer:
        """How the first lexical embedder takes text apart; that of plain English where there is none."""
        from ragembed.analysis import Analyzer

        return next((one.analyzer for one in self.embedders if isinstance(one, Lexical)), None) or Analyzer()

    # inside

    def _searched(self, search: Callable[[Searcher], T]) -> T:
        tries = 0
        while True:
            try:
                return search(self._search())
            except (OutdatedError, ChangedError) as error:
                tries += 1
                if tries == _TRIES:
                    raise
                if isinstance(error, OutdatedError):
                    self._makers.refresh()

    def _streamed(self, search: Callable[[Searcher], Iterator[T]]) -> Iterator[T]:
        """What `search` gives, begun anew while the index is changed under its first result."""

        def begun(searcher: Searcher) -> tuple[list[T], Iterator[T]]:
            results = search(searcher)
            return list(itertools.islice(results, 1)), results

        first, rest = self._searched(begun)
        yield from first
        yield from rest

    def _search(self) -> Searcher:
        with self._lock:
            if not self._makers.config.embedders:  # another process may have settled them by now
                self._makers.refresh()
            records, embedders = self._makers.loaded()
            searcher = self._searcher
            if searcher is None or searcher.made_by != records or searcher.embedders is not embedders:
                self._makers.check(thorough=False)
                searcher = self._searcher = Searcher(self.store, embedders, records)
            return searcher

    def _put(
        self,
        documents: Iterable[Document],
        progress: Progress | None,
        memory: int | None,
        *,
        overwrite: bool,
    ) -> SyncReport:
        started = time.perf_counter()
        with self._turn, self.store.writing() as writer:
            again: Iterable[Document] = documents
            if isinstance(documents, Iterator) and not self._makers.refresh().embedders:
                if any(embedder.learns for embedder in self._makers.load()):
                    documents = again = list(documents)
                else:
                    again = list(itertools.islice(documents, SAMPLE))
                    documents = itertools.chain(again, documents)
            syncer = self._syncer(
                writer,
                lambda chunker: (Passage.of(chunk, d) for d in again for chunk in chunker.chunk(d)),
                _budget(memory),
                progress,
            )
            syncer.documents(documents, overwrite=overwrite)
            return self._finish(syncer, started)

    def _syncer(
        self,
        writer: Writer,
        texts: Callable[[Chunker], Iterable[Passage]],
        memory: int,
        progress: Progress | None,
    ) -> Syncer:
        from ragembed.sync import Syncer

        chunker, embedders = self._makers.settle(writer, texts)

        checked = False

        def check(texts: Callable[[], Sequence[Passage]]) -> None:
            nonlocal checked
            if not self._makers.config.embedders:  # there was nothing to settle them by until now
                self._makers.settle_by(writer, chunker, texts)
            elif not checked:
                self._makers.check()
                self._makers.check_chunker(chunker)
            checked = True

        return Syncer(
            writer,
            chunker,
            embedders,
            progress,
            check=check,
            committed=lambda: self._merge(writer, memory, MANY_SEGMENTS),
            memory=memory,
            cache=self.cache,
        )

    def _merge(self, writer: Writer, memory: int, fewest: int) -> None:
        if not writer.rehearsal:
            writer.merge(
                [record.dimension for record in self._makers.config.embedders], largest_merged(memory), fewest
            )

    def _after_update(self, writer: Writer) -> Sequence[str]:
        """Keep accelerators in step with what was written; returns what a user should know."""
        config = self._makers.refresh()
        if config.index_type == "flat" and not writer.catalog.setting(ACCELERATORS):
            return ()
        from ragembed.accelerate import after_update

        return after_update(writer, config)

    def _finish(self, syncer: Syncer, started: float) -> SyncReport:
        self._merge(syncer.writer, syncer.memory, 2)
        if syncer.report.added + syncer.report.updated + syncer.report.deleted:
            syncer.report.notes.extend(self._after_update(syncer.writer))
        syncer.report.notes.extend(self._makers.notes)
        self._makers.notes = []
        syncer.report.seconds = time.perf_counter() - started
        return syncer.report


def _gone(known: Iterable[str], found: Found, tops: Sequence[str]) -> list[str]:
    """Files indexed before, at or below `tops`, that are there no more."""
    present = {printable(source.file) for source in found.sources}
    unseen = [printable(failure.file) for failure in found.failures]  # too large, or not to be listed
    return [path for path in known if path not in present and _below(path, tops) and not _below(path, unseen)]


def _budget(memory: int | None) -> int:
    if memory is None:
        return MEMORY
    if memory < LEAST_MEMORY:
        raise QueryError(f"memory is {memory} bytes", f"give at least {LEAST_MEMORY:,}")
    return memory


def _condition(where: Where | None) -> Condition | None:
    from ragembed.filters import as_condition

    return as_condition(where)


def _below(path: str, tops: Sequence[str]) -> bool:
    """Whether `path` is one of `tops` or lies below it."""
    return any(path == top or path.startswith(f"{top.rstrip(os.sep)}{os.sep}") for top in tops)


def _canonical(embedder: str) -> str:
    """The spec with its parameters checked, put in order, and without those that say the default."""
    parts = [str(EMBEDDERS.create(part).spec) for part in parse_all(embedder)]
    if len(set(parts)) < len(parts):
        raise SpecError(f"embedder {embedder!r} names the same part twice", "name each part once")
    return "+".join(parts)


def _same(what: str, asked: str, made_by: Sequence[str | None], path: str | Path) -> None:
    """Raise `IdentityError` where a spec was asked for that is not among those the index was made by."""
    if asked not in made_by:
        raise IdentityError(
            f"{path} was made with {what} {made_by[0]}, not {asked}",
            f"leave the {what} out, or index into a new folder with {asked}",
        )
