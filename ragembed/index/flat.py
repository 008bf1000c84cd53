"""Files of vectors: FAISS's flat format, written piece by piece and read through a memory map.

The format (`IndexFlatIP`, as ``faiss.write_index`` writes it) is a header of 45 bytes and the raw vectors. Written by
hand, any number of segments are merged in a few megabytes of memory; read by hand, FAISS never parses a file that came
from elsewhere, and the vectors stay in the system's page cache, shared by all processes that search them.
"""

from __future__ import annotations

import functools
import math
import mmap
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.errors import CorruptError, StoreError

Rows = NDArray[np.int64]
Write = Callable[[bytes], object]

_HEADER = struct.Struct("<4siqqqBiQ")
"""Kind, dimension, vectors, two that FAISS fills but ignores, whether trained, metric (0: inner product), floats."""
_KIND = b"IxFI"
_UNUSED = 1 << 20
_PIECE = 1 << 22
"""Bytes of vectors that are worked on at once: small enough to stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class Flat:
    """Vectors as their bytes (n, 4 * dimension), which in a mapped file begin at an odd address."""

    codes: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.codes.shape[1]) // 4

    @property
    def piece(self) -> int:
        """How many vectors to work on at once."""
        return max(1, _PIECE // int(self.codes.shape[1]))

    def take(self, which: slice | Rows) -> Dense:
        """A copy of some of the vectors, aligned for numpy."""
        return np.array(self.codes[which]).view(np.float32)

    def blocks(self, positions: Rows | None, most: int) -> Iterator[tuple[int, Dense]]:
        """The vectors at `positions` (None: all), up to `most` at once, each time with how many came before.

        All blocks lie in the same memory: one is gone when the next comes.
        """
        count = len(self) if positions is None else len(positions)
        room = np.empty((min(most, count), self.codes.shape[1]), np.uint8)
        for start in range(0, count, most):
            block = room[: min(most, count - start)]
            if positions is None:
                block[:] = self.codes[start : start + most]
            else:
                np.take(self.codes, positions[start : start + most], axis=0, out=block, mode="clip")
            yield start, block.view(np.float32)

    @functools.cached_property
    def largest_norm(self) -> float:
        """Euclidean length of the longest vector; costs one pass over all of them."""
        squared = 0.0
        with np.errstate(over="ignore"):  # infinity is a bound too
            for _, vectors in self.blocks(None, self.piece):
                squared = max(squared, float(np.einsum("nd,nd->n", vectors, vectors).max()))
        return math.sqrt(squared)


def flat_index(vectors: Dense) -> Flat:
    """`vectors` (n, dimension) as they are in memory."""
    return Flat(np.ascontiguousarray(vectors, np.float32).view(np.uint8))


def write_flat(flat: Flat, write: Write) -> None:
    """Pass the bytes of a FAISS file of `flat` to `write`, in pieces of a few megabytes."""
    write_merged_flat([(flat, None)], len(flat), flat.dimension, write)


def write_merged_flat(
    parts: Iterable[tuple[Flat, Rows | None]], rows: int, dimension: int, write: Write
) -> None:
    """Pass the bytes of one FAISS file of the vectors of all `parts`, in order, to `write`.

    With each part come the ascending positions of the vectors that are kept (None: all). `rows` says how many that
    are together; another number raises `StoreError`. Needs a few megabytes whatever the size.
    """
    write(_HEADER.pack(_KIND, dimension, rows, _UNUSED, _UNUSED, True, 0, rows * dimension))
    written = 0
    for flat, keep in parts:
        if flat.dimension != dimension:
            raise StoreError(
                f"vectors of {flat.dimension} dimensions cannot be merged with those of {dimension}",
                "run: ragembed verify INDEX",
            )
        for _, vectors in flat.blocks(keep, flat.piece):
            write(vectors.tobytes())
            written += len(vectors)
    if written != rows:
        raise StoreError(
            f"{written} vectors were merged where {rows} are expected", "run: ragembed verify INDEX"
        )


def read_flat(path: Path, rows: int, dimension: int) -> Flat:
    """The vectors in `path`, mapped; raises `CorruptError` unless they are as many and as long as said."""
    with path.open("rb") as file:
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size or not header.startswith(_KIND):
            raise CorruptError(f"{path.name} is no flat FAISS index", "run: ragembed verify INDEX")
        _, d, n, _, _, _, metric, floats = _HEADER.unpack(header)
        if metric != 0:
            raise CorruptError(
                f"{path.name} measures by metric {metric}, not by inner product", "run: ragembed verify INDEX"
            )
        if (n, d) != (rows, dimension):
            raise CorruptError(
                f"{path.name} holds {n} vectors of {d} dimensions, the catalog says {rows} of {dimension}",
                "run: ragembed verify INDEX",
            )
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    size = _HEADER.size + 4 * rows * dimension
    if floats != rows * dimension or len(memory) != size:
        raise CorruptError(
            f"{path.name} has {len(memory)} bytes, {rows} vectors of {dimension} dimensions take {size}",
            "run: ragembed verify INDEX",
        )
    return Flat(np.frombuffer(memory, np.uint8, offset=_HEADER.size).reshape(rows, 4 * dimension))
