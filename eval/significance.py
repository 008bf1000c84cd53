"""Is the difference between systems real? Every pair of systems compared, on one dataset or over several.

Each system has one value a query (of nDCG@10, say). `compare_systems` and `compare_over_datasets` put together what the
modules beside this one compute: the paired randomisation test, bootstrap intervals, effect sizes, detectable
differences, and the groups of systems that do not differ. docs/significance.md says what each number means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Any

import numpy as np

from ragembed.errors import QueryError
from ragembed.eval.alignment import Scores, align
from ragembed.eval.bootstrap import bootstrap_intervals
from ragembed.eval.holm import holm
from ragembed.eval.letters import letters
from ragembed.eval.power import (
    detectable_difference,
    detection_power,
    deviations,
    effect_size,
    minimal_detectable_difference,
    queries_needed,
)
from ragembed.eval.randomization import paired_randomization
from ragembed.eval.strata import Floats

__all__ = [
    "Comparison",
    "Pair",
    "bootstrap_intervals",
    "compare_over_datasets",
    "compare_systems",
    "detectable_difference",
    "detection_power",
    "effect_size",
    "holm",
    "letters",
    "minimal_detectable_difference",
    "paired_randomization",
    "queries_needed",
]

_POWER = 0.8
_EQUAL = 1e-12
"""Two values of a query that differ by less, relative to their size, differ by rounding only."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two systems compared over the same queries."""

    a: str
    b: str
    difference: float
    """Mean of ``a`` less mean of ``b``: above 0 where ``a`` is better."""
    low: float
    """Lower end of the confidence interval of the difference, for this pair alone (not adjusted for many pairs)."""
    high: float
    """Its upper end."""
    p: float
    """Two-sided p of the paired randomisation test, for this pair alone."""
    p_holm: float
    """`p` adjusted for all pairs that were compared (Holm)."""
    significant: bool
    """Whether `p_holm` is at most 1 - confidence."""
    effect: float
    """Cohen's d_z: the difference in standard deviations of the queries' differences. Infinite where all are equal."""
    wins: int
    """Queries on which ``a`` is better."""
    ties: int
    """Queries on which both are equal."""
    losses: int
    """Queries on which ``b`` is better."""
    detectable: float
    """The smallest true difference that a test of this pair alone would find with power 0.8."""
    detectable_adjusted: float
    """The same at the strictest level of Holm's procedure, (1 - confidence) / number of pairs."""
    needed: int | None
    """Queries with which a true difference as large as the observed one is found with power 0.8, for this pair alone;
    None where the difference is 0. Over several datasets: in all, shared between them as now."""

    def to_json(self, numbers: Mapping[str, int]) -> dict[str, Any]:
        """Plain JSON values, the systems by their `numbers`; an infinite effect is None."""
        return {
            "a": numbers[self.a],
            "b": numbers[self.b],
            "difference": self.difference,
            "low": self.low,
            "high": self.high,
            "p": self.p,
            "p_holm": self.p_holm,
            "significant": self.significant,
            "effect": self.effect if math.isfinite(self.effect) else None,
            "wins": self.wins,
            "ties": self.ties,
            "losses": self.losses,
            "detectable": self.detectable,
            "detectable_adjusted": self.detectable_adjusted,
            "needed": self.needed,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """All systems compared with one another."""

    systems: tuple[str, ...]
    """In the order given."""
    queries: int
    """Queries that every system was scored on, over all datasets."""
    confidence: float
    """Of the intervals; 1 - confidence is the level of significance."""
    means: tuple[float, ...]
    """Each system's mean; over several datasets, the mean of its means."""
    intervals: tuple[tuple[float, float], ...]
    """Confidence interval of each mean. To compare two systems read their `Pair`: two of these may overlap although
    the difference is certain, since queries that are hard for one system are hard for the other."""
    pairs: tuple[Pair, ...]
    """All pairs, each with ``a`` before ``b`` in the order of `systems`."""
    groups: tuple[str, ...]
    """Letters of each system: those that share a letter do not differ significantly. The best has an "a"."""
    detectable: float | None
    """Median of the pairs' `detectable`, without pairs that are equal on every query; None where there is no other."""
    detectable_adjusted: float | None
    """The same of `detectable_adjusted`."""


def compare_systems(
    scores: Scores, *, confidence: float = 0.95, rounds: int | None = None, seed: int = 0
) -> Comparison:
    """Compare all pairs of systems on one dataset. The same `scores` and `seed` give the same numbers.

    `rounds` of the randomisation test: 10,000, or 200 a pair where that is more, so that p can become small enough to
    withstand the correction for all pairs. The order of the queries does not matter, and a pair's `p`, `low` and `high`
    do not depend on which other systems are compared, as long as `rounds` stays.

    Raises `DatasetError` where systems were scored on different queries, on fewer than 2, or with NaN.
    """
    return compare_over_datasets({"the dataset": scores}, confidence=confidence, rounds=rounds, seed=seed)


def compare_over_datasets(
    scores: Mapping[str, Scores],
    *,
    weights: Mapping[str, float] | None = None,
    confidence: float = 0.95,
    rounds: int | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare the macro means of all pairs of systems over ``{dataset: {system: {query: value}}}``.

    Every dataset counts the same, however many queries it has, unless `weights` say otherwise. The answer is about
    these datasets with other queries, not about other datasets. For the rest see `compare_systems`.
    """
    if not 0 < confidence < 1:
        raise QueryError(f"confidence is {confidence:g}", "give a number between 0 and 1, such as 0.95")
    systems, table, strata, each = align(scores, weights)
    places = list(combinations(range(len(systems)), 2))
    differences = _differences(table, places)  # (n, pairs)
    low, high = bootstrap_intervals(
        np.hstack((table, differences)), strata=strata, weights=each, confidence=confidence, seed=seed
    )
    ends = list(zip(low.tolist(), high.tolist(), strict=True))
    p = paired_randomization(
        differences,
        weights=each,
        rounds=max(10_000, 200 * len(places)) if rounds is None else rounds,
        seed=seed,
    )
    pairs = _pairs(
        [(systems[i], systems[j]) for i, j in places],
        differences,
        mean=each @ differences,
        ends=ends[len(systems) :],
        p=p,
        effect=effect_size(differences, strata=strata, weights=each),
        deviation=deviations(differences, strata=strata, weights=each),
        level=round(1 - confidence, 12),  # 1 - 0.95 is a little more than 0.05
    )
    means = (each @ table).tolist()
    apart = {place for place, pair in zip(places, pairs, strict=True) if pair.significant}
    varied = [pair for pair in pairs if pair.detectable > 0]
    return Comparison(
        systems=systems,
        queries=len(table),
        confidence=confidence,
        means=tuple(means),
        intervals=tuple(ends[: len(systems)]),
        pairs=tuple(pairs),
        groups=tuple(letters(means, apart)),
        detectable=median(pair.detectable for pair in varied) if varied else None,
        detectable_adjusted=median(pair.detectable_adjusted for pair in varied) if varied else None,
    )


def _pairs(
    names: Sequence[tuple[str, str]],
    differences: Floats,
    *,
    mean: Floats,
    ends: Sequence[tuple[float, float]],
    p: Floats,
    effect: Floats,
    deviation: Floats,
    level: float,
) -> list[Pair]:
    """One `Pair` for each column of `differences` ``(n, pairs)``; the other arrays are ``(pairs,)``."""
    n = len(differences)
    single, strictest = (
        detectable_difference(1.0, n, alpha, _POWER) for alpha in (level, level / max(1, len(names)))
    )
    rounding = _EQUAL * np.abs(differences).max(axis=0)
    adjusted = holm(p)
    pairs = []
    for column, (a, b) in enumerate(names):
        values, sd = differences[:, column], float(deviation[column])
        difference = 0.0 if abs(mean[column]) <= rounding[column] else float(mean[column])
        pairs.append(
            Pair(
                a=a,
                b=b,
                difference=difference,
                low=ends[column][0],
                high=ends[column][1],
                p=float(p[column]),
                p_holm=adjusted[column],
                significant=adjusted[column] <= level,
                effect=float(effect[column]) if difference else 0.0,
                wins=int(np.count_nonzero(values > 0)),
                ties=int(np.count_nonzero(values == 0)),
                losses=int(np.count_nonzero(values < 0)),
                detectable=sd * single,
                detectable_adjusted=sd * strictest,
                needed=queries_needed(difference, sd, level, _POWER) if difference else None,
            )
        )
    return pairs


def _differences(table: Floats, places: Sequence[tuple[int, int]]) -> Floats:
    """``(n, systems)`` to ``(n, pairs)``; values equal but for rounding differ by 0."""
    first, second = (table[:, [pair[side] for pair in places]] for side in (0, 1))  # (n, pairs)
    differences = first - second
    equal = np.abs(differences) <= _EQUAL * np.maximum(np.abs(first), np.abs(second))
    return np.where(equal, 0.0, differences)
