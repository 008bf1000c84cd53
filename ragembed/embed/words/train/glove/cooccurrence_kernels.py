"""The compiled loops that count which words stand near one another (numba, extra ``words``).

Every position of a word is known beforehand, so a row of the matrix is counted into one dense vector, which stays in
the processor's cache: there is neither a hash table nor anything to sort or merge.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ragembed.extras import require

BOUNDARY = np.uint32(0xFFFFFFFF)
"""Stands in place of a token where a text ends."""


class CountingKernels(NamedTuple):
    """The compiled functions; see each in `counting_kernels`."""

    index: Callable[..., Any]
    count: Callable[..., Any]
    add: Callable[..., Any]


@functools.cache
def counting_kernels() -> CountingKernels:
    """Compile them, or load them as they were compiled before."""
    njit = require("numba", "words", "training glove").njit
    boundary = BOUNDARY

    @njit(nogil=True, cache=True)
    def index(text, first, last, size):  # type: ignore[no-untyped-def]
        """Where in ``text[first:last]`` each of `size` words stands: ``positions[starts[w]:starts[w + 1]]``."""
        starts = np.zeros(size + 1, np.int64)
        for at in range(first, last):
            if text[at] != boundary:
                starts[np.int64(text[at]) + 1] += 1
        for word in range(size):
            starts[word + 1] += starts[word]
        free = starts.copy()
        positions = np.empty(starts[size], np.uint32)
        for at in range(first, last):
            word = text[at]
            if word != boundary:
                positions[free[word]] = at
                free[word] += 1
        return starts, positions

    @njit(nogil=True, cache=True)
    def count(text, starts, positions, first, last, weights, right, sums, ends, columns, values):  # type: ignore[no-untyped-def]
        """Rows `first` to `last`: neighbours at distance d add ``weights[d - 1]``, right ones only if `right`.

        `sums` is zeros, and zeros again afterwards. Columns come in the order in which they were met.
        """
        found = 0
        ends[0] = 0
        for row in range(first, last):
            begin = found
            for at in range(starts[row], starts[row + 1]):
                here = np.int64(positions[at])
                for distance in range(len(weights)):
                    other = text[here - 1 - distance]
                    if other == boundary:
                        break
                    columns[found] = other  # overwritten by the next one unless it is new
                    found += sums[other] == 0.0
                    sums[other] += weights[distance]
                if right:
                    for distance in range(len(weights)):
                        other = text[here + 1 + distance]
                        if other == boundary:
                            break
                        columns[found] = other
                        found += sums[other] == 0.0
                        sums[other] += weights[distance]
            for at in range(begin, found):
                values[at] = sums[columns[at]]
                sums[columns[at]] = 0.0
            ends[row - first + 1] = found

    @njit(nogil=True, cache=True)
    def add(parts, starts, columns, values, sums, ends, sum_columns, sum_values):  # type: ignore[no-untyped-def]
        """The sum of matrices that lie one after another; row r of part p starts at ``starts[p, r]``."""
        found = 0
        ends[0] = 0
        for row in range(starts.shape[1] - 1):
            begin = found
            for part in range(parts):
                for at in range(starts[part, row], starts[part, row + 1]):
                    other = columns[at]
                    sum_columns[found] = other
                    found += sums[other] == 0.0
                    sums[other] += values[at]
            for at in range(begin, found):
                sum_values[at] = sums[sum_columns[at]]
                sums[sum_columns[at]] = 0.0
            ends[row + 1] = found

    return CountingKernels(index, count, add)
