"""The catalog: which documents, chunks and segments an index has, in SQLite. A commit here is a commit of the index.

Tables: `settings` (how the index was made), `files` (what was read, for the next sync), `documents`, `fields` (the
values in their metadata, to filter by), `chunks` (texts and spans), `segments` (files of vectors or postings), `dead`
(rows that segments still hold though their chunks are gone). A chunk's `row` is its number in all segments; a row
that died is never used again.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ragembed.errors import CorruptError, LockedError, NotAnIndexError, StoreError, VersionError
from ragembed.index.content import Passage, embedding_text, encode_metadata, shown_metadata, text_digest
from ragembed.index.files import sync_folder
from ragembed.index.records import FileRecord, SegmentRecord, is_plain_name
from ragembed.index.schema import APPLICATION_ID, FORMAT_VERSION, SCHEMA, migrate
from ragembed.types import Chunk, Document

if TYPE_CHECKING:
    from ragembed.filters.conditions import Condition

T = TypeVar("T")

CATALOG_NAME = "catalog.db"
_RESTORE = "restore it from a copy, or index again into a new folder"
_SCANNED = "scanned_keys"
"""Setting: keys that filters look up in the metadata itself, as `fields` does not hold all their values."""
_PATIENCE_S = 30.0
"""How long one waits for another process that migrates."""


class Catalog:
    """A connection to the catalog of one index, for one thread at a time."""

    unguarded: bool
    """Whether it is read without a lock, as the folder takes no file of ours: a writer may change it unnoticed."""

    def __init__(self, folder: Path, *, migrating: bool = True) -> None:
        """Open the catalog in `folder`; one of an older version is brought up to date, or, not `migrating`, refused."""
        self.path = folder / CATALOG_NAME
        if not self.path.is_file():
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
                self._check(folder, migrating)
        except UnicodeDecodeError as error:  # from a message of SQLite that quotes a damaged page
            self.db.close()
            raise CorruptError(f"{self.path} is damaged, or no catalog", _RESTORE) from error
        except BaseException:
            self.db.close()
            raise

    @classmethod
    def make(cls, folder: Path, settings: Mapping[str, Any]) -> None:
        """Make the catalog of a new index: under a temporary name, so that it is there whole or not at all."""
        temporary = folder / f"{CATALOG_NAME}.tmp"
        for path in folder.glob(f"{temporary.name}*"):  # of a making that was interrupted
            path.unlink()
        with database_errors(temporary):
            db = sqlite3.connect(temporary, isolation_level=None)
            try:
                db.execute("PRAGMA synchronous = FULL")
                db.executescript(
                    f"BEGIN; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT_VERSION};"
                    f" {SCHEMA}"
                )
                for key, value in settings.items():
                    text = json.dumps(value, ensure_ascii=False)
                    db.execute("INSERT INTO settings VALUES (?, ?)", (key, text))
                db.execute("COMMIT")
                db.execute("PRAGMA journal_mode = WAL")
            finally:
                db.close()
        temporary.replace(folder / CATALOG_NAME)
        sync_folder(folder)

    def _connect(self, folder: Path) -> sqlite3.Connection:
        query = ""
        self.unguarded = False
        if not os.access(folder, os.W_OK):  # SQLite then reads a log that is there, but can make none
            self.unguarded = not self.path.with_name(f"{CATALOG_NAME}-wal").exists()
            query = "?immutable=1" if self.unguarded else "?mode=ro"
        self._state = self.state()
        uri = self.path.resolve().as_uri() + query
        db = sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA trusted_schema = OFF")  # a stranger's catalog runs no functions of ours
        return db

    def state(self) -> tuple[int, ...]:
        """What changes when the catalog's file is written to, though not when a commit goes to its log."""
        info = self.path.stat()
        log = self.path.with_name(f"{CATALOG_NAME}-wal").exists()
        return info.st_ino, info.st_size, info.st_mtime_ns, log

    def has_changed(self) -> bool:
        """Whether an `unguarded` catalog was written to since it was opened."""
        return self.unguarded and self.state() != self._state

    def _check(self, folder: Path, migrating: bool) -> None:
        application = self.db.execute("PRAGMA application_id").fetchone()[0]
        version = self.db.execute("PRAGMA user_version").fetchone()[0]
        self.db.execute("PRAGMA foreign_keys = ON")
        self.db.execute("PRAGMA synchronous = FULL")  # a commit must outlive a power cut
        if application != APPLICATION_ID:
            if not self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise NotAnIndexError(
                    f"{self.path} is empty: the making of this index was interrupted",
                    f"delete {folder} and index again",
                )
            raise NotAnIndexError(
                f"{self.path} belongs to another program", "name the folder of a ragembed index"
            )
        if version > FORMAT_VERSION or version < 1:
            raise VersionError(
                f"{folder} has format version {version}, this ragembed reads versions 1 to {FORMAT_VERSION}",
                "upgrade ragembed",
            )
        strange = self.db.execute(  # a view may never end, a trigger may delete
            "SELECT name FROM sqlite_master WHERE type NOT IN ('table', 'index') OR (type = 'table' AND rootpage = 0)"
        ).fetchone()
        if strange is not None:
            raise CorruptError(
                f"{self.path} has {strange[0]!r}, which no catalog of ours has",
                "do not use an index from somebody you do not trust",
            )
        if version < FORMAT_VERSION and not migrating:
            raise VersionError(f"{folder} has format version {version}", "open it to bring it up to date")
        if version < FORMAT_VERSION:
            self._migrate(folder, version)

    def _migrate(self, folder: Path, version: int) -> None:
        from ragembed.index.lock import write_lock

        if not os.access(folder, os.W_OK):
            raise VersionError(
                f"{folder} has format version {version} and cannot be written, so it cannot be brought to"
                f" version {FORMAT_VERSION}",
                f"run once where it can be written: ragembed info {folder}",
            )
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                with write_lock(folder):
                    migrate(self.db, version)
                return
            except LockedError:  # perhaps of another process that does the same
                if self.db.execute("PRAGMA user_version").fetchone()[0] == FORMAT_VERSION:
                    return
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
                raise CorruptError(
                    f"{self.path} has format version {version} and is damaged ({error})", _RESTORE
                ) from error

    def close(self) -> None:
        """Close the connection."""
        self.db.close()

    # reading

    def setting(self, key: str, default: Any = None) -> Any:
        """One setting, decoded; `default` where there is none."""
        found = self.db.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
        return default if found is None else _decoded(found[0], f"setting {key}")

    def generation(self) -> int:
        """How many writes there were: the same number, the same state."""
        number = self.setting("generation", 0)
        if not isinstance(number, int):
            raise CorruptError("the catalog's setting generation is damaged", _RESTORE)
        return number

    def segments(self) -> list[SegmentRecord]:
        """All segments in order of embedder and first row; `CorruptError` where a name could lead elsewhere."""
        rows = self.db.execute("SELECT name, embedder, kind, rows, runs, bytes, sha256 FROM segments")
        records = [SegmentRecord(*row) for row in rows]
        for record in records:
            if not is_plain_name(record.name):
                raise CorruptError(
                    f"the catalog {self.path} names a segment {record.name!r}, which is no name of ours",
                    "do not use an index from somebody you do not trust",
                )
            values = (record.embedder, record.kind, record.rows, record.runs, record.bytes, record.sha256)
            if tuple(map(type, values)) != (int, str, int, bytes, int, str):
                raise CorruptError(
                    f"what the catalog says of {record.name} is damaged",
                    "run: ragembed verify INDEX --repair",
                )
        return sorted(records, key=lambda record: (record.embedder, record.first_row))

    def dead_rows(self) -> list[int]:
        """Rows that segments hold though their chunks are gone, ascending."""
        return [row for (row,) in self.db.execute("SELECT row FROM dead ORDER BY row")]

    def counts(self) -> dict[str, int]:
        """How many files, documents and chunks there are."""
        tables = ("files", "documents", "chunks")
        return {name: self.db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}

    def chunk_count(self) -> int:
        """How many chunks there are."""
        (count,) = self.db.execute("SELECT count(*) FROM chunks").fetchone()
        return int(count)

    def document_count(self) -> int:
        """How many documents there are."""
        (count,) = self.db.execute("SELECT count(*) FROM documents").fetchone()
        return int(count)

    def files(self) -> dict[str, FileRecord]:
        """All files read, by absolute path."""
        rows = self.db.execute("SELECT path, id, size, mtime_ns, hash, options FROM files")
        return {row[0]: FileRecord(*row) for row in rows}

    def unrecorded_files(self) -> list[str]:
        """Files that gave documents, and that nothing else is known of."""
        rows = self.db.execute(
            "SELECT DISTINCT file FROM documents WHERE file IS NOT NULL AND file NOT IN (SELECT path FROM files)"
        )
        return [path for (path,) in rows]

    def documents_by_file(self) -> dict[str, int]:
        """How many documents each file gave."""
        return dict(
            self.db.execute(
                "SELECT file, count(*) FROM documents WHERE file IS NOT NULL GROUP BY file"
            ).fetchall()
        )

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

    def chunk_rows(self, ids: Sequence[str]) -> list[tuple[bytes, int]]:
        """Digest and row of every chunk of those documents, in order of the rows."""
        found: list[tuple[bytes, int]] = []
        for part in _parts(ids):
            marks = ",".join("?" * len(part))
            found += self.db.execute(
                "SELECT c.hash, c.row FROM documents d JOIN chunks c ON c.document = d.row"
                f" WHERE d.id IN ({marks})",
                part,
            )
        return sorted(found, key=lambda pair: pair[1])

    def chunks(self, rows: Sequence[int]) -> dict[int, Chunk]:
        """The chunks of those rows; the document's metadata lies beneath the chunk's own."""
        found: dict[int, Chunk] = {}
        for part in _parts(rows):
            marks = ",".join("?" * len(part))
            found.update(self._chunks(f"WHERE c.row IN ({marks})", part))
        return found

    def chunks_of(self, ids: Sequence[str]) -> dict[str, list[Chunk]]:
        """By each of `ids` that is there, as a document or else as a chunk: its chunks in order of their spans."""
        found: dict[str, list[Chunk]] = {}
        for part in _parts(ids):
            marks = ",".join("?" * len(part))
            for identifier in self.document_hashes(part):
                found[identifier] = []  # a document that has no chunk is there too
            by_document = self._chunks(f"WHERE d.id IN ({marks}) ORDER BY c.start, c.row", part)
            for _, chunk in by_document:
                found[chunk.document_id].append(chunk)
            for _, chunk in self._chunks(f"WHERE c.id IN ({marks})", part):
                found.setdefault(chunk.id, [chunk])
        return found

    def chunk_page(self, after: int, limit: int = 1000) -> dict[int, Chunk]:
        """The next `limit` chunks of rows above `after`, ascending."""
        page = dict(self._chunks("WHERE c.row > ? ORDER BY c.row LIMIT ?", (after, limit)))
        return _ascending(page, after)

    def document_page(self, after: int, limit: int = 10_000) -> list[tuple[int, str]]:
        """Number and id of the next `limit` documents of numbers above `after`, ascending."""
        page = self.db.execute(
            "SELECT row, id FROM documents WHERE row > ? ORDER BY row LIMIT ?", (after, limit)
        )
        return list(_ascending(dict(page.fetchall()), after).items())

    def all_embedded_texts(self, field: str | None = None) -> Iterator[str]:
        """What is embedded of all chunks, or of their `field`, in order of their rows; not held in memory."""
        after = 0
        while rows := [
            row
            for (row,) in self.db.execute(
                "SELECT row FROM chunks WHERE row > ? ORDER BY row LIMIT 1000", (after,)
            )
        ]:
            yield from self.embedded_texts(rows, field)
            after = rows[-1]

    def embedded_texts(self, rows: Sequence[int], field: str | None = None) -> list[str]:
        """What was embedded of the chunks of those rows, in their order, by an embedder of the text or of a `field`."""
        if field is not None:
            return [text for (text,) in self.field_texts(rows, [field])]
        found: dict[int, str] = {}
        for part in _parts(rows):
            marks = ",".join("?" * len(part))
            for row, text, encoded in self.db.execute(
                f"SELECT row, text, metadata FROM chunks WHERE row IN ({marks})", part
            ):
                if not isinstance(text, str):
                    raise CorruptError(
                        f"the chunk in row {row} is damaged", "run: ragembed verify INDEX --repair"
                    )
                found[row] = embedding_text(text, _metadata(encoded, f"row {row}"))
        return [found[row] for row in rows]

    def field_texts(self, rows: Sequence[int], fields: Sequence[str]) -> list[tuple[str, ...]]:
        """For each of those rows what was embedded of its `fields`."""
        found: dict[int, tuple[str, ...]] = {}
        for part in _parts(rows):
            marks = ",".join("?" * len(part))
            for row, own, outer in self.db.execute(
                "SELECT c.row, c.metadata, d.metadata FROM chunks c JOIN documents d ON d.row = c.document"
                f" WHERE c.row IN ({marks})",
                part,
            ):
                passage = Passage("", _metadata(own, f"row {row}"), _metadata(outer, f"row {row}"))
                found[row] = tuple(passage.embedded(field) for field in fields)
        return [found[row] for row in rows]

    def _chunks(self, clause: str, parameters: Sequence[Any]) -> Iterator[tuple[int, Chunk]]:
        cursor = self.db.execute(
            'SELECT c.row, c.id, d.id, c.text, c.start, c."end", d.metadata, c.metadata, c.hash'
            f" FROM chunks c JOIN documents d ON d.row = c.document {clause}",
            parameters,
        )
        for row, identifier, document, text, start, end, outer, inner, digest in cursor:
            if tuple(map(type, (identifier, document, text, start, end))) != (str, str, str, int, int):
                raise CorruptError(
                    f"the chunk in row {row} is damaged", "run: ragembed verify INDEX --repair"
                )
            own = _metadata(inner, identifier)
            if digest and text_digest(text, own) != digest:
                raise CorruptError(
                    f"the text of {identifier} is not the one that was embedded",
                    "run: ragembed verify INDEX --repair",
                )
            yield row, Chunk(identifier, document, text, start, end, {**_metadata(outer, identifier), **own})

    def chunk_ids(self, rows: Sequence[int]) -> dict[int, str]:
        """The ids of the chunks in those rows."""
        found: dict[int, str] = {}
        for part in _parts(rows):
            marks = ",".join("?" * len(part))
            found.update(self.db.execute(f"SELECT row, id FROM chunks WHERE row IN ({marks})", part))
        return found

    def places(self, rows: Sequence[int]) -> dict[int, tuple[str, int]]:
        """Document and start of the chunk of each of those rows: an order that does not depend on the index's past."""
        found: dict[int, tuple[str, int]] = {}
        for part in _parts(rows):
            marks = ",".join("?" * len(part))
            for row, document, start in self.db.execute(
                "SELECT c.row, d.id, c.start FROM chunks c JOIN documents d ON d.row = c.document"
                f" WHERE c.row IN ({marks})",
                part,
            ):
                if not (isinstance(document, str) and isinstance(start, int)):
                    raise CorruptError(
                        f"the chunk in row {row} is damaged", "run: ragembed verify INDEX --repair"
                    )
                found[row] = document, start
        return found

    def outline(self, ids: Sequence[str]) -> dict[str, list[tuple[int, int, int]]]:
        """Row, start and end of every chunk of those documents, by document, in order of their spans."""
        found: dict[str, list[tuple[int, int, int]]] = {}
        for part in _parts(ids):
            marks = ",".join("?" * len(part))
            for document, row, start, end in self.db.execute(
                'SELECT d.id, c.row, c.start, c."end" FROM documents d JOIN chunks c ON c.document = d.row'
                f" WHERE d.id IN ({marks}) ORDER BY c.start, c.row",
                part,
            ):
                if not (isinstance(start, int) and isinstance(end, int)):
                    raise CorruptError(
                        f"the chunk in row {row} is damaged", "run: ragembed verify INDEX --repair"
                    )
                found.setdefault(document, []).append((row, start, end))
        return found

    def chunks_by_document(self, rows: Sequence[int]) -> dict[str, int]:
        """By the documents that those rows belong to: how many chunks they have in all."""
        found: dict[str, int] = {}
        for part in _parts(rows):
            marks = ",".join("?" * len(part))
            found.update(
                self.db.execute(
                    "SELECT d.id, (SELECT count(*) FROM chunks c WHERE c.document = d.row) FROM documents d"
                    f" WHERE d.row IN (SELECT document FROM chunks WHERE row IN ({marks}))",
                    part,
                )
            )
        return found

    def first_rows(self) -> list[int]:
        """The row of the first chunk of every document that has any."""
        found = self.db.execute(
            "SELECT row FROM (SELECT row, row_number() OVER"
            ' (PARTITION BY document ORDER BY start, "end", row) AS number FROM chunks) WHERE number = 1'
        )
        return [row for (row,) in found]

    def rows_where(self, condition: Condition) -> list[int]:
        """Rows of the chunks whose metadata, over that of their document, meet the condition, ascending."""
        from ragembed.filters.sql import register, select_rows

        register(self.db)
        return [row for (row,) in self.db.execute(*select_rows(condition, self._scanned()))]

    def documents_where(self, condition: Condition) -> list[str]:
        """Ids of the documents whose own metadata meet the condition, in order of their adding."""
        from ragembed.filters.sql import register, select_documents

        register(self.db)
        statement, parameters = select_documents(condition, self._scanned())
        found = self.db.execute(
            f"SELECT id FROM documents WHERE row IN ({statement}) ORDER BY row", parameters
        )
        return [identifier for (identifier,) in found]

    def _scanned(self) -> list[str]:
        keys = self.setting(_SCANNED, [])
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise CorruptError(
                f"the catalog's setting {_SCANNED} is damaged", "run: ragembed verify INDEX --repair"
            )
        return keys

    # writing: only inside a transaction that the store opens

    def put_setting(self, key: str, value: Any) -> None:
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
        self,
        document: Document,
        file: str | None,
        digest: str,
        chunks: Iterable[tuple[int, bytes, Chunk]],
    ) -> set[str]:
        """Add a new document with its chunks, each with its row and digest.

        Returns the keys of metadata that `fields` does not hold completely.
        """
        from ragembed.filters.fields import fields, own_keys

        metadata = shown_metadata(document)
        cursor = self.db.execute(
            "INSERT INTO documents (id, file, hash, metadata) VALUES (?, ?, ?, ?)",
            (document.id, file, digest, encoded := encode_metadata(metadata, document.id)),
        )
        number = cursor.lastrowid
        found = fields(json.loads(encoded))  # as deletion will find them; JSON joins keys such as 1 and "1"
        self.db.executemany(
            "INSERT INTO fields VALUES (?, ?, ?)", ((key, value, number) for key, value in found.rows)
        )
        scanned = set(found.scanned)
        values = []
        for row, content, chunk in chunks:
            scanned |= own_keys(chunk.metadata)
            encoded = encode_metadata(chunk.metadata, chunk.id)
            values.append((row, chunk.id, number, chunk.start, chunk.end, chunk.text, encoded, content))
        self.db.executemany(
            'INSERT INTO chunks (row, id, document, start, "end", text, metadata, hash)'
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        return scanned

    def delete_documents(self, ids: Iterable[str]) -> int:
        """Delete documents with their chunks, whose rows become dead; returns how many documents there were."""
        from ragembed.filters.fields import fields

        deleted = 0
        for identifier in ids:
            found = self.db.execute(
                "SELECT row, metadata FROM documents WHERE id = ?", (identifier,)
            ).fetchone()
            if found is None:
                continue
            row, encoded = found
            values = fields(_metadata(encoded, identifier))
            self.db.executemany(
                "DELETE FROM fields WHERE key = ? AND value = ? AND document = ?",
                ((key, value, row) for key, value in values.rows),
            )
            self.db.execute("INSERT INTO dead SELECT row FROM chunks WHERE document = ?", (row,))
            self.db.execute("DELETE FROM chunks WHERE document = ?", (row,))
            self.db.execute("DELETE FROM documents WHERE row = ?", (row,))
            deleted += 1
        return deleted

    def forget_dead(self, rows: Iterable[int]) -> None:
        """Take rows from the list of the dead: their chunks are there again, or no segment holds them any more."""
        self.db.executemany("DELETE FROM dead WHERE row = ?", ((row,) for row in rows))

    def add_scanned(self, keys: set[str]) -> None:
        """Note keys of metadata that `fields` does not hold completely."""
        from ragembed.filters.fields import named

        known = set(self._scanned())
        if not keys <= known:
            self.put_setting(_SCANNED, named(known | keys))

    def next_row(self) -> int:
        """The row that the next chunk gets."""
        found = self.db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'chunks'").fetchone()
        last = 0 if found is None else found[0]
        if not (isinstance(last, int) and 0 <= last < 1 << 62):
            raise CorruptError(
                "the catalog's number of the last row is damaged", "run: ragembed verify INDEX --repair"
            )
        return last + 1

    def put_segment(self, record: SegmentRecord) -> None:
        """Name a segment whose file is on disk."""
        values = (
            record.name, record.embedder, record.kind, record.rows, record.runs, record.bytes, record.sha256
        )  # fmt: skip
        self.db.execute("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def delete_segment(self, name: str) -> None:
        """Forget a segment; its file is swept later."""
        self.db.execute("DELETE FROM segments WHERE name = ?", (name,))


@contextlib.contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says about the catalog at `path` into errors of ours."""
    try:
        yield
    except MemoryError as error:  # a damaged row may say that it has gigabytes
        raise CorruptError(f"{path} is damaged, or larger than the memory", _RESTORE) from error
    except sqlite3.OperationalError as error:
        if path.with_name(f"{CATALOG_NAME}-wal").exists() and not os.access(path.parent, os.W_OK):
            raise StoreError(
                f"the catalog {path} has a log that only a process with write access to its folder can read ({error})",
                f"run once with that access: ragembed info {path.parent}",
            ) from error
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
    except (TypeError, ValueError, RecursionError) as error:
        raise CorruptError(
            f"the catalog's {what} is damaged ({error})",
            _RESTORE,
        ) from error


def _metadata(text: Any, owner: str) -> dict[str, Any]:
    metadata = _decoded(text, f"metadata of {owner}")
    if not isinstance(metadata, dict):
        raise CorruptError(
            f"the catalog's metadata of {owner} is damaged", "run: ragembed verify INDEX --repair"
        )
    return metadata


def _ascending(page: dict[int, T], after: int) -> dict[int, T]:
    """The page; `CorruptError` where its rows do not lie above `after`, as reading on would never end."""
    if page and min(page) <= after:
        raise CorruptError(f"the catalog gives row {min(page)} after row {after}", _RESTORE)
    return page


def _parts(values: Sequence[Any], size: int = 30_000) -> Iterable[Sequence[Any]]:
    """`values` in parts below SQLite's limit on parameters (32,766)."""
    return (values[i : i + size] for i in range(0, len(values), size))
