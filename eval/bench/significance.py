"""Do the statistics keep their promises? False positives, coverage, power, and time against scipy.

The values are nDCG@10 of `bm25`, `tfidf` and `onehot` on five collections, whose sizes are the numbers of queries
tried, and made up ones that are skewed or mostly 0. A simulation draws as many queries as the collection has, with
replacement. *swapped*: the two systems' names are swapped at random on each query, so that no system is better.
*centred*: the mean difference is taken off all, so that the means are equal and the skew stays.

    python -m ragembed.eval.bench.significance [--simulations 4000] [--rounds 4000] [--data FOLDER]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ragembed.datasets import load
from ragembed.eval.bench.harness import SHARED, alternate, machine, table
from ragembed.eval.bootstrap import Method, bootstrap_intervals
from ragembed.eval.evaluate import evaluate_embedder
from ragembed.eval.holm import holm
from ragembed.eval.power import detection_power, minimal_detectable_difference
from ragembed.eval.randomization import paired_randomization
from ragembed.eval.strata import Floats, Ints

COLLECTIONS = ("med", "cisi", "cranfield", "scifact", "cosqa")
SYSTEMS = ("bm25", "tfidf", "onehot")
BATCH = 500
"""Simulations in one call; they share the random signs or resamples, as pairs of systems do."""
Draw = Callable[[np.random.Generator, int], Floats]
"""From a generator and a number of simulations to ``(n, simulations)``."""
Sample = Callable[[np.random.Generator, tuple[int, int]], Floats]
"""From a generator and a shape to that many values."""


def real_values(data: Path) -> dict[str, Floats]:
    """nDCG@10 as ``(queries, systems)`` of each collection."""
    values = {}
    for name in COLLECTIONS:
        dataset = load(data / name)
        columns = [
            list(evaluate_embedder(dataset, system, measures="nDCG@10").scores.per_query["nDCG@10"].values())
            for system in SYSTEMS
        ]
        values[name] = np.array(columns).T
    return values


def made_up() -> dict[str, Sample]:
    """Differences of mean 0: mostly 0, of three values, or skewed."""

    def mostly_zero(generator: np.random.Generator, shape: tuple[int, int]) -> Floats:
        signs = generator.choice([-1.0, 0.0, 1.0], shape, p=[0.1, 0.8, 0.1])
        return np.asarray(generator.standard_exponential(shape) * signs)

    def three_values(generator: np.random.Generator, shape: tuple[int, int]) -> Floats:
        return np.asarray(generator.choice([-1.0, 0.0, 1.0], shape, p=[0.05, 0.9, 0.05]))

    def skewed(generator: np.random.Generator, shape: tuple[int, int]) -> Floats:
        return np.asarray(generator.standard_exponential(shape) - 1)

    return {"80% zeros": mostly_zero, "three values, 90% zeros": three_values, "exponential": skewed}


def resampled(
    pool: Floats, generator: np.random.Generator, simulations: int, queries: int | None = None
) -> Floats:
    """As many queries as in `pool`, or another number, drawn with replacement: ``(n, simulations)``."""
    return np.asarray(pool[generator.integers(0, len(pool), (queries or len(pool), simulations))])


def swapped(pool: Floats) -> Draw:
    """Simulations in which neither system is better."""

    def draw(generator: np.random.Generator, simulations: int) -> Floats:
        drawn = resampled(pool, generator, simulations)
        return np.asarray(drawn * generator.choice([-1.0, 1.0], drawn.shape))

    return draw


def shifted(pool: Floats, mean: float, queries: int | None = None) -> Draw:
    """Simulations whose true mean is `mean`."""
    return lambda generator, simulations: resampled(
        pool - pool.mean() + mean, generator, simulations, queries
    )


def batches(draw: Draw, simulations: int) -> Iterator[tuple[int, Floats]]:
    """A seed and ``(n, BATCH)`` at a time."""
    generator = np.random.default_rng(7)
    for seed in range(-(-simulations // BATCH)):
        yield seed, draw(generator, BATCH)


def found(draw: Draw, simulations: int, rounds: int, weights: Floats | None = None) -> float:
    """Percentage of the simulations that the test calls significant at 0.05."""
    p = [
        paired_randomization(drawn, weights=weights, rounds=rounds, seed=seed)
        for seed, drawn in batches(draw, simulations)
    ]
    return 100 * float(np.mean(np.concatenate(p) <= 0.05))


def families(values: Floats, simulations: int, rounds: int) -> float:
    """Percentage of simulations in which any pair of systems is significant after Holm's correction.

    The systems' values ``(n, systems)`` change places at random on each query: all systems are equally good.
    """
    pairs = list(combinations(range(values.shape[1]), 2))
    first, second = [i for i, _ in pairs], [j for _, j in pairs]

    def draw(generator: np.random.Generator, count: int) -> Floats:
        drawn = values[generator.integers(0, len(values), (len(values), count))]  # (n, count, systems)
        drawn = generator.permuted(drawn, axis=2)
        return (drawn[..., first] - drawn[..., second]).reshape(len(values), -1)  # (n, count * pairs)

    wrong = [
        min(holm(p)) <= 0.05
        for seed, drawn in batches(draw, simulations)
        for p in paired_randomization(drawn, rounds=rounds, seed=seed).reshape(-1, len(pairs))
    ]
    return 100 * float(np.mean(wrong))


def covered(draw: Draw, mean: float, simulations: int, rounds: int, **options: Any) -> float:
    """Percentage of the simulations whose 95% interval holds the true `mean`."""
    hits = []
    for seed, drawn in batches(draw, simulations):
        low, high = bootstrap_intervals(drawn, rounds=rounds, seed=seed, **options)
        hits.append((low <= mean + 1e-12) & (mean - 1e-12 <= high))
    return 100 * float(np.mean(np.concatenate(hits)))


def false_positives(
    values: dict[str, Floats], pools: dict[str, dict[str, Floats]], simulations: int, rounds: int
) -> None:
    """Tables of what is called significant although nothing differs."""
    print("False positives, %, at p <= 0.05\n")
    rows: list[list[object]] = []
    for name, pairs in pools.items():
        for pair, pool in pairs.items():
            rates = [found(draw, simulations, rounds) for draw in (swapped(pool), shifted(pool, 0.0))]
            rows.append([name, len(pool), pair, 100 * float(np.mean(pool == 0)), *rates])
    table(("collection", "queries", "pair", "ties, %", "swapped", "centred"), rows)
    any_pair = [families(columns, simulations, rounds) for columns in values.values()]
    table(("any of three pairs, after Holm", *values), [["swapped", *any_pair]])
    rows = []
    for name, sample in made_up().items():
        rows.append(
            [
                name,
                *(
                    found(lambda generator, count: sample(generator, (n, count)), simulations, rounds)
                    for n in (30, 76, 225, 300, 500)
                ),
            ]
        )
    table(("made up", *(f"{n} queries" for n in (30, 76, 225, 300, 500))), rows)


def together(
    pools: dict[str, dict[str, Floats]], pair: str, make: Callable[[Floats], Draw]
) -> tuple[Draw, Ints, Floats]:
    """One pair on all collections: simulations, strata and weights of the macro mean."""
    parts = [pairs[pair] for pairs in pools.values()]
    strata = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    weights = np.concatenate([np.full(len(part), 1 / (len(parts) * len(part))) for part in parts])
    draws = [make(part) for part in parts]
    return (
        lambda generator, count: np.concatenate([draw(generator, count) for draw in draws]),
        strata,
        weights,
    )


def macro(pools: dict[str, dict[str, Floats]], simulations: int, rounds: int) -> None:
    """The same for the mean over all collections."""
    print("Macro mean over the five collections: false positives and coverage, %\n")
    rows: list[list[object]] = []
    for pair in next(iter(pools.values())):
        swap, _, weights = together(pools, pair, swapped)
        centre, strata, _ = together(pools, pair, lambda pool: shifted(pool, 0.0))
        rates = [found(draw, simulations, rounds, weights) for draw in (swap, centre)]
        coverage = [
            covered(centre, 0.0, simulations, rounds, strata=strata, weights=weights, method=method)
            for method in get_args(Method)
        ]
        rows.append([pair, *rates, *coverage])
    table(("pair", "swapped", "centred", *get_args(Method)), rows)


def coverage(
    values: dict[str, Floats], pools: dict[str, dict[str, Floats]], simulations: int, rounds: int
) -> None:
    """How often each kind of interval holds the true mean, of differences and of single systems."""
    print("Coverage of the 95% intervals, %\n")
    rows: list[list[object]] = []
    for name, pairs in pools.items():
        means = dict(zip(SYSTEMS, values[name].T, strict=True))
        for what, columns in (("differences", pairs), ("systems", means)):
            rates = [
                [
                    covered(shifted(pool, 0.0), 0.0, simulations, rounds, method=method)
                    for pool in columns.values()
                ]
                for method in get_args(Method)
            ]
            rows.append(
                [name, len(values[name]), what, *(f"{min(rate):.1f} to {max(rate):.1f}" for rate in rates)]
            )
        told = ", ".join(
            f"{covered(shifted(pool, 0.0, 10), 0.0, simulations, rounds):.1f} ({np.mean(pool == 0):.0%} ties)"
            for pool in pairs.values()
        )
        rows.append([name, 10, "differences", told, "", ""])
    table(("collection", "queries", "of", *get_args(Method)), rows)


def power(pools: dict[str, dict[str, Floats]], simulations: int, rounds: int) -> None:
    """Found against foretold, at multiples of the minimal detectable difference."""
    print("Power of the test, %, where the true difference is a multiple of the minimal detectable one\n")
    factors = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
    rows: list[list[object]] = []
    for name, pairs in pools.items():
        pool = pairs["bm25 - tfidf"]
        least = float(minimal_detectable_difference(pool))
        rates = [found(shifted(pool, factor * least), simulations, rounds) for factor in factors]
        foretold = [
            100 * detection_power(factor * least, float(pool.std(ddof=1)), len(pool)) for factor in factors
        ]
        pairs_of_rates = (f"{rate:.1f} ({told:.1f})" for rate, told in zip(rates, foretold, strict=True))
        rows.append([name, len(pool), least, *pairs_of_rates])
    table(("collection", "queries", "detectable", *(f"x {factor:g}" for factor in factors)), rows)


def times(rounds: int) -> None:
    """The same work by scipy, in turns: 300 queries, one pair and 28 pairs."""
    from scipy import stats

    print("Seconds; scipy is given all pairs at once, and flips signs of differences as we do\n")
    differences = np.random.default_rng(0).normal(0.01, 0.2, (300, 28))
    rows: list[list[object]] = []
    for pairs in (1, 28):
        values = np.ascontiguousarray(differences[:, :pairs])
        seconds = alternate(
            {
                "test": lambda: paired_randomization(values, rounds=rounds),
                "scipy test": lambda: stats.permutation_test(
                    (values,),
                    np.mean,
                    permutation_type="samples",
                    vectorized=True,
                    n_resamples=rounds,
                    batch=500,
                ),
                "interval": lambda: bootstrap_intervals(values, rounds=rounds, method="percentile"),
                "scipy interval": lambda: stats.bootstrap(
                    (values,), np.mean, method="percentile", vectorized=True, n_resamples=rounds, batch=500
                ),
            },
            5,
        )
        for what in ("test", "interval"):
            ours, theirs = seconds[what], seconds[f"scipy {what}"]
            rows.append([what, pairs, ours, theirs, f"{theirs / ours:.1f}x"])
    table(("what", "pairs", "ours", "scipy", "better by"), rows)


def main() -> None:
    """Simulate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=4_000)
    parser.add_argument("--data", type=Path, default=SHARED, help="folder of the test collections")
    options = parser.parse_args()
    print(machine("numpy", "scipy"), "\n")
    values = real_values(options.data)
    pools = {
        name: {
            f"{SYSTEMS[i]} - {SYSTEMS[j]}": columns[:, i] - columns[:, j]
            for i, j in combinations(range(len(SYSTEMS)), 2)
        }
        for name, columns in values.items()
    }
    false_positives(values, pools, options.simulations, options.rounds)
    macro(pools, options.simulations, options.rounds)
    coverage(values, pools, options.simulations, options.rounds)
    power(pools, options.simulations, options.rounds)
    times(10_000)


if __name__ == "__main__":
    main()
