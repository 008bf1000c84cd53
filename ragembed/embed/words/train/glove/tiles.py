"""The co-occurrences in the order in which GloVe learns from them, in files that are mapped into memory.

Stanford's program shuffles all pairs, so that nearly every pair fetches two rows of weights from main memory. Here rows
and columns are cut into blocks, the pairs of a row block and a column block are a tile, and a tile's weights stay in
the processor's cache while it is learnt from. Tiles that share no block can be learnt from at the same time without
touching the same weights (Gemulla, Nijkamp, Haas & Sismanis 2011).

Word w is in block w mod B. Every tile then has its share of frequent and rare words: all are about as large, and a tile
is close to a random sample of the pairs, without which learning is slower.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.words.corpus import TokenCorpus, mapped
from ragembed.embed.words.train.glove.cooccurrence import Counting, Numbering, Rows, count_blocks, in_order
from ragembed.embed.words.train.glove.tile_kernels import arrange_kernel
from ragembed.errors import EmbeddingError

_BLOCK_WORDS = 1024
"""Words of a block, about: the weights of one block in 100 dimensions are as large as the second cache."""
_LEAST_BLOCKS, _MOST_BLOCKS = 32, 512
"""Tiles learnt from at once are never more than there are blocks; and beyond some number there is little in a tile."""
_DOWN, _ACROSS = 512, 64
"""Rows and columns of a patch, within which pairs are shuffled: the rows stay in the second cache, the columns in the
first. Measured: 16 to 256 columns and 256 to 700 rows make no difference; whole tiles in random order are slower."""
_MARK = "pairs.json"


@dataclass(frozen=True)
class Grid:
    """How words are dealt to blocks."""

    words: int
    blocks: int
    length: int
    """Rows of a block; the last of some blocks belong to no word."""

    @classmethod
    def for_words(cls, words: int) -> Grid:
        """A grid by the size of the vocabulary alone, so that nothing else changes what is learnt."""
        blocks = min(words, max(_LEAST_BLOCKS, min(_MOST_BLOCKS, words // _BLOCK_WORDS)))
        return cls(words, blocks, -(-words // blocks))

    def numbering(self) -> Numbering:
        """The number of each word, by block and then by place in it."""
        word = np.arange(self.words)
        numbers = (word % self.blocks) * self.length + word // self.blocks
        return Numbering(numbers.astype(np.uint32), self.blocks, self.length)


@dataclass(frozen=True)
class Weighing:
    """What a pair is worth, equation 9 of Pennington et al. 2014: f(x) = (x / x_max) ** alpha, at most 1."""

    x_max: float
    alpha: float


@dataclass(frozen=True)
class Tiles:
    """All pairs. The pairs of row block p and column block q are ``offsets[p, q]`` to ``offsets[p, q + 1]``."""

    grid: Grid
    offsets: NDArray[np.int64]
    """``(blocks, blocks + 1)``"""
    cells: NDArray[np.uint32]
    """``(pairs,)``: place of the row in its block, times 65536, plus that of the column."""
    logs: NDArray[np.float32]
    """``(pairs,)``: log x."""
    weights: NDArray[np.float32]
    """``(pairs,)``: f(x)."""

    def inside(self, row_block: int, column_block: int) -> slice:
        """Where the pairs of a tile are."""
        return slice(*self.offsets[row_block, column_block : column_block + 2].tolist())

    def pairs(self, row_block: int, column_block: int) -> tuple[NDArray[np.int64], NDArray[np.int64], slice]:
        """Words and context words of a tile, in order, and where its `logs` and `weights` are."""
        inside = self.inside(row_block, column_block)
        cells = self.cells[inside].astype(np.int64)
        blocks = self.grid.blocks
        return (cells >> 16) * blocks + row_block, (cells & 0xFFFF) * blocks + column_block, inside


def make_tiles(
    corpus: TokenCorpus,
    counting: Counting,
    weighing: Weighing,
    seed: int,
    folder: Path,
    tell: Callable[[float], None],
) -> Tiles:
    """Count and sort the pairs of `corpus` into files in `folder`, unless an earlier call has done so.

    The same for any number of workers. Raises `EmbeddingError` where no word stands near another.
    """
    grid = Grid.for_words(len(corpus.words))
    plan = _plan(corpus, counting, weighing, seed)
    if not _made(folder, plan):
        (folder / _MARK).unlink(missing_ok=True)
        _write(corpus, counting, weighing, seed, grid, folder, tell)
        (folder / _MARK).write_text(plan, encoding="utf-8")
    files: list[Any] = [
        np.asarray(mapped(folder / f"pairs.{name}", dtype))
        for name, dtype in (("cells", np.uint32), ("logs", np.float32), ("weights", np.float32))
    ]
    return Tiles(grid, np.load(folder / "pairs.offsets.npy", allow_pickle=False), *files)


def _plan(corpus: TokenCorpus, counting: Counting, weighing: Weighing, seed: int) -> str:
    """All that decides what the files hold, as JSON."""
    counted = {key: value for key, value in asdict(counting).items() if key not in ("memory", "workers")}
    words = hashlib.sha256(json.dumps(corpus.words).encode() + corpus.counts.tobytes()).hexdigest()
    size = [len(corpus.tokens), corpus.texts]
    return json.dumps([1, words, size, counted, asdict(weighing), seed, _DOWN, _ACROSS])


def _made(folder: Path, plan: str) -> bool:
    mark = folder / _MARK
    return mark.is_file() and mark.read_text(encoding="utf-8") == plan


def _write(
    corpus: TokenCorpus,
    counting: Counting,
    weighing: Weighing,
    seed: int,
    grid: Grid,
    folder: Path,
    tell: Callable[[float], None],
) -> None:
    arrange, numbering = arrange_kernel(), grid.numbering()

    def sort(numbered: tuple[int, Rows]) -> tuple[NDArray[Any], ...]:
        block, rows = numbered
        state = np.random.SeedSequence([seed, block]).generate_state(1, np.uint64)[0]
        cells, values, starts = arrange(*rows, grid.blocks, grid.length, _DOWN, _ACROSS, state)
        logs = np.log(values)
        weights = np.exp(np.minimum(logs - np.log(weighing.x_max), 0) * weighing.alpha)
        return starts, cells, logs.astype(np.float32), weights.astype(np.float32)

    offsets, done = np.zeros((grid.blocks, grid.blocks + 1), np.int64), 0
    paths = [folder / f"pairs.{name}" for name in ("cells", "logs", "weights")]
    blocks = count_blocks(corpus, counting, numbering, folder, tell)
    with (
        paths[0].open("wb") as cells,
        paths[1].open("wb") as logs,
        paths[2].open("wb") as weights,
        ThreadPoolExecutor(counting.workers) as pool,
    ):
        for block, (starts, *parts) in enumerate(in_order(pool, sort, enumerate(blocks), counting.workers)):
            offsets[block] = done + starts
            done += int(starts[-1])
            for file, part in zip((cells, logs, weights), parts, strict=True):
                file.write(part.data)
    if not done:
        raise EmbeddingError(
            "no word of the corpus has another one near it",
            "give longer texts: one to a document, not a word",
        )
    np.save(folder / "pairs.offsets.npy", offsets, allow_pickle=False)
