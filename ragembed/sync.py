"""Bringing an index in step with files or documents: what is new or changed is chunked, embedded and committed.

Work goes in batches, each one transaction, so that an interrupted run keeps what it committed and the next run goes
on from there. A chunk whose text was in the document before keeps its vectors, unless an embedder puts chunks in the
context of their documents: then all chunks of a document that changed are embedded again.
"""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from ragembed.budget import BATCH_CHUNKS, MEMORY, TEXT_SHARE
from ragembed.chunk.base import Chunker
from ragembed.embed.base import Dense, Embedder, checked_chunks, checked_vectors
from ragembed.embed.coverage import added, coverages
from ragembed.errors import EmbeddingError, RagembedError, ReadError, StoreError
from ragembed.index.content import Passage, chunk_digest, document_digest, is_storable
from ragembed.index.postings import PostingsBuilder
from ragembed.index.records import FileRecord
from ragembed.index.writer import Entry, Plan, Vectors, Writer
from ragembed.read.base import Failure, ReadOptions, Report, Source, options_key
from ragembed.read.names import is_there, printable
from ragembed.sync_report import SyncReport
from ragembed.types import Document

if TYPE_CHECKING:
    from ragembed.embed.cache import VectorCache
    from ragembed.embed.lexical import Lexical
    from ragembed.embed.token_vectors import MultiVector

Progress = Callable[[int, int, str], None]
"""Called with files done, files in all, and what is being worked on."""

_TICK_NS = 20_000_000
"""The clock of file systems moves in steps of up to 10 ms; a file that was written less than this ago may change again
without its time doing so."""
_HOPELESS = 5
"""Documents that must fail one after another before it is the embedder that is broken."""


class Syncer:
    """One run of indexing under a writer's lock."""

    def __init__(
        self,
        writer: Writer,
        chunker: Chunker,
        embedders: Sequence[Embedder],
        progress: Progress | None = None,
        *,
        check: Callable[[Callable[[], Sequence[Passage]]], None] = lambda texts: None,
        committed: Callable[[], None] = lambda: None,
        memory: int = MEMORY,
        cache: VectorCache | None = None,
    ) -> None:
        """`check` is called with what gives the next texts, to make sure that the embedders are the index's own;
        `committed` after every commit. `memory` bounds the batches. Vectors are taken from `cache` where it has them.
        """
        self.writer = writer
        self.catalog = writer.catalog
        self.chunker = chunker
        self.embedders = list(embedders)
        self.progress = progress or (lambda done, total, what: None)
        self.check = check
        self.committed = committed
        self.memory = memory
        self.cache = cache
        self.report = SyncReport()
        self.moved: set[str] = set()
        """Paths of files that were found under another one."""
        self._batch = _Batch()
        self._seen: set[str] = set()
        """Ids of documents that this run has put into the index."""
        self._owners: dict[str, str] = {}
        """Which file has which id."""
        self._same: dict[tuple[str, str], list[FileRecord]] = {}
        """Files that were known before this run, by content and reading options."""
        self._reading = ""
        self._present: set[str] = set()
        """Files of this run: one that goes while it runs is none that was moved."""
        self._lossy: set[str] = set()
        """Files with documents that could not be embedded."""
        self._chunk_limit = min(BATCH_CHUNKS[embedder.kind] for embedder in embedders)
        self._character_limit = max(1, int(memory * TEXT_SHARE))
        self._truncated_before = self._truncated()
        self._coverage_before = coverages(self.embedders)

    def files(
        self,
        sources: Sequence[Source],
        options: ReadOptions,
        known: Mapping[str, FileRecord],
        *,
        checksum: bool = False,
    ) -> None:
        """Index the files of `sources` that are new or changed, or were read with other options.

        `known` are the files of the index. With `checksum` equal sizes and times are no proof.
        """
        counts = self.catalog.documents_by_file()
        self._owners = {record.id: path for path, record in known.items()}
        self._present = {printable(source.file) for source in sources}
        self._reading = options_key(options)
        self._same.clear()
        for one in known.values():
            self._same.setdefault((one.hash, one.options), []).append(one)
        waiting: list[Source] = []
        for number, source in enumerate(sources):
            path = printable(source.file)
            record = known.get(path)
            self.report.files += 1
            if (
                record
                and not checksum
                and record.options == self._reading
                and (record.size, record.mtime_ns) == (source.size, source.mtime_ns)
            ):
                self.report.unchanged += counts.get(path, 0)
                continue
            self.progress(number, len(sources), source.id)
            if not self._try(source, record, options, patient=True):
                waiting.append(source)
            self._commit_if_full()
        self._commit()
        for source in waiting:  # another file had their ids, and may have given them up by now
            self._try(source, known.get(printable(source.file)), options, patient=False)
            self._commit_if_full()
        self._commit()
        self.progress(len(sources), len(sources), "")

    def documents(self, documents: Iterable[Document], *, overwrite: bool) -> None:
        """Index documents that come from no file; one whose id is there with other content needs `overwrite`."""
        total = len(documents) if isinstance(documents, Sized) else 0
        done = 0
        for part in _grouped(documents, 500, self._character_limit):
            self.progress(done, total, "")
            done += len(part)
            known = self.catalog.document_hashes(
                [document.id for document in part if is_storable(document.id)]
            )
            for document in part:
                if document.id in self._seen:
                    raise ReadError(f"two documents have the id {document.id!r}", "give each its own id")
                old, owner = known.get(document.id, (None, None))
                if owner is not None:
                    raise ReadError(
                        f"the id {document.id!r} belongs to a document read from {owner}",
                        "give this one another id, or change that file and index it again",
                    )
                self._put(document, old, None, overwrite=overwrite)
                self._commit_if_full()
        self._commit()

    def forget(self, gone: Sequence[str], *, delete: bool) -> None:
        """Count, and with `delete` remove, what was read from files that are there no more."""
        if not delete:
            self.report.missing = len(gone)
            return
        ids = [identifier for path in gone for identifier in self.catalog.documents_of_file(path)]
        if gone:
            self.writer.commit(Plan([], ids, []), [], forget=gone)
            self.committed()
        self.report.deleted += len(ids)

    def _try(self, source: Source, known: FileRecord | None, options: ReadOptions, *, patient: bool) -> bool:
        try:
            return self._file(source, known, options, patient)
        except OSError as error:
            self.report.failed.append(Failure(source.id, f"cannot be read ({error.strerror or error})"))
            return True

    def _file(self, source: Source, known: FileRecord | None, options: ReadOptions, patient: bool) -> bool:
        """Index one file; False where it gives an id that another file has, and `patient` says to wait."""
        from ragembed.read import read

        path = printable(source.file)
        reading = self._reading
        # documents keep their ids whatever folder they are reached from
        source = replace(source, id=known.id if known else self._free_id(source, path))
        self._owners[source.id] = path
        age = time.time_ns() - source.mtime_ns
        if 0 <= age < _TICK_NS:  # a change of the same size would get the same time, and never be found
            time.sleep((_TICK_NS - age) / 1e9)
        with source.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        record = FileRecord(path, source.id, source.size, source.mtime_ns, digest, reading)
        # a file that is not done is read again by the next run, which also tells again what is wrong with it
        unfinished = FileRecord(path, source.id, -1, -1, "", reading)
        if known and known.options == reading and known.hash == digest:
            self._batch.files.append(record)
            self.report.unchanged += len(self.catalog.documents_of_file(path))
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
            self.report.failed.extend(failed)  # what was read of it before stays
            return True
        stored = self.catalog.document_hashes([document.id for document in documents])
        if patient and any(self._taken(document.id, path, stored) for document in documents):
            return False
        self.report.failed.extend(failed)
        self.report.skipped.update(report.skipped)
        origin = self._origin(record) if known is None or not known.hash else None
        had = set(self.catalog.documents_of_file(origin.path)) if origin else set()
        left = set(had)
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
            was = _counterpart(document.id, source.id, origin)
            if origin and was not in had:
                continue  # deleted from the index, and a move of its file brings nothing back
            kept.add(document.id)
            old, owner = stored.get(document.id, (None, None))
            if old is not None and owner != path:
                old = ""  # equal or not, it is stored again, under this file
            self._put(document, old, path, was=was if was in left else None)
            left.discard(was)
            if self._full:  # a file of many rows: what is done stays, and the next run reads the file again
                self._batch.files.append(unfinished)
                self._commit()
        dropped = [name for name in self.catalog.documents_of_file(path) if name not in kept]
        self._batch.delete.extend([*dropped, *sorted(left - kept)])
        self.report.deleted += len(dropped)
        if origin:
            self.moved.add(origin.path)
            self._batch.forget.append(origin.path)
        after = source.path.stat()
        unchanged = (after.st_size, after.st_mtime_ns) == (source.size, source.mtime_ns)  # while it was read
        done = whole and unchanged and path not in self._lossy
        if not documents:  # nothing that could have been deleted, or moves with the file
            record = replace(record, hash="")
        self._batch.files.append(record if done else unfinished)
        return True

    def _origin(self, record: FileRecord) -> FileRecord | None:
        """The file that a new one was before it was moved: of the same content, and gone from where it was."""
        for known in self._same.get((record.hash, record.options), ()):
            if not (known.path in self.moved or known.path in self._present or is_there(known.path)):
                return known
        return None

    def _free_id(self, source: Source, path: str) -> str:
        """The id of a new file: its own, longer by parent folders while another file that is still there has it."""
        parts = [printable(part) for part in source.path.parts[1:]]
        identifier = source.id
        for length in range(identifier.count("/") + 2, len(parts) + 1):
            owner = self._owners.get(identifier, path)
            if owner == path or not is_there(owner):
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
        return owner is None or (owner != path and is_there(owner))

    def _put(
        self,
        document: Document,
        old: str | None,
        file: str | None,
        *,
        was: str | None = None,
        overwrite: bool = True,
    ) -> None:
        """Add `document` to the batch unless `old`, the digest of what is stored under its id, is its own.

        `was` is the id that it had when its file lay elsewhere.
        """
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
        if old and not overwrite:  # an empty digest is one that a repair has cleared
            raise StoreError(
                f"the index has a document {document.id!r} already, with other content",
                "use upsert to replace it, or give the new one another id",
            )
        chunks = list(self.chunker.chunk(document))
        hashes = [chunk_digest(chunk) for chunk in chunks]
        self._batch.add(Entry(document, chunks, hashes, digest, file))
        if was is not None and was != document.id:
            self._batch.delete.append(was)
            self._batch.was[document.id] = was
        change = "moved" if was is not None else "added" if old is None else "updated"
        self._batch.changes[document.id] = change
        setattr(self.report, change, getattr(self.report, change) + 1)

    @property
    def _full(self) -> bool:
        return self._batch.chunks >= self._chunk_limit or self._batch.characters >= self._character_limit

    def _commit_if_full(self) -> None:
        if self._full:
            self._commit()

    def _commit(self) -> None:
        batch, self._batch = self._batch, _Batch()
        if not (batch.entries or batch.files or batch.delete or batch.forget):
            return
        plan = self._plan(batch.entries, batch.delete)
        vectors: list[Vectors] = []
        if plan.fresh and not self.writer.rehearsal:
            self.check(functools.partial(_passages, plan))
            plan, vectors = self._embed(plan, batch)
        self.writer.commit(plan, vectors, batch.files, batch.forget)
        self.report.chunks += len(plan.fresh)
        self.report.truncated = self._truncated() - self._truncated_before
        self.report.coverage = added(self.embedders, self._coverage_before)
        self.committed()

    def _plan(self, entries: Sequence[Entry], delete: Sequence[str]) -> Plan:
        """Which chunks keep their vectors: none, where a vector depends on more than the chunk."""
        if any(embedder.in_context for embedder in self.embedders):
            return Plan(entries, delete, [[None] * len(entry.chunks) for entry in entries])
        fields = sorted({embedder.field for embedder in self.embedders if embedder.field is not None})
        return self.writer.plan(entries, delete, fields)

    def _embed(self, plan: Plan, batch: _Batch) -> tuple[Plan, list[Vectors]]:
        """The vectors of the plan's fresh chunks, and the plan less the documents that cannot be embedded."""
        try:
            return plan, self._vectors(plan)
        except EmbeddingError as error:
            failed = self._unembeddable(plan, error)
        # what is to be replaced by a document that fails stays, and gives its vectors to no other
        stays = failed.keys() | {batch.was[identifier] for identifier in failed if identifier in batch.was}
        rest = self._plan(
            [entry for entry in plan.entries if entry.document.id not in failed],
            [identifier for identifier in plan.delete if identifier not in stays],
        )
        vectors = self._vectors(rest)  # if that fails too, it is not the documents
        for identifier, reason in failed.items():
            change = batch.changes[identifier]
            setattr(self.report, change, getattr(self.report, change) - 1)
            self.report.failed.append(Failure(identifier, reason))
        self._lossy |= {entry.file for entry in plan.entries if entry.file and entry.document.id in failed}
        batch.files = [
            replace(record, size=-1, mtime_ns=-1, hash="") if record.path in self._lossy else record
            for record in batch.files
        ]
        return rest, vectors

    def _unembeddable(self, plan: Plan, error: EmbeddingError) -> dict[str, str]:
        """Which documents make the embedders fail, and how; raises `error` where all do."""
        failed: dict[str, str] = {}
        for number, entry in enumerate(plan.entries):
            try:
                self._vectors(Plan([entry], [], [plan.rows[number]]))
            except EmbeddingError as fault:
                failed[entry.document.id] = str(fault)
                if len(failed) == number + 1 == _HOPELESS:
                    raise error from None
        if not failed:  # only in company, so that nothing can be said of any of them
            raise error
        return failed

    def _vectors(self, plan: Plan) -> list[Vectors]:
        passages = _passages(plan)
        return [
            _chunks_in_context(embedder, plan)
            if embedder.in_context
            else embed(embedder, [each.embedded(embedder.field) for each in passages], self.cache)
            for embedder in self.embedders
            if passages
        ]

    def _truncated(self) -> int:
        return sum(embedder.truncation.texts for embedder in self.embedders)


@dataclass(slots=True)
class _Batch:
    """What the next commit will hold."""

    entries: list[Entry] = field(default_factory=list)
    changes: dict[str, str] = field(default_factory=dict)
    """For each entry's document, what the report counts it as."""
    was: dict[str, str] = field(default_factory=dict)
    """Ids that documents had before their file was moved."""
    files: list[FileRecord] = field(default_factory=list)
    delete: list[str] = field(default_factory=list)
    forget: list[str] = field(default_factory=list)
    chunks: int = 0
    characters: int = 0

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.chunks += len(entry.chunks)
        self.characters += len(entry.document.text)


def _passages(plan: Plan) -> list[Passage]:
    """The plan's fresh chunks, as they are embedded."""
    return [
        Passage.of(chunk, entry.document)
        for entry, rows in zip(plan.entries, plan.rows, strict=True)
        for chunk, row in zip(entry.chunks, rows, strict=True)
        if row is None
    ]


def _chunks_in_context(embedder: Embedder, plan: Plan) -> Dense:
    """Vectors of the plan's chunks, which are all fresh, each from its place in its document."""
    spans = [[(chunk.start, chunk.end) for chunk in entry.chunks] for entry in plan.entries]
    return checked_chunks(embedder, [entry.document.text for entry in plan.entries], spans)


def embed(embedder: Embedder, texts: Sequence[str], cache: VectorCache | None = None) -> Vectors:
    """What a segment of `embedder` holds of `texts`: postings, or finite vectors (n, dimension).

    A chunk without the field that the embedder is for has an empty text, and zeros for a vector.
    """
    if embedder.kind == "sparse":
        builder = PostingsBuilder(cast("Lexical", embedder).analyzer)
        builder.add(texts)
        return builder.build()
    if embedder.kind == "multi":
        return _tokens(embedder, texts)
    if embedder.field is None:
        return _dense(embedder, texts, cache)
    filled = [number for number, text in enumerate(texts) if text.strip()]
    made = _dense(embedder, [texts[number] for number in filled], cache)
    vectors = np.zeros((len(texts), made.shape[1]), np.float32)
    vectors[filled] = made
    return vectors


def _dense(embedder: Embedder, texts: Sequence[str], cache: VectorCache | None) -> Dense:
    return checked_vectors(embedder, texts) if cache is None else cache.embed(embedder, texts)


def _tokens(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """The token vectors of `texts` as they are stored; of an empty one none."""
    from ragembed.index.tokens import Tokens

    several = cast("MultiVector", embedder)
    filled = [number for number, text in enumerate(texts) if text.strip()]
    found = several.tokens([texts[number] for number in filled])
    sizes = np.zeros(len(texts), np.int64)
    sizes[filled] = found.sizes
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    return Tokens(starts, several.codec.encode(found.vectors))


def _counterpart(identifier: str, prefix: str, origin: FileRecord | None) -> str:
    """The id that a document of the file `prefix` had when the file was `origin`."""
    if origin is None or not identifier.startswith(prefix):
        return identifier
    return origin.id + identifier[len(prefix) :]


def texts_of(sources: Iterable[Source], options: ReadOptions, chunker: Chunker) -> Iterator[Passage]:
    """The chunks of `sources`, for embedders that learn; failures are reported when they are indexed."""
    from ragembed.read import read

    for source in sources:
        for item in read(source, options):
            if isinstance(item, Document):
                yield from (Passage.of(chunk, item) for chunk in chunker.chunk(item))


def _grouped(items: Iterable[Document], most: int, characters: int) -> Iterator[list[Document]]:
    """Lists of up to `most` documents, closed as soon as they have as many `characters`."""
    group: list[Document] = []
    size = 0
    for item in items:
        group.append(item)
        size += len(item.text)
        if len(group) == most or size >= characters:
            yield group
            group, size = [], 0
    if group:
        yield group
