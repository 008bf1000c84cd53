"""Whole sentences, as many as fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ragembed.chunk.boundaries import best_break, first_opening, last_paragraph
from ragembed.chunk.sentences import last_sentence
from ragembed.chunk.sized import Sized


@dataclass
class Sentence(Sized):
    """Sentences are packed up to the budget, as are those that overlap; none is cut that fits into a chunk.

    The end of a paragraph ends a sentence too. A sentence longer than a chunk is cut as `recursive` cuts.
    """

    name: ClassVar[str] = "sentence"

    def cut(self, text: str, start: int, low: int, high: int) -> int:
        for floor in (low, start):  # most windows have one in their second half, and scanning that is cheaper
            end = max(last_sentence(text, floor, high), last_paragraph(text, floor, high))
            if end > floor:
                return end
        return best_break(text, low, high)

    def resume(self, text: str, low: int, end: int) -> int:
        return first_opening(text, low, end)
