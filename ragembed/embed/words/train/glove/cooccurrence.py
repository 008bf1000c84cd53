"""How often words stand near one another: the matrix that GloVe learns from, counted in bounded memory.

Rows come in blocks, in order, and a block is gone when its taker is done with it. A corpus whose positions do not fit
into memory is counted in slices; the rows of each slice are kept in files and added up, block by block, at the end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.words.corpus import TokenCorpus, mapped
from ragembed.embed.words.train.glove.cooccurrence_kernels import BOUNDARY, counting_kernels

Item = TypeVar("Item")
Done = TypeVar("Done")

_TOKEN_BYTES = 16
"""Memory for each token of a slice: its number, its position, and two copies while boundaries are put in."""
_LEAST_TOKENS = 1000
"""Tokens of a slice, whatever the memory."""
_MOST_TOKENS = 1 << 30
"""Tokens of a slice, whatever the memory: with as many boundaries their positions still fit into 32 bits."""


class Rows(NamedTuple):
    """Some rows of the matrix: row r has ``columns[ends[r]:ends[r + 1]]``, in any order, and their `values`."""

    ends: NDArray[np.int64]
    columns: NDArray[np.uint32]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Counting:
    """What is counted, and with how much memory and how many threads."""

    window: int = 10
    """Words to each side that are near."""
    symmetric: bool = True
    """Count words to both sides, or to the left only: then a row's columns are the words that come before it."""
    distance_weighting: bool = True
    """A neighbour at distance d counts 1/d, or 1."""
    memory: int = 1_000_000_000
    """Bytes for the tokens of a slice and their positions."""
    workers: int = 1


@dataclass(frozen=True)
class Numbering:
    """New numbers of the words, so that rows which are needed together stand together."""

    numbers: NDArray[np.uint32]
    """``(words,)``"""
    blocks: int
    length: int
    """Numbers of a block; there are ``blocks * length`` in all, of which some may belong to no word."""


def count_blocks(
    corpus: TokenCorpus, counting: Counting, numbering: Numbering, folder: Path, tell: Callable[[float], None]
) -> Iterator[Rows]:
    """The co-occurrences of `corpus` as one `Rows` for each block of `numbering`, the same for any `workers`.

    Slices are kept in `folder` while they are needed. `tell` is called with the share that is done.
    """
    longest = int(np.diff(corpus.offsets).max(initial=1))
    window = max(1, min(counting.window, longest - 1))
    weights = 1 / np.arange(1, window + 1) if counting.distance_weighting else np.ones(window)
    room = min(max(_LEAST_TOKENS, counting.memory // _TOKEN_BYTES), _MOST_TOKENS)
    cuts = [*range(0, len(corpus.tokens), room), len(corpus.tokens)]
    slices = list(pairwise(cuts))

    def counted(bounds: tuple[int, int], share: Callable[[float], None]) -> Iterator[Rows]:
        part = _Slice(corpus, bounds, weights, counting.symmetric, numbering)
        with ThreadPoolExecutor(counting.workers) as pool:
            for done, rows in enumerate(
                in_order(pool, part.count, range(numbering.blocks), counting.workers), 1
            ):
                yield rows
                share(done / numbering.blocks)

    if len(slices) == 1:
        yield from counted(slices[0], tell)
        return
    spilled = []
    for number, bounds in enumerate(slices):
        blocks = counted(bounds, lambda share, number=number: tell((number + share) / (len(slices) + 1)))  # type: ignore[misc]
        spilled.append(_Spilled.write(folder / f"slice-{number}", blocks, numbering.length))
    for block in range(numbering.blocks):
        yield _sum([part.rows(block) for part in spilled], numbering)
        tell((len(slices) + (block + 1) / numbering.blocks) / (len(slices) + 1))
    for part in spilled:
        part.remove()


def in_order(
    pool: Executor, work: Callable[[Item], Done], items: Iterable[Item], ahead: int
) -> Iterator[Done]:
    """``map(work, items)`` in the threads of `pool`, with at most `ahead` results that nobody has taken yet."""
    waiting: deque[Future[Done]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


class _Slice:
    """Part of a corpus: the rows that its tokens make, with neighbours from beyond its ends."""

    def __init__(
        self,
        corpus: TokenCorpus,
        bounds: tuple[int, int],
        weights: NDArray[np.float64],
        symmetric: bool,
        numbering: Numbering,
    ) -> None:
        self._weights, self._symmetric, self._numbering = weights, symmetric, numbering
        first, last = bounds
        low, high = max(0, first - len(weights)), min(len(corpus.tokens), last + len(weights))
        ends = np.asarray(corpus.offsets[slice(*np.searchsorted(corpus.offsets, (low + 1, high)))])
        tokens = np.insert(numbering.numbers[corpus.tokens[low:high]], ends - low, BOUNDARY)
        self._text = np.concatenate(([BOUNDARY], tokens, [BOUNDARY])).astype(np.uint32, copy=False)
        begin, end = (int(at - low + 1 + np.searchsorted(ends, at, "right")) for at in (first, last - 1))
        self._starts, self._positions = counting_kernels().index(self._text, begin, end + 1, self._size)

    @property
    def _size(self) -> int:
        return self._numbering.blocks * self._numbering.length

    def count(self, block: int) -> Rows:
        """The rows of one block."""
        length, sides = self._numbering.length, 1 + self._symmetric
        first = block * length
        often = np.diff(self._starts[first : first + length + 1])
        most = int(np.minimum(often * sides * len(self._weights), self._size).sum())
        rows = _empty(length, most)
        counting_kernels().count(
            self._text,
            self._starts,
            self._positions,
            first,
            first + length,
            self._weights,
            self._symmetric,
            np.zeros(self._size),
            *rows,
        )
        return _trimmed(rows)


@dataclass(frozen=True)
class _Spilled:
    """The rows of a slice in files."""

    path: Path
    length: int
    ends: NDArray[np.int64]
    """``(blocks * length + 1,)``"""

    @classmethod
    def write(cls, path: Path, blocks: Iterable[Rows], length: int) -> _Spilled:
        counts = [np.zeros(1, np.int64)]
        with (
            path.with_suffix(".columns").open("wb") as columns,
            path.with_suffix(".values").open("wb") as values,
        ):
            for rows in blocks:
                counts.append(np.diff(rows.ends))
                columns.write(rows.columns.data)
                values.write(rows.values.data)
        return cls(path, length, np.cumsum(np.concatenate(counts)))

    def rows(self, block: int) -> Rows:
        ends = self.ends[block * self.length : (block + 1) * self.length + 1]
        inside = slice(ends[0], ends[-1])
        columns: Any = mapped(self.path.with_suffix(".columns"), np.uint32)
        values: Any = mapped(self.path.with_suffix(".values"), np.float64)
        return Rows(ends - ends[0], columns[inside], values[inside])

    def remove(self) -> None:
        for suffix in (".columns", ".values"):
            self.path.with_suffix(suffix).unlink()


def _sum(parts: list[Rows], numbering: Numbering) -> Rows:
    """The same rows of several slices, added."""
    before = np.cumsum([0, *(len(part.columns) for part in parts[:-1])])
    starts = np.stack([part.ends + start for part, start in zip(parts, before, strict=True)])
    rows = _empty(numbering.length, int(sum(len(part.columns) for part in parts)))
    columns, values = (np.concatenate([part[field] for part in parts]) for field in (1, 2))
    sums = np.zeros(numbering.blocks * numbering.length)
    counting_kernels().add(len(parts), starts, columns, values, sums, *rows)
    return _trimmed(rows)


def _empty(length: int, most: int) -> Rows:
    """Room for `most` values, and one that is written before it is known whether it is needed."""
    return Rows(np.empty(length + 1, np.int64), np.empty(most + 1, np.uint32), np.empty(most + 1, np.float64))


def _trimmed(rows: Rows) -> Rows:
    found = rows.ends[-1]
    return Rows(rows.ends, rows.columns[:found].copy(), rows.values[:found].copy())
