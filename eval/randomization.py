"""Paired randomisation (permutation) test: how often would chance alone make a difference this large?

If two systems are equally good, which of the two got which score for a query is chance, so the sign of each query's
difference is too. The test flips the signs at random and counts how often the mean difference is at least as far from
0 as the one observed. Fisher 1935; for retrieval, Smucker, Allan & Carterette 2007, "A comparison of statistical
significance tests for information retrieval evaluation".
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from ragembed.errors import QueryError
from ragembed.eval.strata import Floats, as_table, as_weights

_BLOCK = 1 << 20
"""Numbers in a block of signs or of statistics: 8 MB each."""
_ROUNDING = 1e-12
"""Two sums of the same terms in another order differ by less than this, relative to the sum of their sizes."""


def paired_randomization(
    differences: ArrayLike, *, weights: ArrayLike | None = None, rounds: int = 10_000, seed: int = 0
) -> Floats:
    """Two-sided p of the mean difference, for one pair of systems ``(n,)`` or many ``(n, pairs)``.

    Exact over all ``2 ** m`` signs where these are no more than `rounds`, with `m` the queries whose difference is not
    0 (the others change no sum). Else from `rounds` random ones, as ``(count + 1) / (rounds + 1)``: the observed
    signs are one of the possible outcomes, so that p is never 0 and the test never too eager (Phipson & Smyth 2010,
    "Permutation p-values should never be zero"). Every pair sees the same random signs, which depend on `seed`, `n` and
    `rounds` alone: a pair's p does not depend on what else is compared.

    `weights`: one a query, for a weighted mean such as the macro mean over datasets.

    Returns p as ``(pairs,)``, or a scalar for ``(n,)``; 1 where all differences are 0. Raises `DatasetError` for
    fewer than 2 queries or NaN.
    """
    if rounds < 1:
        raise QueryError(f"rounds is {rounds}", "give 1 or more, better 10,000")
    table = as_table(differences)
    terms = table * as_weights(weights, len(table))[:, None]  # (n, pairs)
    p = np.ones(terms.shape[1])
    sampled = []
    for column, values in enumerate(terms.T):
        changing = values[values != 0]
        if len(changing) < 64 and 2 ** len(changing) <= rounds:
            p[column] = _exact(changing)
        else:
            sampled.append(column)
    if sampled:
        p[sampled] = _sampled(terms[:, sampled], rounds, seed)
    return p if np.ndim(differences) == 2 else p[0]


def _exact(terms: Floats) -> float:
    """p over all signs of `terms` ``(m,)``; the mirror images count the same, so the first sign stays."""
    if not len(terms):
        return 1.0
    sums = terms[:1]
    for term in terms[1:]:
        sums = np.concatenate((sums + term, sums - term))  # (2 ** (m - 1),) in the end
    return float(np.mean(np.abs(sums) >= _threshold(terms)))


def _sampled(terms: Floats, rounds: int, seed: int) -> Floats:
    """p of each column of `terms` ``(n, pairs)`` over `rounds` random signs."""
    total, threshold = terms.sum(axis=0), _threshold(terms)
    counts = np.zeros(terms.shape[1], dtype=np.int64)
    for chosen in _subsets(rounds, len(terms), max(terms.shape), seed):  # (rows, n)
        # sum of sign * term, with signs 2 * chosen - 1
        sums = 2.0 * (chosen @ terms) - total  # (rows, pairs)
        counts += np.count_nonzero(np.abs(sums) >= threshold, axis=0)
    return np.asarray((counts + 1) / (rounds + 1))


def _threshold(terms: Floats) -> Floats:
    """What a sum must reach to be as extreme as the observed one; equal but for rounding counts as equal."""
    return np.asarray(np.abs(terms.sum(axis=0)) - _ROUNDING * np.abs(terms).sum(axis=0))


def _subsets(rounds: int, n: int, width: int, seed: int) -> Iterator[Floats]:
    """Random 0 and 1, ``(rounds, n)`` in blocks; the same whatever their size, since each row takes whole words.

    `width` is how many numbers a caller makes of each row.
    """
    generator = np.random.default_rng(seed)
    rows = max(1, _BLOCK // width)
    for start in range(0, rounds, rows):
        words = generator.integers(
            0, 2**64, size=(min(rows, rounds - start), -(-n // 64)), dtype=np.uint64
        )  # (rows, words)
        bits = np.unpackbits(words.astype("<u8", copy=False).view(np.uint8), axis=1, count=n)  # (rows, n)
        yield bits.astype(np.float64)
