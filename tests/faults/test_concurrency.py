"""Readers beside a writer; `python -m ragembed.eval.bench.concurrency` lets it commit 200 times."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ragembed.eval.bench.concurrency import Sight, judge, plan
from ragembed.eval.bench.scenario import (
    CHUNKER,
    EMBEDDERS,
    LISTS,
    Oracle,
    Place,
    State,
    ask_near,
    near_differs,
    text_of,
)
from ragembed.pipeline import Pipeline


@pytest.mark.parametrize("readers", ["processes", "threads"])
def test_each_search_equals_the_answer_at_some_committed_state(
    readers: str, script: Callable[..., str]
) -> None:
    options = ["--json", "--commits", 30, *(["--threads"] if readers == "threads" else [])]
    result: dict[str, Any] = json.loads(script("ragembed.eval.bench.concurrency", *options))
    assert result["errors"] == []
    assert result["wrong"] == []
    assert result["commits"] == 30
    assert {"add", "upsert", "delete", "vacuum", "optimize"} <= set(result["writes"])
    assert result["states"] >= 10  # the readers saw many of them, not only the first and the last
    assert result["accelerated"] >= 10


def test_an_answer_of_another_state_is_noticed(tmp_path: Path) -> None:
    oracle = Oracle(Place(tmp_path), EMBEDDERS["hybrid"])
    steps = plan(20, seed=0)
    query = "borant calive hodyx"
    first = oracle.answers(steps[0].after, [query]).hits[query]
    assert steps[1].after != steps[0].after
    assert judge([Sight(query, 1, 1, first)], steps, oracle) == []
    assert judge([Sight(query, 0, 1, first)], steps, oracle) == []
    assert len(judge([Sight(query, 2, 2, first)], steps, oracle)) == 1  # stale: that commit was over before
    half = {chunk: scores for number, (chunk, scores) in enumerate(first.items()) if number}
    assert len(judge([Sight(query, 0, 2, half)], steps, oracle)) == 1
    assert oracle.answers(State(), [query]).hits[query] == {}


def test_near_chunks_of_another_state_are_noticed(tmp_path: Path) -> None:
    oracle = Oracle(Place(tmp_path), EMBEDDERS["hybrid"])
    steps = plan(20, seed=0)
    added, upserted, optimized, *_ = (step.after for step in steps)
    assert optimized.index_type == LISTS
    assert optimized.documents == upserted.documents
    new = next(name for name in upserted.documents if name not in added.documents)
    query = text_of(new, 0).partition("\n")[0]  # a whole chunk that came by the upsert
    with Pipeline.create(tmp_path / "beside.index", EMBEDDERS["hybrid"], CHUNKER) as pipeline:
        pipeline.add([upserted.document(name) for name in upserted.documents])
        pipeline.optimize(index_type=LISTS)
        near, accelerated = ask_near(pipeline, query)
    assert accelerated
    hits = [oracle.answers(state, [query]).hits[query] for state in (added, upserted)]
    assert near_differs(near, hits[1]) == ""
    assert "not found" in near_differs(near, hits[0])
    (name, scores), *_ = near.items()
    best = max(scores, key=scores.__getitem__)
    missed = {chunk: score for chunk, score in scores.items() if chunk != best}
    assert "the best scores" in near_differs({name: missed}, hits[1])
