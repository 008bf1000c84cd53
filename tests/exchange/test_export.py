"""The files of an export: what other programs find in them, and that they are there whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed import Document, Pipeline
from ragembed.errors import CorruptError, NotAnIndexError, StoreError
from ragembed.exchange import export_index
from ragembed.exchange.content import content_of
from ragembed.index.store import Store


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def apples(tmp_path: Path) -> Path:
    """Two documents, of which the first was replaced: its chunk comes last in the index's rows."""
    with Pipeline.create(tmp_path / "index", "bm25+random-projection(dimension=4)", "whole") as pipeline:
        pipeline.add([Document("a", "old", {"n": 1}), Document("b", "blue plum", {"n": 2})])
        pipeline.upsert([Document("a", "red apple", {"n": 3})])
    return tmp_path / "index"


def test_what_the_files_say(apples: Path, tmp_path: Path) -> None:
    done = export_index(apples, tmp_path / "export")
    folder = tmp_path / "export"
    assert sorted(path.name for path in folder.iterdir()) == [
        "chunks.jsonl", "documents.jsonl", "files.jsonl", "manifest.json", "vectors-1.npy",
    ]  # fmt: skip
    chunks = lines_of(folder / "chunks.jsonl")
    assert chunks == [
        {"id": "b::0", "document_id": "b", "start": 0, "end": 9, "text": "blue plum", "metadata": {}},
        {"id": "a::0", "document_id": "a", "start": 0, "end": 9, "text": "red apple", "metadata": {}},
    ]
    documents = lines_of(folder / "documents.jsonl")
    assert [(one["id"], one["file"], one["metadata"]) for one in documents] == [
        ("b", None, {"n": 2}), ("a", None, {"n": 3}),
    ]  # fmt: skip
    assert lines_of(folder / "files.jsonl") == []
    vectors = np.load(folder / "vectors-1.npy", allow_pickle=False)
    assert (vectors.dtype, vectors.shape) == (np.float32, (2, 4))
    with Pipeline.open(apples) as pipeline:
        embedded = pipeline.embedders[1].embed_documents([chunk["text"] for chunk in chunks])
    assert vectors.tobytes() == np.asarray(embedded).tobytes()  # row i belongs to line i
    assert (done.documents, done.chunks) == (2, 2)
    assert done.vectors == {"vectors-1.npy": "random-projection(language=english, dimension=4)"}
    assert done.bytes == sum(path.stat().st_size for path in folder.iterdir())


def test_the_manifest_names_every_file(exported: Path) -> None:
    manifest = json.loads((exported / "manifest.json").read_text())
    assert (manifest["format"], manifest["version"], manifest["data"]) == ("ragembed-export", 1, "jsonl")
    assert manifest["counts"] == {"files": 0, "documents": 18, "chunks": 51}
    found = {
        path.relative_to(exported).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in exported.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert manifest["files"] == found
    assert {name for name in found if "/" in name} == {
        "embedders/1-lsa/embedder.json", "embedders/1-lsa/lsa.json", "embedders/1-lsa/lsa.safetensors",
    }  # fmt: skip
    assert manifest["config"]["embedders"][1]["identity"]["probes"]


def test_an_export_into_a_used_folder_is_refused(hybrid: Path, tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("mine")
    with pytest.raises(StoreError, match="used exists and is not empty"):
        export_index(hybrid, tmp_path / "used")
    assert [path.name for path in tmp_path.rglob("*")] == ["used", "mine.txt"]
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file cannot be used"):
        export_index(hybrid, tmp_path / "file")
    with pytest.raises(StoreError, match="lies in the index itself"):
        export_index(hybrid, hybrid / "export")


def test_an_empty_folder_and_one_in_folders_to_come_are_taken(hybrid: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    export_index(hybrid, tmp_path / "link")
    export_index(hybrid, tmp_path / "a" / "b")
    assert (tmp_path / "empty" / "manifest.json").is_file()
    assert (tmp_path / "a" / "b" / "manifest.json").is_file()
    assert (tmp_path / "link").is_symlink()


def test_what_is_no_index(tmp_path: Path) -> None:
    with pytest.raises(NotAnIndexError):
        export_index(tmp_path / "nothing", tmp_path / "export")
    with pytest.raises(StoreError, match="valid are: jsonl, parquet"):
        export_index(tmp_path / "nothing", tmp_path / "export", "csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_what_is_interrupted_leaves_nothing(stop: BaseException, hybrid: Path, tmp_path: Path) -> None:
    def progress(done: int, total: int, what: str) -> None:
        if done:
            raise stop

    with pytest.raises((KeyboardInterrupt, StoreError)) as raised:
        export_index(hybrid, tmp_path / "new" / "export", progress=progress)
    assert list(tmp_path.iterdir()) == []
    if isinstance(stop, OSError):
        assert "export was not made (No space left on device); check the disk" in str(raised.value)


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """No file may grow beyond a limit, in place of a disk without room."""
    import resource
    import signal

    with Pipeline.create(tmp_path / "index", "bm25", "whole") as pipeline:
        pipeline.add([Document("long", "apple " * 20_000)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(StoreError, match=r"was not made .*File too large"):
            export_index(tmp_path / "index", tmp_path / "export")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_a_folder_that_may_not_be_written(hybrid: Path) -> None:
    with pytest.raises(StoreError, match="was not made"):
        export_index(hybrid, Path("/proc/nowhere/export"))


@pytest.fixture
def damaged(apples: Path) -> Iterator[Any]:
    """A connection to the catalog of an index, to damage it."""
    store = Store(apples)
    with store.connection() as catalog:
        yield catalog.db
    store.close()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE chunks SET text = x'ff00'", "holds something that is no text in 'b::0'"),
        ("UPDATE chunks SET metadata = '[1]'", "metadata of 'b::0' are damaged"),
        ("UPDATE documents SET metadata = '{'", "metadata of 'b' are damaged"),
        ("DELETE FROM segments WHERE embedder = 1", "random-projection.* has no vector of 2 chunks"),
        ("UPDATE segments SET sha256 = 'x'", "its checksum differs"),
        ("PRAGMA foreign_keys = OFF; DELETE FROM documents WHERE id = 'a'", "1 chunks belong to documents"),
    ],
)
def test_a_damaged_index_is_told_and_leaves_nothing(
    statement: str, message: str, apples: Path, damaged: Any, tmp_path: Path
) -> None:
    damaged.executescript(statement)
    with pytest.raises(CorruptError, match=message):
        export_index(apples, tmp_path / "export")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_missing_learnt_state_is_told(tmp_path: Path) -> None:
    import shutil

    with Pipeline.create(tmp_path / "index", "lsa(dimension=2)") as pipeline:
        pipeline.add([Document("a", "red apple"), Document("b", "blue plum")])
    shutil.rmtree(tmp_path / "index" / "embedders" / "0-lsa")
    with pytest.raises(CorruptError, match="what an embedder has learnt, is missing"):
        export_index(tmp_path / "index", tmp_path / "export")


def test_files_that_vanish_before_they_are_open_are_of_the_state_before(apples: Path) -> None:
    """Segments are rewritten between the snapshot and the opening of their files: the next state is exported."""

    class Slow(Store):
        """A store whose segments another writer rewrites at the first look."""

        waits = True

        def load_flat(self, record: Any, dimension: int) -> Any:
            if self.waits:
                self.waits = False
                with Pipeline.open(apples) as pipeline, pipeline.store.writing() as writer:
                    writer.compact([None, 4], 1 << 30)
            return super().load_flat(record, dimension)

    store = Slow(apples)
    with content_of(store) as content:
        assert content.catalog.dead_rows() == []
        assert [chunk.id for chunk in content.chunks()] == ["b::0", "a::0"]
    store.close()
