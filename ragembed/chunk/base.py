"""What a chunker is: one method that says where the chunks of a text lie; the rest is built on it."""

from __future__ import annotations

import bisect
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar

from ragembed.registry import spec_of
from ragembed.spec import Spec
from ragembed.types import Chunk, Document

Span = tuple[int, int]
"""Half-open character offsets ``[start, end)`` into a document's text."""

Heading = tuple[int, int, str]
"""``(start, level, title)``: where a section's heading begins, how deep it is (from 1) and what it says."""


class Chunker(ABC):
    """Cuts documents into chunks. Subclasses are dataclasses whose fields are the spec's parameters."""

    name: ClassVar[str]

    @abstractmethod
    def spans(self, document: Document) -> Iterable[Span]:
        """Where the chunks lie: non-empty spans in order of their starts, none of white space only."""

    @property
    def spec(self) -> Spec:
        """The spec that makes this chunker again."""
        return spec_of(self, self.name)

    def headings(self, document: Document) -> Sequence[Heading]:
        """The headings of `document` in order of their starts; those that its reader found, by default."""
        found = document.metadata.get("headings")
        # documents also come from users, whose metadata may mean something else by that name
        if not isinstance(found, list) or not all(_is_heading(row) for row in found):
            return []
        return [(start, level, title) for start, level, title in found]

    def context(self, path: Sequence[str]) -> str:
        """Text put before a chunk when it is embedded; none by default.

        `path` holds the titles of the sections that the chunk begins in, from the outermost to the innermost.
        """
        return ""

    def above(self, document: Document, path: Sequence[str], start: int) -> str:
        """What is put before the chunk of `document` that begins at `start`: `context`, which knows the headings."""
        return self.context(path)

    def chunk(self, document: Document) -> Iterator[Chunk]:
        """Chunks of `document` in order; ``document.text[c.start:c.end] == c.text`` holds for each.

        Their metadata says where they are, as far as the reader told: ``line`` and ``page`` (both from 1) and
        ``heading`` (the titles above, joined by `` > ``), and under ``context`` what `above` gives.
        """
        place = _Place(document, self.headings(document), functools.partial(self.above, document))
        text, document_id = document.text, document.id
        for number, (start, end) in enumerate(self.spans(document)):
            chunk_id = f"{document_id}::{number}"
            metadata = place.metadata(start) if place.known else {}
            yield Chunk(chunk_id, document_id, text[start:end], start, end, metadata)


def _is_heading(row: object) -> bool:
    return (
        isinstance(row, list | tuple)
        and len(row) == 3
        and type(row[0]) is int
        and type(row[1]) is int
        and isinstance(row[2], str)
    )


class _Place:
    """Where in its source a chunk begins. It only moves forward, so that all moves together are linear."""

    def __init__(
        self, document: Document, headings: Sequence[Heading], above: Callable[[Sequence[str], int], str]
    ) -> None:
        metadata = document.metadata
        self.text = document.text
        self.at = 0
        line, pages = metadata.get("first_line"), metadata.get("pages")
        self.line: int | None = line if type(line) is int else None
        self.pages: list[int] = (
            pages if isinstance(pages, list) and all(type(p) is int for p in pages) else []
        )
        self.headings = headings
        self.above = above
        self.passed = 0
        self.open: list[Heading] = []
        self.path: list[str] = []
        """Titles of the sections that are open here, from the outermost to the innermost."""
        self.known = self.line is not None or bool(self.pages) or bool(headings) or bool(above([], -1))

    def metadata(self, start: int) -> dict[str, Any]:
        """Line, page, headings and context at `start`, each where it is known; starts must not decrease."""
        found: dict[str, Any] = {}
        if self.line is not None:
            self.line += self.text.count("\n", self.at, start)
            self.at = start
            found["line"] = self.line
        if self.pages:
            found["page"] = bisect.bisect_right(self.pages, start)
        self.enter_sections(start)
        if self.path:
            found["heading"] = " > ".join(self.path)
        context = self.above(self.path, start)
        if context:
            found["context"] = context
        return found

    def enter_sections(self, start: int) -> None:
        """Open the sections that begin up to `start`; each closes those that are as deep or deeper."""
        if self.passed == len(self.headings) or self.headings[self.passed][0] > start:
            return
        while self.passed < len(self.headings) and self.headings[self.passed][0] <= start:
            heading = self.headings[self.passed]
            while self.open and self.open[-1][1] >= heading[1]:
                self.open.pop()
            self.open.append(heading)
            self.passed += 1
        self.path = [title for _, _, title in self.open]
