"""The compiled loop that brings a block of counted pairs into the order in which they are trained (numba)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ragembed.extras import require

_STEP, _ONE, _TWO = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
"""Constants of splitmix64 (Steele, Lea & Flood 2014)."""


@functools.cache
def arrange_kernel() -> Callable[..., Any]:
    """Compile it, or load it as it was compiled before."""
    njit = require("numba", "words", "training glove").njit
    step, one, two = _STEP, _ONE, _TWO
    thirty, twenty_seven, thirty_one, half, bits = (np.uint64(n) for n in (30, 27, 31, 32, 16))

    @njit(nogil=True, cache=True)
    def arrange(ends, columns, values, blocks, length, down, across, state):  # type: ignore[no-untyped-def]
        """Cells, values and the start of each column block, for the rows of one row block.

        Pairs of one column block stand together, and in it those of one patch, `down` rows by `across` columns; patches
        go through the rows in boustrophedon order: each stripe of rows the other way than the one before. Within a
        patch pairs are shuffled by the random numbers that follow `state`, whatever order they came in. A cell is
        ``row << 16 | column``, both within their blocks.
        """
        total = ends[length]
        size = blocks * length
        starts = np.zeros(size + 1, np.int64)
        for at in range(total):
            starts[np.int64(columns[at]) + 1] += 1
        for column in range(size):
            starts[column + 1] += starts[column]
        free = starts.copy()
        rows = np.empty(total, np.uint32)  # by column, then by row
        by_column = np.empty(total, np.float64)
        for row in range(length):
            for at in range(ends[row], ends[row + 1]):
                place = free[columns[at]]
                free[columns[at]] += 1
                rows[place] = row
                by_column[place] = values[at]

        wide = (length + across - 1) // across
        patches = wide * ((length + down - 1) // down)
        bounds = np.zeros(blocks * patches + 1, np.int64)
        cells = np.empty(total, np.uint32)
        sorted_values = np.empty(total, np.float64)
        for filling in range(2):
            for block in range(blocks):
                for column in range(length):
                    number = block * length + column
                    for at in range(starts[number], starts[number + 1]):
                        stripe = np.int64(rows[at]) // down
                        along = column // across
                        patch = stripe * wide + (along if stripe % 2 == 0 else wide - 1 - along)
                        patch += block * patches
                        if filling:
                            place = bounds[patch]
                            cells[place] = np.uint32((np.uint64(rows[at]) << bits) | np.uint64(column))
                            sorted_values[place] = by_column[at]
                            bounds[patch] += 1
                        else:
                            bounds[patch + 1] += 1
            if not filling:
                for patch in range(blocks * patches):
                    bounds[patch + 1] += bounds[patch]
        # filling moved every start to its end
        block_starts = np.zeros(blocks + 1, np.int64)
        begin = 0
        for patch in range(blocks * patches):
            end = bounds[patch]
            for last in range(end - 1, begin, -1):
                state += step
                mixed = (state ^ (state >> thirty)) * one
                mixed = (mixed ^ (mixed >> twenty_seven)) * two
                mixed ^= mixed >> thirty_one
                other = begin + np.int64(((mixed >> half) * np.uint64(last - begin + 1)) >> half)
                cells[last], cells[other] = cells[other], cells[last]
                sorted_values[last], sorted_values[other] = sorted_values[other], sorted_values[last]
            begin = end
            block_starts[patch // patches + 1] = end
        return cells, sorted_values, block_starts

    compiled: Callable[..., Any] = arrange
    return compiled
