"""Markdown and MDX: the source's own lines, without front matter, comments and the tags of HTML and JSX."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from ragembed.read import frontmatter
from ragembed.read.base import Failure, ReadOptions, Source
from ragembed.read.compose import Heading, first_title, make_document, one_line, own_fields
from ragembed.read.encoding import decode
from ragembed.read.tags import strip_tags
from ragembed.types import Document

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_LINE_END = re.compile(r"\r\n?|\n")
"""What markdown-it takes for the end of a line; its token maps count these."""
_HTML_HEADING = re.compile(r"<h([1-6])(?=[\s>])[^>]{0,500}>(.{0,500}?)</h\1>", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(r"[\\`*_\[<&{]")
_ANCHOR = re.compile(r"\s*\{\s*(?:/\*\s*)?#[\w-]+(?:\s*\*/)?\s*\}\s*$")
"""``{#anchor}`` after a heading."""


def read_markdown(source: Source, data: bytes, options: ReadOptions) -> Iterator[Document | Failure]:
    """One document. Its lines are the file's: ``first_line`` and counted line ends give true lines."""
    decoded = decode(data, options.encoding)
    fields, start = frontmatter.split(decoded.text)
    text, headings = clean(decoded.text[start:], jsx=source.id.lower().endswith(".mdx"))
    given = fields.pop("title", None)
    title = one_line(str(given)) if given else None
    if title and not any(level == 1 for _, level, _ in headings):
        headings.insert(0, [0, 1, title])  # sites print the front matter's title as the first heading
    yield make_document(
        source,
        text,
        "markdown",
        **own_fields(fields)
        | {"title": title or first_title(headings, text), "headings": headings}
        | {"first_line": decoded.text.count("\n", 0, start) + 1}
        | decoded.metadata,
    )


def clean(text: str, jsx: bool = False) -> tuple[str, list[Heading]]:
    """`text` with comments, tags and (where `jsx`) module lines taken out, and its headings.

    Code is left as it is, and so is the number of lines.
    """
    tokens = _blocks(jsx).parse(text)
    starts = _line_starts(text)
    parts: list[str] = []
    at = 0
    for token in tokens:
        if token.type in ("fence", "code_block") and token.map:
            begin, end = (starts[min(line, len(starts) - 1)] for line in token.map)
            if begin >= at:
                parts += [strip_tags(text[at:begin], jsx), text[begin:end]]
                at = end
    parts.append(strip_tags(text[at:], jsx))
    cleaned = "".join(parts)
    starts = _line_starts(cleaned)
    headings: list[Heading] = []
    for token in tokens:
        if token.type == "html_block" and token.map:
            for match in _HTML_HEADING.finditer(token.content):
                line = token.map[0] + token.content.count("\n", 0, match.start())
                headings.append([starts[line], int(match[1]), one_line(strip_tags(match[2]))])
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open" and opening.map:
            start, end = (starts[min(line, len(starts) - 1)] for line in opening.map)
            title = _plain(strip_tags(inline.content, jsx))
            if cleaned[start:end].strip():
                headings.append([start, int(opening.tag[1:]), title])
    return cleaned, sorted(heading for heading in headings if heading[2])


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in _LINE_END.finditer(text)), len(text)]


def _plain(title: str) -> str:
    """A heading's words without their markup."""
    if not _MARKUP.search(title):
        return one_line(title)
    children = _inline().parseInline(_ANCHOR.sub("", title))[0].children or ()
    return one_line(
        "".join(" " if child.type in ("softbreak", "hardbreak") else child.content for child in children)
    )


@cache
def _blocks(jsx: bool) -> MarkdownIt:
    """A parser that finds blocks and leaves alone what is within them."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark")
    parser.core.ruler.disable(["inline"])
    return parser.disable(["code", "html_block"]) if jsx else parser  # as in MDX


@cache
def _inline() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")
