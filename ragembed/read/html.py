"""HTML: the page's main text, without navigation and other furniture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ragembed.read.base import Failure, ReadOptions, Source
from ragembed.read.compose import Composer, one_line
from ragembed.read.encoding import decode
from ragembed.read.html_parse import parse_html
from ragembed.read.html_text import HEADINGS, render, walk_tree
from ragembed.types import Document

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_CHARSET = re.compile(
    rb"""<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE
)
_GOOD_SHARE = 0.4
"""A ``main`` element with less of the page's text is not trusted to hold what matters."""
_MOST = 0.85
"""Without one, the innermost element that still holds this share of the text is taken."""
_FEW = 250
"""With less text outside of links than this, a page is its links and is taken as a whole."""
_FURNITURE_TAGS = frozenset(
    {
        "script", "style", "nav", "aside", "button", "svg", "noscript", "template", "iframe",
        "object", "canvas", "select", "input", "textarea", "dialog", "audio", "video", "map",
        "datalist", "head", "footer", "header",
    }
)  # fmt: skip
_FURNITURE_ROLES = frozenset(
    {
        "navigation", "banner", "contentinfo", "search", "complementary", "menu", "menubar",
    }
)  # fmt: skip
_FURNITURE_NAMES = frozenset(
    {
        "ad", "ads", "advertisement", "breadcrumb", "breadcrumbs", "cookie-banner",
        "cookie-consent", "copybtn", "copy-button", "edit-this-page", "footer", "headerlink",
        "hash-link", "linenodiv", "linenos", "lineno", "menu", "nav", "navbar", "navigation",
        "newsletter", "pagination", "pagination-nav", "prev-next", "related-posts", "share-buttons",
        "sidebar", "site-footer", "site-header", "skip-link", "skiplink", "social-share",
        "sphinxsidebar", "table-of-contents", "toc", "tocbar", "visually-hidden",
    }
)  # fmt: skip
"""Classes and ids of page furniture, taken as whole words only."""
_NOTES = frozenset(
    {
        "admonition", "callout", "note", "tip", "warning", "caution", "danger", "important", "info",
    }
)  # fmt: skip
_MAIN = ("main", "article", "[role=main]")
_CONTENT = "main, article, [role=main]"


def read_html(source: Source, data: bytes, options: ReadOptions) -> Iterator[Document | Failure]:
    """One document; headings are those within the text."""
    match = _CHARSET.search(data[:4096])
    decoded = decode(data, options.encoding, match[1].decode("ascii") if match else None)
    tree = parse_html(decoded.text, xml=decoded.text.lstrip().startswith("<?xml"))
    composer, title = main_text(tree)
    yield composer.document(source, "html", **_about(tree, title), **decoded.metadata)


def main_text(tree: LexborHTMLParser) -> tuple[Composer, str]:
    """The main text of a page, and its ``h1`` where it has just one."""
    body = tree.body or tree.root
    if body is None:
        return Composer(), ""
    page = _Page(body)
    composer = render(page.main(), page.is_furniture)
    tops = [title for _, level, title in composer.headings if level == 1]
    return composer, tops[0] if len(tops) == 1 else ""


def _about(tree: LexborHTMLParser, top: str) -> dict[str, Any]:
    """Title, language and the like; where the title adds the site's name to the page's ``h1``, that is it."""
    said = {
        (found.get("property") or found.get("name") or "").lower(): one_line(found.get("content") or "")
        for found in (meta.attributes for meta in tree.css("meta"))
    }
    element = tree.css_first("title")
    full = one_line(element.text()) if element is not None else ""
    within = not full or top.casefold() in full.casefold()
    title = top if top and within else said.get("og:title") or full or top
    root = tree.css_first("html")
    attributes = {} if root is None else root.attributes
    return {
        "title": title,
        "lang": attributes.get("lang") or attributes.get("xml:lang"),
        "description": said.get("description") or said.get("og:description"),
        "authors": [said["author"]] if said.get("author") else None,
        "created": said.get("article:published_time"),
    }


class _Page:
    """A page measured once: how much text each element holds, and what is furniture."""

    def __init__(self, body: LexborNode) -> None:
        self.body = body
        self._length = len(body.text())
        self._known: dict[int, bool] = {}
        self._around_content = _ancestors(body.css(_CONTENT))
        tops = body.css("h1")
        self._only_top = tops[0] if len(tops) == 1 else None
        self._around_top = _ancestors(tops[:1])
        self._words: dict[int, int] = {}
        """Characters of text outside of links, by element."""
        self._measure()

    def main(self) -> LexborNode:
        """The element to take the text from."""
        start = self.body
        total = self._words[start.mem_id]
        for name in _MAIN:
            sizes = [(self._words.get(node.mem_id, 0), node) for node in self.body.css(name)]
            largest = max(sizes, key=lambda pair: pair[0], default=(0, start))
            if largest[0] and largest[0] >= _GOOD_SHARE * total:
                start = largest[1]
                break
        return self._innermost(start)

    def is_furniture(self, node: LexborNode) -> bool:
        """Whether an element is not part of what the page says."""
        known = self._known.get(node.mem_id)
        if known is None:
            known = self._known[node.mem_id] = self._judge(node)
        return known

    def _judge(self, node: LexborNode) -> bool:
        tag = node.tag or ""
        if tag in ("body", "main", "article") or node.mem_id in self._around_content:
            return tag == "head"
        attributes = node.attributes
        role = (attributes.get("role") or "").lower()
        words = {*(attributes.get("class") or "").lower().split(), (attributes.get("id") or "").lower()}
        if tag == "aside" and (role == "note" or not _NOTES.isdisjoint(re.split("[-_ ]+", " ".join(words)))):
            return False
        if tag in _FURNITURE_TAGS:
            return not (tag == "header" and self._heads_content(node))
        if tag == "form":
            return len(node.text()) * 2 < self._length  # some servers wrap the whole page in a form
        if role in _FURNITURE_ROLES or not _FURNITURE_NAMES.isdisjoint(words):
            return True
        if role == "tabpanel":
            return False  # hidden only until its tab is chosen
        style = (attributes.get("style") or "").replace(" ", "").lower()
        return "hidden" in attributes or attributes.get("aria-hidden") == "true" or "display:none" in style

    def _heads_content(self, header: LexborNode) -> bool:
        """Whether a header belongs to the text: it lies within it, or holds the page's one ``h1``."""
        if header.mem_id in self._around_top and self._only_top is not None:
            return True
        parent = header.parent
        while parent is not None and parent.tag not in ("main", "article", "body"):
            parent = parent.parent
        return parent is not None and parent.tag != "body"

    def _measure(self) -> None:
        counts = [0]
        links = 0
        for node, entering in walk_tree(self.body, self.is_furniture):
            if not node.is_element_node:
                if not links and node.is_text_node:
                    counts[-1] += len((node.text_content or "").strip())
            elif entering:
                counts.append(0)
                links += node.tag == "a"
            else:
                links -= node.tag == "a"
                count = counts.pop()
                self._words[node.mem_id] = count
                counts[-1] += count

    def _innermost(self, start: LexborNode) -> LexborNode:
        """The innermost element that holds most of the text below `start`, and its first ``h1``."""
        words = self._words.get(start.mem_id, 0)
        least = _MOST * words
        has_top = start.mem_id in self._around_top
        while words >= _FEW:
            inner = None
            for child in start.iter():
                if self._words.get(child.mem_id, 0) >= least and child.tag not in _INDIVISIBLE:
                    inner = child
            if inner is None or (has_top and inner.mem_id not in self._around_top):
                break
            start = inner
        return start


_INDIVISIBLE = frozenset({"p", "pre", "table", "tbody", "tr", "ul", "ol", "dl", "blockquote", "a", *HEADINGS})
"""Elements that mean something themselves and are not taken apart."""


def _ancestors(nodes: list[LexborNode]) -> set[int]:
    """The elements around `nodes`, and `nodes` themselves."""
    found: set[int] = set()
    for node in nodes:
        at: LexborNode | None = node
        while at is not None and at.mem_id not in found:
            found.add(at.mem_id)
            at = at.parent
    return found
