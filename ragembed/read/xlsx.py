"""XLSX: sheet by sheet under its name, row by row, cells parted by `` | ``, formulas by their last value."""

from __future__ import annotations

import datetime
import io
import warnings
from collections.abc import Iterator
from typing import Any

from ragembed.errors import LimitError
from ragembed.extras import require
from ragembed.read.base import Failure, ReadOptions, Source
from ragembed.read.compose import Composer, given_title, one_line
from ragembed.read.container import open_container
from ragembed.read.docx import isoformat
from ragembed.types import Document

_PROPERTIES = "docProps/core.xml"
_BYTES_PER_CELL = 50
"""About what an empty cell costs; so many times fewer cells than ``max_expanded`` are walked over."""


def read_xlsx(source: Source, data: bytes, options: ReadOptions) -> Iterator[Document | Failure]:
    """One document, whose pages are the sheets."""
    openpyxl = require("openpyxl", "files", "reading XLSX")
    require("defusedxml", "files", "reading XLSX")  # openpyxl then parses with it
    with open_container(data, "xlsx", options) as archive:
        dated = _PROPERTIES in archive.namelist() and b"created" in archive.read(_PROPERTIES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of extensions that do not concern the text
        workbook = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        try:
            composer = _sheets(workbook, options.max_expanded // _BYTES_PER_CELL)
        finally:
            workbook.close()
    about = workbook.properties
    yield composer.document(
        source,
        "xlsx",
        title=given_title(about.title),
        authors=[about.creator] if about.creator and about.creator != "openpyxl" else None,
        created=isoformat(about.created) if dated else None,  # openpyxl makes up a missing one
    )


def _sheets(workbook: Any, most_cells: int) -> Composer:
    composer = Composer()
    cells = 0
    for sheet in workbook.worksheets:
        composer.page()
        sheet.reset_dimensions()  # what the file says of them is often wrong
        lines = []
        for row in sheet.iter_rows(values_only=True):
            cells += len(row) + 1
            if cells > most_cells:
                fault = f"workbook spans more than {most_cells:,} cells, most of them empty"
                raise LimitError(fault, "delete the empty ones, or raise max_expanded")
            line = _line(row)
            if line:
                lines.append(line)
        if lines:
            composer.heading(1, one_line(sheet.title))
            composer.add("\n".join(lines))
    return composer


def _line(row: tuple[Any, ...]) -> str:
    """A row's values; empty cells keep their place between others."""
    values = [_shown(value) for value in row]
    while values and not values[-1]:
        values.pop()
    first = next((place for place, value in enumerate(values) if value), 0)
    return " | ".join(values[first:])


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "seconds")
    return one_line(str(value))
