"""The folder of a test set: readable, the same byte for byte, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ragembed.datasets import load
from ragembed.datasets.make import MakeOptions, make_dataset
from ragembed.errors import DatasetError
from ragembed.pipeline import Pipeline
from ragembed.read.base import Failure
from ragembed.types import Document

OPTIONS = MakeOptions(queries=12)


@pytest.fixture
def index(library: Callable[..., list[Document]], tmp_path: Path) -> Path:
    with Pipeline.create(tmp_path / "my.index", "bm25", "recursive(tokens=24, overlap=6)") as pipeline:
        pipeline.add(library())
    return tmp_path / "my.index"


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_is_a_collection(index: Path, tmp_path: Path) -> None:
    made = make_dataset(index, tmp_path / "set", OPTIONS)
    assert set(content(tmp_path / "set")) == {
        "corpus.jsonl", "queries.jsonl", "qrels/test.tsv", "spans.jsonl", "make.json", "README.md",
    }  # fmt: skip
    dataset = load(tmp_path / "set")
    documents = {document.id: document for document in dataset.documents}
    assert len(documents) == 20
    assert len(dataset.queries) == len(dataset.qrels) == len(dataset.spans) == 12
    rows = [json.loads(line) for line in (tmp_path / "set" / "queries.jsonl").read_text().splitlines()]
    for row in rows:
        told = row["metadata"]
        assert set(told) == {"kind", "difficulty", "overlap", "drawn_from"}
        assert dataset.qrels[row["_id"]][told["drawn_from"]] == 3
        (span,) = dataset.spans[row["_id"]]
        assert documents[span.document].text[span.start : span.end].strip()
    assert made.facts == json.loads((tmp_path / "set" / "make.json").read_text())
    assert made.facts["source"] == "my.index"
    assert sum(made.facts["queries_by_kind"].values()) == made.facts["queries"] == 12


def test_the_same_documents_give_the_same_bytes(index: Path, tmp_path: Path) -> None:
    make_dataset(index, tmp_path / "one", OPTIONS)
    make_dataset(index, tmp_path / "two", OPTIONS)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    make_dataset(index, tmp_path / "two", MakeOptions(queries=12, seed=1), force=True)
    assert content(tmp_path / "one") != content(tmp_path / "two")


def test_readme_says_what_it_is(index: Path, tmp_path: Path) -> None:
    make_dataset(index, tmp_path / "set", MakeOptions(queries=500, keep_text=True))
    text = (tmp_path / "set" / "README.md").read_text()
    assert text.startswith("# Test set made of my.index\n")
    assert "500 were asked for" in text
    assert "keep_text" in text
    assert "## What it cannot measure" in text
    assert str(tmp_path) not in text + (tmp_path / "set" / "make.json").read_text()


def test_only_a_set_made_before_is_replaced_and_only_on_demand(index: Path, tmp_path: Path) -> None:
    target = tmp_path / "set"
    target.mkdir()
    make_dataset(index, target, OPTIONS)  # an empty folder may be filled
    before = content(target)
    with pytest.raises(DatasetError, match="holds a test set already; replace it with --force"):
        make_dataset(index, target, OPTIONS)
    assert content(target) == before
    make_dataset(index, target, MakeOptions(queries=5), force=True)
    assert len(load(target).queries) == 5
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious.txt").write_text("mine")
    with pytest.raises(DatasetError, match="is not empty, and holds no test set"):
        make_dataset(index, other, OPTIONS, force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my.index", "other", "set"]


@pytest.mark.parametrize("stranger", ["notes.txt", "mine/notes.txt", "qrels/notes.tsv"])
def test_what_was_added_to_a_set_is_kept(index: Path, tmp_path: Path, stranger: str) -> None:
    target = tmp_path / "set"
    make_dataset(index, target, OPTIONS)
    (target / stranger).parent.mkdir(exist_ok=True)
    (target / stranger).write_text("years of work")
    before = content(target)
    with pytest.raises(DatasetError, match="which is no part of a collection, and is not replaced"):
        make_dataset(index, target, MakeOptions(queries=5), force=True)
    assert content(target) == before


@pytest.mark.parametrize("record", ["{}", "[1]", "no JSON"])
def test_a_make_json_of_another_program_makes_no_test_set(index: Path, tmp_path: Path, record: str) -> None:
    target = tmp_path / "other"
    target.mkdir()
    (target / "make.json").write_text(record)
    with pytest.raises(DatasetError, match="holds no test set that was made here"):
        make_dataset(index, target, OPTIONS, force=True)
    assert (target / "make.json").read_text() == record


def test_a_set_is_not_replaced_by_what_is_made_of_it(index: Path, tmp_path: Path) -> None:
    target = tmp_path / "set"
    make_dataset(index, target, OPTIONS)
    before = content(target)
    for source in (target, target / "corpus.jsonl", tmp_path / "set" / ".." / "set"):
        with pytest.raises(DatasetError, match="is read, and is not replaced by what is made of it"):
            make_dataset(source, target, MakeOptions(queries=5), force=True)
    assert content(target) == before


def test_what_cannot_be_read_is_told_and_counted(
    library: Callable[..., list[Document]], tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    for document in library():
        (tmp_path / "docs" / f"{document.id}.md").write_text(document.text)
    (tmp_path / "docs" / "broken.pdf").write_bytes(b"%PDF-1.4 nothing more")
    told: list[Failure] = []
    made = make_dataset(tmp_path / "docs", tmp_path / "set", OPTIONS, failed=told.append)
    assert [failure.where for failure in told] == ["docs/broken.pdf"]
    assert made.facts["failed"] == 1
    assert json.loads((tmp_path / "set" / "make.json").read_text())["failed"] == 1


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "empty.index", "bm25"):
        pass
    with pytest.raises(DatasetError, match="0 documents hold 0 passages"):
        make_dataset(tmp_path / "empty.index", tmp_path / "set")
    assert not (tmp_path / "set").exists()
