"""Bootstrap confidence intervals: how far would a mean move with other queries of the same kind?

Efron & Tibshirani 1993, "An Introduction to the Bootstrap"; for retrieval, Sakai 2006, "Evaluating evaluation metrics
based on the bootstrap".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ragembed.errors import QueryError
from ragembed.eval.strata import Floats, Strata, as_table

Method = Literal["expanded", "percentile", "bca"]

_BLOCK = 1 << 20
"""Numbers in a block of resampled queries: 8 MB."""


def bootstrap_intervals(
    values: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    confidence: float = 0.95,
    rounds: int = 10_000,
    seed: int = 0,
    method: Method = "expanded",
) -> tuple[Floats, Floats]:
    """Confidence interval of the mean of `values`, ``(n,)`` for one system or difference, ``(n, columns)`` for many.

    Queries are drawn with replacement, the same ones for every column (so that differences stay paired), and within
    each dataset where `strata` gives the dataset's number of each query. `weights` (one a query, equal within a
    dataset) make it the interval of a macro mean: ``1 / (datasets * queries of its dataset)``.

    `method`: which quantiles of the `rounds` resampled means are the ends.

    - ``expanded``: further out by what a normal quantile and the bootstrap's variance lack at `n` queries (Hesterberg
      2015, "What teachers should know about the bootstrap"): Student's t, and ``sqrt(n / (n - 1))``;
    - ``percentile``: the plain ones, too narrow for few queries;
    - ``bca``: shifted for bias and skew (Efron 1987, "Better bootstrap confidence intervals").

    Returns ``(low, high)``, each ``(columns,)``, or scalars for ``(n,)``. Raises `DatasetError` for fewer than 2
    queries (of any dataset) or NaN, `QueryError` for options that make no sense.
    """
    if not 0 < confidence < 1:
        raise QueryError(f"confidence is {confidence:g}", "give a number between 0 and 1, such as 0.95")
    if rounds < 1:
        raise QueryError(f"rounds is {rounds}", "give 1 or more, better 10,000")
    if method not in _LEVELS:
        raise QueryError(f"there is no interval named {method!r}", f"give one of {', '.join(_LEVELS)}")
    table = as_table(values)
    grouped = Strata.of(len(table), strata, weights)
    means = resampled_means(table, grouped, rounds, seed)
    levels = _LEVELS[method](table, grouped, means, confidence)  # (2, columns)
    ends = np.array([np.quantile(column, level) for column, level in zip(means.T, levels.T, strict=True)])
    low, high = ends.T
    return (low, high) if np.ndim(values) == 2 else (low[0], high[0])


def resampled_means(table: Floats, strata: Strata, rounds: int, seed: int) -> Floats:
    """Means of `rounds` resamples of `table` ``(n, columns)``, drawn within the strata: ``(rounds, columns)``.

    Equal means are equal to the last bit where a column is constant, so that it has an interval of length 0.
    """
    n = len(table)
    order = np.argsort(strata.codes, kind="stable")
    sizes = strata.sizes[strata.codes[order]]  # (n,): of the stratum that each place is drawn from
    first = (np.cumsum(strata.sizes) - strata.sizes)[strata.codes[order]]
    centre = strata.mean(table)
    terms = ((table - centre) * strata.weights[:, None])[order]  # (n, columns)
    generator = np.random.default_rng(seed)
    rows = max(1, _BLOCK // n)
    blocks = []
    for start in range(0, rounds, rows):
        uniform = generator.random((min(rows, rounds - start), n))  # (rows, n)
        drawn = first + (uniform * sizes).astype(np.int64)
        drawn += n * np.arange(len(drawn))[:, None]
        counts = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)  # (rows, n)
        blocks.append(counts.astype(np.float64) @ terms)
    return np.asarray(centre + np.concatenate(blocks))


def _percentile(table: Floats, strata: Strata, means: Floats, confidence: float) -> Floats:
    tail = np.full(table.shape[1], (1 - confidence) / 2)
    return np.stack((tail, 1 - tail))


def _expanded(table: Floats, strata: Strata, means: Floats, confidence: float) -> Floats:
    """Levels for Student's t, with the degrees of freedom of Welch and Satterthwaite over the strata."""
    from scipy.special import ndtr, stdtrit

    sizes = strata.sizes[:, None]
    parts = (
        strata.shares[:, None] ** 2 * strata.variances(table) / sizes
    )  # (s, columns): of the mean's variance
    total = parts.sum(axis=0)
    flat = total == 0
    spread = np.where(flat, 1.0, total)
    shrunk = np.where(flat, 1.0, (parts * (sizes - 1) / sizes).sum(axis=0))  # as the bootstrap has it
    freedom = spread**2 / np.where(flat, 1.0, (parts**2 / (sizes - 1)).sum(axis=0))
    tail = ndtr(np.sqrt(spread / shrunk) * stdtrit(freedom, (1 - confidence) / 2))
    return np.stack((tail, 1 - tail))


def _bca(table: Floats, strata: Strata, means: Floats, confidence: float) -> Floats:
    """Levels of the BCa interval; the acceleration over strata is that of Davison & Hinkley 1997, section 5.3."""
    from scipy.special import ndtr, ndtri

    centre = strata.mean(table)
    below = (np.mean(means < centre, axis=0) + np.mean(means <= centre, axis=0)) / 2
    edge = 0.5 / len(means)  # a bias that is not infinite where all resampled means lie on one side
    bias = ndtri(np.clip(below, edge, 1 - edge))
    influence = strata.weights[:, None] * strata.deviations(table)  # (n, columns)
    spread = (influence**2).sum(axis=0) ** 1.5
    acceleration = (influence**3).sum(axis=0) / (6 * np.where(spread == 0, 1.0, spread))
    tail = (1 - confidence) / 2
    shifted = bias + ndtri(np.array([[tail], [1 - tail]]))  # (2, columns)
    return np.asarray(ndtr(bias + shifted / (1 - acceleration * shifted)))


_LEVELS: dict[str, Callable[[Floats, Strata, Floats, float], Floats]] = {
    "expanded": _expanded,
    "percentile": _percentile,
    "bca": _bca,
}
