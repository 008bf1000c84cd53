"""Sections of a document, with the headings above them as context."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ragembed.chunk.base import Heading, Span
from ragembed.chunk.boundaries import natural_end, natural_start, next_visible
from ragembed.chunk.outline import outline
from ragembed.chunk.packing import Ruler, pack
from ragembed.chunk.recursive import Recursive
from ragembed.types import Document


@dataclass
class Markdown(Recursive):
    """Each section is chunked by itself, as `recursive` does it; fenced code and tables that fit stay whole.

    A section begins with its heading and ends at the next one. One with less than an eighth of the budget
    (a title alone, a line of introduction) is too little to be found by itself, and joins what follows if
    that is a section below it, or beside it and both fit into one chunk. Headings are those that the reader
    put into the metadata, so this works for any format that has them; else those of Markdown are looked for
    in the text.
    """

    name: ClassVar[str] = "markdown"

    prefix: str = "headings"
    """As of every chunker with a size; here the headings are what it cuts by."""

    def headings(self, document: Document) -> Sequence[Heading]:
        if "headings" in document.metadata:
            return super().headings(document)
        return outline(document.text).headings

    def spans(self, document: Document) -> Iterator[Span]:
        text = document.text
        found = outline(text)
        headings = super().headings(document) if "headings" in document.metadata else found.headings
        ruler = self.ruler(text)
        keeper = _Keeper(found.blocks, ruler)
        for section in _sections(text, headings, ruler):
            yield from pack(text, ruler, keeper.cut, keeper.resume, section)


def _sections(text: str, headings: Iterable[Heading], ruler: Ruler) -> Iterator[Span]:
    """Spans from heading to heading, small ones joined to what follows."""
    tiny = ruler.tokens // 8
    begin, depth = 0, 0
    ends = [*((start, level) for start, level, _ in headings), (len(text), 0)]
    for number, (end, level) in enumerate(ends[:-1]):
        following = ends[number + 1][0]
        if next_visible(text, begin) >= end:
            begin, depth = end, level
            continue
        if ruler.count(begin, end) < tiny and (
            level > depth or (level == depth and ruler.count(begin, following) <= ruler.tokens)
        ):
            continue
        yield begin, end
        begin, depth = end, level
    yield begin, len(text)


class _Keeper:
    """Cuts as `recursive` does, but not within blocks that fit into a chunk."""

    def __init__(self, blocks: Sequence[Span], ruler: Ruler) -> None:
        kept = [(start, end) for start, end in blocks if ruler.count(start, end) <= ruler.tokens]
        self.starts = [start for start, _ in kept]
        self.ends = [end for _, end in kept]

    def around(self, place: int) -> Span | None:
        """The block that a cut at `place` would part."""
        number = bisect_right(self.starts, place) - 1
        if number >= 0 and self.starts[number] < place < self.ends[number]:
            return self.starts[number], self.ends[number]
        return None

    def cut(self, text: str, start: int, low: int, high: int) -> int:
        block = self.around(high)
        if block is not None and next_visible(text, block[0]) > start:
            return natural_end(text, start, max(start, block[0] - 1), block[0])
        end = natural_end(text, start, low, high)
        block = self.around(end)
        return end if block is None or block[0] <= start else min(block[1], high)

    def resume(self, text: str, low: int, end: int) -> int:
        begin = natural_start(text, low, end)
        block = self.around(begin)
        return begin if block is None else min(block[1], end)
