"""Saying what a sync would do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ragembed import Pipeline

SPECS = {"embedder": "bm25(language=english)", "chunker": "recursive(tokens=20, overlap=0)"}


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name in "abcd":
        (folder / f"{name}.txt").write_text(f"{name} is a letter")
    return folder


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    with Pipeline.create(tmp_path / "index", **SPECS) as made:
        yield made


def state(folder: Path) -> dict[str, bytes]:
    """All files but the log and the lock of SQLite, by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(("catalog.db-", "write.lock"))
    }


def test_a_dry_run_of_a_new_index(pipeline: Pipeline, docs: Path, tmp_path: Path) -> None:
    report = pipeline.index(docs, dry_run=True)
    assert (report.added, report.chunks, report.files) == (4, 4, 4)
    assert pipeline.counts() == {"files": 0, "documents": 0, "chunks": 0}
    assert pipeline.info()["embedders"] == []
    assert list((tmp_path / "index" / "segments").iterdir()) == []


def test_a_dry_run_says_what_the_run_then_does(
    pipeline: Pipeline, docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ragembed.sync.BATCH_CHUNKS", {"sparse": 1, "dense": 1})  # commits in between, too
    pipeline.index(docs)
    (docs / "a.txt").write_text("a was a letter")
    (docs / "b.txt").unlink()
    (docs / "c.txt").rename(docs / "moved.txt")
    (docs / "e.txt").write_text("e is new")
    (docs / "broken.docx").write_bytes(b"PK\x03\x04 no zip")
    before, hits = state(tmp_path / "index"), pipeline.search("letter")
    rehearsed = pipeline.index(docs, prune=True, dry_run=True)
    assert state(tmp_path / "index") == before
    assert pipeline.search("letter") == hits
    assert (rehearsed.added, rehearsed.updated, rehearsed.moved, rehearsed.deleted, rehearsed.unchanged) == (
        1, 1, 1, 1, 1,
    )  # fmt: skip
    assert [failure.where for failure in rehearsed.failed] == ["docs/broken.docx"]
    done = pipeline.index(docs, prune=True)
    assert replace(done, seconds=0) == replace(rehearsed, seconds=0)


def test_a_dry_run_asks_no_embedder(docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Pipeline.create(tmp_path / "i", "bm25+lsa(dimension=2)", "whole") as pipeline:
        monkeypatch.setattr("ragembed.sync.embed", None)
        assert pipeline.index(docs, dry_run=True).chunks == 4
