"""What is taken out of the documents, and where everything stands afterwards."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any

from ragembed.datasets.make.choose import Choice
from ragembed.datasets.make.passages import Passage
from ragembed.datasets.make.sentences import Range, before_item
from ragembed.types import Document, Metadata

_PLACES = ("headings", "pages", "first_line")
"""Metadata that speaks of places in the text."""
_MOST_SPACE = 80
"""So much white space goes with what is cut, at most."""


def cuts_of(
    documents: Sequence[Document], found: Sequence[Passage], chosen: Sequence[Choice]
) -> dict[int, list[Range]]:
    """What is taken out of each document: what queries were drawn from, in near-duplicates too. Disjoint, ascending."""
    cuts: dict[int, list[Range]] = {}
    for choice in chosen:
        own = found[choice.row]
        text = documents[own.document].text
        for span in choice.candidate.cuts:
            cuts.setdefault(own.document, []).append(_with_space(text, span))
            for copy in (found[row] for row in choice.same):
                there = documents[copy.document].text
                place = find_in(text[slice(*span)], there, copy)
                if place is not None:
                    cuts.setdefault(copy.document, []).append(_with_space(there, place))
    return {number: _merged(spans) for number, spans in cuts.items()}


def find_in(piece: str, text: str, passage: Passage) -> Range | None:
    """Where `piece` stands in a passage of `text`; None where it does not."""
    start = text.find(piece, passage.start, passage.end)
    return (start, start + len(piece)) if start >= 0 else None


def _with_space(text: str, span: Range) -> Range:
    """`span` with the mark of a list before it, and the white space that would be too much without it."""
    start, end = before_item(text, span[0]), span[1]
    if start and not text[start - 1].isspace():
        return start, end
    after = end + _leading_space(text[end : end + _MOST_SPACE])
    if start and "\n" in text[end:after] and text[start - 1] != "\n":  # the last sentence of its paragraph
        return start - _leading_space(text[max(0, start - _MOST_SPACE) : start][::-1]), end
    return start, after


def _leading_space(text: str) -> int:
    return len(text) - len(text.lstrip())


def _merged(spans: Sequence[Range]) -> list[Range]:
    merged: list[Range] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def moved(metadata: Metadata, cuts: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """`metadata` of a text of which the spans `cuts` (disjoint, ascending) were taken out.

    Headings and pages move; a heading that was cut goes, and so does the number of the first line, since lines went.
    """
    kept = {key: value for key, value in metadata.items() if key not in _PLACES}
    place = Moved(cuts)
    headings, pages = metadata.get("headings"), metadata.get("pages")
    if isinstance(headings, list):
        rows = [list(row) for row in headings if isinstance(row, list | tuple) and len(row) == 3]
        kept["headings"] = [
            [place(row[0]), row[1], row[2]]
            for row in rows
            if isinstance(row[0], int) and not place.gone(row[0])
        ]
    if isinstance(pages, list):
        kept["pages"] = [place(page) for page in pages if isinstance(page, int)]
    return kept


class Moved:
    """Where a character of a text stands after `cuts` (disjoint, ascending) were taken out."""

    def __init__(self, cuts: Sequence[tuple[int, int]]) -> None:
        self._starts = [start for start, _ in cuts]
        self._ends = [end for _, end in cuts]
        self._gone = [0]
        for start, end in cuts:
            self._gone.append(self._gone[-1] + end - start)

    def __call__(self, place: int) -> int:
        number = bisect.bisect_right(self._starts, place)
        inside = max(0, self._ends[number - 1] - place) if number else 0
        return place - self._gone[number] + inside

    def gone(self, place: int) -> bool:
        """Whether the character at `place` was taken out."""
        number = bisect.bisect_right(self._starts, place)
        return number > 0 and place < self._ends[number - 1]
