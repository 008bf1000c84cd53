"""The page: template, style, scripts and data in one file that asks for nothing else.

Everything that comes from documents, queries or names is either escaped here or inserted by the scripts as text.
The Content-Security-Policy allows this very style and this very script, by their hashes, and no request at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from ragembed.eval.page import foreign, rendered
from ragembed.eval.report.payload import blocks
from ragembed.eval.report.text import facts

HERE = "ragembed.eval.report"
STYLES = ("base.css", "style.css")
SCRIPTS = (
    "dom.js",
    "numbers.js",
    "data.js",
    "state.js",
    "scales.js",
    "marks.js",
    "figure.js",
    "axes.js",
    "labels.js",
    "table.js",
    "cost.js",
    "leaderboard.js",
    "pareto.js",
    "pairs.js",
    "recall.js",
    "scores.js",
    "queries.js",
    "difference.js",
    "search.js",
    "highlight.js",
    "drilldown.js",
    "app.js",
)
"""In the order in which they are joined: each uses only what stands before it, but for calls made later."""


def render_html(report: dict[str, Any]) -> str:
    """The whole page."""
    summary, *details = (
        f'<script type="application/json" id="data-{name}">{content}</script>'
        for name, content in blocks(report)
    )
    advice = report.get("recommendation") or {}
    return rendered(
        HERE,
        [(HERE, name) for name in STYLES],
        [(HERE, name) for name in SCRIPTS],
        report.get("title") or "Comparison",
        headline=foreign(advice.get("headline") or report.get("title") or "Comparison"),
        reasons=_list(advice.get("reasons") or [], "No reasons are given."),
        doubts=_list(advice.get("doubts") or [], "None that the numbers show."),
        facts="".join(
            f"<div><dt>{escape(word)}</dt><dd>{foreign(value)}</dd></div>" for word, value in facts(report)
        ),
        summary=summary,
        details="\n".join(details),
    )


def _list(items: Iterable[str], otherwise: str) -> str:
    lines = [f"<li>{foreign(item)}</li>" for item in items]
    return "\n".join(lines) if lines else f"<li>{otherwise}</li>"
