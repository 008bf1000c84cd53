"""What a chunker is: one method that says where the chunks of a text lie; the rest is built on it."""

from __future__ import annotations

import bisect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from ragembed.registry import spec_of
from ragembed.spec import Spec
from ragembed.types import Chunk, Document

Span = tuple[int, int]
"""Half-open character offsets ``[start, end)`` into a document's text."""


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

    def context(self, chunk_start: int, document: Document) -> str:
        """Text put before a chunk when it is embedded, such as the headings above it; empty by default."""
        return ""

    def chunk(self, document: Document) -> Iterator[Chunk]:
        """Chunks of `document` in order; ``document.text[c.start:c.end] == c.text`` holds for each."""
        place = _Place(document)
        for number, (start, end) in enumerate(self.spans(document)):
            metadata = place.of(start)
            context = self.context(start, document)
            if context:
                metadata["context"] = context
            text = document.text[start:end]
            yield Chunk(f"{document.id}::{number}", document.id, text, start, end, metadata)


class _Place:
    """Where in its source a chunk begins: line, page and the headings above it, as far as the reader told."""

    def __init__(self, document: Document) -> None:
        metadata = document.metadata
        self.text = document.text
        self.line: int | None = metadata.get("first_line")
        self.counted = 0
        self.pages: list[int] = list(metadata.get("pages", ()))
        self.headings: list[tuple[int, int, str]] = [tuple(row) for row in metadata.get("headings", ())]
        self.heading_starts = [row[0] for row in self.headings]

    def of(self, start: int) -> dict[str, Any]:
        """Metadata of a chunk that begins at `start`; starts must not decrease from call to call."""
        found: dict[str, Any] = {}
        if self.line is not None:
            self.line += self.text.count("\n", self.counted, start)
            self.counted = max(self.counted, start)
            found["line"] = self.line
        if self.pages:
            found["page"] = bisect.bisect_right(self.pages, start)
        path = heading_path(self.headings, bisect.bisect_right(self.heading_starts, start))
        if path:
            found["heading"] = " > ".join(path)
        return found


def heading_path(headings: list[tuple[int, int, str]], count: int) -> list[str]:
    """Titles from the outermost section to the innermost one that is open after the first `count` headings.

    `headings` are ``(start, level, title)`` in order of their starts.
    """
    path: list[str] = []
    level = 10**9
    for _, its_level, title in reversed(headings[:count]):
        if its_level < level:
            path.append(title)
            level = its_level
        if level <= 1:
            break
    return path[::-1]
