"""What is embedded again when documents change or move: no more than has to be, with the answers of a new index."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragembed import Document, Pipeline
from ragembed.embed import EMBEDDERS
from ragembed.embed.base import Dense, Embedder, Kind
from ragembed.index.verify import verify

WORDS = ["apple", "banana", "cherry", "date", "elder", "fig", "grape", "hazel"]


def paragraphs(numbers: range, changed: int | None = None) -> str:
    """A text of one paragraph for each number, of a size that makes one chunk of it."""
    return "\n\n".join(
        " ".join(random.Random(1000 + n if n == changed else n).choices(WORDS, k=18)) for n in numbers
    )


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    with Pipeline.create(
        tmp_path / "index", "bm25(language=none)", "recursive(tokens=20, overlap=0)"
    ) as made:
        yield made


def answers(pipeline: Pipeline) -> list[list[tuple[str, str, float]]]:
    """The hits of a few queries, deep enough for ties at their end."""
    found = pipeline.search_many(["apple fig", "banana", "cherry date elder", "hazel"], 7)
    return [[(hit.chunk.id, hit.chunk.text, hit.score) for hit in hits] for hits in found]


def test_a_changed_document_embeds_its_changed_chunks(pipeline: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(paragraphs(range(1, 51)))
    assert pipeline.index(path).chunks == 50
    path.write_text(paragraphs(range(1, 51), changed=20))
    report = pipeline.index(path)
    assert (report.updated, report.chunks) == (1, 1)
    path.write_text(
        paragraphs(range(3, 51), changed=20)
    )  # the first two gone: all others have other numbers and places
    report = pipeline.index(path)
    assert (report.updated, report.chunks) == (1, 0)
    with Pipeline.create(tmp_path / "new", "bm25(language=none)", "recursive(tokens=20, overlap=0)") as new:
        new.index(path)
        assert answers(pipeline) == answers(new)
    assert verify(pipeline.store) == []


def test_a_chunk_that_stands_twice_is_embedded_twice_at_most(pipeline: Pipeline) -> None:
    same = "apple " * 18
    assert pipeline.add([Document("a", f"{same}\n\n{same}")]).chunks == 2
    assert pipeline.upsert([Document("a", f"{same}\n\n{same}\n\n{same}")]).chunks == 1
    assert [hit.chunk.id for hit in pipeline.search("apple")] == ["a::0", "a::1", "a::2"]
    assert pipeline.upsert([Document("a", same)]).chunks == 0
    assert [hit.chunk.id for hit in pipeline.search("apple")] == ["a::0"]
    assert verify(pipeline.store) == []


def test_a_moved_file_is_not_embedded_again(pipeline: Pipeline, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    (docs / "old").mkdir(parents=True)
    (docs / "old" / "a.txt").write_text("apples are red")
    (docs / "b.txt").write_text("bananas are yellow")
    pipeline.index(docs)
    (docs / "old").rename(docs / "new")
    report = pipeline.index(docs)
    assert (report.moved, report.unchanged, report.added, report.deleted, report.missing, report.chunks) == (
        1, 1, 0, 0, 0, 0,
    )  # fmt: skip
    (hit,) = pipeline.search("apples")
    assert (hit.chunk.document_id, hit.chunk.metadata["path"]) == ("docs/new/a.txt", "docs/new/a.txt")
    assert pipeline.index(docs, prune=True).unchanged == 2
    assert pipeline.counts() == {"files": 2, "documents": 2, "chunks": 2}


def test_a_copied_file_is_another_document(pipeline: Pipeline, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.txt").write_text("apples are red")
    pipeline.index(docs)
    (docs / "b.txt").write_text("apples are red")
    report = pipeline.index(docs)
    assert (report.moved, report.added, report.unchanged) == (0, 1, 1)
    assert {hit.chunk.document_id for hit in pipeline.search("apples")} == {"docs/a.txt", "docs/b.txt"}


def test_rows_of_a_moved_file(pipeline: Pipeline, tmp_path: Path) -> None:
    """Rows without ids of their own are numbered below their file's name, and move with it."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.jsonl").write_text('{"text": "apples"}\n{"text": "bananas"}\n')
    pipeline.index(docs)
    (docs / "a.jsonl").rename(docs / "z.jsonl")
    report = pipeline.index(docs)
    assert (report.moved, report.chunks, report.failed) == (2, 0, [])
    assert [hit.chunk.document_id for hit in pipeline.search("bananas")] == ["docs/z.jsonl#2"]


def test_a_deleted_document_comes_back_only_when_its_file_changes(pipeline: Pipeline, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    path = docs / "a.txt"
    path.write_text("apples are red")
    (docs / "b.txt").write_text("bananas are yellow")
    pipeline.index(docs)
    pipeline.delete(["docs/a.txt"])
    assert pipeline.index(docs).unchanged == 1
    os.utime(path, (1, 1))
    assert pipeline.index(docs).unchanged == 1
    path = path.rename(docs / "c.txt")
    report = pipeline.index(docs)
    assert (report.unchanged, report.added, report.moved) == (1, 0, 0)
    assert pipeline.search("apples") == []
    path.write_text("apples are green")
    assert pipeline.index(docs).added == 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "append", "move", "remove", "swap"]),
        st.integers(0, 4),
        st.integers(0, 4),
        st.integers(0, 1 << 16),
    ),
    max_size=8,
)


@pytest.mark.parametrize(
    "embedder", ["bm25(language=none)", "onehot(language=none)+random-projection(dimension=8, language=none)"]
)
@settings(max_examples=25)
@given(steps=STEPS, batch=st.integers(1, 4))
def test_whatever_happened_the_index_is_as_new(
    tmp_path_factory: pytest.TempPathFactory,
    embedder: str,
    steps: list[tuple[str, int, int, int]],
    batch: int,
) -> None:
    root = tmp_path_factory.mktemp("sync")
    docs = root / "docs"
    docs.mkdir()
    with (
        Pipeline.create(root / "index", embedder, "recursive(tokens=12, overlap=0)") as pipeline,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("ragembed.sync.BATCH_CHUNKS", {"sparse": batch, "dense": batch})
        (docs / "0.txt").write_text("apple banana")
        pipeline.index(docs)
        for what, one, two, seed in steps:
            a, b = docs / f"{one}.txt", docs / f"{two}.txt"
            words = " ".join(random.Random(seed % 7).choices(WORDS, k=seed % 40 + 1))
            if what == "write":
                a.write_text(words)
            elif what == "append" and a.exists():
                a.write_text(f"{a.read_text()} {words}")
            elif what == "move" and a.exists():
                a.rename(b)
            elif what == "swap" and a.exists() and b.exists():
                first, second = a.read_text(), b.read_text()
                a.write_text(second)
                b.write_text(first)
            elif what == "remove" and len(list(docs.iterdir())) > 1:
                a.unlink(missing_ok=True)
            if seed % 3:
                pipeline.index(docs, prune=True)
        pipeline.index(docs, prune=True)
        assert verify(pipeline.store) == []
        with Pipeline.create(root / "new", embedder, "recursive(tokens=12, overlap=0)") as new:
            new.index(docs)
            assert answers(pipeline) == answers(new)
        pipeline.vacuum()
        assert verify(pipeline.store) == []
        with Pipeline.open(root / "index") as again, Pipeline.open(root / "new") as new:
            assert answers(again) == answers(new)
            assert {hit.chunk.document_id for hits in again.search_many(WORDS, 100) for hit in hits} == {
                f"docs/{path.name}" for path in docs.iterdir()
            }


# documents that cannot be embedded


@dataclass
class Picky(Embedder):
    """Vectors of a text's first two letters; NaN for texts with a question mark, failure for those with !."""

    name: ClassVar[str] = "picky"
    kind: ClassVar[Kind] = "dense"
    dimension: int = 2  # pyright: ignore[reportIncompatibleMethodOverride]

    def embed(self, texts: list[str]) -> Dense:  # type: ignore[override]
        return np.array(
            [[np.nan, 0] if "?" in text else [ord(text[0]), ord(text[1])] for text in texts], np.float32
        ).reshape(-1, 2)


@pytest.fixture
def picky(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Pipeline]:
    create = EMBEDDERS.create
    monkeypatch.setattr(EMBEDDERS, "create", lambda spec: Picky() if str(spec) == "picky" else create(spec))
    with Pipeline.create(tmp_path / "picky", "picky", "whole") as made:
        yield made


def test_a_document_of_nan_is_reported_and_the_others_stay(picky: Pipeline, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name, text in [("a.txt", "apples"), ("b.txt", "why?"), ("c.txt", "cherries")]:
        (docs / name).write_text(text)
    for _ in range(2):  # told every time
        report = picky.index(docs)
        (failure,) = report.failed
        assert failure.where == "docs/b.txt"
        assert "NaN or infinity" in failure.reason
    assert (report.added, report.unchanged) == (0, 2)
    assert [hit.chunk.document_id for hit in picky.search("ap")] == ["docs/a.txt", "docs/c.txt"]
    (docs / "b.txt").write_text("because")
    assert picky.index(docs).added == 1


def test_a_document_that_fails_gives_its_vectors_to_no_other(picky: Pipeline, tmp_path: Path) -> None:
    """The text of a, now in b, could keep its vector, were it not that a stays as it was."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.txt").write_text("apples")
    (docs / "b.txt").write_text("bananas")
    picky.index(docs)
    (docs / "a.txt").write_text("why?")
    (docs / "b.txt").write_text("apples")
    report = picky.index(docs)
    assert ([failure.where for failure in report.failed], report.updated) == (["docs/a.txt"], 1)
    assert [chunk.text for chunk in picky.chunks()] == ["apples", "apples"]
    assert verify(picky.store) == []


def test_a_new_version_that_cannot_be_embedded_leaves_the_old_one(picky: Pipeline) -> None:
    picky.add([Document("a", "apples"), Document("b", "bananas")])
    report = picky.upsert([Document("a", "what?"), Document("c", "cherries")])
    assert (report.added, report.updated, [failure.where for failure in report.failed]) == (1, 0, ["a"])
    assert sorted(picky.document_ids()) == ["a", "b", "c"]
    assert [chunk.text for chunk in picky.get(["a"])["a"]] == ["apples"]
