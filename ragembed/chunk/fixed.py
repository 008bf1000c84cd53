"""Chunks of a fixed number of tokens, wherever that falls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ragembed.chunk.sized import Sized


@dataclass
class Fixed(Sized):
    """Exactly `tokens` tokens in each chunk and `overlap` shared by two, but for the last chunk.

    It has one or a few less where the cut would part a mark from its letter or an emoji from its colour, and,
    in characters, where white space at a chunk's ends is left out.
    """

    name: ClassVar[str] = "fixed"

    def cut(self, text: str, start: int, low: int, high: int) -> int:
        return high

    def resume(self, text: str, low: int, end: int) -> int:
        return low
