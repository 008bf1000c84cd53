"""What test sets are for: they rank systems as people's judgements do. All systems: docs/testsets.md."""

from __future__ import annotations

from pathlib import Path

from ragembed.datasets.make import MakeOptions, make_test_set, read_source
from ragembed.pipeline import Pipeline


def test_better_weighting_wins_on_cranfield(shared_data: Path, tmp_path: Path) -> None:
    made = make_test_set(read_source(shared_data / "cranfield").documents, MakeOptions(queries=300))
    found = {}
    for system in ("onehot", "tfidf", "bm25", "bm25(b=0)"):
        with Pipeline.create(tmp_path / system, system, "whole") as pipeline:
            pipeline.add(made.documents)
            answers = pipeline.search_documents([query.text for query in made.queries], 10)
        hits = [query.drawn_from in answer for query, answer in zip(made.queries, answers, strict=True)]
        found[system] = sum(hits) / len(hits)
    # people's judgements: .53, .52, .46, .41 nDCG@10
    assert min(found["bm25"], found["tfidf"]) > max(found["bm25(b=0)"], found["onehot"])
    # were the queries left in the documents, all would find nearly all of them
    assert 0.4 < found["onehot"] < found["bm25"] < 0.85
