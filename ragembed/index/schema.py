"""The tables of a catalog, and how an older catalog becomes one of today."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import struct

FORMAT_VERSION = 2
APPLICATION_ID = 0x72616765  # "rage" in ASCII: marks the SQLite file as ours
ACCELERATORS = "accelerators"
"""Key in `settings` of the records of accelerators (`ragembed.index.ann.record`), by number of the embedder."""

_FIELDS = """
CREATE TABLE fields (
    key TEXT NOT NULL, value NOT NULL, document INTEGER NOT NULL, PRIMARY KEY (key, value, document)
) WITHOUT ROWID;
"""
_SEGMENTS = """
CREATE TABLE segments (
    name TEXT PRIMARY KEY, embedder INTEGER NOT NULL, kind TEXT NOT NULL, rows INTEGER NOT NULL,
    runs BLOB NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL
) WITHOUT ROWID;
"""
SCHEMA = f"""
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
{_FIELDS}
CREATE TABLE chunks (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    document INTEGER NOT NULL REFERENCES documents (row), start INTEGER NOT NULL, "end" INTEGER NOT NULL,
    text TEXT NOT NULL, metadata TEXT NOT NULL, hash BLOB NOT NULL DEFAULT x''
);
CREATE INDEX chunks_by_document ON chunks (document);
{_SEGMENTS}
CREATE TABLE dead (row INTEGER PRIMARY KEY);
"""


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring a catalog from `version` to `FORMAT_VERSION` in one transaction; documents and vectors stay."""
    db.execute("BEGIN IMMEDIATE")
    try:
        if db.execute("PRAGMA user_version").fetchone()[0] == version:  # another process may have been first
            if version == 1:
                _from_1(db)
            db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _from_1(db: sqlite3.Connection) -> None:
    """Version 1 had segments of contiguous rows, no digests of chunks, and no table of metadata's values."""
    from ragembed.filters.fields import fields, named, own_keys

    for statement in _FIELDS, _SEGMENTS.replace("segments", "new_segments"):
        db.execute(statement)
    for name, embedder, kind, first_row, rows, size, sha256 in db.execute(
        "SELECT * FROM segments"
    ).fetchall():
        runs = struct.pack("<qq", first_row, rows)
        db.execute(
            "INSERT INTO new_segments VALUES (?, ?, ?, ?, ?, ?, ?)",
            (name, embedder, kind, rows, runs, size, sha256),
        )
    db.execute("DROP TABLE segments")
    db.execute("ALTER TABLE new_segments RENAME TO segments")
    db.execute("ALTER TABLE chunks ADD COLUMN hash BLOB NOT NULL DEFAULT x''")
    scanned: set[str] = set()
    for row, text in db.execute("SELECT row, metadata FROM documents"):
        found = fields(json.loads(text))
        scanned |= found.scanned
        db.executemany(
            "INSERT INTO fields VALUES (?, ?, ?)", ((key, value, row) for key, value in found.rows)
        )
    after = 0
    while part := db.execute(
        "SELECT row, text, metadata FROM chunks WHERE row > ? ORDER BY row LIMIT 1000", (after,)
    ).fetchall():
        for row, text, encoded in part:
            metadata = json.loads(encoded)
            scanned |= own_keys(metadata)
            context = metadata.get("context")
            content = f"{context}\n{text}" if context else text
            digest = hashlib.blake2b(content.encode(), digest_size=16).digest()
            db.execute("UPDATE chunks SET hash = ? WHERE row = ?", (digest, row))
        after = part[-1][0]
    db.execute("INSERT OR REPLACE INTO settings VALUES ('scanned_keys', ?)", (json.dumps(named(scanned)),))
