"""The loop that all sized chunkers share: fill a chunk to its budget, cut, step back by the overlap."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from ragembed.chunk.base import Span
from ragembed.chunk.boundaries import next_visible, trimmed
from ragembed.chunk.clusters import whole_after, whole_before

Cut = Callable[[str, int, int, int], int]
"""``(text, start, low, high)``: where the chunk that begins at `start` ends, best in ``(low, high]``."""

Resume = Callable[[str, int, int], int]
"""``(text, low, end)``: where in ``[low, end)`` the overlap before `end` begins; `end` for none."""


class Ruler:
    """The tokens of one text: where they begin, and how many make a chunk and an overlap."""

    def __init__(self, starts: Sequence[int], tokens: int, overlap: int) -> None:
        self.starts = starts
        self.tokens = tokens
        self.overlap = overlap

    def index(self, position: int, first: int = 0) -> int:
        """Number of the first token that begins at `position` or later, known to be at least `first`."""
        near = first + 2 * self.tokens
        if near < len(self.starts) and self.starts[near] >= position:
            return bisect_left(self.starts, position, first, near)
        return bisect_left(self.starts, position, first)

    def count(self, start: int, end: int) -> int:
        """How many tokens begin in ``[start, end)``."""
        first = self.index(start)
        return self.index(end, first) - first


class CharacterRuler(Ruler):
    """Where each character is a token, a position is its own number."""

    def __init__(self, length: int, tokens: int, overlap: int) -> None:
        super().__init__(range(length), tokens, overlap)

    def index(self, position: int, first: int = 0) -> int:
        return position


def pack(text: str, ruler: Ruler, cut: Cut, resume: Resume, region: Span | None = None) -> Iterator[Span]:
    """Spans of at most ``ruler.tokens`` tokens that cover what is visible in `region` (all by default).

    `low` as given to `cut` is where the chunk is half full. A chunk always ends later than the one before:
    where the overlap leaves no room for anything new, it is dropped. Work is linear as long as `cut` and
    `resume` look at no more than what lies between their arguments.
    """
    starts, tokens, overlap, index = ruler.starts, ruler.tokens, ruler.overlap, ruler.index
    count, half = len(starts), tokens // 2
    start, stop = trimmed(text, *(region or (0, len(text))))
    done = start
    first = 0
    while start < stop:
        first = index(start, first)
        if first and (first == count or starts[first] != start):
            first -= 1  # the chunk begins within this token
        limit = first + tokens
        high = starts[limit] if limit < count else stop
        if high <= start:  # one character may be many tokens
            high = start + 1
        if high >= stop:
            end = stop
        else:
            low = starts[first + half]
            end = cut(text, start, low if low > start else start, high)
            if not start < end <= high:
                end = high
            if not text[end].isspace():
                end = whole_before(text, end, start)
            if text[end - 1].isspace():
                end = start + len(text[start:end].rstrip())
        if end > done:
            yield start, end
            done = end
        elif start < done:
            start = next_visible(text, done)
            continue
        if end == stop:
            return
        start, previous = next_visible(text, end), start
        if overlap:
            back = index(end, first) - overlap
            if back > first:
                # Where one character is several tokens, all of them have to be among the last.
                low = max(starts[back] + (starts[back] == starts[back - 1]), previous + 1)
                begin = next_visible(text, resume(text, low, end))
                if not text[begin - 1].isspace():
                    begin = next_visible(text, whole_after(text, begin, end))
                if begin < end:
                    start = begin
                    first = back
