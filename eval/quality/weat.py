"""WEAT and WEFAT: which words stand nearer to one set of attributes than to another?

Caliskan, Bryson & Narayanan 2017, "Semantics derived automatically from language corpora contain human-like biases",
Science 356. With s(w, A, B) = mean cosine of w with A - mean cosine of w with B:

- WEAT, two sets of targets X and Y: ``d = (mean s over X - mean s over Y) / deviation of s over X and Y``, and p, the
  share of partitions of X and Y into sets of the same two sizes whose difference is at least the observed one.
- WEFAT, one set W: for each word ``d = s(w, A, B) / deviation of its cosines over A and B``.

The deviation is that of a sample (n - 1), as the authors' own program has it; WEFE 1.0 divides by n, which makes d
larger by sqrt(n / (n - 1)).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ragembed.eval.quality.words import unit_rows

if TYPE_CHECKING:
    from ragembed.eval.quality.words import Matrix

Floats = NDArray[np.float64]

_BLOCK = 1 << 20
"""Numbers of a block of partitions: 8 MB."""
_EQUAL = 1e-12
"""Sums that differ by less than this, relative to their size, are equal: the order of a sum made the difference."""


@dataclass(frozen=True, slots=True)
class Weat:
    """What a WEAT found."""

    d: float
    """Effect size, from -2 to 2: above 0 where X goes with A and Y with B. 0 where all s are equal."""
    p: float
    """One-sided: how often chance gives as much. Never 0: the observed partition counts."""
    partitions: int
    """How many were tried: all, or a random sample."""
    exact: bool
    """Whether all were."""


def weat(x: Matrix, y: Matrix, a: Matrix, b: Matrix, *, rounds: int = 100_000, seed: int = 0) -> Weat:
    """The WEAT of targets `x` and `y` and attributes `a` and `b`, one vector ``(d,)`` a row, none of them zeros.

    All partitions are tried where there are at most `rounds`; else `rounds` random ones, and the observed one is added,
    as Phipson & Smyth 2010, "Permutation p-values should never be zero". `x` and `y` may differ in size, as they do
    where words are unknown: chance then makes sets of the same two sizes.
    """
    of_x, of_y = associations(x, a, b), associations(y, a, b)  # (m,), (n,)
    s, size = np.concatenate((of_x, of_y)), len(of_x)
    tolerance = _EQUAL * float(np.abs(s).sum())
    deviation = float(s.std(ddof=1))
    partitions = comb(len(s), size)
    exact = partitions <= rounds
    if deviation * len(s) <= tolerance:
        return Weat(0.0, 1.0, partitions if exact else rounds, exact)
    difference = float(of_x.mean() - of_y.mean())
    sums = _all_sums(s, size) if exact else _random_sums(s, size, rounds, seed)
    reached = sum(int((block >= of_x.sum() - tolerance).sum()) for block in sums)
    p = reached / partitions if exact else (reached + 1) / (rounds + 1)
    return Weat(difference / deviation, p, partitions if exact else rounds, exact)


def wefat(w: Matrix, a: Matrix, b: Matrix) -> Floats:
    """The effect size of each word of `w` ``(n,)``; 0 where a word is equally near to all attributes."""
    near_a, near_b = _cosines(w, a), _cosines(w, b)
    near = np.concatenate((near_a, near_b), axis=1)  # (n, attributes)
    deviation = near.std(axis=1, ddof=1)
    difference = near_a.mean(axis=1) - near_b.mean(axis=1)
    varied = deviation > _EQUAL
    return np.asarray(np.divide(difference, deviation, out=np.zeros(len(near)), where=varied))


def associations(w: Matrix, a: Matrix, b: Matrix) -> Floats:
    """s(w, A, B) of each row of `w` ``(n,)``."""
    return np.asarray(_cosines(w, a).mean(axis=1) - _cosines(w, b).mean(axis=1), np.float64)


def _cosines(x: Matrix, y: Matrix) -> Floats:
    sides: tuple[Any, Any] = (x, y)
    units: list[Any] = [unit_rows(side.astype(np.float64)) for side in sides]
    product = units[0] @ units[1].T  # (rows of x, rows of y)
    return np.asarray(product if isinstance(product, np.ndarray) else product.toarray(), np.float64)


def _all_sums(s: Floats, size: int) -> Iterator[Floats]:
    """Sums of `s` over every choice of `size` of them, in blocks."""
    choices = combinations(range(len(s)), size)
    while block := list(islice(choices, max(1, _BLOCK // size))):
        yield s[np.array(block)].sum(axis=1)


def _random_sums(s: Floats, size: int, rounds: int, seed: int) -> Iterator[Floats]:
    """Sums of `s` over `rounds` random choices of `size` of them, in blocks."""
    generator = np.random.default_rng(seed)
    rows = max(1, _BLOCK // len(s))
    for start in range(0, rounds, rows):
        keys = generator.random((min(rows, rounds - start), len(s)))
        chosen = np.argpartition(keys, size - 1, axis=1)[:, :size]
        yield s[chosen].sum(axis=1)
