"""Source code: definitions kept whole, with their comments and decorators."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ragembed.chunk.base import Span
from ragembed.chunk.boundaries import best_break, last_paragraph, next_visible
from ragembed.chunk.definitions import Definitions, definitions
from ragembed.chunk.packing import Ruler, pack
from ragembed.chunk.recursive import Recursive
from ragembed.types import Document


@dataclass
class Code(Recursive):
    """Top-level definitions are packed up to the budget, and none is cut that fits into a chunk.

    A definition too long for one is cut before one of its members (methods, statements), else at a blank
    line, a line, or as `recursive` cuts. Where a chunk ends with a definition nothing overlaps: the end of
    one function says nothing about the next. Python is parsed; of other languages indentation and blank
    lines are read. The language is told by the reader (``language`` or ``format``) or by the suffix of the
    path.
    """

    name: ClassVar[str] = "code"

    def spans(self, document: Document) -> Iterable[Span]:
        text = document.text
        if self.fits(text):
            return super().spans(document)
        ruler = self.ruler(text)
        keeper = _Keeper(definitions(text, python=is_python(document)), ruler, len(text))
        return pack(text, ruler, keeper.cut, keeper.resume)


def is_python(document: Document) -> bool:
    """Whether the metadata says so (``language`` or ``format``), or the suffix of the path."""
    metadata = document.metadata
    told = {str(metadata.get(key, "")).lower().lstrip(".") for key in ("language", "format")}
    path = str(metadata.get("path") or document.id).lower()
    return not told.isdisjoint(("python", "py", "pyi")) or path.endswith((".py", ".pyi"))


class _Keeper:
    """Cuts between definitions first."""

    def __init__(self, found: Definitions, ruler: Ruler, length: int) -> None:
        self.tops = found.tops
        self.members = found.members
        self.ruler = ruler
        self.length = length

    def cut(self, text: str, start: int, low: int, high: int) -> int:
        number = bisect_right(self.tops, high) - 1
        top = self.tops[number] if number >= 0 else 0
        if top > low or (top > start and self._fits(number)):
            return top
        member = self.members[at - 1] if (at := bisect_right(self.members, high)) else 0
        if member > low:
            return member
        end = last_paragraph(text, low, high)
        if end <= low:
            end = text.rfind("\n", low + 1, high + 1)
        return end if end > low else best_break(text, low, high)

    def resume(self, text: str, low: int, end: int) -> int:
        following = next_visible(text, end)
        at = bisect_left(self.tops, end)
        if at < len(self.tops) and self.tops[at] <= following:
            return end
        line = text.find("\n", low - 1, end) + 1
        return next_visible(text, line) if line else end

    def _fits(self, number: int) -> bool:
        """Whether the definition of that number is no larger than a chunk."""
        end = self.tops[number + 1] if number + 1 < len(self.tops) else self.length
        return self.ruler.count(self.tops[number], end) <= self.ruler.tokens
