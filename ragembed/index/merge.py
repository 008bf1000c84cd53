"""Merging of segments: which ones, and how postings are joined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ragembed.index.catalog import SegmentRecord
from ragembed.index.postings import Postings, smallest


def tail_to_merge(records: Sequence[SegmentRecord]) -> list[SegmentRecord]:
    """The last segments of `records` that are worth joining, in order of their rows.

    Going backwards, a segment joins while it is no larger than twice what follows it. What stays has at least
    doubling sizes, so there are O(log n) segments and each row is rewritten O(log n) times (O'Neil et al. 1996).
    """
    tail: list[SegmentRecord] = []
    total = 0
    for record in reversed(records):
        if tail and record.rows > 2 * total:
            break
        tail.append(record)
        total += record.rows
    return tail[::-1]


def merge_postings(parts: Sequence[Postings]) -> Postings:
    """The postings of all documents of `parts`, numbered in that order."""
    terms = sorted({part.term_bytes(number) for part in parts for number in range(part.vocabulary_size)})
    number_of = {term: number for number, term in enumerate(terms)}
    sizes = np.zeros(len(terms), np.int64)
    maps = []
    for part in parts:
        numbers = np.fromiter(
            (number_of[part.term_bytes(n)] for n in range(part.vocabulary_size)),
            np.int64,
            part.vocabulary_size,
        )
        maps.append(numbers)
        sizes[numbers] += np.diff(part.list_starts)
    list_starts = np.concatenate(([0], np.cumsum(sizes)))
    documents = np.empty(list_starts[-1], np.int32)
    counts = np.empty(list_starts[-1], np.uint32)
    free = list_starts[:-1].copy()  # where each term's next postings go
    offset = 0
    for part, numbers in zip(parts, maps, strict=True):
        widths = np.diff(part.list_starts)
        # position of each posting = its term's free place + its place within the term's list
        at = np.repeat(free[numbers] - part.list_starts[:-1], widths) + np.arange(len(part.documents))
        documents[at] = part.documents + offset
        counts[at] = part.counts
        free[numbers] += widths
        offset += part.size
    widths = np.fromiter(map(len, terms), np.int64, len(terms))
    return Postings(
        terms=np.frombuffer(b"".join(terms), np.uint8),
        term_starts=smallest(np.concatenate(([0], np.cumsum(widths)))),
        list_starts=list_starts,
        documents=documents,
        counts=smallest(counts),
        lengths=np.concatenate([part.lengths for part in parts]),
    )
