"""`--aggregate` where documents are searched for, and runs that are written as they are found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ragembed import Document, Pipeline
from ragembed.eval.systems import System, grid
from ragembed.retrieve.search import Searcher

TEXTS = {
    "long": "pear tree and pear wood. oats with rye. a pear again. corn and rye. pear jam at last.",
    "short": "pear pear pear. barley alone here. nothing of it there.",
}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Two documents in chunks of five words."""
    with Pipeline.create(tmp_path / "i", "bm25", "fixed(tokens=5, overlap=0, tokenizer=words)") as pipeline:
        pipeline.add([Document(name, text) for name, text in TEXTS.items()])
    return tmp_path / "i"


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps({"_id": f"q{n}", "text": "pear"}) + "\n" for n in range(100)))
    return path


def first_of(run: Path) -> str:
    return run.read_text().split()[2]


def test_a_run_by_other_aggregates(run: Any, index: Path, queries: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.trec"
    firsts = {}
    for spec in ("max", "sum", "mean(top=2)"):
        done = run("query", "--queries", queries, "-i", index, "--run", out, "--aggregate", spec)
        assert (done.code, done.out) == (0, f"100 queries, 200 hits: {out}\n")
        firsts[spec] = first_of(out)
    assert firsts == {"max": "short", "sum": "long", "mean(top=2)": "long"}


def test_where_it_does_nothing_it_is_refused(run: Any, index: Path) -> None:
    done = run("query", "pear", "-i", index, "--aggregate", "sum")
    assert done.code == 2
    assert "--aggregate does nothing here: without --run the hits are" in " ".join(done.err.split())


def test_a_wrong_one(run: Any, index: Path, queries: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.trec"
    out.write_text("what was there\n")
    done = run("query", "--queries", queries, "-i", index, "--run", out, "--aggregate", "maxp")
    assert (done.code, done.out) == (1, "")
    assert "unknown aggregate 'maxp'; did you mean max? valid are: first, max, mean, sum" in done.err
    assert out.read_text() == "what was there\n"


@pytest.mark.parametrize("fault", [KeyboardInterrupt, OSError])
def test_a_run_that_is_interrupted_leaves_what_was_there(
    run: Any,
    index: Path,
    queries: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: type[Exception],
) -> None:
    out = tmp_path / "run.trec"
    out.write_text("what was there\n")
    each = Searcher.documents_each

    def failing(self: Searcher, *arguments: Any) -> Any:
        for number, answer in enumerate(each(self, *arguments)):
            if number == 50:
                raise fault
            yield answer

    monkeypatch.setattr(Searcher, "documents_each", failing)
    done = run("query", "--queries", queries, "-i", index, "--run", out)
    assert done.code != 0
    assert "Traceback" not in done.err
    assert out.read_text() == "what was there\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["i", "q.jsonl", "run.trec"]


def test_queries_are_taken_as_they_are_needed(index: Path) -> None:
    taken = 0

    def endless() -> Any:
        nonlocal taken
        while True:
            taken += 1
            yield "pear"

    with Pipeline.open(index) as pipeline:
        answers = pipeline.documents_each(endless(), 2, aggregate="sum")
        assert next(answers) == pipeline.search_documents(["pear"], 2, aggregate="sum")[0]
        assert 0 < taken <= 3 * 1024
        answers.close()
        hits = pipeline.search_each(endless(), 2)
        assert next(hits) == pipeline.search("pear", 2)
        hits.close()


def test_evaluated(run: Any) -> None:
    primer = ("eval", "--dataset", "primer", "--embedder", "bm25", "--json")
    chunked = (*primer, "--chunker", "sentence(tokens=30, overlap=0)")
    assert "aggregate" not in run(*primer).json()
    assert run(*chunked).json()["aggregate"] == "max"
    found = run(*chunked, "--aggregate", "mean( top=3 )").json()
    assert found["aggregate"] == "mean"
    assert run(*chunked).json()["measures"] != found["measures"]


def test_systems() -> None:
    assert System.make("bm25", aggregate="sum").aggregate is None  # whole documents have one score
    names = [each.name for each in grid(["bm25"], ["whole", "fixed"], aggregates=["max", "mean(top=2)"])]
    assert names == ["bm25", "bm25 @ fixed", "bm25 @ fixed, mean(top=2)"]
