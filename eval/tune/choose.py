"""Which fusion and which weights: close to equal ones where there are few queries, and only if the gain is real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.eval.bootstrap import bootstrap_intervals
from ragembed.eval.randomization import paired_randomization
from ragembed.eval.tune.candidates import Family
from ragembed.eval.tune.gather import Doubles

RESAMPLES = 200
"""Bootstrap samples of the queries that are asked which weights are best."""
EQUAL = 20
"""Queries that would vote for equal weights: as many labelled ones count as much as these."""
FOLDS, REPEATS = 5, 5
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Gain:
    """What the learnt fusion gains over the default on queries that it has not learnt from."""

    default: float
    """The default's mean."""
    learnt: float
    """The mean of what was learnt without the query's fold."""
    low: float
    """Of the difference, at 95 %."""
    high: float
    p: float
    """Of the paired randomisation test, two-sided."""

    @property
    def difference(self) -> float:
        """What was gained."""
        return self.learnt - self.default

    @property
    def real(self) -> bool:
        """Whether chance alone would hardly make it so large."""
        return self.low > 0 and self.p <= 1 - CONFIDENCE + 1e-12

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "default": self.default,
            "learnt": self.learnt,
            "difference": self.difference,
            "low": self.low,
            "high": self.high,
            "p": self.p,
            "real": self.real,
        }


def learn_weights(family: Family, which: NDArray[np.int64], seed: int = 0) -> int:
    """The point of the grid that some of the queries teach.

    Each bootstrap sample of the queries votes for the weights that are best on it, and the mean of the votes is taken
    (Breiman 1996, "Bagging predictors"), with `EQUAL` votes more for equal weights: what a few queries say differs from
    sample to sample, so their mean lies near the middle; what many say stays.
    """
    lists, count = family.grid.shape[1], len(which)
    generator = np.random.default_rng(seed)
    samples = generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)  # (b, q)
    best = (family.values[:, which] @ samples.T).argmax(axis=0)  # (b,)
    voted = family.grid[best].mean(axis=0)  # (lists,)
    return family.nearest((count * voted + EQUAL / lists) / (count + EQUAL))


def learn(families: Sequence[Family], which: NDArray[np.int64]) -> tuple[int, int]:
    """The family whose learnt weights score best on those queries, and the weights: numbers of both."""
    points = [learn_weights(family, which) for family in families]
    means = [family.values[point, which].mean() for family, point in zip(families, points, strict=True)]
    chosen = int(np.argmax(means))
    return chosen, points[chosen]


def folds(ids: Sequence[str], repeat: int, parts: int = FOLDS) -> NDArray[np.int64]:
    """The fold of each query (q,), by a hash of its id: whatever the order of the queries, it is the same."""
    order = np.argsort([sha256(f"{repeat} {each}".encode()).hexdigest() for each in ids])
    fold = np.empty(len(ids), np.int64)
    fold[order] = np.arange(len(ids)) % parts
    return fold


def cross_validated(families: Sequence[Family], ids: Sequence[str]) -> Doubles:
    """What each query scores (q,) under what the queries of other folds have taught, family and weights chosen anew
    without it; the mean over `REPEATS` ways of making folds.
    """
    total = np.zeros(len(ids))
    for repeat in range(REPEATS):
        fold = folds(ids, repeat)
        for part in range(FOLDS):
            held = np.flatnonzero(fold == part)
            chosen, point = learn(families, np.flatnonzero(fold != part))
            total[held] += families[chosen].values[point, held]
    return total / REPEATS


def gain(learnt: Doubles, default: Doubles) -> Gain:
    """How much better, query by query, and how sure that is."""
    differences = learnt - default
    differences[np.abs(differences) < 1e-12] = 0.0
    low, high = bootstrap_intervals(differences, confidence=CONFIDENCE)
    return Gain(
        float(default.mean()),
        float(learnt.mean()),
        float(low),
        float(high),
        float(paired_randomization(differences)),
    )
