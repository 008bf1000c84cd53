"""The words that may answer an analogy question, and which of them are one word to whoever answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ragembed.eval.quality.words import check_finite, first_rows, unit_rows

if TYPE_CHECKING:
    from ragembed.eval.quality.words import Matrix

Rows = NDArray[np.int64]

_BLOCK = 1 << 14


class Vocabulary:
    """Words in the order given, those without a vector (zeros) left out.

    Two rows are the same word where they are spelt the same (with `ignore_case` up to case), and where their vectors
    are the same to the last bit, as a stemmer makes them: who has one vector for both cannot tell them apart.
    """

    def __init__(self, words: Sequence[str], vectors: Matrix, *, ignore_case: bool = True) -> None:
        check_finite(words, vectors)
        hashes, known = _hashes(vectors)
        if not known.all():
            kept = np.flatnonzero(known)
            words, vectors, hashes = [words[row] for row in kept.tolist()], vectors[kept], hashes[kept]
        self._words = words
        self._vectors = vectors
        self._ignore_case = ignore_case
        keys = [self._key(word) for word in words]
        self._first = first_rows(keys)
        numbers = {key: number for number, key in enumerate(self._first)}
        self._spelling = _Classes(np.array([numbers[key] for key in keys], np.int64))
        self._vector = _Classes(np.unique(hashes, return_inverse=True)[1].astype(np.int64))

    def __len__(self) -> int:
        return len(self._words)

    def row(self, word: str) -> int | None:
        """Where `word` is, in its first spelling; None where it is not."""
        return self._first.get(self._key(word))

    def same(self, row: int) -> Rows:
        """All rows that are the same word as `row`, itself among them."""
        return np.union1d(self._spelling.members(row), self._vector.members(row))

    def units(self, rows: Rows | slice) -> Matrix:
        """Vectors of `rows`, scaled to length 1."""
        return unit_rows(self._vectors[rows])

    def blocks(self, size: int) -> Iterator[tuple[int, Matrix]]:
        """The whole vocabulary, `size` words at a time: the first row of each block, and its unit vectors."""
        for start in range(0, len(self), size):
            yield start, self.units(slice(start, start + size))

    def _key(self, word: str) -> str:
        return word.lower() if self._ignore_case else word


class _Classes:
    """Rows by a number that those of one class share."""

    def __init__(self, numbers: Rows) -> None:
        self._numbers = numbers
        self._order = np.argsort(numbers, kind="stable")
        self._sorted = numbers[self._order]

    def members(self, row: int) -> Rows:
        """The rows of the class of `row`, ascending."""
        low, high = (np.searchsorted(self._sorted, self._numbers[row], side) for side in ("left", "right"))
        return self._order[low:high]


def _hashes(vectors: Matrix) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """64 bits of each vector, equal for equal vectors, and which vectors are not zeros.

    A hash is the sum, modulo 2**64, of a random weight of each dimension times the bits of its value.
    """
    shape: Any = vectors.shape
    rows, dimension = shape
    weights = np.random.default_rng(0).integers(1, 1 << 63, dimension, np.uint64)
    if not isinstance(vectors, np.ndarray):
        values = vectors.data.astype(np.float32) + np.float32(0)  # -0 becomes 0
        row = np.repeat(np.arange(rows), np.diff(vectors.indptr))
        hashes = np.zeros(rows, np.uint64)
        np.add.at(hashes, row, values.view(np.uint32) * weights[vectors.indices])
        return hashes, np.isin(np.arange(rows), row[values != 0])
    hashes, known = np.empty(rows, np.uint64), np.empty(rows, np.bool_)
    for start in range(0, rows, _BLOCK):
        part = slice(start, start + _BLOCK)
        dense = vectors[part].astype(np.float32) + np.float32(0)
        hashes[part] = (dense.view(np.uint32) * weights).sum(axis=1, dtype=np.uint64)
        known[part] = dense.any(axis=1)
    return hashes, known
