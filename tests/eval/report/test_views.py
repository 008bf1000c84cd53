"""The view over all datasets: what is added, what is averaged, and what is missing if one lacks it."""

from __future__ import annotations

from typing import Any

import pytest

from ragembed.eval.report.views import cost_over_all, views

FIRST = {
    "index_seconds": 1.0,
    "vector_bytes": 100,
    "peak_memory_bytes": 7,
    "truncated_chunks": 2,
    "latency_ms": {"p50": 1.0, "p95": 4.0},
}
SECOND = {
    "index_seconds": 2.0,
    "vector_bytes": 50,
    "peak_memory_bytes": 9,
    "truncated_chunks": None,
    "latency_ms": {"p50": 3.0},
}


def test_costs_over_all_datasets() -> None:
    cost = cost_over_all([FIRST, SECOND])
    assert cost["index_seconds"] == 3.0  # both must be indexed
    assert cost["vector_bytes"] == 150
    assert cost["peak_memory_bytes"] == 9  # one after the other
    assert cost["latency_ms"] == {"p50": 2.0, "p95": None, "p99": None}
    assert cost["truncated_chunks"] is None  # nobody counted in the second


def test_view_over_all_comes_first(make_report: Any) -> None:
    report = make_report(failed=("tfidf",))
    overall, first, second = views(report)
    assert [view["dataset"] for view in (overall, first, second)] == [None, 0, 1]
    assert overall["queries"] == first["queries"] + second["queries"] == 24
    assert overall["rows"][0]["means"] == report["overall"]["means"][0]
    assert overall["rows"][1] == {"error": "it needs trained vectors; give it some"}
    curves = [dataset["results"][0]["recall"]["values"] for dataset in report["datasets"]]
    assert overall["rows"][0]["recall"]["values"] == pytest.approx(
        [(a + b) / 2 for a, b in zip(*curves, strict=True)]
    )


def test_one_dataset_has_no_view_over_all(make_report: Any) -> None:
    (view,) = views(make_report(datasets=("primer",)))
    assert view["label"] == "primer"


def test_curves_at_other_depths_are_not_averaged(make_report: Any) -> None:
    report = make_report()
    report["datasets"][1]["results"][0]["recall"] = {"k": [1, 7], "values": [0.1, 0.2]}
    assert views(report)[0]["rows"][0]["recall"] is None
