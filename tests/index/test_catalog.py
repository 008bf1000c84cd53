from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ragembed.errors import CorruptError, NotAnIndexError, StoreError, VersionError
from ragembed.index.catalog import CATALOG_NAME, Catalog
from ragembed.index.content import chunk_digest, encode_metadata
from ragembed.index.records import FileRecord, SegmentRecord
from ragembed.index.runs import contiguous
from ragembed.index.schema import APPLICATION_ID, FORMAT_VERSION
from ragembed.types import Chunk, Document


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    Catalog.make(tmp_path, {"name": "test", "list": [1, None, "é"]})
    made = Catalog(tmp_path)
    yield made
    made.close()


def chunk(identifier: str, document: str, text: str = "text", **metadata: Any) -> Chunk:
    return Chunk(identifier, document, text, 3, 3 + len(text), metadata)


def put(
    catalog: Catalog, document: Document, first_row: int, *chunks: Chunk, file: str | None = None
) -> set[str]:
    numbered = [(row, chunk_digest(chunk), chunk) for row, chunk in enumerate(chunks, first_row)]
    return catalog.put_document(document, file, "digest", numbered)


def test_the_file_is_marked_as_ours(catalog: Catalog, tmp_path: Path) -> None:
    catalog.close()
    db = sqlite3.connect(tmp_path / CATALOG_NAME)
    assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert db.execute("PRAGMA user_version").fetchone() == (FORMAT_VERSION,)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()


def test_settings(catalog: Catalog) -> None:
    assert (catalog.setting("name"), catalog.setting("list")) == ("test", [1, None, "é"])
    catalog.put_setting("name", {"a": 1})
    assert catalog.setting("name") == {"a": 1}


def test_what_is_put_is_found(catalog: Catalog) -> None:
    document = Document("d", "...text", {"title": "T", "lang": "en"})
    chunks = [chunk("d::0", "d", "text", line=2), chunk("d::1", "d", "naïve\0字", lang="fr")]
    assert catalog.next_row() == 1
    assert put(catalog, document, 1, *chunks, file="/f") == {"line", "lang"}  # keys of chunks are scanned
    assert catalog.next_row() == 3
    assert catalog.chunk_rows(["d", "e"]) == [(chunk_digest(chunks[0]), 1), (chunk_digest(chunks[1]), 2)]
    assert catalog.document_hashes(["d", "e"]) == {"d": ("digest", "/f")}
    assert catalog.documents_of_file("/f") == ["d"]
    assert {row: place[0] for row, place in catalog.places([1, 2, 9]).items()} == {1: "d", 2: "d"}
    found = catalog.chunks([2, 1, 9])
    assert found == {
        1: Chunk("d::0", "d", "text", 3, 7, {"title": "T", "lang": "en", "line": 2}),
        2: Chunk(
            "d::1", "d", "naïve\0字", 3, 10, {"title": "T", "lang": "fr"}
        ),  # the chunk's own comes first
    }
    assert catalog.counts() == {"files": 0, "documents": 1, "chunks": 2}


def test_rows_of_the_deleted_are_dead_and_never_used_again(catalog: Catalog) -> None:
    put(catalog, Document("d", ""), 1, chunk("d::0", "d"), chunk("d::1", "d"))
    put(catalog, Document("e", ""), 3, chunk("e::0", "e"))
    assert catalog.delete_documents(["e", "unknown", "e"]) == 1
    assert catalog.dead_rows() == [3]
    assert catalog.next_row() == 4
    assert catalog.chunks([1, 2, 3]).keys() == {1, 2}
    assert catalog.delete_documents(["d"]) == 1
    assert catalog.dead_rows() == [1, 2, 3]
    assert catalog.counts() == {"files": 0, "documents": 0, "chunks": 0}


def test_files(catalog: Catalog) -> None:
    old, new = FileRecord("/a", "a", 1, 2, "x", "{}"), FileRecord("/a", "a", 3, 4, "y", "")
    catalog.put_file(old)
    catalog.put_file(new)
    assert catalog.files() == {"/a": new}
    catalog.delete_file("/a")
    assert catalog.files() == {}


def test_segments_come_by_embedder_and_row(catalog: Catalog) -> None:
    places = [("c", 1, 1), ("b", 0, 6), ("a", 0, 1)]
    records = [
        SegmentRecord(name, number, "postings", 5, contiguous(row, 5), 9, "x") for name, number, row in places
    ]
    for record in records:
        catalog.put_segment(record)
    assert [record.name for record in catalog.segments()] == ["a", "b", "c"]
    catalog.delete_segment("b")
    assert [record.name for record in catalog.segments()] == ["a", "c"]


def test_more_ids_than_a_statement_may_have(catalog: Catalog) -> None:
    ids = [f"d{number}" for number in range(70_000)]
    catalog.db.execute("BEGIN")
    for row, identifier in enumerate(ids[:10], 1):
        put(catalog, Document(identifier, ""), row, chunk(f"{identifier}::0", identifier))
    catalog.db.execute("COMMIT")
    assert len(catalog.document_hashes(ids)) == 10
    assert len(catalog.chunks(range(70_000))) == 10
    assert len(catalog.places(range(70_000))) == 10


@pytest.mark.parametrize(
    "identifier", ["a\0b", "x" * 1000, "../../etc/passwd", "", "'; DROP TABLE chunks; --", "🦊"]
)
def test_ids_of_all_kinds(catalog: Catalog, identifier: str) -> None:
    put(catalog, Document(identifier, ""), 1, chunk(f"{identifier}::0", identifier))
    put(catalog, Document("a", ""), 2)
    assert catalog.document_hashes([identifier]) == {identifier: ("digest", None)}
    assert catalog.chunks([1])[1].document_id == identifier
    assert catalog.delete_documents([identifier]) == 1
    assert catalog.counts()["documents"] == 1


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": math.nan},
        {"a": math.inf},
        {"a": {1, 2}},
        {("a",): 1},
        {"a": b""},
        {"a": object()},
        {"a": "\ud800"},
        None,
        5,
    ],
    ids=repr,
)
def test_metadata_that_is_no_json(metadata: Any) -> None:
    with pytest.raises(StoreError, match=r"the metadata of doc-7 cannot be stored .*; use text, numbers"):
        encode_metadata(metadata, "doc-7")


def test_metadata_without_end() -> None:
    circle: dict[str, Any] = {}
    circle["a"] = circle
    with pytest.raises(StoreError, match="cannot be stored"):
        encode_metadata(circle, "d")
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(StoreError, match="cannot be stored"):
        encode_metadata({"a": deep}, "d")


# opening


def write_database(folder: Path, script: str) -> None:
    db = sqlite3.connect(folder / CATALOG_NAME)
    db.executescript(script)
    db.close()


def test_no_folder_no_catalog(tmp_path: Path) -> None:
    with pytest.raises(
        NotAnIndexError, match=r"there is no index .*absent; make one with: ragembed index PATH -o"
    ):
        Catalog(tmp_path / "absent")
    with pytest.raises(NotAnIndexError, match=r"is no index: it has no catalog.db; make one"):
        Catalog(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotAnIndexError, match="is no index"):
        Catalog(tmp_path / "file")
    (tmp_path / CATALOG_NAME).mkdir()
    with pytest.raises(NotAnIndexError, match="is no index"):
        Catalog(tmp_path)


def test_a_database_of_another_program(tmp_path: Path) -> None:
    write_database(tmp_path, "CREATE TABLE notes (text)")
    with pytest.raises(NotAnIndexError, match=r"catalog.db belongs to another program"):
        Catalog(tmp_path)


@pytest.mark.parametrize("script", ["", "PRAGMA journal_mode = WAL"])
def test_a_catalog_whose_making_was_interrupted(tmp_path: Path, script: str) -> None:
    write_database(tmp_path, script)
    with pytest.raises(NotAnIndexError, match=r"is empty: the making of this index was interrupted; delete"):
        Catalog(tmp_path)


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 0, -1])
def test_another_format_version(catalog: Catalog, tmp_path: Path, version: int) -> None:
    catalog.close()
    write_database(tmp_path, f"PRAGMA user_version = {version}")
    with pytest.raises(VersionError) as raised:
        Catalog(tmp_path)
    told = f"has format version {version}, this ragembed reads versions 1 to {FORMAT_VERSION}"
    assert told in raised.value.fault
    assert raised.value.remedy == "upgrade ragembed"


@pytest.mark.parametrize("content", [b"no database, but text of some length" * 50, b"\0" * 4096])
def test_a_catalog_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    (tmp_path / CATALOG_NAME).write_bytes(content)
    with pytest.raises(
        CorruptError, match=r"is damaged, or no catalog \(file is not a database\); restore it"
    ):
        Catalog(tmp_path)


def test_names_of_folders_with_signs_of_urls(tmp_path: Path) -> None:
    folder = tmp_path / "a?b#c%20d é"
    folder.mkdir()
    Catalog.make(folder, {})
    assert (folder / CATALOG_NAME).is_file()
    Catalog(folder).close()
