"""The weights of a GloVe model as its compiled loop takes them, by block of words, and as vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.embed.words.train.base import Start
from ragembed.embed.words.train.glove.kernels import aligned_zeros, width
from ragembed.embed.words.train.glove.tiles import Grid
from ragembed.errors import EmbeddingError

Side = Literal["words", "contexts"]
_WEIGHTS, _STEPS = 0, 1


@dataclass(frozen=True)
class Weights:
    """Both sides of a model, each ``(blocks, length, 2, wide)``: weights and steps of a row beside each other.

    Word w is row ``w // blocks`` of block ``w % blocks``. What is in a row: `ragembed.embed.words.train.glove.kernels`.
    """

    grid: Grid
    dimension: int
    words: NDArray[np.float32]
    contexts: NDArray[np.float32]

    @classmethod
    def random(cls, grid: Grid, dimension: int, learning_rate: float, seed: int) -> Weights:
        """Before the first epoch: uniform between -0.5 and 0.5 over the dimension, biases too."""
        wide = width(dimension)
        made = cls(grid, dimension, *(aligned_zeros(grid.blocks, grid.length, 2, wide) for _ in range(2)))
        draw = np.random.default_rng(seed)
        for side in ("words", "contexts"):
            rows, bias = made.rows(side), made.bias(side)
            drawn = (draw.random((grid.words, dimension + 1), np.float32) - np.float32(0.5)) / np.float32(
                dimension
            )
            rows[:, _WEIGHTS, :dimension], rows[:, _WEIGHTS, bias] = drawn[:, :-1], drawn[:, -1]
            rows[:, _WEIGHTS, made.one(side)] = 1
            rows[:, _STEPS, :dimension], rows[:, _STEPS, bias] = learning_rate, 1
            made.put(side, rows)
        return made

    @property
    def wide(self) -> int:
        """Numbers of a row's weights."""
        return int(self.words.shape[-1])

    def bias(self, side: Side) -> int:
        """Where in a row the bias is."""
        return self.dimension + (side == "contexts")

    def one(self, side: Side) -> int:
        """Where in a row the 1 is, which the other side's bias is multiplied by."""
        return self.dimension + (side == "words")

    def rows(self, side: Side) -> NDArray[np.float32]:
        """A copy of the rows in the order of words ``(words, 2, wide)``."""
        return _by_word(getattr(self, side))[: self.grid.words].copy()

    def put(self, side: Side, rows: NDArray[np.float32]) -> None:
        """Set the rows of the first words to `rows` ``(up to words, 2, wide)``."""
        word = np.arange(len(rows))
        getattr(self, side)[word % self.grid.blocks, word // self.grid.blocks] = rows

    def vectors(self, side: Side) -> Dense:
        """A copy of the vectors ``(words, dimension)``."""
        return np.ascontiguousarray(self.rows(side)[:, _WEIGHTS, : self.dimension])

    def take_over(self, start: Start, learning_rate: float) -> None:
        """Give the first words what they had in an earlier model; steps go on from where they were there."""
        before = start.vectors.dimension
        if before != self.dimension:
            raise EmbeddingError(
                f"the model has {before} dimensions, {self.dimension} are asked for",
                f"give dimension={before}",
            )
        grid, rate = Grid.for_words(len(start.vectors)), start.number("learning_rate")
        for side in ("words", "contexts"):
            blocks = start.array(side, (grid.blocks, grid.length, 2, self.wide))
            rows = _by_word(blocks)[: len(start.vectors)].copy()
            rows[:, _STEPS, : self.dimension] *= np.float32(learning_rate / rate)
            self.put(side, rows)


def _by_word(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(blocks, length, 2, wide)`` -> ``(blocks * length, 2, wide)`` in the order of words."""
    return blocks.swapaxes(0, 1).reshape(-1, *blocks.shape[2:])
