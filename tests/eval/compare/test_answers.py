"""What a system answers, and its scores by documents and by spans."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ragembed.errors import DatasetError, QueryError
from ragembed.eval.answers import answer, score
from ragembed.eval.cost import latency
from ragembed.eval.evaluate import evaluate_embedder
from ragembed.eval.names import depth, parse_measures
from ragembed.eval.systems import System

SENTENCES = "sentence(tokens=8, overlap=0)"


def test_documents_and_spans_are_scored_together(tiny: Any) -> None:
    measures = parse_measures("nDCG@10,SpanR@1,SpanP@1,R@1")
    system = System.make("bm25(language=none)", SENTENCES)
    answers = answer(tiny, system, measures, 4, shown=2, timed=True)
    scores = score(tiny, answers, measures)
    assert list(scores.means) == ["nDCG@10", "SpanR@1", "SpanP@1", "R@1"]
    # each query's first chunk is one sentence that is the reference, or for q3 the one of two
    assert list(scores.per_query["R@1"].values()) == [1.0, 1.0, 0.5]
    assert scores.per_query["SpanR@1"]["q1"] == 1.0
    assert scores.per_query["SpanP@1"]["q1"] == 1.0
    assert answers.spans["q2"][0] == ("plums", 0, 22)
    assert answers.cost.chunks == 8
    assert answers.cost.latency_ms is not None
    assert answers.cost.latency_ms.queries == 3


def test_passages_are_the_best_chunks_in_the_order_of_the_run(tiny: Any) -> None:
    answers = answer(
        tiny, System.make("bm25(language=none)", SENTENCES), parse_measures("nDCG@10"), 4, shown=2
    )
    first = answers.passages["q1"][0]
    assert (first.document, first.start, first.end, first.text) == (
        "pears",
        26,
        52,
        "Keep pears in a cool room.",
    )
    for query, passages in answers.passages.items():
        found = answers.run[query]
        assert [p.score for p in passages] == sorted(found.values(), reverse=True)[:2]
        assert all(found[p.document] == p.score for p in passages)


def test_measures_over_all_chunks_get_them(tiny: Any) -> None:
    measures = parse_measures("SpanPOmega")
    answers = answer(tiny, System.make("bm25", SENTENCES), measures, 4)
    assert len(answers.chunks) == 8
    assert score(tiny, answers, measures).means["SpanPOmega"] == pytest.approx(
        1.0
    )  # sentences are the references


def test_a_collection_without_spans_is_refused(tiny: Any) -> None:
    measures = parse_measures("SpanR@1")
    bare = replace(tiny, spans={})
    with pytest.raises(DatasetError, match=r"tiny has no reference spans for SpanR@1; add spans\.jsonl"):
        score(bare, answer(bare, System.make("bm25"), measures, 4), measures)


def test_depth_is_what_measures_look_at() -> None:
    assert depth(parse_measures("nDCG@10"), None) == 100
    assert depth(parse_measures("R@200"), None) == 200
    assert depth(parse_measures("AP"), None) == 1000
    assert depth(parse_measures("SpanR@4000c,nDCG@5"), None) == 100  # spans have a depth of their own
    assert depth(parse_measures("IPrec@0.1"), None) == 1000  # its cutoff is a level of recall
    with pytest.raises(QueryError, match="a measure looks 200 documents deep, only 50"):
        depth(parse_measures("R@200"), 50)


def test_evaluation_by_spans(tiny: Any) -> None:
    whole = evaluate_embedder(tiny, "bm25(language=none)", measures="SpanP@1,SpanR@1")
    cut = evaluate_embedder(tiny, "bm25(language=none)", SENTENCES, "SpanP@1,SpanR@1")
    assert whole.measures["SpanP@1"] < cut.measures["SpanP@1"]
    assert whole.measures["SpanR@1"] >= cut.measures["SpanR@1"]


def test_queries_that_are_cut_are_no_chunks_that_are_cut(tiny: Any) -> None:
    pytest.importorskip("sentence_transformers")
    long = replace(tiny, queries=dict.fromkeys(tiny.queries, "tree and river " * 300))
    cost = answer(long, System.make("minilm"), parse_measures("R@1"), 1, timed=True).cost
    assert cost is not None
    assert (cost.chunks, cost.truncated_chunks) == (4, 0)


def test_memory_is_that_of_this_process(tmp_path: Path) -> None:
    script = "from ragembed.eval.cost import peak_memory; print(peak_memory())"
    held = bytearray(300_000_000)  # what starts the process is larger than it
    held[::4096] = b"x" * len(held[::4096])
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert 5_000_000 < int(said.stdout) < 200_000_000
    assert len(held) == 300_000_000


def test_latency_of_evenly_spread_queries() -> None:
    asked: list[str] = []
    found = latency([str(n) for n in range(1000)], asked.append)
    assert found is not None
    assert found.queries == 200
    assert asked == ["0", *(str(n) for n in range(0, 1000, 5))]  # the first is asked once before
    assert 0 <= found.p50 <= found.p95 <= found.p99
    assert latency([], asked.append) is None
