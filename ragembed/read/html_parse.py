"""HTML and XHTML text to a tree, unless its nesting would make the parser quadratic."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ragembed.errors import LimitError

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

MAX_DEPTH = 5_000
"""Deepest nesting that is parsed; pages stay below 100."""
MAX_REOPENED = 2_000_000
"""Most elements that may come from reopening unclosed ``<b>``, ``<font>`` ... in every block after them."""
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_SELF_CLOSED = re.compile(r"<([A-Za-z][\w:.-]*)(\s[^<>]*?)?/>")
_VOID = frozenset(
    {
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param",
        "source", "track", "wbr",
    }
)  # fmt: skip
_CLOSED_BY_OTHERS = frozenset(
    {
        "p", "li", "dt", "dd", "option", "optgroup", "tr", "td", "th", "thead", "tbody", "tfoot",
        "rp", "rt", "html", "head", "body",
    }
)  # fmt: skip
_FORMATTING = frozenset(
    {
        "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt",
        "u",
    }
)  # fmt: skip


def parse_html(text: str, xml: bool = False) -> LexborHTMLParser:
    """The tree of `text`; where it is `xml`, ``<a/>`` is a whole element."""
    from selectolax.lexbor import LexborHTMLParser

    if xml:
        text = _SELF_CLOSED.sub(_closed, text)
    check_nesting(text)
    return LexborHTMLParser(text)


def check_nesting(text: str) -> None:
    """Raise `LimitError` where elements nest so deep, or are left open so often, that parsing takes ages."""
    depth = formatting = reopened = 0
    for closing, name in _TAG.findall(text):
        name = name.lower()
        if name in _VOID:
            continue
        step = -1 if closing else 1
        if name in _FORMATTING:
            formatting = max(0, formatting + step)
        elif not closing:
            reopened += formatting
        if name not in _CLOSED_BY_OTHERS:
            depth = max(0, depth + step)
        if depth > MAX_DEPTH or reopened > MAX_REOPENED:
            fault = f"HTML nests elements more than {MAX_DEPTH:,} deep, or leaves too many open"
            raise LimitError(fault, "mend its unclosed elements, or exclude it")


def _closed(match: re.Match[str]) -> str:
    name, attributes = match[1], match[2] or ""
    return match[0] if name.lower() in _VOID else f"<{name}{attributes}></{name}>"
