"""How large an effect is, and which differences a number of queries can show at all.

All of it is for the paired t test, whose power is known in closed form (the noncentral t distribution) and within a
point of the randomisation test's.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ragembed.errors import QueryError
from ragembed.eval.strata import Floats, Strata, as_table


def effect_size(
    differences: ArrayLike, *, strata: ArrayLike | None = None, weights: ArrayLike | None = None
) -> Floats:
    """Cohen's d_z: the mean difference in units of the differences' standard deviation (n - 1).

    By Cohen's (1988) rule of thumb 0.2 is small, 0.5 medium, 0.8 large. From few queries it comes out too large, by a
    factor of about ``1 + 3 / (4 * n - 8)``: 3% at 30 queries. With several datasets (`strata`, `weights` as for
    `bootstrap_intervals`) the deviation is the one within datasets.

    Returns ``(pairs,)`` for ``(n, pairs)``, a scalar for ``(n,)``: 0 where all differences are 0, infinite where they
    are all equal but not 0.
    """
    table = as_table(differences)
    grouped = Strata.of(len(table), strata, weights)
    mean = grouped.mean(table)
    deviation = np.sqrt(grouped.shares @ grouped.variances(table))
    with np.errstate(divide="ignore", invalid="ignore"):
        effects = np.where(mean == 0, 0.0, mean / deviation)
    return effects if np.ndim(differences) == 2 else effects[0]


def minimal_detectable_difference(
    differences: ArrayLike,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    strata: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> Floats:
    """The smallest true difference that a test with these queries would find with the given power.

    From how much the observed `differences` vary, ``(n,)`` or ``(n, pairs)``, not from how large they are. Where the
    deviation is known otherwise: `detectable_difference`.
    """
    sd = deviations(differences, strata=strata, weights=weights)
    return sd * detectable_difference(1.0, len(np.asarray(differences)), alpha, power)


def deviations(
    differences: ArrayLike, *, strata: ArrayLike | None = None, weights: ArrayLike | None = None
) -> Floats:
    """The standard deviation which, over the root of the number of queries, is the standard error of the mean.

    For one dataset the usual one (n - 1). For several, the one that a single dataset of as many queries would need
    to have the same standard error. ``(pairs,)`` for ``(n, pairs)``, a scalar for ``(n,)``.
    """
    table = as_table(differences)
    grouped = Strata.of(len(table), strata, weights)
    parts = grouped.shares[:, None] ** 2 * grouped.variances(table) / grouped.sizes[:, None]  # (s, c)
    found: Floats = np.sqrt(len(table) * parts.sum(axis=0))
    return found if np.ndim(differences) == 2 else found[0]


def detectable_difference(deviation: float, queries: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest true difference found with `power`, for differences of a standard `deviation` over `queries`."""
    from scipy.optimize import brentq

    if not alpha < power < 1:
        raise QueryError(f"power is {power:g}", f"give a number between alpha, {alpha:g}, and 1, such as 0.8")
    high = 1.0
    while detection_power(high, 1.0, queries, alpha) < power:
        high *= 2
    root: Any = brentq(
        lambda distance: detection_power(distance, 1.0, queries, alpha) - power, 0.0, high, xtol=1e-12
    )
    return deviation * float(root)


def queries_needed(difference: float, deviation: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """How many queries it takes to find a true `difference` with `power`, at the differences' standard `deviation`.

    Raises `QueryError` for a difference of 0, which no number of queries finds.
    """
    if difference == 0:
        raise QueryError(
            "no number of queries finds a difference of 0", "give the difference that matters to you"
        )
    if not alpha < power < 1:
        raise QueryError(f"power is {power:g}", f"give a number between alpha, {alpha:g}, and 1, such as 0.8")
    few, enough = 1, 2
    while detection_power(difference, deviation, enough, alpha) < power:
        few, enough = enough, 2 * enough
    while enough - few > 1:
        middle = (few + enough) // 2
        if detection_power(difference, deviation, middle, alpha) < power:
            few = middle
        else:
            enough = middle
    return enough


def detection_power(difference: float, deviation: float, queries: int, alpha: float = 0.05) -> float:
    """The chance that a two-sided paired t test over `queries` finds a true `difference`, with its right sign.

    `deviation` is the standard deviation of the queries' differences.
    """
    from scipy.special import nctdtr, stdtrit

    if queries < 2:
        raise QueryError(f"the number of queries is {queries}", "give 2 or more")
    if not 0 < alpha < 1:
        raise QueryError(f"alpha is {alpha:g}", "give a number between 0 and 1, such as 0.05")
    if deviation == 0:
        return 1.0 if difference else 0.0
    critical = float(stdtrit(queries - 1, 1 - alpha / 2))
    errors = abs(difference) / deviation * math.sqrt(queries)  # the true difference in standard errors
    missed = float(nctdtr(queries - 1, errors, critical))
    return 1.0 - missed if math.isfinite(missed) else 1.0  # NaN where it is too small to be computed
