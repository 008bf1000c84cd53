"""Readers beside a writer; `python -m ragembed.eval.bench.concurrency` lets it commit 200 times."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ragembed.eval.bench.concurrency import Sight, judge, plan
from ragembed.eval.bench.scenario import EMBEDDERS, Oracle, Place, State


@pytest.mark.parametrize("readers", ["processes", "threads"])
def test_each_search_equals_the_answer_at_some_committed_state(
    readers: str, script: Callable[..., str]
) -> None:
    options = ["--json", "--commits", 30, *(["--threads"] if readers == "threads" else [])]
    result: dict[str, Any] = json.loads(script("ragembed.eval.bench.concurrency", *options))
    assert result["errors"] == []
    assert result["wrong"] == []
    assert result["commits"] == 30
    assert {"add", "upsert", "delete", "vacuum"} <= set(result["writes"])
    assert result["states"] >= 10  # the readers saw many of them, not only the first and the last


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
