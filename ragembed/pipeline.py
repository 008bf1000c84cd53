"""The whole flow behind one object: files or documents in, hits out."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragembed.config import EmbedderRecord, PipelineConfig
from ragembed.embed import EMBEDDERS
from ragembed.embed.lexical import Lexical
from ragembed.errors import IdentityError, NotAnIndexError, RagembedError, ReadError, SpecError
from ragembed.index.files import folder_size, sync_tree
from ragembed.index.store import EMBEDDERS as EMBEDDERS_FOLDER
from ragembed.index.store import Store, Writer
from ragembed.retrieve.search import Searcher
from ragembed.spec import parse_all
from ragembed.types import Document, Hit

if TYPE_CHECKING:
    from ragembed.analysis import Analyzer
    from ragembed.chunk.base import Chunker
    from ragembed.embed.base import Embedder
    from ragembed.read import Found
    from ragembed.read.base import ReadOptions
    from ragembed.sync import Progress, Syncer
    from ragembed.sync_report import SyncReport

_SAMPLE = 1_000
"""Chunks that an embedder looks at to settle what its spec leaves open."""
_FEW = 256
"""Chunks below which what an embedder learns is worth a warning: the dimension of `lsa`."""


class Pipeline:
    """An index with everything that fills and searches it. Safe to share between threads: calls take turns."""

    def __init__(self, store: Store, config: PipelineConfig) -> None:
        """Use `create` or `open`."""
        self.store = store
        self.config = config
        self._lock = threading.RLock()
        self._embedders: list[Embedder] | None = None
        self._loaded_by: list[tuple[str, str | None]] = []
        self._checked = False
        self._searcher: Searcher | None = None
        self._notes: list[str] = []

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

        config = PipelineConfig(_canonical(embedder), str(CHUNKERS.create(chunker).spec), index_type)
        return cls(Store.create(Path(path), {"config": config.to_json(), "created": time.time()}), config)

    @classmethod
    def open(
        cls,
        path: str | Path,
        embedder: str | None = None,
        chunker: str | None = None,
        index_type: str | None = None,
    ) -> Pipeline:
        """Open an index. Specs, where given, must be the ones that it was made by."""
        store = Store(Path(path))
        try:
            config = _stored_config(store)
            settled = "+".join(record.spec for record in config.embedders)
            if embedder is not None:
                _same("embedder", _canonical(embedder), (config.embedder, settled), path)
            if chunker is not None:
                from ragembed.chunk import CHUNKERS

                asked = str(CHUNKERS.create(chunker).spec)
                _same("chunker", asked, (config.chunker, config.settled_chunker), path)
            if index_type is not None:
                _same("index type", index_type, (config.index_type,), path)
        except RagembedError:
            store.close()
            raise
        return cls(store, config)

    def discard_if_empty(self) -> None:
        """Close the index, and remove it where it holds no document."""
        with self._lock, self.store.writing():
            empty = not self.store.catalog.counts()["documents"]
            self.close()
            if empty:
                shutil.rmtree(self.store.folder)

    def close(self) -> None:
        """Release the catalog."""
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
        progress: Progress | None = None,
    ) -> SyncReport:
        """Bring the index in step with files and folders: only what is new or changed is embedded.

        `prune` deletes what was read from files under `paths` that are there no more. A file that cannot be read is
        reported and passed over.
        """
        from ragembed.read import Found, walk
        from ragembed.read.base import ReadOptions, Report
        from ragembed.sync import Syncer, texts_of

        options = options or ReadOptions()
        started = time.perf_counter()
        with self._lock, self.store.writing() as writer:
            roots = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - Path.absolute keeps ".."
            known = writer.catalog.files()
            # what was indexed and is gone altogether counts as empty when pruning; anything else is a mistake
            there = [
                Path(path)
                for path, root in zip(paths, roots, strict=True)
                if root.exists() or not (prune and any(_within(file, [root]) for file in known))
            ]
            found = walk(there, options) if there or not paths else Found([], [], Report())
            if not (found.sources or found.failures or any(_within(path, roots) for path in known)):
                skipped = ", ".join(f"{count} {reason}" for reason, count in found.skipped.items())
                raise ReadError(
                    f"nothing to read in {', '.join(map(str, paths))}"
                    + (f" (left out: {skipped})" if skipped else ""),
                    "name files or a folder with documents; see docs/reading.md for the formats",
                )
            chunker, embedders = self._settle(
                writer, lambda chunker: texts_of(found.sources, options, chunker)
            )
            syncer = Syncer(writer, chunker, embedders, progress, self._check)
            syncer.report.failed.extend(found.failures)
            syncer.report.skipped.update(found.skipped)
            syncer.files(found.sources, options)
            gone = _gone(known, found, roots)
            syncer.forget(gone, delete=prune)
            return self._finish(syncer, writer, started)

    def add(self, documents: Iterable[Document], progress: Progress | None = None) -> SyncReport:
        """Add documents; one whose id is in the index already is replaced where it differs.

        A collection that can be iterated again is streamed; an iterator is read into memory first.
        """
        from ragembed.sync import Syncer, embedding_text

        if isinstance(documents, Iterator):
            documents = list(documents)
        started = time.perf_counter()
        with self._lock, self.store.writing() as writer:
            chunker, embedders = self._settle(
                writer, lambda chunker: (embedding_text(c) for d in documents for c in chunker.chunk(d))
            )
            syncer = Syncer(writer, chunker, embedders, progress, self._check)
            syncer.documents(documents)
            return self._finish(syncer, writer, started)

    # searching

    def search(self, query: str, k: int = 10) -> list[Hit]:
        """The k best chunks for `query`, best first."""
        return self.search_many([query], k)[0]

    def search_many(self, queries: Sequence[str], k: int = 10) -> list[list[Hit]]:
        """The k best chunks for each of `queries`."""
        with self._lock:
            return self._search().search(queries, k)

    def search_documents(self, queries: Sequence[str], k: int = 10) -> list[dict[str, float]]:
        """``{document_id: score}`` of the k best documents for each query, a document scoring its best chunk."""
        with self._lock:
            return self._search().search_documents(queries, k)

    def info(self) -> dict[str, Any]:
        """What the index holds and how it was made."""
        with self._lock, self.store.snapshot() as catalog:
            segments = catalog.segments()
            return {
                "index": str(self.store.folder),
                **catalog.counts(),
                "embedder": self.config.embedder,
                "chunker": self.config.settled_chunker or self.config.chunker,
                "index_type": self.config.index_type,
                "embedders": [asdict(record) for record in self.config.embedders],
                "segments": [asdict(record) for record in segments],
                "dead_rows": len(catalog.dead_rows()),
                "bytes": folder_size(self.store.folder),
            }

    @property
    def embedders(self) -> list[Embedder]:
        """The embedders, in the order of their specs, with what they have learnt."""
        with self._lock:
            return self._load()

    @property
    def analyzer(self) -> Analyzer:
        """How the first lexical embedder takes text apart; that of plain English where there is none."""
        from ragembed.analysis import Analyzer

        return next((one.analyzer for one in self.embedders if isinstance(one, Lexical)), None) or Analyzer()

    # inside

    def _search(self) -> Searcher:
        if not self.config.embedders:  # another process may have settled them by now
            self.config = _stored_config(self.store)
        embedders = self._load()
        if self._searcher is None or self._searcher.embedders is not embedders:
            self._check()
            self._searcher = Searcher(self.store, embedders)
        return self._searcher

    def _load(self) -> list[Embedder]:
        records = self.config.embedders
        made_by = [(record.spec, record.folder) for record in records]
        if self._embedders is None or self._loaded_by != made_by:
            specs = [record.spec for record in records] or [str(part) for part in self.config.parts]
            embedders = [EMBEDDERS.create(spec) for spec in specs]
            for record, embedder in zip(records, embedders, strict=False):
                if record.folder:
                    embedder.load_state(self.store.folder / record.folder)
            self._embedders, self._loaded_by, self._checked = embedders, made_by, False
        return self._embedders

    def _check(self) -> None:
        """Raise `IdentityError` where an embedder is not what it was when it made the index."""
        if self._checked or not self.config.embedders:
            return
        for record, embedder in zip(self.config.embedders, self._load(), strict=True):
            now = json.loads(json.dumps(embedder.identity()))
            changed = [key for key in {**record.identity, **now} if record.identity.get(key) != now.get(key)]
            if changed:
                was, others = ({key: values.get(key) for key in changed} for values in (record.identity, now))
                raise IdentityError(
                    f"{self.store.folder} was made by {record.spec} with {was}, which now has {others}",
                    "bring back what it was made with, or index again into a new folder",
                )
        self._checked = True

    def _settle(
        self, writer: Writer, texts: Callable[[Chunker], Iterable[str]]
    ) -> tuple[Chunker, list[Embedder]]:
        """Chunker and embedders ready for use; before the first document, settle what their specs leave open."""
        from ragembed.chunk import CHUNKERS

        self.config = _stored_config(self.store)
        embedders = self._load()
        if self.config.embedders:
            return CHUNKERS.create(self.config.settled_chunker or self.config.chunker), embedders
        chunker = fitting_chunker(self.config.chunker, embedders)
        sample = list(itertools.islice(texts(chunker), _SAMPLE))
        if not sample:
            return chunker, embedders  # nothing to settle by; the next call may bring something
        try:
            records = [
                self._settled(number, embedder, sample, lambda: texts(chunker))
                for number, embedder in enumerate(embedders)
            ]
        except BaseException:
            self._embedders = None  # half of them may have adapted to what will not be in the index
            raise
        self._save(writer, replace(self.config, settled_chunker=str(chunker.spec), embedders=tuple(records)))
        self._loaded_by, self._checked = [(record.spec, record.folder) for record in records], True
        return chunker, embedders

    def _settled(
        self, number: int, embedder: Embedder, sample: Sequence[str], texts: Callable[[], Iterable[str]]
    ) -> EmbedderRecord:
        """Have an embedder adapt to the corpus and learn from it, and tell what it is then."""
        embedder.adapt(sample)
        if getattr(embedder, "download", False):
            vars(embedder)["download"] = (
                False  # what was allowed now is not allowed to whoever opens the index
            )
        folder = None
        if embedder.learns:
            if len(sample) < _FEW:
                self._notes.append(
                    f"{embedder.name} has learnt from {len(sample)} chunks only, and keeps what it learnt:"
                    " index most of the documents in the first run"
                )
            embedder.fit(texts())
            folder = f"{EMBEDDERS_FOLDER}/{number}-{embedder.name}"
            embedder.save(self.store.folder / folder)
            sync_tree(self.store.folder / folder)
        dimension = None if embedder.kind == "sparse" else embedder.dimension
        return EmbedderRecord(str(embedder.spec), embedder.kind, dimension, folder, embedder.identity())

    def _save(self, writer: Writer, config: PipelineConfig) -> None:
        writer.settle({"config": config.to_json()})
        self.config = config

    def _finish(self, syncer: Syncer, writer: Writer, started: float) -> SyncReport:
        writer.merge([record.dimension for record in self.config.embedders])
        syncer.report.notes.extend(self._notes)
        self._notes = []
        syncer.report.seconds = time.perf_counter() - started
        return syncer.report


def fitting_chunker(spec: str, embedders: Sequence[Embedder]) -> Chunker:
    """The chunker of `spec`, its open choices settled by what the embedders can take.

    ``tokenizer=auto`` becomes the tokenizer of the first embedder that has one, else ``words``; a size over what
    that embedder can take whole is lowered to it, so that nothing is cut off unseen.
    """
    from ragembed.chunk import CHUNKERS

    chunker = CHUNKERS.create(spec)
    changes: dict[str, Any] = {}
    names = {field.name for field in fields(chunker)}  # type: ignore[arg-type]
    owner = next((embedder for embedder in embedders if embedder.tokenizer_name), None)
    if "tokenizer" in names and getattr(chunker, "tokenizer") == "auto":  # noqa: B009
        changes["tokenizer"] = owner.tokenizer_name if owner else "words"
        limit = owner.max_tokens if owner else None
        if limit is not None and "tokens" in names and getattr(chunker, "tokens") > limit:  # noqa: B009
            changes["tokens"] = limit
            changes["overlap"] = min(getattr(chunker, "overlap", 0), limit // 2)
    return replace(chunker, **changes) if changes else chunker  # type: ignore[type-var]


def _gone(known: Iterable[str], found: Found, roots: Sequence[Path]) -> list[str]:
    """Files indexed before, at or below `roots`, that are there no more."""
    from ragembed.sync import path_key

    present = {path_key(source.path) for source in found.sources}
    base = os.path.commonpath([root.parent for root in roots])  # what ids, also of failures, are relative to
    unseen = [Path(base, failure.where) for failure in found.failures]  # too large, or not to be listed
    return [p for p in known if p not in present and _within(p, roots) and not _within(p, unseen)]


def _within(path: str, roots: Sequence[Path]) -> bool:
    return any(Path(path).is_relative_to(root) for root in roots)


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


def _stored_config(store: Store) -> PipelineConfig:
    with store.snapshot() as catalog:
        settings = catalog.settings()
    if "config" not in settings:
        raise NotAnIndexError(
            f"{store.folder} says nothing of how it was made", "index again into a new folder"
        )
    return PipelineConfig.from_json(settings["config"])
