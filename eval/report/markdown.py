"""The report in short, for a pull request or a wiki: recommendation, leaderboards, significant pairs, doubts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from ragembed.eval.page import storable
from ragembed.eval.report.text import (
    MISSING,
    decimals,
    duration,
    facts,
    interval,
    labels,
    probability,
    size,
)

_MARKUP = re.compile(r"([\\`*_\[\]<>#|~&$]|(?<!\w)@(?=\w))")  # an @ only where it would call somebody
_LIST_ITEM = re.compile(r"^(\d*)([-+.)])")


def render_markdown(report: dict[str, Any]) -> str:
    """The whole file, in GitHub's Markdown."""
    advice = report.get("recommendation") or {}
    parts = [
        f"# {plain(report.get('title') or 'Comparison')}",
        f"**{plain(advice['headline'])}**" if advice.get("headline") else "",
        _bullets(advice.get("reasons") or []),
        "## Doubts" if advice.get("doubts") else "",
        _bullets(advice.get("doubts") or []),
        *_overall(report),
    ]
    for label, dataset in zip(labels(report), report["datasets"], strict=True):
        parts += _dataset(report, label, dataset)
    parts += [
        "## How it was made",
        _bullets([f"{word}: {value}" for word, value in facts(report)]),
        _fenced(json.dumps(report.get("config") or {}, ensure_ascii=False, indent=2)),
        f"Intervals hold {_percent(report['confidence'])} and come from a paired bootstrap over queries; p values from"
        " a paired randomisation test, corrected for all pairs by Holm's method. Systems that share a letter do not"
        " differ significantly. The page report.html beside this file shows every query.",
    ]
    return storable("\n\n".join(part for part in parts if part))


def plain(text: str) -> str:
    """`text` on one line, with everything that Markdown or HTML would read as markup escaped."""
    escaped = _MARKUP.sub(r"\\\1", " ".join(text.split()))
    return _LIST_ITEM.sub(r"\1\\\2", escaped).replace("://", ":\u200b//")  # no automatic links


def _bullets(items: Sequence[str]) -> str:
    return "\n".join(f"- {plain(item)}" for item in items)


def _fenced(text: str) -> str:
    longest = max((len(ticks) for ticks in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}json\n{text}\n{fence}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    aligned = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, aligned, *rows))


def _overall(report: dict[str, Any]) -> list[str]:
    overall = report.get("overall")
    if not overall:
        return []
    rows = [
        None if means is None else {"means": means, "intervals": overall["intervals"][number] or {}}
        for number, means in enumerate(overall["means"])
    ]
    return [
        f"## Over all {len(report['datasets'])} data sets",
        "Means over data sets, each counting the same.",
        _leaderboard(report, rows, overall.get("groups") or {}, cost=False),
        *_pairs(report, overall),
    ]


def _dataset(report: dict[str, Any], label: str, dataset: dict[str, Any]) -> list[str]:
    rows = [None if "error" in result else result for result in dataset["results"]]
    seen = (dataset.get("detectable") or {}).get(report["primary"])
    failed = [
        f"{report['systems'][number]['name']} failed: {result['error']}"
        for number, result in enumerate(dataset["results"])
        if "error" in result
    ]
    sizes = f"{dataset.get('documents') or 0:,} documents, {len(dataset['queries']):,} queries."
    visible = (
        ""
        if seen is None
        else f" Differences under {decimals(seen)} in {plain(report['primary'])} are not seen."
    )
    return [
        f"## {plain(label)}",
        sizes + visible,
        _leaderboard(report, rows, dataset.get("groups") or {}, cost=True),
        _bullets(failed),
        *_pairs(report, dataset),
    ]


def _leaderboard(
    report: dict[str, Any], rows: Sequence[dict[str, Any] | None], groups: dict[str, list[str]], *, cost: bool
) -> str:
    primary = report["primary"]
    measures = [primary, *(measure for measure in report["measures"] if measure != primary)]
    letters = groups.get(primary) or [""] * len(rows)
    best = sorted(
        ((number, row) for number, row in enumerate(rows) if row is not None),
        key=lambda item: -(item[1]["means"].get(primary) or 0.0),
    )
    heads = ["system", plain(primary), "group", *map(plain, measures[1:])]
    if cost:
        heads += ["indexing", "p50", "p95", "vectors", "peak memory", "cut off"]
    lines = [
        [
            plain(report["systems"][number]["name"]),
            _cell(row, primary),
            letters[number],
            *(_cell(row, measure) for measure in measures[1:]),
            *(_cost(row.get("cost") or {}) if cost else []),
        ]
        for number, row in best
    ]
    return _table(heads, lines)


def _cell(row: dict[str, Any], measure: str) -> str:
    bounds = interval((row.get("intervals") or {}).get(measure))
    return decimals(row["means"].get(measure)) + (f" ({bounds})" if bounds else "")


def _cost(cost: dict[str, Any]) -> list[str]:
    latency = cost.get("latency_ms") or {}
    p50, p95 = (latency.get(key) for key in ("p50", "p95"))
    truncated = cost.get("truncated_chunks")
    return [
        duration(cost.get("index_seconds")),
        duration(None if p50 is None else p50 / 1000),
        duration(None if p95 is None else p95 / 1000),
        size(cost.get("vector_bytes")),
        size(cost.get("peak_memory_bytes")),
        MISSING if truncated is None else f"{truncated:,}",
    ]


def _pairs(report: dict[str, Any], place: dict[str, Any]) -> list[str]:
    pairs = (place.get("comparisons") or {}).get(report["primary"]) or []
    alpha = round(1 - report["confidence"], 9)  # 1 - 0.95 is a little more than 0.05
    real = sorted(
        (pair for pair in pairs if _significant(pair, alpha)),
        key=lambda pair: -abs(pair["difference"]),
    )
    if not pairs:
        return []
    summary = f"{len(real)} of {len(pairs)} pairs differ significantly in {plain(report['primary'])}."
    heads = ["better", "worse", "difference", "p (Holm)", "effect"]
    return [summary, _table(heads, [_pair(report, pair) for pair in real])] if real else [summary]


def _significant(pair: dict[str, Any], alpha: float) -> bool:
    p = pair.get("p_holm")
    return bool(pair.get("significant", p is not None and p < alpha))


def _pair(report: dict[str, Any], pair: dict[str, Any]) -> list[str]:
    better, worse = (pair["a"], pair["b"]) if pair["difference"] >= 0 else (pair["b"], pair["a"])
    bounds = [pair["low"], pair["high"]] if pair.get("low") is not None else None
    if bounds and pair["difference"] < 0:
        bounds = [-bounds[1], -bounds[0]]
    return [
        plain(report["systems"][better]["name"]),
        plain(report["systems"][worse]["name"]),
        decimals(abs(pair["difference"])) + (f" ({interval(bounds)})" if bounds else ""),
        probability(pair["p_holm"]),
        decimals(abs(pair["effect"]) if pair.get("effect") is not None else None, 2),
    ]
