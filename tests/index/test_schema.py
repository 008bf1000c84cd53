"""A catalog of format version 1 becomes one of today, in one transaction."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ragembed import Document, Pipeline
from ragembed.errors import VersionError
from ragembed.index import schema
from ragembed.index.catalog import CATALOG_NAME, Catalog
from ragembed.index.store import Store
from ragembed.index.verify import verify

VERSION_1 = """
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


@pytest.fixture
def today(tmp_path: Path) -> Path:
    """An index whose segments are contiguous, as those of version 1 were; two rows are dead."""
    documents = [
        Document(f"d{n}", f"cats purr {n}. dogs bark {n}.", {"n": n, "tags": ["a", n]}) for n in range(6)
    ]
    with Pipeline.create(
        tmp_path / "today", "bm25+lsa(dimension=2)", "sentence(tokens=4, overlap=0)"
    ) as pipeline:
        pipeline.add(documents)
        pipeline.add([Document("last", "lions roar")])
        pipeline.delete(["d2"])
    return tmp_path / "today"


@pytest.fixture
def old(today: Path, tmp_path: Path) -> Path:
    """The same index, as version 1 wrote it."""
    folder = Path(shutil.copytree(today, tmp_path / "old"))
    (folder / CATALOG_NAME).unlink()
    with closing(sqlite3.connect(folder / CATALOG_NAME)) as db, db:
        db.executescript(VERSION_1)
        db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        db.execute("PRAGMA user_version = 1")
        db.execute("ATTACH ? AS today", (str(today / CATALOG_NAME),))
        for table in ("settings", "files", "documents", "dead"):
            db.execute(f"INSERT INTO main.{table} SELECT * FROM today.{table}")
        db.execute("DELETE FROM settings WHERE key = 'scanned_keys'")
        db.execute(
            'INSERT INTO main.chunks SELECT row, id, document, start, "end", text, metadata FROM today.chunks'
        )
        db.execute(
            "UPDATE main.sqlite_sequence AS old SET seq ="
            " (SELECT new.seq FROM today.sqlite_sequence AS new WHERE new.name = old.name)"
        )
        for name, embedder, kind, rows, runs, size, sha256 in db.execute(
            "SELECT name, embedder, kind, rows, runs, bytes, sha256 FROM today.segments"
        ).fetchall():
            assert len(runs) == 16
            first = int.from_bytes(runs[:8], "little")
            values = (name, embedder, kind, first, rows, size, sha256)
            db.execute("INSERT INTO main.segments VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        (config,) = db.execute("SELECT value FROM settings WHERE key = 'config'").fetchone()
        plain = json.loads(config)
        del plain["chunker_probe"]
        db.execute("UPDATE main.settings SET value = ? WHERE key = 'config'", (json.dumps(plain),))
    return folder


def test_opening_it_migrates(today: Path, old: Path) -> None:
    with Pipeline.open(old) as pipeline, Pipeline.open(today) as expected:
        assert verify(pipeline.store) == []
        for where in (None, {"n": 3}, {"tags": "a"}):
            found, wanted = (p.search("cats and dogs", k=20, where=where) for p in (pipeline, expected))
            assert [(h.chunk, h.score) for h in found] == [(h.chunk, h.score) for h in wanted]
        assert len(pipeline.search("cats", k=20, where={"n": 3})) == 2
        report = pipeline.upsert([Document("d3", "cats purr 3. dogs sing 3.", {"n": 3})])
        assert (report.updated, report.chunks) == (
            1,
            1,
        )  # the digests of chunks are there: one of two is kept
        pipeline.vacuum()
        assert verify(pipeline.store) == []


def tables(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(folder / CATALOG_NAME)) as db:
        names = ("files", "documents", "fields", "chunks", "segments", "dead", "sqlite_sequence")
        return {name: sorted(db.execute(f"SELECT * FROM {name}"), key=repr) for name in names}


def test_the_tables_are_those_of_a_new_index(today: Path, old: Path) -> None:
    Store(old).close()
    assert tables(old) == tables(today)
    with closing(sqlite3.connect(old / CATALOG_NAME)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (schema.FORMAT_VERSION,)


def test_an_error_leaves_it_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(db: sqlite3.Connection) -> None:
        db.execute("DROP TABLE segments")
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(schema, "_from_1", stop)
        with pytest.raises(OSError, match="the disk is full"):
            Catalog(old)
    with closing(sqlite3.connect(old / CATALOG_NAME)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM segments").fetchone() > (0,)
    with Pipeline.open(old) as pipeline:
        assert pipeline.search("lions", k=1)


def test_one_that_cannot_be_written(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(
        VersionError, match=r"has format version 1 and cannot be written, .*; run once where it can"
    ):
        Catalog(old)
