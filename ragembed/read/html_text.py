"""HTML elements to text: blocks on lines of their own, headings noted, code kept as it is.

All walks are iterative, since elements can nest deeper than Python's stack.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ragembed.read.compose import Composer

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_PARAGRAPHS = frozenset(
    {
        "p", "ul", "ol", "dl", "blockquote", "table", "figure", "section", "article", "hr", "pre",
    }
)  # fmt: skip
_LINES = frozenset(
    {
        "address", "aside", "body", "caption", "center", "dd", "details", "div", "dt", "fieldset",
        "figcaption", "footer", "form", "header", "hgroup", "li", "main", "nav", "summary", "tbody",
        "td", "tfoot", "th", "thead", "tr",
    }
)  # fmt: skip
_UNFIT_FOR_CELLS = frozenset({"table", "pre", "h1", "h2", "h3", "h4", "h5", "h6"})
_SPACE = re.compile(r"[ \t\n\r\f\xa0]+")
_INVISIBLE = re.compile("[\xad\u200b\u2060\ufeff]")
_CELL = " | "

Skip = Callable[["LexborNode"], bool]


def walk_tree(root: LexborNode, skip: Skip) -> Iterator[tuple[LexborNode, bool]]:
    """Nodes from `root` down: ``(node, True)`` on the way in, ``(element, False)`` on the way out."""
    node: LexborNode | None = root
    depth = 0
    while node is not None:
        is_element = node.is_element_node
        entered = not is_element or not skip(node) or depth == 0
        if entered:
            yield node, True
            child = node.child if is_element else None
            if child is not None:
                node = child
                depth += 1
                continue
            if is_element:
                yield node, False
        while node is not None and depth and node.next is None:
            node = node.parent
            depth -= 1
            if node is not None:
                yield node, False
        if not depth or node is None:
            return
        node = node.next


def render(root: LexborNode, skip: Skip) -> Composer:
    """The text below `root` without what `skip` says."""
    writer = _Writer()
    for node, entering in walk_tree(root, skip):
        if not node.is_element_node:
            if node.is_text_node:
                writer.inline.append(node.text_content or "")
        elif entering:
            writer.enter(node)
        else:
            writer.leave(node)
    writer.flush()
    return writer.composer


class _Writer:
    def __init__(self) -> None:
        self.composer = Composer()
        self.inline: list[str] = []
        """What belongs to the line in the making."""
        self._gap = 2
        self._bullet = ""
        self._lists = 0
        self._pre = 0
        self._cells: list[str] | None = None
        """Cells of the row in the making, of a table with data."""
        self._data_tables: list[bool] = []

    def enter(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag == "br":
            self._line_end()
        elif tag in HEADINGS or tag in _PARAGRAPHS:
            self._break(1 if tag in ("ul", "ol") and self._lists else 2)
        elif tag in _LINES:
            self._break(1)
        if tag in ("ul", "ol"):
            self._lists += 1
        elif tag == "li":
            self._bullet = "  " * (self._lists - 1) + "- "
        elif tag == "pre":
            self._pre += 1
        elif tag == "table":
            self._data_tables.append(self._cells is None and _holds_data(node))
        elif tag == "tr" and self._data_tables and self._data_tables[-1]:
            self._cells = []

    def leave(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag in HEADINGS:
            self.flush(HEADINGS[tag])
            self._gap = 2
        elif tag == "pre":
            self.flush()
            self._pre -= 1
            self._gap = 2
        elif tag in ("td", "th") and self._cells is not None:
            self._cells.append(self._take())
        elif tag == "tr" and self._cells is not None:
            cells, self._cells = self._cells, None
            if any(cells):
                self._write(_CELL.join(cells))
        elif tag in _PARAGRAPHS:
            self._break(2)
        elif tag in _LINES:
            self._break(1)
        if tag in ("ul", "ol"):
            self._lists -= 1
        elif tag == "table":
            self._data_tables.pop()

    def flush(self, level: int = 0) -> None:
        """Write what is in the making, as a heading where it has a level."""
        text = self._take()
        if text and level:
            self.composer.heading(level, text, self._gap)
            self._bullet = ""
        elif text:
            self._write(text)

    def _line_end(self) -> None:
        """``<br>``: two in a row part paragraphs."""
        if self._pre:
            self.inline.append("\n")
            return
        if self._cells is not None:
            self.inline.append(" ")
            return
        before = self.composer.length
        self.flush()
        self._gap = 1 if self.composer.length > before else 2

    def _break(self, gap: int) -> None:
        """A block begins or ends here: at least `gap` line ends before what follows."""
        if self._pre:
            return
        if self._cells is not None:
            self.inline.append(" ")  # a block within a cell stays in its row
            return
        self.flush()
        self._gap = max(self._gap, gap)

    def _write(self, text: str) -> None:
        self.composer.add(self._bullet + text, self._gap)
        self._gap, self._bullet = 1, ""

    def _take(self) -> str:
        text = _INVISIBLE.sub("", "".join(self.inline))
        self.inline.clear()
        if self._pre and self._cells is None:
            return text.strip("\r\n").rstrip()
        return _SPACE.sub(" ", text).strip(" ")


def _holds_data(table: LexborNode) -> bool:
    """Whether a table is one of data; others only arrange blocks, and so does one that holds code."""
    if (table.attributes.get("role") or "") in ("presentation", "none"):
        return False
    widest = 0
    for node in table.traverse(include_text=False):
        if node.tag in _UNFIT_FOR_CELLS and node.mem_id != table.mem_id:
            return False
        if node.tag == "tr":
            widest = max(widest, sum(1 for cell in node.iter() if cell.tag in ("td", "th")))
    return widest > 1
