"""Exact search by cosine over the rows of a matrix: what `neighbors.py` asks its questions to.

A search has two steps. One in float32 over all rows leaves those that can be among the best, by the bound on the error
of a float32 sum (Higham 2002, section 3.1); the second scores these in float64, a row by itself, so that equal rows tie
to the last bit and come in their order, and a score never depends on what else there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    Matrix: TypeAlias = Dense | csr_array

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Cosines: TypeAlias = NDArray[Any]
"""``(t, n)`` in float32 or float64: of t vectors that are asked for with n rows."""
Scores = Callable[[Cosines, Floats], NDArray[Any]]
"""Cosines and the signs ``(t,)`` -> scores ``(n,)``, growing with a cosine of sign 1, falling with one of sign -1."""

EPSILON = 0.001
"""Keeps 3CosMul from dividing by zero; Levy & Goldberg's value."""
_BLOCK = 1 << 20
"""Numbers of a block of vectors that is copied, or widened to float64."""
_ROUNDING = 2.0**-24
"""Largest relative error of one operation in float32."""
_DIGITS = 6
"""Sparse cosines are rounded to so many: counts make many equal, and float32 weights keep those apart in the eighth."""


def cos_add(near: Cosines, signs: Floats) -> NDArray[Any]:
    """The cosine with the one vector asked for, the signed sum of all."""
    cosines: NDArray[Any] = near[0]
    return cosines


def cos_mul(near: Cosines, signs: Floats, epsilon: float = EPSILON) -> NDArray[Any]:
    """3CosMul: products of the cosines shifted to 0..1, those of sign 1 over those of sign -1."""
    shifted = np.clip(near, -1, 1)
    shifted += 1
    shifted /= 2
    above: NDArray[Any] = shifted[signs > 0].prod(axis=0)
    below = shifted[signs < 0].prod(axis=0)
    below += epsilon
    above /= below
    return above


METHODS: Mapping[str, Scores] = {"3cosadd": cos_add, "3cosmul": cos_mul}


class Nearest:
    """Searches the rows of `vectors` ``(n, dimension)``, an array, a memory map or a csr_array.

    The lengths of all rows are computed by the first search and kept. A row of zeros, or with NaN or infinity in it, is
    never found; nor is a sparse one that shares no dimension with anything of sign 1.
    """

    def __init__(self, vectors: Matrix) -> None:
        self.vectors: Any = vectors
        self._sparse = not isinstance(vectors, np.ndarray)
        self._known_lengths: NDArray[np.float32] | None = None

    def best(
        self, units: Floats, signs: Floats, method: Scores, barred: Sequence[int], k: int
    ) -> tuple[Rows, Floats]:
        """The `k` best rows and their scores, best first, equal ones by row; fewer where there are no more.

        `units` ``(t, dimension)`` are the vectors asked for, of length 1, `signs` ``(t,)`` theirs; `barred` rows are
        left out.
        """
        near = self._rough(units)
        error = (units.shape[1] + 16) * 2 * _ROUNDING + (10.0**-_DIGITS if self._sparse else 0)
        out: NDArray[np.bool_] = np.logical_not(np.isfinite(near).all(axis=0))
        if self._sparse:
            out |= ~(near * signs[:, np.newaxis] > 0).any(axis=0)
        out[list(barred)] = True
        left = len(out) - int(out.sum())
        if not left:
            return np.zeros(0, np.int64), np.zeros(0)
        slack = (error * signs[:, np.newaxis]).astype(np.float32)
        low, high = method(near - slack, signs), method(near + slack, signs)
        low[out] = -np.inf
        place = len(low) - min(k, left)
        floor = np.partition(low, place)[place]  # the k-th best has at least this
        rows: Rows = np.flatnonzero((high >= floor) & ~out)
        scores = method(self._exact(rows, units), signs)
        order = np.lexsort((rows, -scores))[:k]
        return rows[order], scores[order]

    def _rough(self, units: Floats) -> NDArray[np.float32]:
        """Cosines of all rows with `units` as float32 gives them ``(t, n)``; not finite for a row that has none."""
        asked = units.astype(np.float32)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            # one product for all: many small ones wait for their threads where the processor is busy
            products = (self.vectors @ asked.T).T if self._sparse else asked @ self.vectors.T
            return np.asarray(products / self._lengths)

    @property
    def _lengths(self) -> NDArray[np.float32]:
        """The length of every row ``(n,)``; NaN where it is not finite, so that no cosine of 0 comes of it."""
        if self._known_lengths is None:
            vectors = self.vectors
            squares = np.empty(vectors.shape[0], np.float32)
            with np.errstate(invalid="ignore", over="ignore"):
                if self._sparse:
                    squares[:] = np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
                else:
                    for start in range(0, len(squares), step := max(1, _BLOCK // vectors.shape[1])):
                        block = vectors[start : start + step]
                        squares[start : start + step] = np.einsum("nd,nd->n", block, block)
            squares[~np.isfinite(squares)] = np.nan
            self._known_lengths = np.sqrt(squares)
        return self._known_lengths

    def _exact(self, rows: Rows, units: Floats) -> Cosines:
        """Cosines of `rows` with `units` in float64 ``(t, len(rows))``."""
        found = np.empty((len(units), len(rows)))
        for start in range(0, len(rows), step := max(1, _BLOCK // units.shape[1])):
            wide = self.vectors[rows[start : start + step]].astype(np.float64)
            if self._sparse:
                products = np.asarray(wide @ units.T).T
                lengths = np.sqrt(np.asarray(wide.multiply(wide).sum(axis=1)).ravel())
            else:
                products = np.stack([(wide * unit).sum(axis=1) for unit in units])
                lengths = np.sqrt((wide * wide).sum(axis=1))
            found[:, start : start + step] = products / lengths
        return found.round(_DIGITS) if self._sparse else found
