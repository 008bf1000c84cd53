from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.errors import CorruptError, LockedError, NotAnIndexError, StoreError
from ragembed.index import catalog as catalog_module
from ragembed.index import store as store_module
from ragembed.index.catalog import CATALOG_NAME
from ragembed.index.content import chunk_digest
from ragembed.index.files import SEGMENTS
from ragembed.index.postings import postings_of_terms
from ragembed.index.records import FileRecord, SegmentRecord
from ragembed.index.runs import contiguous, decode_runs
from ragembed.index.store import Store
from ragembed.index.writer import Entry, Writer
from ragembed.types import Chunk, Document

MOST = 1 << 30
"""Bytes of a segment, more than any here."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store.create(tmp_path / "index", {"name": "test"})
    yield made
    made.close()


def entry(identifier: str, *texts: str, file: str | None = None, **metadata: Any) -> Entry:
    chunks = [Chunk(f"{identifier}::{n}", identifier, text, 0, len(text)) for n, text in enumerate(texts)]
    hashes = [chunk_digest(chunk) for chunk in chunks]
    return Entry(Document(identifier, " ".join(texts), metadata), chunks, hashes, f"hash of {texts}", file)


def put(writer: Writer, *entries: Entry, delete: Sequence[str] = ()) -> None:
    """Commit entries with postings of their words and with vectors (number of letters, 1)."""
    plan = writer.plan(entries, delete)
    texts = [chunk.text for chunk in plan.fresh]
    vectors = np.array([[len(text), 1] for text in texts], np.float32).reshape(-1, 2)
    writer.commit(plan, [postings_of_terms([text.split() for text in texts]), vectors])


def files_of(store: Store) -> set[str]:
    return {path.name for path in (store.folder / SEGMENTS).iterdir()}


def segments(store: Store) -> list[SegmentRecord]:
    with store.snapshot() as catalog:
        return catalog.segments()


def named(store: Store) -> set[str]:
    return {record.name for record in segments(store)}


def counts(store: Store) -> dict[str, int]:
    with store.snapshot() as catalog:
        return catalog.counts()


def texts(store: Store) -> dict[int, str]:
    with store.snapshot() as catalog:
        return {row: chunk.text for row, chunk in catalog.chunks(range(100)).items()}


def dead(store: Store) -> list[int]:
    with store.snapshot() as catalog:
        return catalog.dead_rows()


def rows_of(record: SegmentRecord) -> list[int]:
    rows: list[int] = decode_runs(record.runs, record.rows, record.name).tolist()
    return rows


def settings(store: Store) -> dict[str, Any]:
    with store.snapshot() as catalog:
        return {key: catalog.setting(key) for (key,) in catalog.db.execute("SELECT key FROM settings")}


# making


def test_a_new_index_is_empty(store: Store) -> None:
    assert settings(store) == {"name": "test"}
    assert counts(store) == {"files": 0, "documents": 0, "chunks": 0}
    assert {path.name for path in store.folder.iterdir()} >= {"catalog.db", "embedders", "segments"}


def test_where_an_index_may_be_made(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    Store.create(tmp_path / "empty", {}).close()
    Store.create(tmp_path / "deep" / "new", {}).close()
    with pytest.raises(StoreError, match="is an index already; open it"):
        Store.create(tmp_path / "empty", {})
    with pytest.raises(NotAnIndexError, match="exists and is no index; name a new or empty folder"):
        Store.create(tmp_path, {})
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotAnIndexError, match="exists and is no index"):
        Store.create(tmp_path / "file", {})
    with pytest.raises(StoreError, match=r"cannot be made \(Not a directory\)"):
        Store.create(tmp_path / "file" / "index", {})
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize("left", [["segments"], ["segments", "embedders"]])
def test_a_making_that_was_interrupted_can_be_repeated(tmp_path: Path, left: list[str]) -> None:
    for name in left:
        (tmp_path / "index" / name).mkdir(parents=True)
    for name in ("write.lock", "catalog.db.tmp", "catalog.db.tmp-journal"):
        (tmp_path / "index" / name).write_bytes(b"SQLite format 3")
    Store.create(tmp_path / "index", {"name": "again"}).close()
    with closing(Store(tmp_path / "index")) as again:
        assert settings(again) == {"name": "again"}
    assert sorted(path.name for path in (tmp_path / "index").glob("*.tmp*")) == []


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a" / "segments").mkdir(parents=True)
    (tmp_path / "a" / "segments" / "photo").write_text("x")
    (tmp_path / "b" / "embedders" / "deep").mkdir(parents=True)
    (tmp_path / "c" / "photos").mkdir(parents=True)
    for name in "abc":
        with pytest.raises(NotAnIndexError, match="exists and is no index"):
            Store.create(tmp_path / name, {})
        assert not (tmp_path / name / CATALOG_NAME).exists()


def test_the_folders_of_a_new_index_are_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[Path] = set()
    for module in (store_module, catalog_module):
        monkeypatch.setattr(module, "sync_folder", synced.add)
    Store.create(tmp_path / "deep" / "new", {}).close()
    assert synced == {tmp_path / "deep" / "new", tmp_path / "deep", tmp_path}


# writing


def test_segments_are_durable_before_the_commit_that_names_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        calls.append("fsync folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "fsync file")
        fsync(handle)

    def renamed(path: Path, target: Path) -> Path:
        calls.append("rename")
        return replace(path, target)

    def executed(statement: str) -> None:
        if statement == "COMMIT":
            calls.append(statement)

    with store.writing() as writer:
        monkeypatch.setattr(os, "fsync", synced)
        monkeypatch.setattr(Path, "replace", renamed)
        writer.catalog.db.set_trace_callback(executed)
        file = ["fsync file", "rename", "fsync folder"]
        put(writer, entry("a", "x"))
        assert calls == [*file, *file, "COMMIT"]  # postings and vectors
        put(writer, entry("b", "y"))
        calls.clear()
        writer.merge([None, 2], MOST)
        assert calls == [*file, "COMMIT", *file, "COMMIT"]


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "", ".hidden", "a\\b", "a\n"])
def test_a_segment_named_outside_of_its_folder_is_refused(store: Store, name: str) -> None:
    with store.writing() as writer, writer.transaction():
        writer.catalog.put_segment(SegmentRecord(name, 0, "postings", 1, contiguous(1, 1), 1, "0"))
    with pytest.raises(CorruptError, match="which is no name of ours"):
        segments(store)
    with pytest.raises(CorruptError, match="which is no name of ours"), store.writing():
        pass


def test_a_commit_is_all_there(store: Store) -> None:
    with store.writing() as writer:
        put(writer, entry("a", "x y", "x"), entry("b"), entry("c", "zzz"))
        writer.commit(writer.plan([]), [], files=[FileRecord("/f", "f", 1, 2, "h", "{}")])
    sparse, dense = segments(store)
    assert [(r.embedder, r.kind, rows_of(r)) for r in (sparse, dense)] == [
        (0, "postings", [1, 2, 3]),
        (1, "flat", [1, 2, 3]),
    ]
    assert store.load_postings(sparse).lengths.tolist() == [2, 1, 1]
    assert store.load_flat(dense, 2).take(slice(None)).tolist() == [[3, 1], [1, 1], [3, 1]]
    assert counts(store) == {"files": 1, "documents": 3, "chunks": 3}
    with store.snapshot() as catalog:
        assert {row: place[0] for row, place in catalog.places([1, 2, 3]).items()} == {1: "a", 2: "a", 3: "c"}
    assert files_of(store) == named(store)


def test_documents_are_replaced_and_deleted(store: Store) -> None:
    with store.writing() as writer:
        put(writer, entry("a", "x"), entry("b", "y"), entry("c", "z"))
        put(writer, entry("b", "new", "two"), delete=["c"])
        put(writer, delete=["unknown"])
    assert counts(store)["documents"] == 2
    assert dead(store) == [2, 3]
    assert texts(store) == {1: "x", 4: "new", 5: "two"}


def test_a_document_without_chunks_makes_no_segment(store: Store) -> None:
    with store.writing() as writer:
        put(writer, entry("a"))
    assert counts(store) == {"files": 0, "documents": 1, "chunks": 0}
    assert files_of(store) == set()


def test_an_error_in_a_commit_undoes_all_of_it(store: Store) -> None:
    with store.writing() as writer:
        put(writer, entry("a", "x"))
        catalog = writer.catalog

        def state() -> list[object]:
            return [catalog.counts(), catalog.segments(), catalog.dead_rows(), catalog.next_row()]

        before = state()
        with pytest.raises(StoreError, match="the metadata of c cannot be stored"):
            put(writer, entry("b", "y"), entry("c", "z", bad=float("nan")), delete=["a"])
        assert state() == before
        put(writer, entry("d", "later"))  # the writer can go on
    assert texts(store) == {1: "x", 2: "later"}


def test_an_embedder_that_gives_too_few_vectors(store: Store) -> None:
    with store.writing() as writer, pytest.raises(StoreError, match="embedder 0 gave 1 vectors for 2 chunks"):
        writer.commit(writer.plan([entry("a", "x", "y")]), [postings_of_terms([["x"]])])
    assert counts(store)["documents"] == 0


def test_a_full_disk_is_told_and_undone(store: Store) -> None:
    with store.writing() as writer:
        put(writer, entry("a", "x"))
        (pages,) = writer.catalog.db.execute("PRAGMA page_count").fetchone()
        writer.catalog.db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match=r"the catalog .* cannot be used \(database or disk is full\)"):  # noqa: SIM117
        with store.writing() as writer:
            put(writer, entry("b", "y " * 100_000))
    assert counts(store)["documents"] == 1
    with store.writing() as writer:
        writer.catalog.db.execute("PRAGMA max_page_count = 100000")
        put(writer, entry("b", "y"))
    assert counts(store)["documents"] == 2


CRASH = """
import os, sys
from pathlib import Path
from ragembed.index.postings import postings_of_terms
from ragembed.index.store import Store
from ragembed.index.writer import Entry
from ragembed.types import Chunk, Document
store = Store(Path(sys.argv[1]))
with store.writing() as writer:
    entry = Entry(Document("b", "y"), [Chunk("b::0", "b", "y", 0, 1)], [b"digest"], "h")
    put_segment = writer.catalog.put_segment
    def crash(record):
        put_segment(record)
        os._exit(9)
    writer.catalog.put_segment = crash
    writer.commit(writer.plan([entry]), [postings_of_terms([["y"]])])
"""


def test_a_crash_before_the_commit_leaves_only_files_that_the_next_writer_sweeps(store: Store) -> None:
    with store.writing() as writer:
        put(writer, entry("a", "x"))
    kept = named(store)
    assert subprocess.run([sys.executable, "-c", CRASH, store.folder], check=False).returncode == 9
    assert files_of(store) > kept
    with store.snapshot() as catalog:
        assert catalog.counts()["documents"] == 1
        assert {record.name for record in catalog.segments()} == kept
    (store.folder / SEGMENTS / "half.faiss.tmp").write_bytes(b"x")
    with store.writing():
        assert files_of(store) == kept


def test_one_writer_at_a_time(store: Store) -> None:
    other = Store(store.folder)
    with store.writing() as writer:
        put(writer, entry("a", "x"))
        with pytest.raises(LockedError, match="being written by this process already"), other.writing():
            pass
        with other.snapshot() as catalog:  # readers go on
            assert catalog.counts()["documents"] == 1
    with other.writing() as writer:
        put(writer, entry("b", "y"))
    other.close()
    assert counts(store)["documents"] == 2


# merging


def test_merging_joins_the_segments_of_each_embedder(store: Store) -> None:
    with store.writing() as writer:
        for number in range(4):
            put(writer, entry(f"d{number}", f"word{number}", "all"))
        put(writer, delete=["d1"])
        writer.merge([None, 2], MOST)
    sparse, dense = segments(store)
    left = [1, 2, 5, 6, 7, 8]
    assert [(r.embedder, rows_of(r)) for r in (sparse, dense)] == [(0, left), (1, left)]
    assert files_of(store) == named(store)
    postings = store.load_postings(sparse)
    assert postings.posting_list(postings.find("all"))[0].tolist() == [1, 3, 5]
    assert postings.posting_list(postings.find("word2"))[0].tolist() == [2]
    assert postings.find("word1") == -1
    assert store.load_flat(dense, 2).take(slice(None))[:, 0].tolist() == [5, 3] * 3
    assert dead(store) == []


# reading


def test_a_snapshot_does_not_change_while_others_write(store: Store) -> None:
    other = Store(store.folder)
    with other.snapshot() as catalog:
        before = catalog.counts(), catalog.generation()
        with store.writing() as writer:
            put(writer, entry("a", "x"))
        assert (catalog.counts(), catalog.generation()) == before
    with other.snapshot() as catalog:
        assert catalog.counts()["documents"] == 1
        assert catalog.generation() > before[1]
    other.close()


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(data[:-1])
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data)


@pytest.mark.parametrize(
    ("how", "fault"),
    [("missing", "is missing from the index"), ("cut", "bytes, "), ("flipped", "its checksum differs")],
)
@pytest.mark.parametrize("kind", ["postings", "flat"])
def test_a_damaged_segment_is_found_before_it_is_parsed(
    store: Store, how: str, fault: str, kind: str
) -> None:
    with store.writing() as writer:
        put(writer, entry("a", "x y z"))
    record = next(record for record in segments(store) if record.kind == kind)
    damage(store.folder / SEGMENTS / record.name, how)
    with pytest.raises(CorruptError, match=fault) as raised:
        store.load_postings(record) if kind == "postings" else store.load_flat(record, 2)
    assert record.name in raised.value.fault


def test_postings_of_another_number_of_documents_are_corrupt(store: Store) -> None:
    with store.writing() as writer:
        put(writer, entry("a", "x", "y"))
    record = replace(segments(store)[0], rows=3)
    with pytest.raises(CorruptError, match="holds 2 documents, the catalog says 3"):
        store.load_postings(record)


def test_a_damaged_catalog_is_told(store: Store) -> None:
    with store.writing() as writer:
        put(writer, *(entry(f"d{number}", "text " * 50) for number in range(200)))
    store.close()
    path = store.folder / CATALOG_NAME
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)  # the first page stays, with the version and the schema
    path.write_bytes(data)
    again = Store(store.folder)
    with pytest.raises(CorruptError, match=r"catalog.db is damaged"), again.snapshot() as catalog:
        catalog.counts()
    with pytest.raises(CorruptError, match=r"catalog.db is damaged"), again.writing():
        pass
    again.close()


def test_a_mistake_in_the_use_of_the_database_is_not_hidden(store: Store) -> None:
    with pytest.raises(sqlite3.IntegrityError), store.snapshot() as catalog:
        catalog.db.execute("INSERT INTO settings VALUES (NULL, NULL)")


READ_ONLY = """
import os, sys
from pathlib import Path
from ragembed.errors import StoreError
from ragembed.index.store import Store
if os.geteuid() == 0:  # root may write everywhere; the imports are done, which others may not be able to do
    os.setgid(65534)
    os.setuid(65534)
store = Store(Path(sys.argv[1]))
with store.snapshot() as catalog:
    print(catalog.counts()["documents"], [store.load_postings(r).size for r in catalog.segments() if r.embedder == 0])
try:
    with store.writing():
        print("written")
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("in_use", [False, True])
def test_a_read_only_index_can_be_read(in_use: bool) -> None:
    base = Path(tempfile.mkdtemp())
    try:
        store = Store.create(base / "index", {})
        with store.writing() as writer:
            put(writer, entry("a", "x"))
        if not in_use:
            store.close()
        base.chmod(0o755)
        for path in [store.folder, *store.folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        command = [sys.executable, "-c", READ_ONLY, str(base / "index")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        read, error = done.stdout.splitlines()
        assert read == "1 [1]"
        assert error == f"{base / 'index'} cannot be written (Permission denied); check its permissions"
        store.close()
    finally:
        for path in [base / "index", *(base / "index").glob("*/")]:
            path.chmod(0o755)
        shutil.rmtree(base)
