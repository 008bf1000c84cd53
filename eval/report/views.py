"""What the page can show: one view for each dataset, and one over all of them where there are several.

All views have one shape, so that the scripts need not tell them apart:
``{label, dataset, documents, queries, judgements, rows, comparisons, groups, detectable, detectable_adjusted}``;
``dataset`` is null for the view over all, and a row is ``{error}`` or ``{means, intervals, cost, recall, scores,
judged, notes}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ragembed.eval.report.text import labels

HEAVY = frozenset({"per_query", "hits"})
"""What a row leaves out, because it comes in blocks of its own."""

_SUMMED = (
    "index_seconds",
    "query_seconds",
    "vector_bytes",
    "index_bytes",
    "chunks",
    "truncated_chunks",
    "truncated_tokens",
)


def views(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The view over all datasets first, if the report has it."""
    single = [
        {
            **{key: value for key, value in dataset.items() if key not in ("texts", "results")},
            "label": label,
            "dataset": number,
            "queries": len(dataset["queries"]),
            "rows": [
                {key: value for key, value in result.items() if key not in HEAVY}
                for result in dataset["results"]
            ],
        }
        for number, (label, dataset) in enumerate(zip(labels(report), report["datasets"], strict=True))
    ]
    return [_over_all(report), *single] if report.get("overall") else single


def _over_all(report: dict[str, Any]) -> dict[str, Any]:
    datasets, overall = report["datasets"], report["overall"]
    return {
        "label": "Overall",
        "dataset": None,
        "documents": sum(dataset.get("documents") or 0 for dataset in datasets),
        "queries": sum(len(dataset["queries"]) for dataset in datasets),
        "judgements": sum(dataset.get("judgements") or 0 for dataset in datasets),
        "rows": [
            _row(means, intervals, [dataset["results"][number] for dataset in datasets])
            for number, (means, intervals) in enumerate(
                zip(overall["means"], overall["intervals"], strict=True)
            )
        ],
        "comparisons": overall.get("comparisons") or {},
        "groups": overall.get("groups") or {},
        "detectable": overall.get("detectable") or {},
        "detectable_adjusted": overall.get("detectable_adjusted") or {},
    }


def _row(means: Any, intervals: Any, results: list[dict[str, Any]]) -> dict[str, Any]:
    if means is None:
        errors = [result["error"] for result in results if "error" in result]
        return {"error": errors[0] if errors else "it has no result on some data set"}
    return {
        "means": means,
        "intervals": intervals or {},
        "cost": cost_over_all([result.get("cost") or {} for result in results]),
        "recall": _recall([result.get("recall") for result in results]),
        "judged": _combined([result.get("judged") for result in results], _mean),
    }


def cost_over_all(costs: list[dict[str, Any]]) -> dict[str, Any]:
    """Sums of seconds, bytes and counts, means of latencies, the largest peak of memory; null where one lacks it."""
    latencies = [cost.get("latency_ms") or {} for cost in costs]
    return {
        **{key: _combined([cost.get(key) for cost in costs], sum) for key in _SUMMED},
        "peak_memory_bytes": _combined([cost.get("peak_memory_bytes") for cost in costs], max),
        "latency_ms": {
            key: _combined([latency.get(key) for latency in latencies], _mean)
            for key in ("p50", "p95", "p99")
        },
    }


def _recall(curves: list[dict[str, Any] | None]) -> dict[str, Any] | None:
    known = [curve for curve in curves if curve]
    if len(known) < len(curves) or any(curve["k"] != known[0]["k"] for curve in known):
        return None
    return {
        "k": known[0]["k"],
        "values": [_mean(values) for values in zip(*(curve["values"] for curve in known), strict=True)],
    }


def _combined(values: list[Any], how: Callable[[list[Any]], float]) -> float | None:
    return None if None in values else how(values)


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)
