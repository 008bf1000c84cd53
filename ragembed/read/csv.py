"""CSV and TSV: the first row names the fields, every other is a document."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from ragembed.errors import ReadError
from ragembed.read.base import Failure, ReadOptions, Source
from ragembed.read.compose import scalar
from ragembed.read.encoding import decode
from ragembed.read.rows import ID_FIELDS, TEXT_FIELDS, Rows
from ragembed.types import Document

_DELIMITERS = ",;\t|"
_SAMPLE = 1 << 16
_SAMPLE_ROWS = 20
_LONGEST_FIELD = 2**31 - 1
"""Most that the csv module takes on every platform; the size of the file bounds it."""


def read_csv(source: Source, data: bytes, options: ReadOptions) -> Iterator[Document | Failure]:
    """One document per row after the first; a broken row is a failure, and the others go on."""
    decoded = decode(data, options.encoding)
    text, rows = decoded.text, Rows(source, options, "csv")
    dialect: dict[str, Any] = {"strict": True}
    first_line = 1
    if text[:4].lower() == "sep=" and "\n" in text[:8]:  # Excel's own way to tell the delimiter
        dialect["delimiter"] = text[4]
        text, first_line = text[text.find("\n") + 1 :], 2
    else:
        dialect["delimiter"] = _delimiter(text[:_SAMPLE], source.id)
    if dialect["delimiter"] == "\t" and not _quotes(text[:_SAMPLE]):
        dialect["quoting"] = csv.QUOTE_NONE
    header: list[str] | None = None
    number = 0
    for line, row in _rows(text, dialect):
        line += first_line - 1
        if isinstance(row, str):
            yield rows.failure(line, f"row is broken ({row}); mend it")
        elif header is None:
            header = _header(row)
        elif any(row):
            number += 1
            if len(row) > len(header):
                fault = f"row has {len(row)} fields, the header {len(header)}"
                yield rows.failure(line, f"{fault}; mend its quotes or the header")
            else:
                yield rows.document(_fields(header, row, options), line, number, **decoded.metadata)


def _rows(text: str, dialect: dict[str, Any]) -> Iterator[tuple[int, list[str] | str]]:
    """Rows with the line in which each begins, or what is wrong with them."""
    csv.field_size_limit(_LONGEST_FIELD)  # the module has one limit, which is far below what a text may be
    reader = csv.reader(_physical_lines(text), **dialect)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, str(error)
            continue
        yield line, row


def _physical_lines(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _header(row: list[str]) -> list[str]:
    names: list[str] = []
    for number, name in enumerate(row, start=1):
        name = name.strip() or f"column_{number}"
        names.append(name if name not in names else f"{name}_{number}")
    if not names:
        raise ReadError("file's first row names no fields", "begin it with a row of names")
    return names


def _fields(header: list[str], row: list[str], options: ReadOptions) -> dict[str, Any]:
    """A row by name: empty values left out, numbers as numbers but where they are id or text."""
    plain = {name.casefold() for name in (*TEXT_FIELDS, *ID_FIELDS, "title", *options.text_fields)}
    plain.update(name.casefold() for name in (options.id_field, options.title_field) if name)
    known = any(name.casefold() in plain - {"title", "_id", "id"} for name in header)
    return {
        name: value if not known or name.casefold() in plain else scalar(value)
        for name, value in zip(header, row, strict=False)
        if value or name.casefold() in plain
    }


def _delimiter(sample: str, name: str) -> str:
    """The delimiter that gives all of the first rows the same number of fields; in doubt a comma."""
    if name.lower().endswith((".tsv", ".tab")):
        return "\t"
    widths: dict[str, int] = {}
    for delimiter in _DELIMITERS:
        rows = []
        for _, row in _rows(sample, {"delimiter": delimiter}):
            if isinstance(row, list) and row:
                rows.append(len(row))
            if len(rows) > _SAMPLE_ROWS:
                break
        rows = rows[:_SAMPLE_ROWS] if len(rows) > 1 else rows * 2
        complete = rows[:-1] if len(sample) == _SAMPLE else rows
        if complete and complete[0] > 1 and len(set(complete)) == 1:
            widths[delimiter] = complete[0]
    if "," in widths or not widths:
        return ","
    return max(widths, key=lambda delimiter: widths[delimiter])


def _quotes(sample: str) -> bool:
    """Whether quotes in tab-separated text enclose fields, as Excel writes them, or are just characters."""
    found = False
    for line in sample.split("\n")[:1000]:
        fields = line.rstrip("\r").split("\t")
        opening = sum(field.startswith('"') for field in fields)
        if opening != sum(field.endswith('"') and len(field) > 1 for field in fields):
            return False
        found = found or opening > 0
    return found
