"""Relevance judgements as files, in the two forms in use.

TREC: ``query-id iteration document-id gain`` between white space, the iteration unused; a line that begins with
``#`` is a comment, as for trec_eval 10. BEIR: three columns between tabs, ``query-id document-id gain``, with or
without a header. Which one a file is, its first line tells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from ragembed.errors import DatasetError
from ragembed.lines import fields, read_lines, write_lines
from ragembed.types import Qrels

Judgement = tuple[str, str, str]
"""Query id, document id and gain, as written."""

LARGEST_GAIN = 1_000_000
"""trec_eval keeps a table as long as the largest gain."""

_SHAPE = "write 'query-id 0 document-id gain' (TREC), or three columns between tabs (BEIR)"
_GAIN_COLUMN = frozenset(
    {
        "score",
        "gain",
        "grade",
        "label",
        "rating",
        "rel",
        "relevance",
        "relevancescore",
        "judgement",
        "judgment",
    }
)
_WHOLE = re.compile(r"[+-]?[0-9]+")


def read_qrels(path: Path) -> Qrels:
    """Read judgements of either form.

    A gain is a whole number (``1.0`` passes, ``0.5`` does not) of at most `LARGEST_GAIN`; negative ones are kept,
    and count as 0 in every measure. Raises `DatasetError` with the line for anything else, for an id that is
    missing, for a document judged twice with two gains for one query, and for a file without judgements.
    """
    return collect(path, _rows(path), whole_gain)


def collect(path: Path, rows: Iterator[tuple[int, Judgement]], gain_of: Callable[[str], int]) -> Qrels:
    """Gather numbered `rows` of `path` into qrels; `gain_of` raises `ValueError` for what is no gain."""
    qrels: Qrels = {}
    where: dict[tuple[str, str], int] = {}
    for number, (query, document, written) in rows:
        if not query or not document:
            missing = "document" if query else "query"
            raise DatasetError(f"{path} line {number}: the {missing} id is missing", _SHAPE)
        try:
            gain = gain_of(written)
        except ValueError as error:
            raise DatasetError(
                f"{path} line {number}: {error}", "correct the line, or take it out"
            ) from error
        judged = qrels.setdefault(query, {})
        if judged.setdefault(document, gain) != gain:
            raise DatasetError(
                f"{path} judges document {document!r} of query {query!r} as {judged[document]} on line "
                f"{where[query, document]} and as {gain} on line {number}",
                "keep one of the two lines",
            )
        where.setdefault((query, document), number)
    if not qrels:
        raise DatasetError(f"{path} holds no judgement", _SHAPE)
    return qrels


def whole_gain(written: str) -> int:
    """`written` as a whole number; raises `ValueError` where it is none, or too large."""
    gain = int(written) if _WHOLE.fullmatch(written) else _whole_float(written)
    if abs(gain) > LARGEST_GAIN:
        raise ValueError(f"gain {written} is beyond {LARGEST_GAIN:,}")
    return gain


def _whole_float(written: str) -> int:
    try:
        number = float(written) if "_" not in written else float("nan")  # Python would read 1_0 as 10
        if number == int(number):
            return int(number)
    except (ValueError, OverflowError):
        raise ValueError(f"gain {written!r} is no number") from None
    raise ValueError(f"gain {written} is no whole number")


def write_qrels(path: Path, qrels: Qrels, form: Literal["trec", "beir"] = "trec") -> None:
    """Write `qrels` atomically, in the order given. An id that `form` cannot hold is a `DatasetError`."""
    write_lines(path, _written(qrels, form))


def _written(qrels: Qrels, form: Literal["trec", "beir"]) -> Iterator[str]:
    if form == "beir":
        yield "query-id\tcorpus-id\tscore"
    for query, judged in qrels.items():
        for document, gain in judged.items():
            if form == "beir":
                yield f"{_without_tabs(query)}\t{_without_tabs(document)}\t{gain}"
            else:
                yield f"{_uncommented(query)} 0 {_without_spaces(document)} {gain}"


def _without_spaces(name: str) -> str:
    if fields(name) != [name] or "\0" in name:
        raise DatasetError(
            f"id {name!r} does not fit into TREC qrels, whose columns end at white space",
            "rename it, or write BEIR qrels, where spaces are allowed",
        )
    return name


def _uncommented(query: str) -> str:
    if query.startswith("#"):
        raise DatasetError(
            f"query id {query!r} does not fit into TREC qrels, where # begins a comment",
            "rename it, or write BEIR qrels",
        )
    return _without_spaces(query)


def _without_tabs(name: str) -> str:
    if not name or name != name.strip() or any(character in name for character in "\t\r\n"):
        raise DatasetError(
            f"id {name!r} does not fit into BEIR qrels, whose columns end at tabs and lose white space at their ends",
            "rename it",
        )
    return name


def _rows(path: Path) -> Iterator[tuple[int, Judgement]]:
    beir: bool | None = None
    for number, line in read_lines(path):
        if not line.strip():
            continue
        columns = line.split("\t")
        first = beir is None
        if line.startswith("#") and (beir is False or (first and len(columns) != 3)):
            continue
        if beir is None:
            beir = len(columns) == 3
        if not beir:
            columns = fields(line)
        if len(columns) != (3 if beir else 4):
            wanted = "3 columns between tabs" if beir else "4 columns"
            raise DatasetError(
                f"{path} line {number}: {len(columns)} columns where {wanted} are expected", _SHAPE
            )
        if first and beir and re.sub(r"\W|_", "", columns[2]).lower() in _GAIN_COLUMN:
            continue  # the header
        yield number, (columns[0].strip(), columns[-2].strip(), columns[-1].strip())
