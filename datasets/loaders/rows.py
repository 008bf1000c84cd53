"""Documents and queries as rows of JSON Lines or of tab-separated text, which several formats share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ragembed.datasets.base import Place
from ragembed.errors import DatasetError
from ragembed.lines import read_lines
from ragembed.types import Document

ID_FIELDS = ("_id", "id", "docid", "doc_id", "docno", "query_id", "qid")
TEXT_FIELDS = ("text", "contents", "content", "body", "query")

Row = Mapping[str, Any]


def json_rows(path: Path) -> Iterator[tuple[Place, Row]]:
    """The objects of a JSON Lines file; blank lines are skipped."""
    for number, line in read_lines(path):
        if not line.strip():
            continue
        place = Place(path, number)
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DatasetError(
                f"{place} is no JSON ({error})", "write one JSON object on each line"
            ) from error
        if not isinstance(row, dict):
            raise DatasetError(
                f"{place} is a JSON {type(row).__name__}", "write one JSON object on each line"
            )
        yield place, row


def json_documents(path: Path) -> Iterator[tuple[Place, Document]]:
    """The documents of a JSON Lines file. A document's text is ``(title + " " + text).strip()``.

    The title and what lies under ``metadata`` become the document's metadata.
    """
    for place, row in json_rows(path):
        title = row.get("title") or ""
        if not isinstance(title, str):
            raise DatasetError(f"{place}: the title is no string but {title!r}", "quote it")
        extra = row.get("metadata")
        metadata = dict(extra) if isinstance(extra, dict) else {}
        if title:
            metadata["title"] = title
        yield place, Document(row_id(place, row), f"{title} {row_text(place, row)}".strip(), metadata)


def json_queries(path: Path) -> Iterator[tuple[Place, str, str]]:
    """Place, id and text of the queries of a JSON Lines file."""
    for place, row in json_rows(path):
        yield place, row_id(place, row), row_text(place, row)


def tsv_rows(path: Path) -> Iterator[tuple[Place, str, str]]:
    """Place, id and text of the lines ``id<TAB>text``; blank lines are skipped."""
    for number, line in read_lines(path):
        if not line.strip():
            continue
        name, tab, text = line.partition("\t")
        place = Place(path, number)
        if not tab or not name.strip():
            raise DatasetError(f"{place} has no id and tab before its text", "write id<TAB>text on each line")
        yield place, name.strip(), text.strip()


def row_id(place: Place, row: Row, names: Sequence[str] = ID_FIELDS, what: str = "id") -> str:
    """The id of a row, a non-empty string or a whole number, under one of `names`; `what` it is, for errors."""
    value = _first(place, row, names, what)
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise DatasetError(f"{place}: {value!r} is no id", "write a string that is not empty")


def row_text(place: Place, row: Row, names: Sequence[str] = TEXT_FIELDS) -> str:
    """The text of a row, under one of `names`."""
    value = _first(place, row, names, "text")
    if not isinstance(value, str):
        raise DatasetError(f"{place}: the text is no string but {value!r}", "quote it")
    return value


def _first(place: Place, row: Row, names: Sequence[str], what: str) -> Any:
    for name in names:
        if name in row:
            return row[name]
    there = ", ".join(row) or "nothing"
    raise DatasetError(f"{place} has no {what}, but {there}", f"name the field one of: {', '.join(names)}")
