"""Reference spans on their way from a file to characters of a document, with all that is checked on it."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragembed.errors import DatasetError
from ragembed.types import Document, Qrels, Span, SpanTruth

if TYPE_CHECKING:
    from ragembed.datasets.base import Place


@dataclass(frozen=True, slots=True)
class Reference:
    """A piece of a document that answers a query, as a file gives it."""

    place: Place
    query: str
    document: str
    start: int
    """The first character; with `lines`, the first line. Both count from 0."""
    end: int
    """The character after the last; with `lines`, the last line itself."""
    lines: bool = False
    text: str | None = None
    """What stands there, where the file says so."""


class Locator:
    """Turns references into spans as the documents go by, each of which is seen once and not kept."""

    def __init__(self, references: Iterable[Reference]) -> None:
        self._references = list(references)
        self._of: dict[str, list[int]] = {}
        for number, reference in enumerate(self._references):
            self._of.setdefault(reference.document, []).append(number)
        self._located: dict[int, Span] = {}
        self._wrong: dict[int, DatasetError] = {}

    def see(self, document: Document) -> None:
        """Locate the references into `document`. What is wrong with them is raised by `truth`, in their order."""
        numbers = self._of.get(document.id, ())
        lines = _lines(document.text) if any(self._references[number].lines for number in numbers) else []
        for number in numbers:
            try:
                self._located[number] = _locate(self._references[number], document.text, lines)
            except DatasetError as error:
                self._wrong[number] = error

    def truth(self, queries: Container[str], judged: Container[str], allow_unknown: bool) -> SpanTruth:
        """The spans of the `judged` queries, once all documents were seen; equal ones are one.

        With `allow_unknown`, spans of queries and in documents that are not there are kept: such a span is
        found by nobody, and recall still divides by it.
        """
        truth: SpanTruth = {}
        for number, reference in enumerate(self._references):
            if number in self._wrong:
                raise self._wrong[number]
            if reference.query not in queries and not allow_unknown:
                raise _unknown(reference, f"query {reference.query!r}")
            if number not in self._located and (reference.lines or not allow_unknown):
                raise _unknown(reference, f"document {reference.document!r}")
            if reference.query in judged:
                unseen = Span(reference.document, reference.start, reference.end)
                truth.setdefault(reference.query, []).append(self._located.get(number, unseen))
        return {query: list(dict.fromkeys(spans)) for query, spans in truth.items()}


def derived_qrels(references: Iterable[Reference]) -> Qrels:
    """Judgements that say no more than `references`: gain 1 for each document with a span of the query."""
    qrels: Qrels = {}
    for reference in references:
        qrels.setdefault(reference.query, {})[reference.document] = 1
    return qrels


def _locate(reference: Reference, text: str, lines: list[tuple[int, int]]) -> Span:
    start, end, where = reference.start, reference.end, f"document {reference.document!r}"
    if reference.lines:
        if end >= len(lines):
            raise DatasetError(
                f"{reference.place}: line {end} lies beyond {where}, whose {len(lines)} lines count from 0",
                "correct the lines; they are those of the title, a space and the text",
            )
        start, end = lines[start][0], lines[end][1]
        if start == end:
            raise DatasetError(
                f"{reference.place}: the lines {reference.start} to {reference.end} of {where} are empty",
                "correct the lines, which count from 0, or take the span out",
            )
    elif end > len(text):
        raise DatasetError(
            f"{reference.place}: the span ends at {end}, beyond {where} with {len(text)} characters",
            "correct the span; offsets count the characters of the document's title, a space and its text",
        )
    if reference.text is not None and text[start:end] != reference.text:
        raise DatasetError(
            f"{reference.place}: {where} says {_short(text[start:end])} from {start} to {end}, "
            f"the span says {_short(reference.text)}",
            "correct the offsets or the text, or find which of the two files is of another version",
        )
    return Span(reference.document, start, end)


def _lines(text: str) -> list[tuple[int, int]]:
    """Start and end of each line, its line feed not counted."""
    bounds = []
    start = 0
    for line in text.split("\n"):
        bounds.append((start, start + len(line)))
        start += len(line) + 1
    return bounds


def _unknown(reference: Reference, what: str) -> DatasetError:
    if reference.lines:
        return DatasetError(f"{reference.place} speaks of the unknown {what}", "add it, or take the line out")
    return DatasetError(
        f"{reference.place} speaks of the unknown {what}",
        "add it, take the line out, or allow unknown ids (--allow-unknown): the span then counts as not found",
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
