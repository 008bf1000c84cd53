"""Bringing an index in step with files or documents: what is new or changed is chunked, embedded and committed.

Work goes in batches, each one transaction, so that an interrupted run keeps what it committed and the next run goes
on from there.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ragembed.chunk.base import Chunker
from ragembed.embed.base import Embedder
from ragembed.errors import RagembedError, ReadError
from ragembed.index.catalog import FileRecord, encode_metadata
from ragembed.index.postings import PostingsBuilder
from ragembed.index.store import Entry, Vectors, Writer
from ragembed.read.base import Failure, ReadOptions, Report, Source
from ragembed.types import Chunk, Document

if TYPE_CHECKING:
    from ragembed.embed.lexical import Lexical

Progress = Callable[[int, int, str], None]
"""Called with files done, files in all, and what is being worked on."""

_BATCH_CHARACTERS = 32_000_000
"""Text per commit: bounds memory, and what an interruption can cost."""
_BATCH_CHUNKS = {"sparse": 50_000, "dense": 1_000}
"""Chunks per commit; vectors of a transformer cost so much more that less of them may be lost."""


@dataclass(slots=True)
class SyncReport:
    """What a run did. Documents are counted, except where it says chunks or files."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    missing: int = 0
    """Files that were indexed and are gone from the sources; `prune` deletes their documents."""
    failed: list[Failure] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    """Files passed over, by reason."""
    files: int = 0
    chunks: int = 0
    """Chunks embedded."""
    truncated: int = 0
    """Chunks of which an embedder cut off the end."""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "skipped": dict(self.skipped), "seconds": round(self.seconds, 3)}


class Syncer:
    """One run of indexing under a writer's lock."""

    def __init__(
        self, writer: Writer, chunker: Chunker, embedders: Sequence[Embedder], progress: Progress | None
    ) -> None:
        self.writer = writer
        self.catalog = writer.catalog
        self.chunker = chunker
        self.embedders = list(embedders)
        self.progress = progress or (lambda done, total, what: None)
        self.report = SyncReport()
        self.reading = Report(self.report.skipped)
        self._batch = _Batch()
        self._seen: set[str] = set()
        self._limit = min(_BATCH_CHUNKS[embedder.kind] for embedder in embedders)

    def files(self, sources: Sequence[Source], options: ReadOptions, *, reread: bool) -> None:
        """Index the files of `sources` that are new or changed; `reread` distrusts size and time of change."""
        known = self.catalog.files()
        for number, source in enumerate(sources):
            self.progress(number, len(sources), source.id)
            try:
                self._file(source, known.get(str(source.path)), options, reread)
            except OSError as error:
                self.report.failed.append(Failure(source.id, f"cannot be read ({error.strerror})"))
            self.report.files += 1
            self._commit_if_full()
        self._commit()
        self.progress(len(sources), len(sources), "")

    def documents(self, documents: Iterable[Document]) -> None:
        """Index documents that come from no file; one whose id is there already is replaced if it differs."""
        for part in _grouped(documents, 500):
            known = self.catalog.document_hashes([document.id for document in part])
            for document in part:
                digest = document_digest(document)
                if document.id in self._seen:
                    raise ReadError(f"two documents have the id {document.id!r}", "give each its own id")
                self._put(document, digest, known.get(document.id, (None, None))[0], None)
            self._commit_if_full()
        self._commit()

    def forget(self, gone: Sequence[str], *, delete: bool) -> None:
        """Count, and with `delete` remove, what was read from files that are there no more."""
        if not delete:
            self.report.missing = len(gone)
            return
        ids = [identifier for path in gone for identifier in self.catalog.documents_of_file(path)]
        if gone:
            self.writer.commit([], [], delete=ids, forget=gone)
        self.report.deleted += len(ids)

    def _file(self, source: Source, known: FileRecord | None, options: ReadOptions, reread: bool) -> None:
        from ragembed.read import read

        path = str(source.path)
        if known and not reread and (known.size, known.mtime_ns) == (source.size, source.mtime_ns):
            self._keep(path)
            return
        with source.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        record = FileRecord(path, source.id, source.size, source.mtime_ns, digest)
        if known and not reread and known.hash == digest:
            self._batch.files.append(record)
            self._keep(path)
            return
        documents: list[Document] = []
        for item in read(source, options, self.reading):
            if isinstance(item, Document):
                documents.append(item)
                continue
            self.report.failed.append(item)
            if item.where == source.id:  # the file, not one of its rows: what was read of it before stays
                self._seen.update(self.catalog.documents_of_file(path))
                return
        stored = self.catalog.document_hashes([document.id for document in documents])
        kept: set[str] = set()
        for document in documents:
            old, owner = stored.get(document.id, (None, path))
            if document.id in self._seen or (owner != path and owner is not None and Path(owner).exists()):
                self.report.failed.append(
                    Failure(source.id, f"the id {document.id!r} is taken by another document")
                )
                continue
            kept.add(document.id)
            self._put(document, document_digest(document), old, path)
        dropped = [
            identifier for identifier in self.catalog.documents_of_file(path) if identifier not in kept
        ]
        self._batch.delete.extend(dropped)
        self.report.deleted += len(dropped)
        self._batch.files.append(record)

    def _keep(self, path: str) -> None:
        ids = self.catalog.documents_of_file(path)
        self._seen.update(ids)
        self.report.unchanged += len(ids)

    def _put(self, document: Document, digest: str, old: str | None, file: str | None) -> None:
        self._seen.add(document.id)
        if old == digest:
            self.report.unchanged += 1
            return
        try:
            document.text.encode("utf-8")
            encode_metadata(document.metadata, document.id)
        except (UnicodeEncodeError, RagembedError) as error:
            reason = (
                str(error) if isinstance(error, RagembedError) else "its text holds half a surrogate pair"
            )
            self.report.failed.append(Failure(document.id, reason))
            return
        chunks = list(self.chunker.chunk(document))
        self._batch.add(Entry(document, chunks, digest, file))
        if old is None:
            self.report.added += 1
        else:
            self.report.updated += 1

    def _commit_if_full(self) -> None:
        if self._batch.chunks >= self._limit or self._batch.characters >= _BATCH_CHARACTERS:
            self._commit()

    def _commit(self) -> None:
        batch, self._batch = self._batch, _Batch()
        if not (batch.entries or batch.files or batch.delete):
            return
        texts = [embedding_text(chunk) for entry in batch.entries for chunk in entry.chunks]
        vectors: list[Vectors] = [embed(embedder, texts) for embedder in self.embedders]
        self.writer.commit(batch.entries, vectors, batch.files, batch.delete)
        self.report.chunks += len(texts)


@dataclass(slots=True)
class _Batch:
    """What the next commit will hold."""

    entries: list[Entry] = field(default_factory=list)
    files: list[FileRecord] = field(default_factory=list)
    delete: list[str] = field(default_factory=list)
    chunks: int = 0
    characters: int = 0

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.chunks += len(entry.chunks)
        self.characters += len(entry.document.text)


def embed(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """What a segment of `embedder` holds of `texts`: postings, or vectors (n, dimension)."""
    if embedder.kind == "sparse":
        builder = PostingsBuilder(cast("Lexical", embedder).analyzer)
        builder.add(texts)
        return builder.build()
    return cast("Vectors", embedder.embed_documents(texts))


def embedding_text(chunk: Chunk) -> str:
    """What is embedded of a chunk: its text, under its context where it has one."""
    context = chunk.metadata.get("context")
    return f"{context}\n{chunk.text}" if context else chunk.text


def document_digest(document: Document) -> str:
    """sha256 over a document's text and metadata."""
    metadata = json.dumps(dict(document.metadata), sort_keys=True, default=str)
    return hashlib.sha256(f"{metadata}\0{document.text}".encode("utf-8", "surrogatepass")).hexdigest()


def texts_of(sources: Iterable[Source], options: ReadOptions, chunker: Chunker) -> Iterator[str]:
    """What would be embedded of `sources`, for embedders that learn; failures are reported when they are indexed."""
    from ragembed.read import read

    for source in sources:
        for item in read(source, options):
            if isinstance(item, Document):
                yield from map(embedding_text, chunker.chunk(item))


def _grouped(items: Iterable[Document], size: int) -> Iterator[list[Document]]:
    group: list[Document] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
