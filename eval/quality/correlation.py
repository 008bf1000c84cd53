"""Correlations between two rankings, with ties, and how sure they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ragembed.errors import DatasetError

Floats = NDArray[np.float64]

_BLOCK = 1 << 20
"""Numbers in a block of resampled pairs: 8 MB."""


def average_ranks(values: ArrayLike) -> Floats:
    """Ranks from 1, smallest first, ``(n,)``; equal values share the mean of their ranks."""
    _, place, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place], np.float64)


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's r. `DatasetError` where it is not defined: fewer than 2 pairs, or all values of one side equal."""
    one, other = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(one) < 2:
        raise DatasetError(
            f"{len(one)} pairs can be compared where a correlation needs 2",
            "give more pairs, or an embedder that knows their words",
        )
    for values, side in ((one, "first"), (other, "second")):
        if values.min() == values.max():
            raise DatasetError(
                f"all {len(values)} values of the {side} side are {values[0]:g}, so that no correlation is defined",
                "give values that differ",
            )
    one, other = one - one.mean(), other - other.mean()
    r = (one / np.linalg.norm(one)) @ (other / np.linalg.norm(other))
    return float(np.clip(r, -1, 1))


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rho: Pearson's r of the ranks, ties with their average rank. Errors as `pearson`."""
    return pearson(average_ranks(x), average_ranks(y))


def spearman_interval(
    x: ArrayLike, y: ArrayLike, *, confidence: float = 0.95, rounds: int = 2_000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of Spearman's rho over pairs drawn with replacement.

    Each resample is ranked anew. One that leaves a side without two different values says nothing, and is left out.
    Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.
    """
    sides = [np.unique(np.asarray(side), return_inverse=True)[1] for side in (x, y)]
    n = len(sides[0])
    generator = np.random.default_rng(seed)
    rows = max(1, _BLOCK // n)
    found = []
    for start in range(0, rounds, rows):
        size = min(rows, rounds - start)
        drawn = generator.integers(n, size=(size, n)) + n * np.arange(size)[:, np.newaxis]
        counts = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)
        one, other = (_centred_ranks(side, counts) for side in sides)  # (size, n)
        spread = np.sqrt((counts * one**2).sum(axis=1) * (counts * other**2).sum(axis=1))  # (size,)
        varied = spread > 0
        found.append((counts * one * other).sum(axis=1)[varied] / spread[varied])
    rhos = np.concatenate(found)
    if not len(rhos):
        return -1.0, 1.0
    low, high = np.quantile(rhos, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _centred_ranks(place: NDArray[np.intp], counts: Floats) -> Floats:
    """Ranks ``(size, n)`` in the resamples that hold each pair `counts` times, less their mean.

    `place` ``(n,)`` is the order of the values without resampling, equal for ties.
    """
    order = np.argsort(place, kind="stable")
    first = np.flatnonzero(np.diff(place[order], prepend=-1))  # where each group of ties begins
    tied = np.add.reduceat(counts[:, order], first, axis=1)  # (size, groups)
    ranks = np.cumsum(tied, axis=1) - (tied - 1) / 2
    return np.asarray((ranks - (counts.shape[1] + 1) / 2)[:, place], np.float64)
