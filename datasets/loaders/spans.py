"""Reference spans as a file: ``spans.jsonl`` of a BEIR folder, by characters or by lines.

    {"query-id": "q1", "corpus-id": "d7", "start": 120, "end": 188}      characters, the end exclusive
    {"query-id": "q1", "corpus-id": "d7", "lines": [137, 150]}           lines from 0, the last one included

Both speak of the document's text as `Dataset.documents` gives it. A ``text``, where given, must be what stands
there. QMSum's rows (Zhong et al. 2021) are read as they are: ``qid``, ``doc``, and under ``turn_spans`` a list of
line ranges, a turn being a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ragembed.datasets.base import Place
from ragembed.datasets.references import Reference
from ragembed.datasets.rows import Row, json_rows, row_id
from ragembed.errors import DatasetError
from ragembed.lines import write_lines
from ragembed.types import SpanTruth

QUERY_FIELDS = ("query-id", "query_id", "qid")
DOCUMENT_FIELDS = ("corpus-id", "corpus_id", "document-id", "doc_id", "doc")
_FORM = 'write {"query-id": "q1", "corpus-id": "d7", "start": 120, "end": 188}'


def read_spans(path: Path) -> Iterator[Reference]:
    """The references of a file, checked as far as that goes without the documents.

    Raises `DatasetError` with the line for a row without ids or offsets, for offsets that are no whole numbers
    or hold nothing between them, and for a file without spans.
    """
    empty = True
    for place, row in json_rows(path):
        query = row_id(place, row, QUERY_FIELDS, "query id")
        document = row_id(place, row, DOCUMENT_FIELDS, "document id")
        text = row.get("text")
        if text is not None and not isinstance(text, str):
            raise DatasetError(f"{place}: the text is no string but {text!r}", "quote it")
        for start, end, lines in _ranges(place, row):
            empty = False
            yield Reference(place, query, document, start, end, lines, text)
    if empty:
        raise DatasetError(f"{path} holds no span", _FORM)


def write_spans(path: Path, spans: SpanTruth) -> None:
    """Write `spans` atomically, by characters, in the order given."""
    write_lines(
        path,
        (
            json.dumps(
                {"query-id": query, "corpus-id": span.document, "start": span.start, "end": span.end},
                ensure_ascii=False,
            )
            for query, found in spans.items()
            for span in found
        ),
    )


def character_range(place: Place, start: Any, end: Any) -> tuple[int, int]:
    """`start` and `end` of a row, if they are whole numbers from 0 with something between them."""
    first, after = _whole(place, "start", start), _whole(place, "end", end)
    if first >= after:
        raise DatasetError(
            f"{place}: the span starts at {first} and ends at {after}",
            "give the first character and the one after the last, counted from 0",
        )
    return first, after


def _ranges(place: Place, row: Row) -> Iterator[tuple[int, int, bool]]:
    if "turn_spans" in row:
        turns = row["turn_spans"]
        if not isinstance(turns, list):
            raise DatasetError(f"{place}: turn_spans is no list but {turns!r}", 'write [["137", "150"]]')
        for pair in turns:
            yield *_line_range(place, pair, written=True), True
    elif "lines" in row:
        yield *_line_range(place, row["lines"], written=False), True
    else:
        missing = [name for name in ("start", "end") if name not in row]
        if missing:
            there = ", ".join(row)
            raise DatasetError(f"{place} has no {' and no '.join(missing)}, but {there}", _FORM)
        yield *character_range(place, row["start"], row["end"]), False


def _line_range(place: Place, pair: Any, *, written: bool) -> tuple[int, int]:
    """First and last line of `pair`; QMSum writes them as strings."""
    if not isinstance(pair, list) or len(pair) != 2:
        raise DatasetError(f"{place}: {pair!r} is no range of lines", "write [first, last], counted from 0")
    if written:
        pair = [int(one) if isinstance(one, str) and one.isdecimal() else one for one in pair]
    first, last = (_whole(place, "a line", one) for one in pair)
    if first > last:
        raise DatasetError(
            f"{place}: line {first} comes after line {last}", "write [first, last], counted from 0"
        )
    return first, last


def _whole(place: Place, what: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise DatasetError(f"{place}: {what} is {value!r}, no whole number from 0", _FORM)
    return value
