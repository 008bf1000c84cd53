"""ragembed datasets make, and the commands beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ragembed.datasets import load

PRIMER = Path(__file__).resolve().parents[2] / "datasets" / "loaders" / "primer"


@pytest.fixture
def primer_index(run: Any, tmp_path: Path) -> Path:
    """An index of the built-in collection's documents."""
    folder = tmp_path / "primer.index"
    assert run("index", PRIMER / "corpus.jsonl", "-o", folder).code == 0
    return folder


def test_a_test_set_is_made_described_and_evaluated(run: Any, primer_index: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    made = run("datasets", "make", primer_index, "-o", folder, "--queries", 25, "--json").json()
    assert (made["queries"], made["documents"], made["source"]) == (25, 100, "primer.index")
    (row,) = run("datasets", folder, "--json").json()["datasets"]
    assert (row["queries"], row["documents"]) == (25, 100)
    result = run("eval", "--dataset", folder, "--embedder", "bm25", "--json").json()
    assert 0.3 < result["measures"]["nDCG@10"] < 0.99
    rows = [json.loads(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {row["_id"] for row in rows} == {document.id for document in load("primer").documents} or all(
        row["text"] for row in rows
    )


def test_what_is_told_to_people(run: Any, primer_index: Path, tmp_path: Path) -> None:
    done = run(
        "datasets", "make", primer_index, "-o", tmp_path / "set", "--queries", 5000, "--kind", "heading"
    )
    assert done.code == 0
    assert "documents hold no more than" in done.err
    assert "heading)" in done.out
    assert f"ragembed eval --dataset {tmp_path / 'set'}" in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--kind", "riddle"), 1, "unknown kind of query 'riddle'; valid are: heading"),
        (("--queries", "0"), 2, "0"),
        (("--seed", "-5"), 2, "-5"),
        (("--language", "klingon"), 1, "klingon"),
    ],
)
def test_bad_options(
    run: Any, primer_index: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = run("datasets", "make", primer_index, "-o", tmp_path / "set", *arguments)
    assert done.code == code
    assert message in done.err
    assert not (tmp_path / "set").exists()


def test_too_little_to_ask(run: Any, index: Path, tmp_path: Path) -> None:
    done = run("datasets", "make", index, "-o", tmp_path / "set")
    assert done.code == 1
    assert "documents hold 0 passages; a test set needs at least 20" in done.err
    done = run("datasets", "make", tmp_path / "gone", "-o", tmp_path / "set")
    assert (done.code, "there is no file or folder" in done.err) == (1, True)


def test_the_number_of_documents_is_that_of_the_source(run: Any, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "corpus.jsonl").write_text('{"_id": "d1", "text": " "}\n')
    done = run("datasets", "make", tmp_path / "one", "-o", tmp_path / "set")
    assert (done.code, "error: 1 document holds 0 passages;" in done.err) == (1, True)
    (tmp_path / "one" / "corpus.jsonl").write_text(
        '{"_id": "d1", "text": ""}\n{"_id": "d2", "text": "Short."}\n'
    )
    assert (
        "error: 2 documents hold 0 pass"
        in run("datasets", "make", tmp_path / "one", "-o", tmp_path / "set").err
    )


def test_what_cannot_be_read_is_told(run: Any, primer_index: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "all.jsonl").write_bytes((PRIMER / "corpus.jsonl").read_bytes())
    (docs / "broken.pdf").write_bytes(b"%PDF-1.4 nothing more")
    done = run("datasets", "make", docs, "-o", tmp_path / "set", "--queries", 5, "--json")
    assert "failed: docs/broken.pdf: " in done.err
    assert "1 failed, and is left out" in done.err
    assert done.json()["failed"] == 1


def test_reference_spans_are_counted(run: Any, primer_index: Path, tmp_path: Path) -> None:
    made = run("datasets", "make", primer_index, "-o", tmp_path / "set", "--queries", 5, "--json").json()
    (row,) = run("datasets", tmp_path / "set", "--json").json()["datasets"]
    assert row["spans"] == made["spans"] >= 5
    assert f"  spans {made['spans']}\n" in run("datasets", tmp_path / "set").out
    assert "spans" not in run("datasets", "primer").out


def test_the_first_command_is_meant_where_none_is_named(run: Any) -> None:
    listed = run("datasets", "show", "--json").json()
    assert run("datasets", "--json").json() == run("datasets", "--json", "primer").json() == listed
    assert run("datasets", "primer").out == run("datasets", "show", "primer").out
    assert "datasets" in listed
    done = run("datasets", "--help")
    assert done.code == 0
    assert all(name in done.out for name in ("show", "make", "convert"))
