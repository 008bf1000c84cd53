"""The page of a query and a passage: template, style, scripts and data in one file that asks for nothing else."""

from __future__ import annotations

from ragembed.eval.page import foreign, rendered, script_json, visible
from ragembed.eval.tokens.payload import payload
from ragembed.explain.tokens import Compared

HERE = "ragembed.eval.tokens"
SHARED = "ragembed.eval.report"
STYLES = ((SHARED, "base.css"), (HERE, "tokens.css"))
SCRIPTS = (
    (SHARED, "dom.js"),
    (SHARED, "numbers.js"),
    (HERE, "data.js"),
    (HERE, "text.js"),
    (HERE, "matrix.js"),
    (HERE, "answer.js"),
    (HERE, "attention.js"),
    (HERE, "app.js"),
)
"""In the order in which they are joined: each uses only what stands before it, but for calls made later."""
_TITLE = 80
"""Characters of the query in the page's title."""


def render_tokens(compared: Compared, title: str = "") -> str:
    """The whole page; `title` says where the passage stands."""
    asked = visible(compared.query.text[compared.query.prompt :])
    short = asked if len(asked) <= _TITLE else f"{asked[:_TITLE]}…"
    return rendered(
        HERE,
        STYLES,
        SCRIPTS,
        f"Which words answer “{short}”",
        query=foreign(short),
        where=foreign(visible(title)) if title else "",
        facts="".join(f"<div><dt>{word}</dt><dd>{fact}</dd></div>" for word, fact in _facts(compared)),
        data=script_json(payload(compared)),
    )


def _facts(compared: Compared) -> list[tuple[str, str]]:
    query, passage = compared.query, compared.passage
    layers, heads = passage.attention.shape[:2]
    read = f"{len(query.tokens):,} and {len(passage.tokens):,}"
    if passage.left_out:
        read += f" (of {len(passage.tokens) + passage.left_out:,})"
    return [
        ("score", f"{compared.score:.4f}".replace("-", "−")),
        ("embedder", foreign(visible(compared.embedder))),
        ("tokens of query and passage", read),
        ("layers, heads", f"{layers}, {heads}"),
    ]
