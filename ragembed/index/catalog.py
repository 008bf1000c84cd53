"""The catalog: which documents, chunks and segments an index has, in SQLite. A commit here is a commit of the index.

Tables: `settings` (how the index was made), `files` (what was read, for the next sync), `documents`, `chunks` (texts
and spans), `segments` (files of vectors or postings, each over a contiguous range of chunk rows), `dead` (rows that
segments still hold though their chunks are gone). A chunk's `row` is its number in all segments; rows are never used
twice.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragembed.errors import CorruptError, NotAnIndexError, StoreError, VersionError
from ragembed.types import Chunk, Document

CATALOG_NAME = "catalog.db"
FORMAT_VERSION = 1
APPLICATION_ID = 0x72616765  # "rage" in ASCII: marks the SQLite file as ours
_RESTORE = "restore it from a copy, or index again into a new folder"

_SCHEMA = """
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (
    path TEXT PRIMARY KEY, id TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, hash TEXT NOT NULL,
    options TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE documents (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, file TEXT, hash TEXT NOT NULL,
    metadata TEXT NOT NULL
);
CREATE INDEX documents_by_file ON documents (file);
CREATE TABLE chunks (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    document INTEGER NOT NULL REFERENCES documents (row), start INTEGER NOT NULL, "end" INTEGER NOT NULL,
    text TEXT NOT NULL, metadata TEXT NOT NULL
);
CREATE INDEX chunks_by_document ON chunks (document);
CREATE TABLE segments (
    name TEXT PRIMARY KEY, embedder INTEGER NOT NULL, kind TEXT NOT NULL, first_row INTEGER NOT NULL,
    rows INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE dead (row INTEGER PRIMARY KEY);
"""


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """A segment file: `rows` chunks from `first_row` on, embedded by the embedder of that number."""

    name: str
    embedder: int
    kind: str
    first_row: int
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file as it was when it was last read, and the options it was read with.

    `path` is absolute, `id` is its documents' prefix.
    """

    path: str
    id: str
    size: int
    mtime_ns: int
    hash: str
    options: str


class Catalog:
    """A connection to the catalog of one index. Not to be shared between threads."""

    def __init__(self, folder: Path, *, create: Mapping[str, Any] | None = None) -> None:
        """Open the catalog in `folder`, or make one that holds the settings `create`."""
        self.path = folder / CATALOG_NAME
        if create is None and not self.path.is_file():
            raise NotAnIndexError(
                f"{folder} is no index: it has no {CATALOG_NAME}"
                if folder.exists()
                else f"there is no index {folder}",
                f"make one with: ragembed index PATH -o {folder}",
            )
        with database_errors(self.path):
            self.db = self._connect(folder)
        try:
            with database_errors(self.path):
                if create is not None:
                    self._make(create)
                self._check()
        except UnicodeDecodeError as error:  # from a message of SQLite that quotes a damaged page
            self.db.close()
            raise CorruptError(f"{self.path} is damaged, or no catalog", _RESTORE) from error
        except BaseException:
            self.db.close()
            raise

    def _connect(self, folder: Path) -> sqlite3.Connection:
        query = ""
        if not os.access(folder, os.W_OK):  # SQLite then reads a log that is there, but can make none
            query = "?mode=ro" if self.path.with_name(f"{CATALOG_NAME}-wal").exists() else "?immutable=1"
        uri = self.path.resolve().as_uri() + query
        db = sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA trusted_schema = OFF")  # a stranger's catalog runs no functions of ours
        return db

    def _make(self, settings: Mapping[str, Any]) -> None:
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.executescript(
            f"BEGIN; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT_VERSION}; {_SCHEMA}"
        )
        for key, value in settings.items():
            self.set(key, value)
        self.db.execute("COMMIT")

    def _check(self) -> None:
        application = self.db.execute("PRAGMA application_id").fetchone()[0]
        version = self.db.execute("PRAGMA user_version").fetchone()[0]
        self.db.execute("PRAGMA foreign_keys = ON")
        self.db.execute("PRAGMA synchronous = FULL")  # a commit must outlive a power cut
        if application != APPLICATION_ID:
            if not self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise NotAnIndexError(
                    f"{self.path} is empty: the making of this index was interrupted",
                    f"delete {self.path.parent} and index again",
                )
            raise NotAnIndexError(
                f"{self.path} belongs to another program", "name the folder of a ragembed index"
            )
        if version != FORMAT_VERSION:
            remedy = "upgrade ragembed" if version > FORMAT_VERSION else "index again into a new folder"
            raise VersionError(
                f"{self.path.parent} has format version {version}, this ragembed reads version {FORMAT_VERSION}",
                remedy,
            )

    def close(self) -> None:
        """Close the connection."""
        self.db.close()

    # reading

    def settings(self) -> dict[str, Any]:
        """All settings, decoded."""
        rows = self.db.execute("SELECT key, value FROM settings")
        return {key: _decoded(value, f"setting {key}") for key, value in rows}

    def generation(self) -> int:
        """How many writes there were: the same number, the same state."""
        found = self.db.execute("SELECT value FROM settings WHERE key = 'generation'").fetchone()
        return 0 if found is None else int(_decoded(found[0], "generation"))

    def segments(self) -> list[SegmentRecord]:
        """All segments in order of embedder and first row; `CorruptError` where a name could lead elsewhere."""
        rows = self.db.execute(
            "SELECT name, embedder, kind, first_row, rows, bytes, sha256 FROM segments ORDER BY embedder, first_row"
        )
        records = [SegmentRecord(*row) for row in rows]
        for record in records:
            if not is_plain_name(record.name):
                raise CorruptError(
                    f"the catalog {self.path} names a segment {record.name!r}, which is no name of ours",
                    "do not use an index from somebody you do not trust",
                )
        return records

    def dead_rows(self) -> list[int]:
        """Rows that segments hold though their chunks are gone, ascending."""
        return [row for (row,) in self.db.execute("SELECT row FROM dead ORDER BY row")]

    def counts(self) -> dict[str, int]:
        """How many files, documents and chunks there are."""
        tables = ("files", "documents", "chunks")
        return {name: self.db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}

    def files(self) -> dict[str, FileRecord]:
        """All files read, by absolute path."""
        rows = self.db.execute("SELECT path, id, size, mtime_ns, hash, options FROM files")
        return {row[0]: FileRecord(*row) for row in rows}

    def document_hashes(self, ids: Sequence[str]) -> dict[str, tuple[str, str | None]]:
        """Content hash and file of those of the documents that are there."""
        found: dict[str, tuple[str, str | None]] = {}
        for part in _parts(ids):
            marks = ",".join("?" * len(part))
            rows = self.db.execute(f"SELECT id, hash, file FROM documents WHERE id IN ({marks})", part)
            found.update({identifier: (digest, file) for identifier, digest, file in rows})
        return found

    def documents_of_file(self, path: str) -> list[str]:
        """Ids of the documents that were read from a file."""
        return [row for (row,) in self.db.execute("SELECT id FROM documents WHERE file = ?", (path,))]

    def chunks(self, rows: Sequence[int]) -> dict[int, Chunk]:
        """The chunks of those rows; the document's metadata lies beneath the chunk's own."""
        found: dict[int, Chunk] = {}
        for part in _parts(rows):
            marks = ",".join("?" * len(part))
            cursor = self.db.execute(
                'SELECT c.row, c.id, d.id, c.text, c.start, c."end", d.metadata, c.metadata'
                f" FROM chunks c JOIN documents d ON d.row = c.document WHERE c.row IN ({marks})",
                part,
            )
            for row, identifier, document, text, start, end, outer, inner in cursor:
                what = f"metadata of {identifier}"
                metadata = {**_decoded(outer, what), **_decoded(inner, what)}
                found[row] = Chunk(identifier, document, text, start, end, metadata)
        return found

    def document_ids(self, rows: Sequence[int]) -> dict[int, str]:
        """Which document each of those chunk rows belongs to."""
        found: dict[int, str] = {}
        for part in _parts(rows):
            marks = ",".join("?" * len(part))
            found.update(
                self.db.execute(
                    "SELECT c.row, d.id FROM chunks c JOIN documents d ON d.row = c.document"
                    f" WHERE c.row IN ({marks})",
                    part,
                )
            )
        return found

    # writing: only inside a transaction that the store opens

    def set(self, key: str, value: Any) -> None:
        """Store a JSON value under `key`."""
        text = json.dumps(value, ensure_ascii=False)
        self.db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, text))

    def put_file(self, record: FileRecord) -> None:
        """Note how a file was when it was read."""
        values = (record.path, record.id, record.size, record.mtime_ns, record.hash, record.options)
        self.db.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", values)

    def delete_file(self, path: str) -> None:
        """Forget a file; its documents are deleted apart."""
        self.db.execute("DELETE FROM files WHERE path = ?", (path,))

    def put_document(
        self, document: Document, file: str | None, digest: str, chunks: Sequence[Chunk], row: int
    ) -> int:
        """Add a new document and its chunks, which get the rows from `row` on; returns the next free row."""
        cursor = self.db.execute(
            "INSERT INTO documents (id, file, hash, metadata) VALUES (?, ?, ?, ?)",
            (document.id, file, digest, encode_metadata(shown_metadata(document), document.id)),
        )
        number = cursor.lastrowid
        self.db.executemany(
            'INSERT INTO chunks (row, id, document, start, "end", text, metadata) VALUES (?, ?, ?, ?, ?, ?, ?)',
            (
                (
                    row + i,
                    chunk.id,
                    number,
                    chunk.start,
                    chunk.end,
                    chunk.text,
                    encode_metadata(chunk.metadata, chunk.id),
                )
                for i, chunk in enumerate(chunks)
            ),
        )
        return row + len(chunks)

    def delete_documents(self, ids: Iterable[str]) -> int:
        """Delete documents with their chunks, whose rows become dead; returns how many documents there were."""
        deleted = 0
        for identifier in ids:
            found = self.db.execute("SELECT row FROM documents WHERE id = ?", (identifier,)).fetchone()
            if found is None:
                continue
            self.db.execute("INSERT INTO dead SELECT row FROM chunks WHERE document = ?", found)
            self.db.execute("DELETE FROM chunks WHERE document = ?", found)
            self.db.execute("DELETE FROM documents WHERE row = ?", found)
            deleted += 1
        return deleted

    def next_row(self) -> int:
        """The row that the next chunk gets."""
        found = self.db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'chunks'").fetchone()
        return 1 if found is None else int(found[0]) + 1

    def put_segment(self, record: SegmentRecord) -> None:
        """Name a segment whose file is on disk."""
        values = (
            record.name, record.embedder, record.kind, record.first_row, record.rows, record.bytes, record.sha256
        )  # fmt: skip
        self.db.execute("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def delete_segment(self, name: str) -> None:
        """Forget a segment; its file is swept later."""
        self.db.execute("DELETE FROM segments WHERE name = ?", (name,))


def is_plain_name(name: object) -> bool:
    """Whether `name` names a file in the folder that it is joined to, and nothing outside of it."""
    return isinstance(name, str) and re.fullmatch(r"\w[\w.-]*", name, re.ASCII) is not None


@contextlib.contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says about the catalog at `path` into errors of ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreError(
            f"the catalog {path} cannot be used ({error})",
            "check the disk, the permissions and who else writes to it",
        ) from error
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:
            raise  # a mistake of ours, such as using it after it was closed
        raise CorruptError(
            f"{path} is damaged, or no catalog ({error})",
            _RESTORE,
        ) from error


def _decoded(text: Any, what: str) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError) as error:
        raise CorruptError(
            f"the catalog's {what} is damaged ({error})",
            _RESTORE,
        ) from error


def shown_metadata(document: Document) -> dict[str, Any]:
    """A document's metadata without its outline, which a hit has as ``line``, ``page`` and ``heading``."""
    outline = {"headings": list, "pages": list, "first_line": int}
    return {
        key: value
        for key, value in document.metadata.items()
        if not (key in outline and isinstance(value, outline[key]))
    }


def encode_metadata(metadata: Any, owner: str) -> str:
    """Metadata as JSON; a value that JSON has no form for is an error that names the owner."""
    try:
        text = json.dumps(dict(metadata), ensure_ascii=False, allow_nan=False)
        text.encode()  # UnicodeEncodeError, a ValueError, for half a surrogate pair
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(
            f"the metadata of {owner} cannot be stored ({error})",
            "use text, numbers, booleans, lists and objects",
        ) from error
    return text


def _parts(values: Sequence[Any], size: int = 30_000) -> Iterable[Sequence[Any]]:
    """`values` in parts below SQLite's limit on parameters (32,766)."""
    return (values[i : i + size] for i in range(0, len(values), size))
