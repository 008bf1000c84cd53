"""The data of the page, cut into blocks of JSON, so that a browser parses only what is looked at.

summary            the views, see views.py: everything but single queries; parsed when the page opens
queries-D          of dataset D: ids, texts and relevant documents of its queries, in columns
values-D           {measure: [one list per system, or null]}
hits-D-S           of system S: for each query its first hits, [document, score, start, end, passage or -1]
texts-D-B          documents D[256 B .. 256 B + 255], each [id, text]
passages-D-B       the same for the passages that hits point to; equal passages are stored once
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ragembed.eval.page import script_json
from ragembed.eval.report.views import views

BLOCK = 256
"""Texts in a block: about 100 kB, which a browser parses in about a millisecond."""


def blocks(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and JSON of each block, the summary first. The JSON may stand inside a ``<script>`` element."""
    yield "summary", script_json(_summary(report))
    for number, dataset in enumerate(report["datasets"]):
        yield f"queries-{number}", script_json(_queries(dataset))
        yield f"values-{number}", script_json(_values(report["measures"], dataset["results"]))
        yield from _paged(
            f"texts-{number}", [[text["id"], text["text"]] for text in dataset.get("texts", [])]
        )
        passages: dict[str, int] = {}
        for system, result in enumerate(dataset["results"]):
            hits = [[_hit(hit, passages) for hit in found] for found in result.get("hits", [])]
            yield f"hits-{number}-{system}", script_json(hits)
        yield from _paged(f"passages-{number}", list(passages))


def _summary(report: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in report.items() if key not in ("datasets", "overall")}
    return {**kept, "block": BLOCK, "views": views(report)}


def _queries(dataset: dict[str, Any]) -> dict[str, Any]:
    return {key: [query[key] for query in dataset["queries"]] for key in ("id", "text", "relevant")}


def _values(measures: list[str], results: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        measure: [
            [_short(value, 5) for value in result["per_query"][measure]]
            if measure in result.get("per_query", {})
            else None
            for result in results
        ]
        for measure in measures
    }


def _hit(hit: list[Any], passages: dict[str, int]) -> list[Any]:
    document, score, start, end, passage = hit
    place = -1 if passage is None else passages.setdefault(passage, len(passages))
    return [document, _significant(score), start, end, place]


def _paged(name: str, items: list[Any]) -> Iterator[tuple[str, str]]:
    for first in range(0, len(items), BLOCK):
        yield f"{name}-{first // BLOCK}", script_json(items[first : first + BLOCK])


def _short(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _significant(value: float | None) -> float | None:
    """Six significant digits: what a score of float32 has."""
    return value if value is None or not math.isfinite(value) else float(f"{value:.6g}")
