"""The page: template, style, scripts and data in one file that asks for nothing else.

Everything that comes from documents, queries or names is either escaped here or inserted by the scripts as text.
The Content-Security-Policy allows this very style and this very script, by their hashes, and no request at all.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from importlib import resources
from string import Template
from typing import Any

from ragembed.eval.report.payload import blocks
from ragembed.eval.report.text import facts, storable

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
    style = _asset("style.css")
    script = "\n".join(_asset(name) for name in SCRIPTS)
    summary, *details = (
        f'<script type="application/json" id="data-{name}">{content}</script>'
        for name, content in blocks(report)
    )
    advice = report.get("recommendation") or {}
    page = Template(_asset("template.html")).substitute(
        policy=_policy(style, script),
        style=style,
        title=escape(report.get("title") or "Comparison"),
        headline=_foreign(advice.get("headline") or report.get("title") or "Comparison"),
        reasons=_list(advice.get("reasons") or [], "No reasons are given."),
        doubts=_list(advice.get("doubts") or [], "None that the numbers show."),
        facts="".join(
            f"<div><dt>{escape(word)}</dt><dd>{_foreign(value)}</dd></div>" for word, value in facts(report)
        ),
        summary=summary,
        script=script,
        details="\n".join(details),
    )
    return storable(page)


def _asset(name: str) -> str:
    return resources.files("ragembed.eval.report").joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _foreign(text: str) -> str:
    """`text` from outside, isolated, so that a right-to-left override in it ends with it."""
    return f'<bdi dir="auto">{escape(text)}</bdi>'


def _list(items: Iterable[str], otherwise: str) -> str:
    lines = [f"<li>{_foreign(item)}</li>" for item in items]
    return "\n".join(lines) if lines else f"<li>{otherwise}</li>"
