"""The ranking of an index's chunks for some queries: each embedder's list, joined, and taken through the steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ragembed.errors import CorruptError
from ragembed.index.catalog import Catalog
from ragembed.retrieve.agreement import about_all
from ragembed.retrieve.calibration import MARKED, Calibration, features, highest_scores
from ragembed.retrieve.fusion import DEPTH, Fused
from ragembed.retrieve.options import SearchOptions
from ragembed.retrieve.sides import Side
from ragembed.retrieve.steps.base import Candidates
from ragembed.types import Chunk

if TYPE_CHECKING:
    from ragembed.index.selection import Selection
    from ragembed.retrieve.steps.base import Step
    from ragembed.retrieve.view import View

T = TypeVar("T")
Lists = list[tuple[NDArray[np.int64], NDArray[np.float32]]]
"""Rows and scores (n,) for each of some queries, best first."""

_NOWHERE = ("", 0)


class Ranking:
    """The ranking of chunks for some queries, to any depth. Equal scores are ordered by document and place in it, so
    that an index gives the same lists whatever way it came to hold what it holds.
    """

    def __init__(
        self,
        catalog: Catalog,
        view: View,
        queries: Sequence[str],
        selection: Selection | None,
        options: SearchOptions,
    ) -> None:
        self.catalog = catalog
        self.sides: Sequence[Side] = view.sides
        self.queries = queries
        self.selection = selection
        self.learnt = view.learnt
        """What labelled queries have taught the index."""
        self.fusion = options.make_fusion(self.learnt)
        self.steps = options.make_steps()
        self.probabilities: dict[int, dict[int, float]] = {}
        """Where the index is calibrated, that of each chunk row of the first list of each query."""
        self.encoded = [side.encode(queries) for side in self.sides]
        self.about = about_all(catalog, self.sides, self.fusion) if len(self.sides) > 1 else []
        """What is known of each side's scores, for their fusion."""

    def best(
        self,
        which: Sequence[int],
        k: int,
        watch: Callable[[Step, Sequence[Fused]], None] | None = None,
    ) -> list[list[Fused]]:
        """The k best chunks for each of those queries, after all steps; `watch` is told of each step and its hits."""
        wanted = [k]  # after each step, from the last one backwards
        for step in reversed(self.steps):
            wanted.append(step.reach(wanted[-1]))
        ranked = self._marked(which, wanted.pop())
        changed: dict[int, list[Any]] = {}
        for step in self.steps:
            after, name = wanted.pop(), str(step.spec)
            for at, number in enumerate(which):
                ranked[at] = step.apply(Candidates(self, number, ranked[at], changed), after)[:after]
                for rank, hit in enumerate(ranked[at], 1):
                    hit.trail[name] = (rank, hit.score)
                if watch is not None:
                    watch(step, ranked[at])
        for number, hits in zip(which, ranked, strict=True):
            known = self.probabilities.get(number, {})
            for hit in hits:
                hit.probability = known.get(hit.row)
        return ranked

    @property
    def calibration(self) -> Calibration | None:
        """What tells how probably a hit is relevant; None where nothing does, for these embedders and this fusion."""
        found = None if self.learnt is None else self.learnt.calibration
        if found is None or len(found.embedders) != len(self.sides):
            return None
        return found if len(self.sides) == 1 or found.fusion == str(self.fusion.spec) else None

    def _marked(self, which: Sequence[int], k: int) -> list[list[Fused]]:
        """As `joined`, the hits' probabilities noted where the index is calibrated."""
        calibration = self.calibration
        if calibration is None:
            return self.joined(which, k)
        ranked = self.joined(which, max(k, MARKED))
        for number, hits in zip(which, ranked, strict=True):
            marks = calibration.probabilities(features(hits, highest_scores(self, number))).tolist()
            self.probabilities[number] = dict(zip((hit.row for hit in hits), marks, strict=True))
        return [hits[:k] for hits in ranked]

    def scored(self, which: Sequence[int], k: int) -> list[list[tuple[int, float]]]:
        """Rows and scores of `best`, made without more where there is one list and no step."""
        if len(self.sides) == 1 and not self.steps:
            return self.lists(0, which, k)
        return [[(hit.row, hit.score) for hit in hits] for hits in self.best(which, k)]

    def joined(self, which: Sequence[int], k: int, encoded: Sequence[Any] | None = None) -> list[list[Fused]]:
        """The k best chunks for each of those queries before any step; `which` counts in `encoded`, one thing for each
        side, which by default are the queries themselves.
        """
        depth = k if len(self.sides) == 1 else max(k, DEPTH)
        lists = [self.lists(number, which, depth, encoded) for number in range(len(self.sides))]
        if len(self.sides) == 1:
            return [
                [Fused(row, score, {0: (rank, score)}) for rank, (row, score) in enumerate(hits, 1)]
                for hits in lists[0]
            ]
        return self.fuse([list(parts) for parts in zip(*lists, strict=True)], k)

    def chunks(self, rows: Sequence[int]) -> dict[int, Chunk]:
        """The chunks of some rows; raises `CorruptError` where one is missing."""
        wanted = sorted(set(rows))
        return complete(self.catalog.chunks(wanted), wanted)

    def fuse(self, queries: Sequence[Sequence[Sequence[tuple[int, float]]]], k: int) -> list[list[Fused]]:
        """The k best of the lists that each query has, one an embedder, each of (row, score), best first."""
        ranked = [self.fusion.fuse(lists, self.about) for lists in queries]
        tied = {
            hits[at].row
            for hits in ranked
            for at in np.flatnonzero(_tied_places(np.array([hit.score for hit in hits]), k))
        }
        if tied:
            place = self.catalog.places(sorted(tied))
            for hits in ranked:
                hits.sort(key=lambda fused: (-fused.score, place.get(fused.row, _NOWHERE)))
        return [hits[:k] for hits in ranked]

    def lists(
        self, number: int, which: Sequence[int], k: int, encoded: Sequence[Any] | None = None
    ) -> list[list[tuple[int, float]]]:
        """One embedder's k best (row, score) for each of those queries; see `joined`."""
        found = self._with_ties(number, (encoded or self.encoded)[number], list(which), k)
        return [
            list(zip(rows[:k].tolist(), scores[:k].tolist(), strict=True))
            for rows, scores in self._by_place(found, k)
        ]

    def _by_place(self, found: Lists, k: int) -> Lists:
        """The lists, of whose equal scores as far as they matter to the first k the earliest document comes first."""
        marks = [_tied_places(scores, k) for _, scores in found]
        if not any(mark.any() for mark in marks):
            return found
        tied = np.unique(np.concatenate([rows[mark] for (rows, _), mark in zip(found, marks, strict=True)]))
        place = self.catalog.places(tied.tolist())
        ordered = sorted(tied.tolist(), key=lambda row: place.get(row, _NOWHERE))
        position = np.empty(len(tied), np.int64)
        position[np.searchsorted(tied, ordered)] = np.arange(len(tied))
        sorted_lists = []
        for (rows, scores), mark in zip(found, marks, strict=True):
            second = np.zeros(len(rows), np.int64)
            second[mark] = position[np.searchsorted(tied, rows[mark])]
            order = np.lexsort((second, -scores))
            sorted_lists.append((rows[order], scores[order]))
        return sorted_lists

    def _with_ties(self, number: int, encoded: Any, which: list[int], k: int) -> Lists:
        """The k best rows and scores for each of those queries, and all that equal the last of them."""
        side = self.sides[number]
        width = k + 1
        found = side.search(encoded, which, width, self.selection)
        unsure = list(range(len(which)))
        while True:
            unsure = [
                i for i in unsure if len(found[i][1]) == width and found[i][1][k - 1] == found[i][1][-1]
            ]
            if not unsure:
                return found
            width *= 4
            again = side.search(encoded, [which[i] for i in unsure], width, self.selection)
            for i, answer in zip(unsure, again, strict=True):
                found[i] = answer


def _tied_places(scores: NDArray[np.floating], k: int) -> NDArray[np.bool_]:
    """Which of some scores (n,), best first, a neighbour has too, as far as that matters to the first k."""
    tied = np.zeros(len(scores), np.bool_)
    same = scores[1:] == scores[:-1]
    tied[1:] = same
    tied[:-1] |= same
    if len(scores) > k + 1:
        tied[k + 1 :] &= scores[k + 1 :] == scores[k - 1]
    return tied


def complete(found: dict[int, T], rows: Sequence[int]) -> dict[int, T]:
    """`found`, where it has all of `rows`; else `CorruptError`."""
    if len(found) < len(rows):
        raise CorruptError(
            f"the index lacks {len(rows) - len(found)} chunks that its segments hold",
            "run: ragembed verify INDEX",
        )
    return found
