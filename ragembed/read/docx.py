"""DOCX: paragraphs, lists and tables in the order of the document, headings by their styles."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ragembed.extras import require
from ragembed.read.base import Failure, ReadOptions, Source
from ragembed.read.compose import Composer, first_title, given_title, one_line
from ragembed.read.container import open_container
from ragembed.types import Document

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_HEADING = re.compile(r"heading (\d)$", re.IGNORECASE)
_BREAKS = {f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}tab": "\t", f"{_W}noBreakHyphen": "-"}
_WRAPPERS = (f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}customXml")
_CONTENTS = "Table of Contents"


def read_docx(source: Source, data: bytes, options: ReadOptions) -> Iterator[Document | Failure]:
    """One document; a row of a table is a line, its cells parted by `` | ``."""
    docx = require("docx", "files", "reading DOCX")
    open_container(data, "docx", options).close()
    document = docx.Document(io.BytesIO(data))
    composer = Composer()
    title = _Body(composer, _styles(document)).write(document.element.body)
    about = document.core_properties
    yield composer.document(
        source,
        "docx",
        title=given_title(about.title) or title or first_title(composer.headings, composer.text),
        authors=[about.author] if about.author and about.author != "python-docx" else None,
        created=isoformat(about.created),
    )


def isoformat(moment: datetime | None) -> str | None:
    """A date as ISO 8601."""
    return None if moment is None else moment.isoformat()


def _styles(document: Any) -> dict[str, tuple[str, int]]:
    """Name and heading level (0: none) of every paragraph style, by id."""
    found: dict[str, tuple[str, int]] = {}
    for style in document.styles.element.iterfind(f"{_W}style"):
        name = style.find(f"{_W}name")
        name = "" if name is None else name.get(f"{_W}val", "")
        match = _HEADING.match(name)
        outline = style.find(f"{_W}pPr/{_W}outlineLvl")
        level = int(match[1]) if match else 0 if outline is None else int(outline.get(f"{_W}val", "9")) + 1
        found[style.get(f"{_W}styleId", "")] = (name.lower(), level if level <= 9 else 0)
    return found


class _Body:
    """Writes the blocks of a document's body.

    Works on the XML, because python-docx passes over content controls, tracked insertions and text boxes.
    """

    def __init__(self, composer: Composer, styles: dict[str, tuple[str, int]]) -> None:
        self.composer = composer
        self.styles = styles
        self.title: str | None = None
        self._in_list = False

    def write(self, body: Any) -> str | None:
        """Write all blocks; gives the text of the paragraph styled as title, if any."""
        for block in _blocks(body):
            if block.tag == f"{_W}p":
                self._paragraph(block)
            else:
                rows = [row for row in map(_row, _children(block, f"{_W}tr")) if row]
                if rows:
                    self.composer.add("\n".join(rows))
                self._in_list = False
        return self.title

    def _paragraph(self, paragraph: Any) -> None:
        text = _text(paragraph).strip()
        if not text:
            return
        properties = paragraph.find(f"{_W}pPr")
        style = None if properties is None else properties.find(f"{_W}pStyle")
        name, level = self.styles.get("" if style is None else style.get(f"{_W}val", ""), ("", 0))
        numbered = properties is not None and properties.find(f"{_W}numPr") is not None
        listed = numbered or name.startswith("list")
        if name == "title":
            self.title, level = self.title or one_line(text), 1
        if level:
            self.composer.heading(level, one_line(text))
        elif listed:
            self.composer.add(f"- {text}", 1 if self._in_list else 2)
        else:
            self.composer.add(text)
        self._in_list = listed and not level


def _blocks(parent: Any) -> Iterator[Any]:
    """Paragraphs and tables in order, those in content controls too, but no table of contents."""
    for child in parent:
        if child.tag in (f"{_W}p", f"{_W}tbl"):
            yield child
        elif child.tag in _WRAPPERS:
            gallery = child.find(f"{_W}sdtPr/{_W}docPartObj/{_W}docPartGallery")
            if gallery is None or gallery.get(f"{_W}val") != _CONTENTS:
                yield from _blocks(child)


def _children(parent: Any, tag: str) -> Iterator[Any]:
    """Rows of a table or cells of a row, those in content controls too, those of nested tables not."""
    for child in parent:
        if child.tag == tag:
            yield child
        elif child.tag in _WRAPPERS:
            yield from _children(child, tag)


def _row(row: Any) -> str:
    cells = [one_line(" ".join(map(_text, cell.iter(f"{_W}p")))) for cell in _children(row, f"{_W}tc")]
    return " | ".join(cells) if any(cells) else ""


def _text(paragraph: Any) -> str:
    """The words of a paragraph: those of links and insertions too, not those of deletions."""
    parts: list[str] = []
    stack = [paragraph]
    while stack:
        element = stack.pop()
        if element.tag == f"{_W}t":
            parts.append(element.text or "")
        elif element.tag in _BREAKS:
            parts.append(_BREAKS[element.tag])
        elif element.tag not in (_FALLBACK, f"{_W}del", f"{_W}pPr", f"{_W}rPr", f"{_W}moveFrom"):
            if element.tag == f"{_W}p" and element is not paragraph:
                parts.append("\n")  # a paragraph of a text box
            stack.extend(reversed(element))
    return "".join(parts)
