"""Bringing an index in step with files or documents: what is new or changed is chunked, embedded and committed.

Work goes in batches, each one transaction, so that an interrupted run keeps what it committed and the next run goes
on from there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ragembed.chunk.base import Chunker
from ragembed.embed.base import Embedder
from ragembed.errors import RagembedError, ReadError, StoreError
from ragembed.index.catalog import FileRecord, encode_metadata
from ragembed.index.postings import PostingsBuilder
from ragembed.index.store import Entry, Vectors, Writer
from ragembed.read.base import Failure, ReadOptions, Report, Source
from ragembed.sync_report import SyncReport
from ragembed.types import Chunk, Document

if TYPE_CHECKING:
    from ragembed.embed.lexical import Lexical

Progress = Callable[[int, int, str], None]
"""Called with files done, files in all, and what is being worked on."""

_BATCH_CHARACTERS = 32_000_000
"""Text per commit: bounds memory, and what an interruption can cost."""
_BATCH_CHUNKS = {"sparse": 50_000, "dense": 1_000}
"""Chunks per commit; vectors of a transformer cost so much more that less of them may be lost."""
_CHOOSING = ("include", "exclude", "max_bytes", "max_expanded")
"""Options that choose files and change nothing in what is read of them."""


class Syncer:
    """One run of indexing under a writer's lock."""

    def __init__(
        self,
        writer: Writer,
        chunker: Chunker,
        embedders: Sequence[Embedder],
        progress: Progress | None,
        check: Callable[[], None],
    ) -> None:
        """`check` is called before texts are embedded, to make sure that the embedders are the index's own."""
        self.writer = writer
        self.catalog = writer.catalog
        self.chunker = chunker
        self.embedders = list(embedders)
        self.progress = progress or (lambda done, total, what: None)
        self.check = check
        self.report = SyncReport()
        self._batch = _Batch()
        self._seen: set[str] = set()
        self._owners: dict[str, str] = {}
        """Which file has which id."""
        self._limit = min(_BATCH_CHUNKS[embedder.kind] for embedder in embedders)
        self._truncated_before = self._truncated()

    def files(self, sources: Sequence[Source], options: ReadOptions) -> None:
        """Index the files of `sources` that are new or changed, or were read with other options."""
        known = self.catalog.files()
        self._owners = {record.id: path for path, record in known.items()}
        waiting: list[Source] = []
        for number, source in enumerate(sources):
            self.progress(number, len(sources), source.id)
            if not self._try(source, known.get(path_key(source.path)), options, patient=True):
                waiting.append(source)
            self.report.files += 1
            self._commit_if_full()
        self._commit()
        for source in waiting:  # another file had their ids, and may have given them up by now
            self._try(source, known.get(path_key(source.path)), options, patient=False)
            self._commit_if_full()
        self._commit()
        self.progress(len(sources), len(sources), "")

    def documents(self, documents: Iterable[Document]) -> None:
        """Index documents that come from no file; one whose id is there already is replaced if it differs."""
        total = len(documents) if isinstance(documents, Sized) else 0
        for number, part in enumerate(_grouped(documents, 500)):
            self.progress(500 * number, total, "")
            known = self.catalog.document_hashes([document.id for document in part if _storable(document.id)])
            for document in part:
                if document.id in self._seen:
                    raise ReadError(f"two documents have the id {document.id!r}", "give each its own id")
                old, owner = known.get(document.id, (None, None))
                if owner is not None:
                    raise ReadError(
                        f"the id {document.id!r} belongs to a document read from {owner}",
                        "give this one another id, or change that file and index it again",
                    )
                self._put(document, old, None)
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

    def _try(self, source: Source, known: FileRecord | None, options: ReadOptions, *, patient: bool) -> bool:
        try:
            return self._file(source, known, options, patient)
        except OSError as error:
            self.report.failed.append(Failure(source.id, f"cannot be read ({error.strerror})"))
            return True

    def _file(self, source: Source, known: FileRecord | None, options: ReadOptions, patient: bool) -> bool:
        """Index one file; False where it gives an id that another file has, and `patient` says to wait."""
        from ragembed.read import read

        path = path_key(source.path)
        reading = options_key(options)
        same = known is not None and known.options == reading
        if known and same and (known.size, known.mtime_ns) == (source.size, source.mtime_ns):
            self._keep(path)
            return True
        # documents keep their ids whatever folder they are reached from
        source = replace(source, id=known.id if known else self._free_id(source, path))
        self._owners[source.id] = path
        with source.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        record = FileRecord(path, source.id, source.size, source.mtime_ns, digest, reading)
        # a file that is not done is read again by the next run, which also tells again what is wrong with it
        unfinished = FileRecord(path, source.id, -1, -1, "", reading)
        if known and same and known.hash == digest:
            self._batch.files.append(record)
            self._keep(path)
            return True
        report = Report()
        documents: list[Document] = []
        failed: list[Failure] = []
        for item in read(source, options, report):
            if isinstance(item, Document):
                documents.append(item)
            else:
                failed.append(item)
        if (failed and not documents) or any(failure.where == source.id for failure in failed):
            self._seen.update(self.catalog.documents_of_file(path))  # what was read of it before stays
            self.report.failed.extend(failed)
            return True
        stored = self.catalog.document_hashes([document.id for document in documents])
        if patient and any(self._taken(document.id, path, stored) for document in documents):
            return False
        self.report.failed.extend(failed)
        self.report.skipped.update(report.skipped)
        kept: set[str] = set()
        whole = not failed
        for document in documents:
            if self._taken(document.id, path, stored):
                owner = stored.get(document.id, ("", None))[1]
                reason = (
                    f"the id {document.id!r} is taken by {owner or 'another document'};"
                    " give its rows other ids, or choose the field with --id-field"
                )
                self.report.failed.append(Failure(source.id, reason))
                whole = False
                continue
            kept.add(document.id)
            old, owner = stored.get(document.id, (None, None))
            if old is not None and owner != path:
                old = ""  # equal or not, it is stored again, under this file
            self._put(document, old, path)
            if self._full:  # a file of many rows: what is done stays, and the next run reads the file again
                self._batch.files.append(unfinished)
                self._commit()
        dropped = [name for name in self.catalog.documents_of_file(path) if name not in kept]
        self._batch.delete.extend(dropped)
        self.report.deleted += len(dropped)
        after = source.path.stat()
        unchanged = (after.st_size, after.st_mtime_ns) == (source.size, source.mtime_ns)  # while it was read
        self._batch.files.append(record if whole and unchanged else unfinished)
        return True

    def _free_id(self, source: Source, path: str) -> str:
        """The id of a new file: its own, longer by parent folders while another file that is still there has it."""
        from ragembed.read.walk import printable

        parts = [printable(part) for part in source.path.parts[1:]]
        identifier = source.id
        for length in range(identifier.count("/") + 2, len(parts) + 1):
            owner = self._owners.get(identifier, path)
            if owner == path or not Path(owner).exists():
                break
            identifier = "/".join(parts[-length:])
        return identifier

    def _taken(self, identifier: str, path: str, stored: Mapping[str, tuple[str, str | None]]) -> bool:
        """Whether a document of that id came up in this run, was added without a file, or is another file's still."""
        if identifier in self._seen:
            return True
        if identifier not in stored:
            return False
        owner = stored[identifier][1]
        return owner is None or (owner != path and Path(owner).exists())

    def _keep(self, path: str) -> None:
        ids = self.catalog.documents_of_file(path)
        self._seen.update(ids)
        self.report.unchanged += len(ids)

    def _put(self, document: Document, old: str | None, file: str | None) -> None:
        """Add `document` to the batch unless `old`, the digest of what is stored under its id, is its own."""
        self._seen.add(document.id)
        try:
            digest = document_digest(document)
        except RagembedError as error:
            where = document.id.encode("utf-8", "backslashreplace").decode()
            self.report.failed.append(Failure(where, str(error)))
            return
        if old == digest:
            self.report.unchanged += 1
            return
        self._batch.add(Entry(document, list(self.chunker.chunk(document)), digest, file))
        if old is None:
            self.report.added += 1
        else:
            self.report.updated += 1

    @property
    def _full(self) -> bool:
        return self._batch.chunks >= self._limit or self._batch.characters >= _BATCH_CHARACTERS

    def _commit_if_full(self) -> None:
        if self._full:
            self._commit()

    def _commit(self) -> None:
        batch, self._batch = self._batch, _Batch()
        if not (batch.entries or batch.files or batch.delete):
            return
        texts = [embedding_text(chunk) for entry in batch.entries for chunk in entry.chunks]
        if texts:
            self.check()
        vectors: list[Vectors] = [embed(embedder, texts) for embedder in self.embedders]
        self.writer.commit(batch.entries, vectors, batch.files, batch.delete)
        self.report.chunks += len(texts)
        self.report.truncated = self._truncated() - self._truncated_before

    def _truncated(self) -> int:
        return sum(embedder.truncation.texts for embedder in self.embedders)


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
    """sha256 over a document's text and metadata; raises `StoreError` for what cannot be stored."""
    if not _storable(document.id + document.text):
        raise StoreError("its id or its text holds half a surrogate pair", "take the broken character out")
    encoded = encode_metadata(document.metadata, document.id)
    metadata = json.dumps(json.loads(encoded), sort_keys=True)
    return hashlib.sha256(f"{metadata}\0{document.text}".encode()).hexdigest()


def path_key(path: Path) -> str:
    """What the catalog calls a file: its path, as valid Unicode."""
    from ragembed.read.walk import printable

    return printable(str(path))


def options_key(options: ReadOptions) -> str:
    """Those of `options` that decide what a file that can be read gives."""
    return json.dumps({name: value for name, value in asdict(options).items() if name not in _CHOOSING})


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
