"""Checks of the catalog in itself: SQLite's own, then every row of every table in one pass each.

Damage may lie anywhere, so rows are read with a tolerant `text_factory`: invalid UTF-8 becomes half surrogate pairs,
which no text of ours holds, and does not end the whole check.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ragembed.config import PipelineConfig
from ragembed.errors import RagembedError
from ragembed.filters.fields import EVERY_KEY, fields, own_keys
from ragembed.index.catalog import Catalog
from ragembed.index.content import chunk_digest, is_storable
from ragembed.index.problems import DAMAGE, READ_AGAIN, REPAIR, RESTORE, STRANGER, Problem, some
from ragembed.index.schema import SCHEMA
from ragembed.types import Chunk

SCANNED = "scanned_keys"
LARGEST_ROW = 1 << 62
"""Above any row."""
_SHOWN = 10
"""Findings of SQLite that are told; a damaged page can bring thousands."""


@contextlib.contextmanager
def tolerant(db: sqlite3.Connection) -> Iterator[None]:
    """Have `db` return texts that are no valid UTF-8 with half surrogate pairs in them."""
    before = db.text_factory
    db.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        db.text_factory = before


def schema(db: sqlite3.Connection) -> Iterator[Problem]:
    """Tables and columns that are not ours, or that are missing; views and triggers are never ours."""
    with contextlib.closing(sqlite3.connect(":memory:")) as ours:
        ours.executescript(SCHEMA)
        expected, found = _objects(ours), _objects(db)
    for kind, name in sorted(found.keys() - expected.keys()):
        yield Problem(f"the catalog has a {kind} {name!r}, which is none of ours", STRANGER)
    for kind, name in sorted(expected.keys() - found.keys()):
        yield Problem(f"no such {kind}: {name}", REPAIR if kind == "index" else RESTORE)
    for (kind, name), columns in found.items():
        if kind == "table" and columns != expected.get((kind, name), columns):
            yield Problem(f"the catalog's table {name} has other columns than ours", STRANGER)


def _objects(db: sqlite3.Connection) -> dict[tuple[str, str], list[Any]]:
    """Kind and name of all in a database, each table with the names and types of its columns."""
    listed = db.execute(
        "SELECT type, name, rootpage FROM sqlite_master WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    )
    return {
        (kind if page or kind != "table" else "virtual table", name): [
            column[1:4] for column in db.execute("SELECT * FROM pragma_table_xinfo(?)", (name,))
        ]
        for kind, name, page in listed.fetchall()
    }


def integrity(catalog: Catalog) -> Iterator[Problem]:
    """What SQLite's own check finds. A damaged SQL index can be made anew from its table, a table cannot."""
    for (message,) in catalog.db.execute(f"PRAGMA integrity_check({_SHOWN})").fetchall():
        if message != "ok":
            yield Problem(
                f"{catalog.path} is damaged: {message}", REPAIR if is_of_an_index(message) else RESTORE
            )


def is_of_an_index(message: str) -> bool:
    """Whether a finding of ``integrity_check`` is about an SQL index, which can be made anew."""
    return " index " in message and ("missing from index" in message or "entries in index" in message)


def settings(catalog: Catalog) -> Iterator[Problem]:
    """Settings that cannot be read."""
    for key, value in catalog.db.execute("SELECT key, value FROM settings").fetchall():
        try:
            decoded = json.loads(value)
        except DAMAGE as error:
            remedy = REPAIR if key in (SCANNED, "generation", "accelerators") else RESTORE
            yield Problem(f"the catalog's setting {key} is damaged ({error})", remedy)
            continue
        if key == "generation":
            if not isinstance(decoded, int):
                yield Problem("the catalog's setting generation is no number", REPAIR)
        elif key == "config":
            try:
                PipelineConfig.from_json(decoded)
            except RagembedError as error:
                yield Problem(error.fault)
            except DAMAGE as error:
                yield Problem(f"the index's configuration cannot be read ({error})")
    if catalog.db.execute("SELECT count(*) FROM settings WHERE key = 'config'").fetchone()[0] != 1:
        yield Problem("the index says nothing of how it was made: its setting config cannot be read")


@dataclass(slots=True)
class DocumentFaults:
    """Rows of `documents` that are not as they were written, and what the others' metadata say of other tables."""

    unnamed: list[int] = field(default_factory=list)
    """Id or file are no text: nobody can tell which document it is."""
    unreadable: list[int] = field(default_factory=list)
    """The digest is no text, or the metadata are no JSON object."""
    first: Any = None
    """Id of the first of them."""
    fields_fit: bool = True
    """Whether the table `fields` has exactly the values that are in the metadata."""
    scanned: set[str] = field(default_factory=set)
    """The keys that `fields` does not hold completely."""


def document_faults(catalog: Catalog) -> DocumentFaults:
    """One pass over `documents` and `fields`."""
    found = DocumentFaults()
    told = held = 0
    for row, identifier, file, digest, encoded in catalog.db.execute(
        "SELECT row, id, file, hash, metadata FROM documents"
    ):
        metadata = decoded_object(encoded)
        if not (_is_text(identifier) and (file is None or _is_text(file))):
            found.unnamed.append(row)
        elif metadata is None or not _is_text(digest):
            found.unreadable.append(row)
        if found.first is None and (found.unnamed or found.unreadable):
            found.first = identifier
        of_document = fields(metadata or {})
        found.scanned |= of_document.scanned
        told += sum(_digest(key, value, row) for key, value in of_document.rows if not is_nan(value))
    for key, value, row in catalog.db.execute("SELECT key, value, document FROM fields"):
        held += _digest(key, value, row)
    found.fields_fit = told == held
    return found


@dataclass(slots=True)
class ChunkFaults:
    """Rows of `chunks` that are not as they were written, and what the others' metadata say of other tables."""

    orphaned: list[int] = field(default_factory=list)
    """Their document is gone."""
    unusable: list[int] = field(default_factory=list)
    """Text, id or span are missing, or something else: there is nothing to show."""
    unreadable: list[int] = field(default_factory=list)
    """The metadata are no JSON object, or the text is no valid Unicode."""
    misfit: list[int] = field(default_factory=list)
    """The span does not fit the text."""
    changed: list[int] = field(default_factory=list)
    """The digest is of another text."""
    first: dict[str, Any] = field(default_factory=dict)
    """Id of the first of each kind."""
    scanned: set[str] = field(default_factory=set)
    """The keys of all chunks' own metadata."""

    @property
    def damaged(self) -> list[int]:
        """Those whose document is to be read again."""
        return sorted({*self.unusable, *self.unreadable, *self.misfit, *self.changed})


def chunk_faults(catalog: Catalog) -> ChunkFaults:
    """One pass over `chunks`."""
    found = ChunkFaults()
    for row, identifier, start, end, text, encoded, digest, document in catalog.db.execute(
        'SELECT c.row, c.id, c.start, c."end", c.text, c.metadata, c.hash, d.row'
        " FROM chunks c LEFT JOIN documents d ON d.row = c.document"
    ):
        metadata = decoded_object(encoded)
        numbers = isinstance(start, int) and isinstance(end, int)
        if document is None:
            kind = "orphaned"
        elif not (
            0 < row < LARGEST_ROW and numbers and isinstance(text, str) and text and _is_text(identifier)
        ):
            kind = "unusable"
        elif metadata is None or not is_storable(text):
            kind = "unreadable"
        elif not (0 <= start < end and len(text) == end - start):
            kind = "misfit"
        elif chunk_digest(Chunk(identifier, "", text, start, end, metadata)) != digest:
            kind = "changed"
        else:
            found.scanned |= own_keys(metadata)
            continue
        getattr(found, kind).append(row)
        found.first.setdefault(kind, identifier)
    return found


_CHUNKS = {
    "orphaned": "chunks belong to documents that are not there",
    "unusable": "chunks have no text, id or span",
    "unreadable": "chunks have text or metadata that is not readable",
    "misfit": "chunks have a span that does not fit their text",
    "changed": "chunks have another text than was embedded",
}


def contents(catalog: Catalog) -> Iterator[Problem]:
    """Documents and chunks that are not as they were written, and tables that do not have what their metadata say."""
    of_documents = document_faults(catalog)
    if count := len(of_documents.unnamed) + len(of_documents.unreadable):
        what = some(
            count, "documents have an id, digest or metadata that is not readable", of_documents.first
        )
        yield Problem(what, READ_AGAIN)
    if not of_documents.fields_fit:
        yield Problem("the table that filters use does not have the values of the metadata", REPAIR)
    of_chunks = chunk_faults(catalog)
    for kind, what in _CHUNKS.items():
        if rows := getattr(of_chunks, kind):
            yield Problem(some(len(rows), what, of_chunks.first[kind]), READ_AGAIN)
    known = scanned_keys(catalog)
    if known is None or not (EVERY_KEY in known or of_documents.scanned | of_chunks.scanned <= known):
        yield Problem("the list of keys that filters look up in the metadata is not complete", REPAIR)


def files(catalog: Catalog) -> Iterator[Problem]:
    """Files whose record is damaged or lost; a record decides what the next sync leaves unread, or prunes."""
    wrong = damaged_files(catalog)
    if wrong:
        yield Problem(some(len(wrong), "files have a record that is not readable", wrong[0]), READ_AGAIN)
    lost = catalog.db.execute(
        "SELECT DISTINCT file FROM documents WHERE file IS NOT NULL AND file NOT IN (SELECT path FROM files)"
    ).fetchall()
    if lost:
        yield Problem(some(len(lost), "files have documents but no record", lost[0][0]), READ_AGAIN)


def damaged_files(catalog: Catalog) -> list[Any]:
    """The paths, or what stands in their place, of records of files that are not as they were written."""
    types = [("size", int), ("mtime_ns", int), ("path", str), ("id", str), ("hash", str), ("options", str)]
    rows = catalog.db.execute(f"SELECT {', '.join(name for name, _ in types)} FROM files")
    return [
        row[2]
        for row in rows
        if not all(
            isinstance(value, kind) and (kind is int or _is_text(value))
            for value, (_, kind) in zip(row, types, strict=True)
        )
    ]


def decoded_object(encoded: object) -> dict[str, Any] | None:
    """The JSON object in `encoded`, None where there is none that could be stored."""
    try:
        value = json.loads(encoded)  # type: ignore[arg-type]
        if isinstance(encoded, str) and isinstance(value, dict):
            encoded.encode()
            return value
    except DAMAGE:
        return None
    return None


def scanned_keys(catalog: Catalog) -> set[str] | None:
    """The keys that filters look up in the metadata, None where the catalog's list of them is damaged."""
    try:
        known = catalog.setting(SCANNED, [])
        return set(known) if isinstance(known, list) and all(isinstance(key, str) for key in known) else None
    except DAMAGE:
        return None


def is_nan(value: object) -> bool:
    """Whether `value` is not a number, as only JSON that is not ours has it: SQLite would store NULL."""
    return isinstance(value, float) and value != value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and is_storable(value)


def _digest(key: Any, value: Any, row: Any) -> int:
    """A number for one row of `fields`; the sums of two tables are equal where their rows are, in any order."""
    number = value + 0 if isinstance(value, bool) else value
    text = f"{row!r} {key!r} {number!r}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little")
