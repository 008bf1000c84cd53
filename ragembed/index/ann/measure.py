"""Measuring an accelerator with queries that it was not built of, and choosing how hard its search must try."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.index.ann.accelerator import DEPTHS, Accelerator
from ragembed.index.ann.base import Setting
from ragembed.index.ann.search import AcceleratedIndex
from ragembed.index.dense import DenseIndex, DenseSegment, Floats, Rows

Found = Sequence[tuple[Rows, Floats]]

_TIMED = 60
_REPEATS = 3


@dataclass(frozen=True, slots=True)
class Probes:
    """Queries whose exact answers are known."""

    vectors: Dense
    """``(n, dimension)``"""
    own: Rows
    """The row of each, which is no answer to it ``(n,)``; -1 where it is not of the index."""
    truth: Mapping[int, Found]
    """The exact hits by how many are wanted, without their own rows."""

    def recall(self, depth: int, found: Found) -> NDArray[np.float64]:
        """For each query the share ``(n,)`` of the `depth` best that `found` has. Hits of equal score are alike."""
        shares = np.ones(len(self.vectors))
        for number, (expected, got) in enumerate(zip(self.truth[depth], found, strict=True)):
            scores = expected[1][:depth]
            if len(scores):
                good = got[1][got[0] != self.own[number]][: len(scores)] >= scores[-1]
                shares[number] = np.count_nonzero(good) / len(scores)
        return shares


def probes_of(exact: DenseIndex, vectors: Dense, own: Rows, depths: Sequence[int] = DEPTHS) -> Probes:
    """The queries with their exact answers; one pass over all vectors."""
    deepest = max(depths) + 1
    found = [
        (rows[rows != mine], scores[rows != mine])
        for (rows, scores), mine in zip(exact.search_many(vectors, deepest), own.tolist(), strict=True)
    ]
    return Probes(vectors, own, {depth: [(r[:depth], s[:depth]) for r, s in found] for depth in depths})


@dataclass(frozen=True, slots=True)
class Tuned:
    """How hard a search tries, and what it finds then."""

    settings: Mapping[int, Setting]
    recall: Mapping[int, float]
    reached: bool
    """Whether the target is reached at every depth."""
    strained: bool
    """Whether it takes the hardest setting there is."""


def tune(
    segments: Sequence[DenseSegment], accelerator: Accelerator, probes: Probes, target: float
) -> tuple[AcceleratedIndex, Tuned]:
    """The cheapest settings whose recall, less one standard error, is at least `target`, and the index with them."""
    index = AcceleratedIndex(segments, accelerator.space.dimension, accelerator)
    settings: dict[int, Setting] = {}
    recalls: dict[int, float] = {}
    reached, strained = True, False
    for depth in DEPTHS:
        if depth not in probes.truth or not accelerator.serves(depth + 1, None):
            continue
        found: list[tuple[Setting, float]] = []
        least = 0
        for refine in reversed(accelerator.kind.refinements()):  # fewer candidates take no less effort
            one = _least_effort(index, probes, depth, refine, target, least)
            if one is None:
                break
            found.append(one)
            least = accelerator.kind.efforts(len(accelerator.rows)).index(one[0].effort)
        if not found:
            efforts, refinements = (
                accelerator.kind.efforts(len(accelerator.rows)),
                accelerator.kind.refinements(),
            )
            settings[depth] = Setting(efforts[-1], refinements[-1])
            recalls[depth] = float(_recall(index, probes, depth, settings[depth]).mean())
            reached, strained = reached and recalls[depth] >= target, True
            continue
        setting, recalls[depth] = min(found, key=lambda one: _seconds(index, probes, depth, one[0]))
        settings[depth] = setting
        strained |= setting.effort == accelerator.kind.efforts(len(accelerator.rows))[-1] > 1
    hardest = max(settings.values(), default=Setting(accelerator.kind.efforts(len(accelerator.rows))[-1], 1))
    settings = {depth: settings.get(depth, hardest) for depth in DEPTHS}
    accelerator.settings = settings
    return index, Tuned(settings, recalls, reached, strained)


def latency(search: Callable[[Dense], object], queries: Dense) -> float:
    """Median seconds of the processor for one query by one thread."""
    with one_thread():
        medians = []
        for _ in range(_REPEATS):
            taken = []
            for query in queries[:_TIMED]:
                started = time.process_time()
                search(query[np.newaxis])
                taken.append(time.process_time() - started)
            medians.append(statistics.median(taken))
    return min(medians)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """FAISS works in the thread that calls it, and in no other."""
    import faiss

    library: Any = faiss
    before = library.omp_get_max_threads()
    library.omp_set_num_threads(1)
    try:
        yield
    finally:
        library.omp_set_num_threads(before)


def _least_effort(
    index: AcceleratedIndex, probes: Probes, depth: int, refine: int, target: float, low: int
) -> tuple[Setting, float] | None:
    """The least effort that reaches the target with so many candidates, and its recall.

    By bisection, from the effort of number `low` on.
    """
    efforts = index.accelerator.kind.efforts(len(index.accelerator.rows))
    known: dict[int, float] = {}

    def reaches(which: int) -> bool:
        shares = _recall(index, probes, depth, Setting(efforts[which], refine))
        known[which] = float(shares.mean())
        return bool(known[which] - float(shares.std()) / len(shares) ** 0.5 >= target)

    high = len(efforts) - 1
    if not reaches(high):
        return None
    while low < high:
        middle = (low + high) // 2
        if reaches(middle):
            high = middle
        else:
            low = middle + 1
    return Setting(efforts[high], refine), known[high]


def _recall(index: AcceleratedIndex, probes: Probes, depth: int, setting: Setting) -> NDArray[np.float64]:
    index.accelerator.settings = dict.fromkeys(DEPTHS, setting)
    return probes.recall(depth, index.search_many(probes.vectors, depth + 1))


def _seconds(index: AcceleratedIndex, probes: Probes, depth: int, setting: Setting) -> float:
    index.accelerator.settings = dict.fromkeys(DEPTHS, setting)
    return latency(lambda query: index.search_many(query, depth + 1), probes.vectors[:20])
