"""The compiled loop that learns from the pairs of one tile (numba, extra ``words``).

How a row of weights is laid out, so that a pair is nothing but loops over whole vector registers without a remainder:

    weights   w_1 ... w_d    bias   1      0 ...        a context row has its bias where a word row has the 1
    steps     s_1 ... s_d    s      0      0 ...

The inner product of a word row and a context row is then w·c plus both biases, and every weight moves by the same
formula: by its gradient times its step. A step of 0 never moves.

A step is AdaGrad's: the learning rate over the root of 1 plus the sum of squared moves so far, as gradients times
the learning rate. So a move m = gradient * step changes it to ``step / sqrt(1 + m * m)``, without anybody keeping the
sum. Moves are small nearly always, and then ``step * (1 - m²/2 + 3m⁴/8)`` is the same without a root or a division: to
all the digits of float32 up to m = 0.06, to four at m = 1/4, a bias's first and largest.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.extras import require

LANES = 16
"""Numbers in the widest vector register there is; narrower ones divide it."""
CLIP = 100.0
"""No component of a gradient is larger, as in Stanford's program."""
_SMALL = 0.25
"""Weighted errors from here on take the exact formula: one move of a bias is as large as the error at first."""

_FAST = {"nsz", "arcp", "contract", "afn", "reassoc"}
"""What the compiler may assume; not that there is no NaN, which must reach the loss and be reported there."""


def width(dimension: int) -> int:
    """Numbers of a row's weights: the vector, the bias, a 1, and zeros up to whole registers."""
    return -(-(dimension + 2) // LANES) * LANES


def small_error(learning_rate: float) -> float:
    """Largest weighted error whose moves take the short formula: those of weights up to 5 are then below 1/4."""
    return min(_SMALL, _SMALL / (5 * learning_rate))


def aligned_zeros(*shape: int) -> NDArray[np.float32]:
    """Zeros at an address that a vector register can be loaded from at once."""
    size = math.prod(shape)
    room = np.zeros(size + LANES, np.float32)
    skipped = (-room.ctypes.data // room.itemsize) % LANES
    return room[skipped : skipped + size].reshape(shape)


@functools.cache
def learn_kernel(wide: int) -> Callable[..., Any]:
    """Compile it for rows of `wide` weights, or load it as it was compiled before."""
    njit = require("numba", "words", "training glove").njit
    row = np.uint64(2 * wide)
    bits, mask = np.uint32(16), np.uint32(0xFFFF)
    zero, half, three_eighths, one = (np.float32(n) for n in (0, 0.5, 0.375, 1))

    @njit(nogil=True, cache=True, fastmath=_FAST)
    def learn(words, contexts, cells, logs, weights, start, end, dimension, clip, small):  # type: ignore[no-untyped-def]
        """Learn from the pairs `start` to `end` one after another; returns the sum of their losses.

        Gradients of vectors are clipped, those of biases are not, as in Stanford's program.

        Two pairs without a common word are taken at a time, so that the processor has something to do while it waits
        for the first one's sums: the result is the same as one after another.
        """
        total = 0.0
        at = start
        while at < end:
            then = min(at + 1, end - 1)
            word, context = np.uint64(cells[at] >> bits) * row, np.uint64(cells[at] & mask) * row
            word2, context2 = np.uint64(cells[then] >> bits) * row, np.uint64(cells[then] & mask) * row
            error, error2 = zero, zero
            for k in range(wide):
                error += words[word + k] * contexts[context + k]
                error2 += words[word2 + k] * contexts[context2 + k]
            taken = 2 if word != word2 and context != context2 else 1
            for turn in range(taken):
                if turn == 1:
                    word, context, error = word2, context2, error2
                error -= logs[at]
                weighted = weights[at] * error
                total += weighted * error
                at += 1
                if abs(weighted) <= small:
                    for k in range(wide):
                        w, c = words[word + k], contexts[context + k]
                        step, step2 = words[word + wide + k], contexts[context + wide + k]
                        move, move2 = weighted * c * step, weighted * w * step2
                        words[word + k] = w - move
                        contexts[context + k] = c - move2
                        square, square2 = move * move, move2 * move2
                        words[word + wide + k] = step + step * square * (three_eighths * square - half)
                        contexts[context + wide + k] = step2 + step2 * square2 * (
                            three_eighths * square2 - half
                        )
                else:
                    for k in range(wide):
                        w, c = words[word + k], contexts[context + k]
                        step, step2 = words[word + wide + k], contexts[context + wide + k]
                        gradient, gradient2 = weighted * c, weighted * w
                        if k < dimension:
                            gradient = min(max(gradient, -clip), clip)
                            gradient2 = min(max(gradient2, -clip), clip)
                        move, move2 = gradient * step, gradient2 * step2
                        words[word + k] = w - move
                        contexts[context + k] = c - move2
                        words[word + wide + k] = step / np.float32(math.sqrt(one + move * move))
                        contexts[context + wide + k] = step2 / np.float32(math.sqrt(one + move2 * move2))
        return total / 2

    compiled: Callable[..., Any] = learn
    return compiled
