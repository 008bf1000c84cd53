"""`ragembed optimize` from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def index(tmp_path: Path, run: Any) -> Path:
    """An index of 300 short texts by lsa."""
    words = ["apple", "banana", "cherry", "grape", "melon", "lemon", "orange", "peach"]
    lines = [f"{words[i % 8]} {words[(i * 3 + 1) % 8]} {words[(i // 8) % 8]} {i % 7}" for i in range(300)]
    docs = tmp_path / "docs"
    docs.mkdir()
    for number, line in enumerate(lines):
        (docs / f"{number}.txt").write_text(line)
    made = run("index", docs, "-o", tmp_path / "i", "--embedder", "lsa(dimension=8)")
    assert made.code == 0, made.err
    return tmp_path / "i"


def test_it_says_why_exact_search_stays(index: Path, run: Any) -> None:
    done = run("optimize", index)
    assert done.code == 0
    assert "flat, because exact search takes" in done.out


def test_a_type_is_built_told_and_taken_back(index: Path, tmp_path: Path, run: Any) -> None:
    queries = tmp_path / "queries.jsonl"
    queries.write_text('{"text": "apple melon"}\n\n{"text": "grape peach lemon"}\n')
    done = run("optimize", index, "--index-type", "sq8", "--queries", queries, "--json")
    assert done.code == 0, done.err
    told = done.json()["choices"][0]
    assert told["index_type"] == "sq8"
    assert told["probes"] == "2 queries that were given"
    shown = run("info", index).out
    assert "index_type  sq8" in shown
    assert "accelerator sq8 over 300 rows, 0 beside it; recall@10 1.000" in shown
    assert run("info", index, "--json").json()["accelerators"][0]["rows"] == 300
    found = run("query", "apple", "-i", index, "--json").json()
    back = run("optimize", index, "--index-type", "flat")
    assert back.code == 0
    assert "exact again" in back.err
    assert run("query", "apple", "-i", index, "--json").json() == found


def test_queries_of_a_tsv_file_are_taken_without_their_ids(index: Path, tmp_path: Path, run: Any) -> None:
    queries = tmp_path / "queries.tsv"
    queries.write_text("q1\tapple melon\nq2\tapple melon\nq3\tgrape peach lemon\n")
    done = run("optimize", index, "--index-type", "sq8", "--queries", queries, "--json")
    assert done.code == 0, done.err
    assert done.json()["choices"][0]["probes"] == "2 queries that were given"  # the same one counts once


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--target-recall", "2"], 1, "target recall is 2"),
        (["--latency", "fast"], 2, "--latency is 'fast'"),
        (["--memory", "none"], 2, "--memory is 'none'"),
        (["--queries", "/no/such/file"], 1, "cannot be read"),
        (["--index-type", "hnzw"], 1, "did you mean hnsw"),
        (["--memory", "1KB"], 1, "the least possible is"),
        (["--index-type", 'faiss:"IVF4,Nonsense"'], 1, "FAISS makes no index"),
    ],
)
def test_bad_input_is_one_line(index: Path, options: list[str], code: int, said: str, run: Any) -> None:
    done = run("optimize", index, *options)
    assert done.code == code
    assert said in " ".join(done.err.split())
    if code == 1:
        assert done.err.startswith("error: ")
        assert done.err.count("\n") == 1
