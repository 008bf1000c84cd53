"""The table that a test reads, and the datasets (strata) that its queries belong to.

Throughout the statistics: `n` queries, `c` columns (systems, or pairs of systems), `s` strata. A statistic is the mean
over the queries or, with several datasets, the mean of the datasets' means (the macro mean).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ragembed.errors import DatasetError, QueryError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def as_table(values: ArrayLike) -> Floats:
    """`values`, ``(n,)`` or ``(n, c)``, as float64 ``(n, c)``.

    Raises `DatasetError` for fewer than 2 queries or a value that is not finite, `QueryError` for another shape.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim not in (1, 2):
        raise QueryError(
            f"the values have {table.ndim} dimensions, not 1 or 2",
            "give one row a query, and a column a system or pair",
        )
    if len(table) < 2:
        raise DatasetError(
            f"{len(table)} judged queries are too few for statistics, 2 are needed",
            "judge more queries, better 50 or more",
        )
    table = table[:, None] if table.ndim == 1 else table  # (n, c)
    finite = np.isfinite(table)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise DatasetError(
            f"the value of query {row} (from 0) in column {column} is {table[row, column]}",
            "score every query; one without an answer scores 0",
        )
    return table


def as_weights(weights: ArrayLike | None, n: int) -> Floats:
    """`weights` as ``(n,)`` that sum to 1; equal ones where none are given. `QueryError` for what cannot be weights."""
    if weights is None:
        return np.full(n, 1.0 / n)
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != (n,):
        raise QueryError(
            f"weights have the shape {array.shape}, there are {n} queries", "give one weight a query"
        )
    if not np.isfinite(array).all() or array.min() < 0 or array.sum() <= 0:
        raise QueryError(
            "weights must be finite, 0 or more, and not all 0", "mend the weights, or leave them out"
        )
    return np.asarray(array / array.sum())


@dataclass(frozen=True, slots=True)
class Strata:
    """Which dataset each query belongs to, and how much each dataset's mean counts."""

    codes: Ints
    """``(n,)``: the stratum of each query, from 0."""
    sizes: Ints
    """``(s,)``: queries of each stratum, at least 2."""
    shares: Floats
    """``(s,)``: the weight of each stratum's mean; sum 1."""

    @classmethod
    def of(cls, n: int, strata: ArrayLike | None = None, weights: ArrayLike | None = None) -> Strata:
        """From one number a query (None: all in one) and one weight a query (None: equal), equal within a stratum.

        Raises `DatasetError` for a stratum of one query, and `QueryError` where the lengths differ or the weights
        within a stratum do.
        """
        numbers = np.zeros(n, dtype=np.int64) if strata is None else np.asarray(strata)
        if numbers.shape != (n,):
            raise QueryError(
                f"strata have the shape {numbers.shape}, there are {n} queries", "give one number a query"
            )
        _, codes, sizes = np.unique(numbers, return_inverse=True, return_counts=True)
        if sizes.min() < 2:
            raise DatasetError(
                f"dataset {int(sizes.argmin())} (from 0) has 1 judged query, too few for statistics",
                "judge at least 2 queries of each, or leave it out",
            )
        given = as_weights(weights, n)
        shares = np.bincount(codes, given, minlength=len(sizes)).astype(np.float64)
        if not np.allclose(given, (shares / sizes)[codes], rtol=1e-9, atol=0):
            raise QueryError(
                "weights differ between queries of one dataset",
                "give 1 / (datasets * queries of its dataset) to each",
            )
        return cls(codes.astype(np.int64), sizes.astype(np.int64), shares)

    @property
    def weights(self) -> Floats:
        """``(n,)``: the weight of each query; sum 1."""
        return np.asarray((self.shares / self.sizes)[self.codes])

    def mean(self, table: Floats) -> Floats:
        """The statistic of each column: ``(n, c)`` to ``(c,)``."""
        return np.asarray(self.weights @ table)

    def deviations(self, table: Floats) -> Floats:
        """Values less the mean of their stratum: ``(n, c)`` to ``(n, c)``. Rounding errors are 0."""
        means = np.stack(
            [table[self.codes == code].mean(axis=0) for code in range(len(self.sizes))]
        )  # (s, c)
        centred = table - means[self.codes]
        rounding = 1e-13 * np.abs(table).max(axis=0)  # else equal values would seem to vary
        return np.where(np.abs(centred) <= rounding, 0.0, centred)

    def variances(self, table: Floats) -> Floats:
        """Sample variance (n - 1) of each column in each stratum: ``(n, c)`` to ``(s, c)``."""
        squares = self.deviations(table) ** 2
        sums = np.stack(
            [squares[self.codes == code].sum(axis=0) for code in range(len(self.sizes))]
        )  # (s, c)
        return np.asarray(sums / (self.sizes[:, None] - 1))
