"""Check of a whole index, reading only: the catalog in itself, every segment file, and that the two fit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.config import EmbedderRecord, PipelineConfig
from ragembed.errors import RagembedError
from ragembed.index.catalog import Catalog, SegmentRecord
from ragembed.index.store import SEGMENTS, Store

_REMEDY = "restore the index from a copy, or index again into a new folder"
_SHOWN = 10
"""Findings of SQLite that are told; a damaged page can bring thousands."""
_DAMAGE = (
    RagembedError,
    sqlite3.Error,
    OSError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    RecursionError,
    MemoryError,
)
"""What reading may raise where numbers and texts in a damaged catalog are anything at all."""

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an index, and what to do about it."""

    what: str
    remedy: str = _REMEDY

    def __str__(self) -> str:
        return " ".join(f"{self.what}; {self.remedy}".split())


def verify(store: Store) -> list[Problem]:
    """All that is wrong with the index, [] where it is whole. Raises nothing because of damage."""
    while True:
        seen = _generation(store)
        problems = _problems(store)
        if (
            not problems or _generation(store) == seen
        ):  # else a writer may have merged segments away meanwhile
            return problems


def orphans(store: Store) -> list[str]:
    """Files among the segments that the catalog does not name: harmless, the next write removes them."""
    with store.snapshot() as catalog:
        named = {record.name for record in catalog.segments()}
        folder = store.folder / SEGMENTS
        found = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [name for name in found if name not in named]


def _generation(store: Store) -> int:
    try:
        with store.snapshot() as catalog:
            return catalog.generation()
    except _DAMAGE:
        return -1


def _problems(store: Store) -> list[Problem]:
    found: list[Problem] = []
    try:
        with store.snapshot() as catalog:
            for check in (_database(catalog), _spans(catalog), _segments(store, catalog)):
                try:
                    found.extend(check)
                except _DAMAGE as error:
                    found.append(_unreadable(catalog, error))
    except _DAMAGE as error:
        found.append(_unreadable(store.catalog, error))
    return list(dict.fromkeys(found))


def _unreadable(catalog: Catalog, error: BaseException) -> Problem:
    if isinstance(error, RagembedError):
        return Problem(error.fault)
    return Problem(f"{catalog.path} cannot be read ({str(error) or type(error).__name__})")


def _database(catalog: Catalog) -> Iterator[Problem]:
    for (message,) in catalog.db.execute(f"PRAGMA integrity_check({_SHOWN})"):
        if message != "ok":
            yield Problem(f"{catalog.path} is damaged: {message}")
    orphaned = len(catalog.db.execute("PRAGMA foreign_key_check").fetchall())
    if orphaned:
        yield Problem(f"{orphaned} chunks belong to documents that are not there")
    for table in ("documents", "chunks"):
        (count,) = catalog.db.execute(
            f"SELECT count(*) FROM {table} WHERE NOT json_valid(metadata)"
        ).fetchone()
        if count:
            yield Problem(f"the metadata of {count} {table} is not readable")


def _spans(catalog: Catalog) -> Iterator[Problem]:
    wrong = []
    for identifier, start, end, text in catalog.db.execute('SELECT id, start, "end", text FROM chunks'):
        typed = isinstance(start, int) and isinstance(end, int) and isinstance(text, str)
        if not (typed and 0 <= start < end and len(text) == end - start):
            wrong.append(identifier)
    if wrong:
        yield Problem(f"{len(wrong)} chunks have a span that does not fit their text, the first {wrong[0]!r}")


def _segments(store: Store, catalog: Catalog) -> Iterator[Problem]:
    embedders = PipelineConfig.from_json(catalog.settings()["config"]).embedders
    records = catalog.segments()
    chunks = _rows(catalog, "chunks")
    known = np.union1d(chunks, _rows(catalog, "dead"))
    if len(chunks) and not embedders:
        yield Problem(f"there are {len(chunks)} chunks, but no embedder that made vectors of them")
    strange = [record.name for record in records if record.embedder not in range(len(embedders))]
    if strange:
        yield Problem(f"{len(strange)} segments are of no embedder of this index, the first {strange[0]}")
    for number, embedder in enumerate(embedders):
        if embedder.folder is not None and not (store.folder / embedder.folder).is_dir():
            yield Problem(f"{embedder.folder}, what {embedder.spec} has learnt, is missing from the index")
        own = [record for record in records if record.embedder == number]
        for record in own:
            yield from _file(store, record, embedder)
        yield from _coverage(own, embedder, chunks, known)


def _file(store: Store, record: SegmentRecord, embedder: EmbedderRecord) -> Iterator[Problem]:
    kind = "postings" if embedder.dimension is None else "flat"
    if record.kind != kind:
        yield Problem(f"{record.name} holds {record.kind} by the catalog, {embedder.spec} makes {kind}")
        return
    try:
        if embedder.dimension is None:
            store.load_postings(record)
        else:
            store.load_flat(record, embedder.dimension)
    except RagembedError as error:
        yield Problem(error.fault)
    except _DAMAGE as error:
        yield Problem(f"{record.name} cannot be read ({str(error) or type(error).__name__})")


def _coverage(
    records: Sequence[SegmentRecord], embedder: EmbedderRecord, chunks: Rows, known: Rows
) -> Iterator[Problem]:
    """Each chunk in exactly one of an embedder's segments; each of their rows a chunk, or a dead one."""
    last = int(known[-1]) if len(known) else 0
    covered = np.zeros(len(chunks), np.int64)
    for record in records:
        ends: tuple[Any, Any] = (record.first_row, record.rows)
        if not all(isinstance(value, int) and 0 < value <= last for value in ends):
            yield Problem(
                f"{record.name} holds rows that no chunk had: {record.rows} from {record.first_row}"
            )
            continue
        span = (record.first_row, record.first_row + record.rows)
        first, end = np.searchsorted(chunks, span)
        covered[first:end] += 1
        unknown = record.rows - int(np.diff(np.searchsorted(known, span))[0])
        if unknown:
            yield Problem(f"{record.name} holds {unknown} rows that are neither chunks nor deleted ones")
    for wrong, how in ((covered == 0, "in no segment"), (covered > 1, "in several segments")):
        if wrong.any():
            row = chunks[wrong.argmax()]
            yield Problem(
                f"{np.count_nonzero(wrong)} chunks are {how} of {embedder.spec}, the first in row {row}"
            )


def _rows(catalog: Catalog, table: str) -> Rows:
    rows = catalog.db.execute(f"SELECT row FROM {table} ORDER BY row")
    return np.fromiter((row for (row,) in rows), np.int64)
