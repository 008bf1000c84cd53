"""Which tokens have no vector, told by every command that makes vectors of words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed.words.vectors import WordVectors

COVERAGE = {"tokens": 6, "unknown": 2, "frequent": {"zebra": 2}}
"""Of the document below: "zebra" twice among its six words."""


@pytest.fixture
def spec(tmp_path: Path) -> str:
    """An embedder that knows four words."""
    words = ["cat", "dog", "ran", "the"]
    vectors = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    WordVectors(words, vectors).save(tmp_path / "model")
    return f"glove(path={tmp_path / 'model'})"


@pytest.fixture
def index(run: Any, spec: str, tmp_path: Path) -> tuple[Any, Path]:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("The cat ran.\nzebra Zebra dog", encoding="utf-8")
    done = run("index", tmp_path / "docs", "-o", tmp_path / "index", "--embedder", spec)
    return done, tmp_path / "index"


def test_index_tells(index: tuple[Any, Path], run: Any, tmp_path: Path, spec: str) -> None:
    assert "33.3 % of 6 tokens have no vector (most frequent: zebra 2)" in index[0].err
    found = run("index", tmp_path / "docs", "-o", tmp_path / "other", "--embedder", spec, "--json").json()
    assert list(found["coverage"].values()) == [COVERAGE]
    again = run("index", tmp_path / "docs", "-o", tmp_path / "other", "--json").json()
    assert again["coverage"] == {}
    plain = run("index", tmp_path / "docs", "-o", tmp_path / "plain", "--json").json()
    assert plain["coverage"] == {}


def test_query_names_what_it_does_not_know(index: tuple[Any, Path], run: Any, tmp_path: Path) -> None:
    done = run("query", "the zebra dog quagga", "-i", index[1], "--json")
    assert done.json()["unknown"] == ["zebra", "quagga"]
    assert "no vector for: zebra, quagga" in done.err
    known = run("query", "the dog", "-i", index[1], "--json")
    assert set(known.json()) == {"query", "hits"}
    assert "no vector" not in known.err
    (tmp_path / "queries.tsv").write_text("q1\tcat quagga\nq2\tquagga ran\n", encoding="utf-8")
    for more in ([], ["--run", tmp_path / "run.trec"]):
        many = run("query", "-i", index[1], "--queries", tmp_path / "queries.tsv", *more)
        assert "50 % of 4 tokens have no vector (most frequent: quagga 2)" in many.err


def test_info_tells_what_was_learnt_from(index: tuple[Any, Path], run: Any) -> None:
    assert "learnt from 6 tokens, 2 of them without a vector" in run("info", index[1]).out
    recorded = run("info", index[1], "--json").json()["embedders"][0]
    assert recorded["identity"]["learnt_from"] == {"tokens": 6, "unknown": 2}


def test_embed_tells(run: Any, spec: str, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("the cat zebra\nzebra ran dog\n", encoding="utf-8")
    out = tmp_path / "vectors.npy"
    done = run("embed", tmp_path / "texts.txt", "-o", out, "--embedder", spec, "--json")
    assert done.json()["coverage"] == COVERAGE
    assert "33.3 % of 6 tokens" in done.err
    assert np.load(out).shape == (2, 3)


def test_eval_tells(run: Any, spec: str, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": "d1", "text": "the cat ran zebra"}, {"_id": "d2", "text": "dog zebra"}]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "dog quagga"}\n', encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td2\t1\n", encoding="utf-8")
    done = run("eval", "--dataset", folder, "--embedder", spec, "--json")
    found = done.json()
    assert list(found["coverage"].values()) == [COVERAGE]  # of the documents
    assert (found["cost"]["tokens"], found["cost"]["unknown_tokens"]) == (6, 2)
    assert "33.3 % of 6 tokens" in done.err
    pairs = tmp_path / "pairs.tsv"
    lines = ["score\tsentence1\tsentence2", "5\tthe cat ran zebra\tthe dog", "1\tdog ran\tcat", "2\tthe\tran"]
    pairs.write_text("\n".join(lines) + "\n", encoding="utf-8")
    mean = spec.replace(")", ", pooling=mean)")
    words = run("eval", "--dataset", pairs, "--embedder", mean, "--json")
    assert words.json()["coverage"]["frequent"] == {"zebra": 1}
    assert "(most frequent: zebra 1)" in words.err
