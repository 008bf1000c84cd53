"""TREC run files: ``query-id Q0 document-id rank score tag``, one line for each retrieved document.

A line that begins with ``#`` is a comment, as for trec_eval 10.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np

from ragembed.errors import DatasetError
from ragembed.eval.ranking import check_scores, ranked
from ragembed.lines import fields, read_lines, write_lines
from ragembed.types import Run

_SHAPE = "write 'query-id Q0 document-id rank score tag'"


def read_run(path: Path) -> Run:
    """Read a run. Ranks and tags are not kept: the scores make the order, as in trec_eval.

    Raises `DatasetError` with the line for a wrong number of columns, a score that is no number or NaN, and a
    document retrieved twice for one query. A file without lines is an empty run.
    """
    run: Run = {}
    for number, query, document, written, _ in _rows(path):
        try:
            score = float(written) if "_" not in written else float("nan")  # Python would read 1_0 as 10
        except ValueError:
            score = float("nan")
        if score != score:
            raise DatasetError(f"{path} line {number}: the score {written!r} is no number", _SHAPE)
        found = run.setdefault(query, {})
        if document in found:
            first = next(at for at, q, d, _, _ in _rows(path) if (q, d) == (query, document))
            raise DatasetError(
                f"{path} has document {document!r} for query {query!r} on line {first} and on line {number}",
                "keep one of the two lines",
            )
        found[document] = score
    return run


def run_tag(path: Path) -> str:
    """What the first line of a run calls the system that made it; empty where there is no line."""
    return next((tag for _, _, _, _, tag in _rows(path)), "")


def write_run(path: Path, run: Run, tag: str = "ragembed", k: int | None = None) -> None:
    """Write `run` atomically: documents in trec_eval's order, the first `k` of each query.

    Ranks start at 1. Scores are rounded to float32, in the fewest digits that tell it from its neighbours:
    trec_eval 9 and this package compare in float32, trec_eval 10 in float64, and so they all see one order.
    Raises `DatasetError` for an id or tag that is empty or holds white space, and for a NaN score.
    """
    write_answers(path, run.items(), tag, k)


def write_answers(
    path: Path,
    answers: Iterable[tuple[str, Mapping[str, float]]],
    tag: str = "ragembed",
    k: int | None = None,
) -> None:
    """`write_run` of (query, documents) that come one after the other, of which none is kept."""
    write_lines(path, _lines(answers, _checked("tag", tag), k))


def fits_run(run: Run) -> bool:
    """Whether the ids of `run` can stand in a TREC run."""
    try:
        check_queries(run)
        for scores in run.values():
            for document in scores:
                _checked("document id", document)
    except DatasetError:
        return False
    return True


def check_queries(queries: Iterable[str]) -> None:
    """Raise `DatasetError` for the first id of a query that cannot stand in a TREC run."""
    for query in queries:
        _checked_query(query)


def _checked_query(query: str) -> str:
    if query.startswith("#"):
        raise DatasetError(
            f"the query id {query!r} does not fit into a TREC run, where # begins a comment", "rename it"
        )
    return _checked("query id", query)


def _lines(answers: Iterable[tuple[str, Mapping[str, float]]], tag: str, k: int | None) -> Iterator[str]:
    for query, scores in answers:
        _checked_query(query)
        check_scores(query, scores)
        best = list(islice(ranked(scores), k))
        written = map(
            np.float32.__str__, np.frombuffer(array("f", map(scores.__getitem__, best)), np.float32)
        )
        for rank, (document, score) in enumerate(zip(best, written, strict=True), 1):
            yield f"{query} Q0 {_checked('document id', document)} {rank} {score} {tag}"


def _checked(what: str, name: str) -> str:
    if fields(name) != [name] or "\0" in name:
        raise DatasetError(
            f"the {what} {name!r} does not fit into a TREC run, whose columns end at white space",
            "rename it, for example with _ for each space",
        )
    return name


def _rows(path: Path) -> Iterator[tuple[int, str, str, str, str]]:
    for number, line in read_lines(path):
        if line.startswith("#"):
            continue
        columns = fields(line)
        if len(columns) == 6:
            yield number, columns[0], columns[2], columns[4], columns[5]
        elif columns:
            raise DatasetError(f"{path} line {number}: {len(columns)} columns where 6 are expected", _SHAPE)
