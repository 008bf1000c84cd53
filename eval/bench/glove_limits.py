"""What limits an epoch of GloVe: bytes that have to move, and multiplications that have to be made.

Each limit is measured on the machine at hand by something that does nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ragembed.embed.words.train.glove.kernels import CLIP, learn_kernel
from ragembed.embed.words.train.glove.tiles import _DOWN, Grid, Tiles
from ragembed.embed.words.train.glove.weights import Weights

PAIR_BYTES = 12
"""A cell, a logarithm and a weight."""
_TRIAD = 1 << 25
_REPEAT = 3


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _triad(a: Any, b: Any, c: Any) -> None:
    for at in range(len(a)):
        a[at] = b[at] + np.float32(3) * c[at]


@dataclass(frozen=True)
class Limits:
    """Measured limits."""

    bandwidth: float
    """Bytes a second that all threads read and write."""
    multiplying: float
    """Additions and multiplications a second, of a product of matrices in float32."""
    resident: float
    """Pairs a second of our loop where 64 words and 64 contexts are all there are."""
    tiled_bytes: float
    """Bytes for a pair: rows that a stripe of patches brings in, columns that a patch brings in, and the pair."""

    @classmethod
    def measure(cls, tiles: Tiles, weights: Weights, threads: int) -> Limits:
        """Take all four."""
        return cls(
            _bandwidth(threads), _multiplying(), _resident(weights, threads), tiled_bytes(tiles, weights.wide)
        )

    def rows(self, dimension: int) -> list[tuple[str, float]]:
        """Names and millions of pairs a second."""
        values = {
            "main memory, theirs: both rows of every pair in float64, no tiles": self.bandwidth
            / theirs_bytes(dimension),
            "main memory, ours without tiles": self.bandwidth / row_bytes(dimension, 2),
            "main memory, ours with tiles": self.bandwidth / self.tiled_bytes,
            "arithmetic": self.multiplying / flops(dimension),
            "our loop on 64 x 64 words, all in the first cache": self.resident,
        }
        return [(name, value / 1e6) for name, value in values.items()]

    def describe(self, dimension: int) -> str:
        """The figures behind."""
        return (
            f"memory {self.bandwidth / 1e9:.1f} GB/s, matrix product {self.multiplying / 1e9:.0f} GFLOP/s;"
            f" a pair: {theirs_bytes(dimension)} bytes in float64, {row_bytes(dimension, 2)} in float32,"
            f" {self.tiled_bytes:.0f} with tiles, {flops(dimension)} floating-point operations"
        )


def theirs_bytes(dimension: int) -> int:
    """Word and context row, weights and squares, each read and written, in float64; and 16 bytes of the pair."""
    return 2 * 2 * 2 * (dimension + 1) * 8 + 16


def row_bytes(dimension: int, rows: int) -> int:
    """`rows` of weights and steps in float32 read and written, and the pair."""
    return rows * 2 * 2 * (dimension + 1) * 4 + PAIR_BYTES


def flops(dimension: int) -> int:
    """Of a pair: 2 for the inner product, and 9 on either side (see the kernels), times the dimension."""
    return 20 * dimension


def tiled_bytes(tiles: Tiles, wide: int) -> float:
    """Counted over two row blocks."""
    moved = pairs = 0
    for p in range(min(2, tiles.grid.blocks)):
        for q in range(tiles.grid.blocks):
            cells = tiles.cells[tiles.inside(p, q)].astype(np.int64)
            rows, columns = cells >> 16, cells & 0xFFFF
            stripe = rows // _DOWN
            moved += len(np.unique(rows)) + len(np.unique(stripe << 16 | columns))
            pairs += len(cells)
    return 2 * 2 * wide * 4 * moved / pairs + PAIR_BYTES


def _best(work: Callable[[int], None], threads: int) -> float:
    """Least seconds in which `threads` threads do `work` once each."""
    best = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(_REPEAT + 1):
            started = time.perf_counter()
            list(pool.map(work, range(threads)))
            best = min(best, time.perf_counter() - started)
    return best


def _bandwidth(threads: int) -> float:
    parts = np.ones((threads, 3, _TRIAD), np.float32)
    # a written line is read first
    return parts.nbytes / 3 * 4 / _best(lambda thread: _triad(*parts[thread]), threads)


def _multiplying() -> float:
    size = 2048
    left, right = np.ones((2, size, size), np.float32)
    return 2 * size**3 / _best(lambda thread: _product(left, right), 1)


def _product(left: NDArray[np.float32], right: NDArray[np.float32]) -> None:
    np.matmul(left, right)


def _resident(like: Weights, threads: int) -> float:
    words, pairs = 64, 1_000_000
    made = [Weights.random(Grid(words, 1, words), like.dimension, 0.05, seed) for seed in range(threads)]
    random = np.random.default_rng(0)
    rows, columns = random.integers(0, words, (2, pairs))
    cells = (rows << 16 | columns).astype(np.uint32)
    logs, weights = random.normal(size=(2, pairs)).astype(np.float32)
    weights = np.abs(weights) * np.float32(0.03)
    learn = learn_kernel(like.wide)

    def work(thread: int) -> None:
        sides = (made[thread].words.reshape(-1), made[thread].contexts.reshape(-1))
        learn(*sides, cells, logs, weights, 0, pairs, like.dimension, np.float32(CLIP), np.float32(0.25))

    return threads * pairs / _best(work, threads)
