"""Sets of characters as sorted, disjoint ranges, and what a ranked list of chunks covers of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ragembed.types import Span

Range = tuple[int, int]
"""Start and end of a run of characters, the end exclusive."""

Ranges = dict[str, list[Range]]
"""Sorted, disjoint, not empty ranges of each document."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one meets who reads the chunks of an answer in their order, each from its beginning to its end."""

    lengths: Sequence[int]
    """Characters of each chunk, also of those that were read before."""
    gains: Sequence[int]
    """Characters of the references that each chunk shows for the first time."""
    wanted: int
    """Characters of all references."""


def merged(spans: Iterable[Span]) -> Ranges:
    """The characters of `spans`, whatever they overlap."""
    ranges: Ranges = {}
    for document, start, end in sorted(spans):
        if start == end:
            continue
        found = ranges.setdefault(document, [])
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return ranges


def size(ranges: Ranges) -> int:
    """How many characters there are."""
    return sum(end - start for found in ranges.values() for start, end in found)


def read(references: Ranges, chunks: Iterable[Span]) -> Reading:
    """Read `chunks` and note what of `references` each shows that none before it did."""
    left = {document: list(found) for document, found in references.items()}
    lengths: list[int] = []
    gains: list[int] = []
    for document, start, end in chunks:
        lengths.append(end - start)
        gains.append(_take(left[document], start, end) if document in left else 0)
    return Reading(lengths, gains, size(references))


def _take(left: list[Range], start: int, end: int) -> int:
    """Take the characters from `start` to `end` out of `left`; how many there were."""
    first = bisect_right(left, start, key=lambda one: one[1])
    after = first
    taken = 0
    rest: list[Range] = []
    while after < len(left) and left[after][0] < end:
        low, high = left[after]
        taken += min(high, end) - max(low, start)
        if low < start:
            rest.append((low, start))
        if high > end:
            rest.append((end, high))
        after += 1
    if after > first:
        left[first:after] = rest
    return taken


def first_characters(chunks: Iterable[Span], budget: int) -> Iterator[Span]:
    """`chunks` as far as `budget` characters reach; the last of them may be cut."""
    for chunk in chunks:
        if budget <= 0:
            return
        yield chunk if chunk.end - chunk.start <= budget else chunk._replace(end=chunk.start + budget)
        budget -= chunk.end - chunk.start


class ChunkMap:
    """All chunks of a system, to find those that lie on a range of characters."""

    def __init__(self, chunks: Iterable[Span]) -> None:
        of: dict[str, list[Range]] = {}
        for document, start, end in chunks:
            of.setdefault(document, []).append((start, end))
        self._of = {document: sorted(found) for document, found in of.items()}
        # where chunks overlap, ends are not in order, but the furthest end so far is
        self._reach = {
            document: list(accumulate((end for _, end in found), max)) for document, found in self._of.items()
        }

    def on(self, ranges: Ranges, *, touching: bool) -> list[Span]:
        """The chunks that share a character with `ranges`; with `touching`, also those that end or begin there."""
        gap = 0 if touching else 1
        found: list[Span] = []
        for document, wanted in ranges.items():
            chunks, reach = self._of.get(document, []), self._reach.get(document, [])
            for start, end in wanted:
                low = bisect_right(reach, start + gap - 1)
                high = bisect_right(chunks, end - gap, key=lambda one: one[0])
                found += (Span(document, *one) for one in chunks[low:high] if one[1] >= start + gap)
        return found
