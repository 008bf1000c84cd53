"""Merging of segments: which ones, and how postings are joined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ragembed.index.postings import Postings, smallest
from ragembed.index.records import SegmentRecord

Mask = NDArray[np.bool_]


def largest_merged(memory: int) -> int:
    """Bytes up to which segments are merged by somebody who has `memory` bytes: merging takes three times as much."""
    return memory // 8


def tail_to_merge(records: Sequence[SegmentRecord], most: int) -> list[SegmentRecord]:
    """The last segments of `records` that are worth joining, in order of their rows.

    Going backwards, a segment joins while it is no larger than twice what follows it, and while all of them
    together are no larger than `most` bytes. So what stays has at least doubling sizes until they reach `most`: there
    are O(log n + bytes / most) segments, and each row is rewritten O(log n) times (O'Neil et al. 1996).
    """
    tail: list[SegmentRecord] = []
    rows = size = 0
    for record in reversed(records):
        if tail and (record.rows > 2 * rows or size + record.bytes > most):
            break
        tail.append(record)
        rows += record.rows
        size += record.bytes
    return tail[::-1]


def neighbours_to_rewrite(
    records: Sequence[SegmentRecord], holding: Sequence[bool], most: int
) -> list[list[SegmentRecord]]:
    """Groups of neighbours to be joined, up to `most` bytes each, and those alone that hold what must go."""
    groups: list[list[SegmentRecord]] = []
    must: list[bool] = []
    size = 0
    for record, holds in zip(records, holding, strict=True):
        if groups and size + record.bytes <= most:
            groups[-1].append(record)
            must[-1] |= holds
        else:
            groups.append([record])
            must.append(holds)
            size = 0
        size += record.bytes
    return [group for group, rewrite in zip(groups, must, strict=True) if rewrite or len(group) > 1]


def merge_postings(parts: Sequence[Postings], keep: Sequence[Mask | None] | None = None) -> Postings:
    """The postings of all documents of `parts`, numbered in that order.

    `keep` says for each part which of its documents stay (None: all of it); of the others nothing stays, nor do terms
    that only they hold. The result is what building from the documents that stay would give.
    """
    if keep is not None:
        parts = [part if mask is None else _kept(part, mask) for part, mask in zip(parts, keep, strict=True)]
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


def _kept(part: Postings, keep: Mask) -> Postings:
    """The postings of those documents of `part` that `keep` marks, renumbered; terms left without any are gone."""
    stays = keep[part.documents]
    before = np.concatenate(([0], np.cumsum(stays)))  # how many of the postings before each stay
    list_starts = before[part.list_starts]
    used = np.flatnonzero(np.diff(list_starts))
    terms = [part.term_bytes(number) for number in used.tolist()]
    widths = np.fromiter(map(len, terms), np.int64, len(terms))
    numbers = np.cumsum(keep, dtype=np.int32) - np.int32(1)
    return Postings(
        terms=np.frombuffer(b"".join(terms), np.uint8),
        term_starts=smallest(np.concatenate(([0], np.cumsum(widths)))),
        list_starts=np.append(list_starts[used], before[-1]),
        documents=numbers[part.documents[stays]],
        counts=smallest(part.counts[stays]),
        lengths=part.lengths[keep],
    )
