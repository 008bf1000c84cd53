"""PPTX: slide by slide, titles as headings, tables row by row, then the speaker's notes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

from ragembed.extras import require
from ragembed.read.base import Failure, ReadOptions, Source
from ragembed.read.compose import Composer, first_title, given_title, one_line
from ragembed.read.container import open_container
from ragembed.read.docx import isoformat
from ragembed.types import Document


def read_pptx(source: Source, data: bytes, options: ReadOptions) -> Iterator[Document | Failure]:
    """One document, whose pages are the slides."""
    pptx = require("pptx", "files", "reading PPTX")
    open_container(data, "pptx", options).close()
    presentation = pptx.Presentation(io.BytesIO(data))
    composer = Composer()
    for slide in presentation.slides:
        composer.page()
        title = slide.shapes.title
        if title is not None and (words := one_line(title.text_frame.text)):
            composer.heading(1, words)
        skip = None if title is None else title.shape_id
        for text in _texts(shape for shape in slide.shapes if shape.shape_id != skip):
            composer.add(text)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            notes = _lines(slide.notes_slide.notes_text_frame.text)
            if notes:
                composer.add(notes)
    about = presentation.core_properties
    yield composer.document(
        source,
        "pptx",
        title=given_title(about.title) or first_title(composer.headings, composer.text),
        authors=[about.author] if about.author else None,
        created=isoformat(about.created),
    )


def _texts(shapes: Iterable[Any]) -> Iterator[str]:
    """Text of shapes in their order, those within groups too."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _texts(shape.shapes)
        elif getattr(shape, "has_table", False):
            rows = [[one_line(cell.text) for cell in row.cells] for row in shape.table.rows]
            table = "\n".join(" | ".join(row) for row in rows if any(row))
            if table:
                yield table
        elif shape.has_text_frame and (text := _lines(shape.text_frame.text)):
            yield text


def _lines(text: str) -> str:
    """`text` with its soft line breaks as line ends, without empty lines."""
    lines = (line.strip() for line in text.replace("\v", "\n").split("\n"))
    return "\n".join(line for line in lines if line)
