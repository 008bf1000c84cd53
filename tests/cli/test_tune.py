"""ragembed tune: a session with the project's own small collection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ragembed.datasets import load


@pytest.fixture
def files(run: Any, tmp_path: Path) -> tuple[Path, Path, Path]:
    """An index of the collection, its queries and its judgements as files."""
    collection = load("primer")
    documents, queries, qrels = tmp_path / "d.jsonl", tmp_path / "q.jsonl", tmp_path / "q.tsv"
    documents.write_text(
        "".join(json.dumps({"_id": d.id, "text": d.text}) + "\n" for d in collection.documents)
    )
    queries.write_text(
        "".join(json.dumps({"_id": i, "text": t}) + "\n" for i, t in collection.queries.items())
    )
    rows = [f"{q}\t{d}\t{g}\n" for q, judged in collection.qrels.items() for d, g in judged.items()]
    qrels.write_text("query-id\tcorpus-id\tscore\n" + "".join(rows))
    index = tmp_path / "i"
    assert run("index", documents, "-o", index, "--embedder", "bm25+onehot").code == 0
    return index, queries, qrels


def test_session(run: Any, files: tuple[Path, Path, Path]) -> None:
    index, queries, qrels = files
    question = "why does BM25 not grow without bound when a word repeats?"
    refused = run("query", question, "-i", index, "--steps", "threshold")
    assert refused.code == 1
    assert "ragembed tune" in refused.err
    told = run("tune", index, "--queries", queries, "--qrels", qrels)
    assert told.code == 0, told.err
    assert "50 labelled queries, nDCG@10" in told.out
    assert "95% interval" in told.out
    assert "nothing is changed" in told.err
    assert "learnt" not in run("info", index).out
    done = run("tune", index, "--queries", queries, "--qrels", qrels, "--apply", "--json").json()
    assert done["applied"] is True
    assert done["calibration"]["levels"]
    shown = run("info", index).out
    assert "from 50 labelled queries, by nDCG@10" in shown
    assert "calibrated" in shown
    assert run("info", index, "--json").json()["learnt"]["families"].keys() >= {"rrf", "convex"}
    hits = run("query", question, "-i", index, "--json").json()["hits"]
    assert all(0 < hit["probability"] < 1 for hit in hits)
    assert "%" in run("query", question, "-i", index).out.splitlines()[0]
    assert run("query", "cake recipes", "-i", index, "--steps", "threshold", "--json").json()["hits"] == []
    assert run("query", question, "-i", index, "--fusion", "rrf(weights=auto)").code == 0
    assert "forgotten" in run("tune", index, "--forget").out
    assert "probability" not in run("query", question, "-i", index, "--json").json()["hits"][0]


def test_a_collection_in_the_place_of_files(run: Any, files: tuple[Path, Path, Path]) -> None:
    told = run("tune", files[0], "--dataset", "primer", "--split", "test", "--fusion", "rrf", "--json")
    assert [tried["fusion"] for tried in told.json()["tried"]] == ["rrf"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--queries", "q.jsonl"],
        ["--dataset", "primer", "--queries", "q.jsonl"],
        ["--forget", "--apply"],
        ["--forget", "--dataset", "primer"],
    ],
)
def test_wrong_usage(run: Any, files: tuple[Path, Path, Path], arguments: list[str]) -> None:
    assert run("tune", files[0], *arguments).code == 2


def test_failures_have_one_line(run: Any, files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    index, queries, qrels = files
    for arguments in (
        [tmp_path / "nowhere", "--queries", queries, "--qrels", qrels],
        [index, "--queries", tmp_path / "nowhere", "--qrels", qrels],
        [index, "--queries", queries, "--qrels", qrels, "--fusion", "nothing"],
        [index, "--queries", queries, "--qrels", qrels, "--measure", "nothing"],
        [index, "--queries", queries, "--qrels", qrels, "--unanswerable", "2"],
    ):
        failed = run("tune", *arguments)
        assert failed.code == 1
        assert failed.err.startswith("error: ")
        assert "Traceback" not in failed.err
