"""reStructuredText: text as it is, with its section titles."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ragembed.read.base import Failure, ReadOptions, Source
from ragembed.read.compose import Heading, make_document, one_line
from ragembed.read.encoding import decode
from ragembed.types import Document

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1*\s*")
"""A line of one repeated punctuation mark."""
_SHORTEST = 4
"""An underline this long is one even below a longer title (docutils)."""
_ROLE = re.compile(r":[\w.+:-]+:`([^`]*)`")
_TARGET = re.compile(r"\s*<[^<>]*>$")
_MARKUP = re.compile(r"`([^`]*)`_{0,2}|\*{1,2}(\S(?:[^*]*\S)?)\*{1,2}|\|([^|]+)\|")


def read_rst(source: Source, data: bytes, options: ReadOptions) -> Iterator[Document | Failure]:
    """One document, its text that of the file."""
    decoded = decode(data, options.encoding)
    headings = find_headings(decoded.text)
    title = headings[0][2] if headings else None
    yield make_document(
        source, decoded.text, "rst", title=title, first_line=1, headings=headings, **decoded.metadata
    )


def find_headings(text: str) -> list[Heading]:
    """Section titles: a line with an adornment below, or below and above; levels by order of appearance."""
    headings: list[Heading] = []
    styles: list[tuple[str, bool]] = []
    above, before = "", ""
    at = above_start = before_start = 0
    while at <= len(text):
        end = text.find("\n", at)
        end = len(text) if end == -1 else end
        line = text[at:end].rstrip()
        mark = _underline(line, above)
        if mark:
            overlined = before[:1] == mark and len(before) >= _SHORTEST and bool(_ADORNMENT.fullmatch(before))
            alone = not before.strip() and not above[:1].isspace()
            if overlined or alone:
                start = before_start if overlined else above_start
                style = (mark, overlined)
                if style not in styles:
                    styles.append(style)
                headings.append([start, styles.index(style) + 1, _plain(above)])
                line = ""  # an underline is no overline of the next title
        before, before_start = above, above_start
        above, above_start = line, at
        at = end + 1
    return headings


def _underline(line: str, title: str) -> str:
    """The mark of `line` where it can stand below `title`, else nothing."""
    if not _ADORNMENT.fullmatch(line) or not title.strip() or _ADORNMENT.fullmatch(title):
        return ""
    return line[0] if len(line) >= min(_SHORTEST, len(title.strip())) else ""


def _plain(title: str) -> str:
    """A title's words without roles, targets and emphasis."""
    title = _ROLE.sub(lambda match: _TARGET.sub("", match[1]).removeprefix("~"), title.strip())
    return one_line(_MARKUP.sub(lambda match: _TARGET.sub("", match[1] or match[2] or match[3] or ""), title))
