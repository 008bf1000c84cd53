"""What an export holds: one unchanging state of an index, streamed in the order of its documents."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ragembed.config import EmbedderRecord, PipelineConfig
from ragembed.embed.base import Dense
from ragembed.errors import CorruptError, NotAnIndexError
from ragembed.index.catalog import Catalog
from ragembed.index.files import missing_is_corrupt
from ragembed.index.flat import Flat
from ragembed.index.records import FileRecord, is_plain_name
from ragembed.index.runs import Rows, decode_runs
from ragembed.index.store import Store


class DocumentRow(NamedTuple):
    """A document as the catalog has it: without its text, which no index keeps."""

    id: str
    file: str | None
    hash: str
    metadata: dict[str, Any]


class ChunkRow(NamedTuple):
    """A chunk as the catalog has it: its row, and the metadata of its own and of its document."""

    row: int
    id: str
    document_id: str
    start: int
    end: int
    text: str
    metadata: str
    document_metadata: str


class Column:
    """The vectors of one dense embedder, by the rows of the catalog."""

    def __init__(self, number: int, record: EmbedderRecord, segments: Sequence[tuple[Rows, Flat]]) -> None:
        self.number = number
        self.spec = record.spec
        self.dimension = record.dimension or 0
        self._segments = segments

    def take(self, rows: Sequence[int]) -> Dense:
        """The vectors (n, dimension) of those rows, in their order."""
        wanted = np.array(rows, np.int64)
        vectors = np.empty((len(wanted), self.dimension), np.float32)
        found = np.zeros(len(wanted), np.bool_)
        for held, flat in self._segments:
            at = np.searchsorted(held, wanted)
            here = held[np.minimum(at, len(held) - 1)] == wanted
            vectors[here] = flat.take(at[here])
            found |= here
        if not found.all():
            raise CorruptError(
                f"{self.spec} has no vector of {np.count_nonzero(~found)} chunks, the first in row"
                f" {wanted[~found][0]}",
                "run: ragembed verify INDEX --repair",
            )
        return vectors


@dataclass(frozen=True, slots=True)
class Content:
    """One state of an index, all files of which are open, so that no writer can take them away."""

    catalog: Catalog
    config: PipelineConfig
    created: float | None
    counts: Mapping[str, int]
    columns: Sequence[Column]
    learnt: Mapping[str, BinaryIO]
    """What embedders have learnt, by the name of the file relative to the index."""

    def files(self) -> Iterator[FileRecord]:
        """The files that were read, in order of their paths."""
        rows = self.catalog.db.execute(
            "SELECT path, id, size, mtime_ns, hash, options FROM files ORDER BY path"
        )
        return (FileRecord(*row) for row in rows)

    def documents(self) -> Iterator[DocumentRow]:
        """The documents, in the order of their adding."""
        rows = self.catalog.db.execute("SELECT id, file, hash, metadata FROM documents ORDER BY row")
        for identifier, file, digest, metadata in rows:
            yield DocumentRow(identifier, file, digest, decoded(metadata, identifier))

    def chunks(self) -> Iterator[ChunkRow]:
        """The chunks, document by document in the order of `documents`, each in the order of its spans."""
        # CROSS JOIN: documents first, whatever SQLite reckons, so that no more than one is sorted at a time
        rows = self.catalog.db.execute(
            'SELECT c.row, c.id, d.id, c.start, c."end", c.text, c.metadata, d.metadata'
            " FROM documents d CROSS JOIN chunks c ON c.document = d.row ORDER BY d.row, c.start, c.row"
        )
        left = self.counts["chunks"]
        for row in rows:
            yield ChunkRow._make(row)
            left -= 1
        if left:
            raise CorruptError(
                f"{left} chunks belong to documents that are not there",
                "restore the index from a copy, or index again into a new folder",
            )


@contextlib.contextmanager
def content_of(store: Store) -> Iterator[Content]:
    """One state of the index. A writer may take files of it away before they are open; then it is the next state."""
    while True:
        with contextlib.ExitStack() as stack:
            catalog = stack.enter_context(store.snapshot())
            generation = catalog.generation()
            try:
                content = _opened(store, catalog, stack)
            except CorruptError as error:
                failed = error
            else:
                yield content
                return
        with store.snapshot() as catalog:
            if catalog.generation() == generation:
                raise failed


def decoded(text: str, owner: str) -> dict[str, Any]:
    """Metadata from JSON; raises `CorruptError` for what is no object."""
    try:
        value = json.loads(text)
        if not isinstance(value, dict):
            raise TypeError("it is no object")
    except (TypeError, ValueError, RecursionError) as error:
        raise CorruptError(
            f"the catalog's metadata of {owner!r} are damaged ({error})",
            "restore it from a copy, or index again into a new folder",
        ) from error
    return value


def _opened(store: Store, catalog: Catalog, stack: contextlib.ExitStack) -> Content:
    values = catalog.setting("config")
    if not isinstance(values, dict):
        raise NotAnIndexError(
            f"{store.folder} says nothing of how it was made", "index again into a new folder"
        )
    config = PipelineConfig.from_json(values)
    learnt = {}
    for folder in {record.folder: None for record in config.embedders if record.folder is not None}:
        for path in _files_of(store.folder / folder):
            with missing_is_corrupt(path):
                name = path.relative_to(store.folder).as_posix()
                learnt[name] = stack.enter_context(path.open("rb"))
    columns = [
        Column(number, record, _segments(store, catalog, number, record.dimension))
        for number, record in enumerate(config.embedders)
        if record.kind == "dense" and record.dimension is not None
    ]
    return Content(catalog, config, catalog.setting("created"), catalog.counts(), columns, learnt)


def _files_of(folder: Path) -> list[Path]:
    """The files that an embedder has written; those that a system hides are not among them."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    kept = [path for path in found if all(is_plain_name(part) for part in path.relative_to(folder).parts)]
    if not kept:
        raise CorruptError(
            f"{folder}, what an embedder has learnt, is missing from the index",
            "restore it from a copy, or index again into a new folder",
        )
    return kept


def _segments(store: Store, catalog: Catalog, number: int, dimension: int) -> list[tuple[Rows, Flat]]:
    return [
        (decode_runs(record.runs, record.rows, record.name), store.load_flat(record, dimension))
        for record in catalog.segments()
        if record.embedder == number and record.rows
    ]
