"""The default: chunks as large as fit, each cut at the strongest boundary near its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ragembed.chunk.boundaries import natural_end, natural_start
from ragembed.chunk.sized import Sized


@dataclass
class Recursive(Sized):
    """Cut after a paragraph, else a line, sentence, clause, word, part of a word, and only then anywhere.

    Each chunk takes as much as fits and ends at the last boundary of the highest level in its second half:
    half, because a paragraph's end is worth giving up some room, but not most of it. Headings that a chunk
    would end with go to the next. The overlap begins with a sentence where one begins within it, else with a
    word.
    """

    name: ClassVar[str] = "recursive"

    def cut(self, text: str, start: int, low: int, high: int) -> int:
        return natural_end(text, start, low, high)

    def resume(self, text: str, low: int, end: int) -> int:
        return natural_start(text, low, end)
