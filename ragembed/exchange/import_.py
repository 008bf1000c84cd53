"""A folder of plain files, as an export has them -> a new index, without anything being embedded."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ragembed.budget import BATCH_CHUNKS, MANY_SEGMENTS, MEMORY, TEXT_SHARE
from ragembed.config import EmbedderRecord
from ragembed.embed import EMBEDDERS
from ragembed.embed.base import Embedder
from ragembed.embed.identity import check_behaviour, check_recorded, load_learnt
from ragembed.errors import ReadError
from ragembed.exchange.intake import Intake, read_documents, read_files
from ragembed.exchange.manifest import MANIFEST, VECTORS, Manifest, check_files, read_manifest
from ragembed.exchange.records import REMEDY, Line
from ragembed.exchange.staging import staged
from ragembed.exchange.vectors import VectorReader
from ragembed.index.content import Passage
from ragembed.index.files import EMBEDDERS as LEARNT
from ragembed.index.merge import largest_merged
from ragembed.index.store import Store
from ragembed.index.writer import Plan, Vectors, Writer
from ragembed.spec import Spec

Progress = Callable[[int, int, str], None]
"""Called with chunks done, chunks in all, and what is being worked on."""

Maker = Callable[[Sequence[Passage]], Vectors]
"""What gives a segment of some chunks: the next vectors of a file, or postings of their texts."""

_FILES_AT_ONCE = 10_000
_IDS_AT_ONCE = 30_000
"""Below the number of parameters that SQLite allows, 32,766."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What `import_index` made, and where."""

    index: str
    documents: int
    chunks: int
    files: int
    seconds: float


def import_index(
    folder: str | Path, index: str | Path, progress: Progress | None = None, memory: int | None = None
) -> Imported:
    """Make the index that was exported to `folder` again at `index`, which must be absent or empty.

    Dense vectors are read; postings and token vectors are made from the texts. Nothing in the folder is trusted,
    and where anything is wrong there is an error that says what and where, and no index. `memory`, in bytes, bounds
    the batches. An embedder of vectors is not loaded here: what is recorded of it is compared when the index is
    opened, as for every index.
    """
    started = time.perf_counter()
    source = Path(folder)
    manifest = read_manifest(source)
    check_files(manifest, source)
    settings: dict[str, Any] = {"config": manifest.config.to_json()}
    if manifest.created is not None:
        settings["created"] = manifest.created
    with staged(Path(index)) as temporary, contextlib.closing(Store.create(temporary, settings)) as store:
        for name in manifest.files:
            if name.startswith(f"{LEARNT}/"):
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / name, temporary / name)
        with store.writing() as writer, contextlib.ExitStack() as stack:
            makers = [
                _maker(number, record, source, manifest.counts["chunks"], stack)
                for number, record in enumerate(manifest.config.embedders)
            ]
            importer = _Importer(
                writer,
                source,
                manifest,
                makers,
                memory or MEMORY,
                progress or (lambda done, total, what: None),
            )
            importer.run()
    return Imported(
        str(index),
        manifest.counts["documents"],
        manifest.counts["chunks"],
        manifest.counts["files"],
        round(time.perf_counter() - started, 3),
    )


def _maker(
    number: int, record: EmbedderRecord, source: Path, chunks: int, stack: contextlib.ExitStack
) -> Maker:
    kind = EMBEDDERS.load(Spec.parse(record.spec).name).kind
    if kind != record.kind:
        raise ReadError(
            f"{source / MANIFEST}: embedder {record.spec} is {record.kind}, but makes {kind} vectors", REMEDY
        )
    if record.kind != "dense" or record.dimension is None:
        embedder = _ready(record, source)
        from ragembed.sync import embed

        return lambda part: embed(embedder, [passage.embedded(embedder.field) for passage in part])
    reader = VectorReader(source / VECTORS.format(number), chunks, record.dimension)
    stack.callback(reader.close)
    return lambda part: reader.take(len(part))


def _ready(record: EmbedderRecord, source: Path) -> Embedder:
    """The embedder that made the postings, or `IdentityError` where the one here takes texts apart otherwise."""
    embedder = EMBEDDERS.create(record.spec)
    check_recorded(record, embedder, source)
    load_learnt(record, embedder, source)
    check_behaviour(record, embedder, source)
    return embedder


@dataclass(slots=True)
class _Batch:
    """What the next commit will hold, and which lines the ids come from."""

    taken: list[Intake] = field(default_factory=list)
    documents: dict[str, Line] = field(default_factory=dict)
    chunks: dict[str, Line] = field(default_factory=dict)
    size: int = 0

    def add(self, intake: Intake) -> None:
        """Take a document in; raises `ReadError` where one of its ids is in the batch already."""
        self.taken.append(intake)
        self.size += intake.size
        _put(self.documents, intake.entry.document.id, intake.document)
        for chunk, line in zip(intake.entry.chunks, intake.chunks, strict=True):
            _put(self.chunks, chunk.id, line)


class _Importer:
    """One run of importing under a writer's lock."""

    def __init__(
        self,
        writer: Writer,
        source: Path,
        manifest: Manifest,
        makers: Sequence[Maker],
        memory: int,
        progress: Progress,
    ) -> None:
        self.writer = writer
        self.source = source
        self.counts = manifest.counts
        self.makers = makers
        self.memory = memory
        self.progress = progress
        self.dimensions = [record.dimension for record in manifest.config.embedders]
        width = sum(dimension or 0 for dimension in self.dimensions)
        self._most_chunks = max(1, min(BATCH_CHUNKS["sparse"], memory // (32 * max(1, width))))
        self._most_bytes = max(1, int(memory * TEXT_SHARE))
        self._done = {"documents": 0, "chunks": 0, "files": 0}

    def run(self) -> None:
        """Read everything, commit it in batches, and hold the sums against the manifest."""
        self.progress(0, self.counts["chunks"], "")
        batch = _Batch()
        for intake in read_documents(self.source):
            batch.add(intake)
            most = max(len(batch.chunks), len(batch.documents))
            if most >= self._most_chunks or batch.size >= self._most_bytes:
                self._commit(batch)
                batch = _Batch()
        self._commit(batch)
        self._files()
        self.writer.merge(self.dimensions, largest_merged(self.memory))
        for name, found in self._done.items():
            if found != self.counts[name]:
                raise ReadError(
                    f"{self.source} has {found} {name}, the manifest says {self.counts[name]}", REMEDY
                )

    def _commit(self, batch: _Batch) -> None:
        self._require_new("documents", "id", batch.documents)
        self._require_new("chunks", "id", batch.chunks)
        entries = [intake.entry for intake in batch.taken]
        plan = Plan(entries, [], [[None] * len(entry.chunks) for entry in entries])
        chunks = [Passage.of(chunk, entry.document) for entry in entries for chunk in entry.chunks]
        vectors = [maker(chunks) for maker in self.makers] if chunks else []
        self.writer.commit(plan, vectors)
        self.writer.merge(self.dimensions, largest_merged(self.memory), MANY_SEGMENTS)
        self._done["documents"] += len(entries)
        self._done["chunks"] += len(chunks)
        self.progress(self._done["chunks"], self.counts["chunks"], "")

    def _files(self) -> None:
        records = read_files(self.source)
        while part := list(itertools.islice(records, _FILES_AT_ONCE)):
            paths: dict[str, Line] = {}
            for record, line in part:
                _put(paths, record.path, line)
            self._require_new("files", "path", paths)
            self.writer.commit(Plan([], [], []), [], files=[record for record, _ in part])
            self._done["files"] += len(part)

    def _require_new(self, table: str, column: str, lines: Mapping[str, Line]) -> None:
        """Raise `ReadError` where something of a batch is in the index already, from a batch before."""
        names = iter(lines)
        while part := list(itertools.islice(names, _IDS_AT_ONCE)):
            marks = ",".join("?" * len(part))
            found = self.writer.catalog.db.execute(
                f"SELECT {column} FROM {table} WHERE {column} IN ({marks}) LIMIT 1", part
            ).fetchone()
            if found is not None:
                lines[found[0]].fail(f"{found[0]!r} came before")


def _put(lines: dict[str, Line], name: str, line: Line) -> None:
    if name in lines:
        line.fail(f"{name!r} came before, in line {lines[name].number}")
    lines[name] = line
