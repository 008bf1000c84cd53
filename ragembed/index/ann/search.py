"""Search through an accelerator: its candidates, what lies beside it, and all of them scored by their flat vectors.

So a hit has the score that exact search gives it, to the last bit; what may differ is whether a hit is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ragembed.embed.base import Dense
from ragembed.index.ann.accelerator import Accelerator
from ragembed.index.ann.rescore import rescored, worth_compiling
from ragembed.index.dense import DenseIndex, DenseSegment, Floats, Rows
from ragembed.index.flat import flat_index
from ragembed.index.selection import Selection
from ragembed.index.sparse import merge_best

_GATHERED = 1 << 23
"""Bytes of vectors beside the accelerator up to which they are copied into one array, which one product scores."""
_CANDIDATES = 1 << 18
"""Candidates that are held at a time."""


@dataclass(slots=True, eq=False)
class _Beside(DenseSegment):
    """The vectors of a segment that the accelerator does not cover; `dead` has the positions of all others."""

    def positions(self, selection: Selection | None) -> Rows | None:
        """Where those of them lie that may be found."""
        if selection is None or not len(self.dead):
            return DenseSegment.positions(self, selection)
        return np.setdiff1d(selection.positions(self.rows), self.dead, assume_unique=True)


class AcceleratedIndex(DenseIndex):
    """The segments of one embedder with an accelerator over some of their rows. Threads may search at once."""

    def __init__(self, segments: Sequence[DenseSegment], dimension: int, accelerator: Accelerator) -> None:
        super().__init__(segments, dimension)
        self.accelerator = accelerator
        self.searches = 0
        self.beside = DenseIndex(_beside(self.segments, accelerator.rows), dimension)

    @property
    def delta(self) -> int:
        """How many live rows the accelerator does not cover."""
        return len(self.beside.live)

    def exactly(
        self, queries: Dense, k: int, selection: Selection | None = None
    ) -> list[tuple[Rows, Floats]]:
        """What `DenseIndex.search_many` finds."""
        return super().search_many(queries, k, selection)

    def search_many(
        self, queries: Dense, k: int, selection: Selection | None = None
    ) -> list[tuple[Rows, Floats]]:
        """Up to k rows and scores for each query vector (n, dimension), best first, equal scores by row.

        They are the k best of what the accelerator names and of all that lies beside it.
        """
        if not self.accelerator.serves(k, selection):
            return super().search_many(queries, k, selection)
        queries = self._checked(queries)
        self.searches += len(queries)
        found = [(np.zeros(0, np.int64), np.zeros(0, np.float32))] * len(queries)
        waiting = np.flatnonzero(queries.any(axis=1))
        step = max(1, _CANDIDATES // (k * self.accelerator.setting(k).refine))
        for start in range(0, len(waiting), step):
            some = waiting[start : start + step]
            asked = queries if len(some) == len(queries) else queries[some]
            rows, scores, short = self._accelerated(asked, k, selection)
            for query, *hits in zip(some.tolist(), rows, scores, strict=True):
                found[query] = hits[0], hits[1]
            if self.beside.segments:
                for query, other in zip(
                    some.tolist(), self.beside.search_many(queries[some], k, selection), strict=True
                ):
                    found[query] = merge_best([found[query], other], k)
            if len(short):  # too few were left of what may be found at all
                again = super().search_many(queries[some[short]], k, selection)
                for query, answer in zip(some[short].tolist(), again, strict=True):
                    found[query] = answer
        return found

    def _accelerated(self, queries: Dense, k: int, selection: Selection | None) -> tuple[Rows, Floats, Rows]:
        """The k best rows and their scores (n, k) among the candidates, and which queries have too few of these."""
        at = self.accelerator.candidates(queries, k, selection)
        rows = self.accelerator.rows[at]
        rows[at < 0] = -1
        rows, scores = rescored(self.segments, queries, rows, k, compiled=worth_compiling(self.searches))
        return rows, scores, np.flatnonzero(rows[:, -1] < 0)


def _beside(segments: Sequence[DenseSegment], covered: Rows) -> list[DenseSegment]:
    """The live vectors whose rows are not in `covered`, gathered into one segment where they are few."""
    parts: list[DenseSegment] = []
    for segment in segments:
        at = np.minimum(np.searchsorted(covered, segment.rows), max(0, len(covered) - 1))
        hidden = covered[at] == segment.rows if len(covered) else np.zeros(len(segment.rows), np.bool_)
        hidden[segment.dead] = True
        if not hidden.all():
            parts.append(_Beside(segment.flat, segment.rows, np.flatnonzero(hidden)))
    left = [(part, part.positions(None)) for part in parts]
    size = sum(4 * part.flat.dimension * (len(part.rows) if at is None else len(at)) for part, at in left)
    if not parts or size > _GATHERED:
        return parts
    vectors = [part.flat.take(slice(None) if at is None else at) for part, at in left]
    rows = np.concatenate([part.live for part in parts])
    return [DenseSegment(flat_index(np.concatenate(vectors)), rows, np.zeros(0, np.int64))]
