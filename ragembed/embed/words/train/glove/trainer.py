"""GloVe (Pennington, Socher & Manning 2014): vectors whose inner products are the logarithms of co-occurrences.

Minimises the mean over all pairs with x > 0 of ``f(x) (w·c + b + b' - log x)² / 2`` by AdaGrad, with the constants of
Stanford's program. The same seed gives the same vectors, to the last bit, on any number of workers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ragembed.budget import MEMORY
from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.train.base import Arrays, Start, Tell, Trainer
from ragembed.embed.words.train.checks import LARGEST, expect
from ragembed.embed.words.train.glove.cooccurrence import Counting
from ragembed.embed.words.train.glove.kernels import CLIP, learn_kernel, small_error
from ragembed.embed.words.train.glove.tiles import Tiles, Weighing, make_tiles
from ragembed.embed.words.train.glove.weights import Weights
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError
from ragembed.extras import require
from ragembed.threads import available_threads

_DIVERGED = 10.0
"""An epoch whose loss is so many times that of the first weights learns nothing; AdaGrad keeps it finite for long."""
_SAMPLE = 1 << 17
"""Pairs, those of the first tiles, that the loss of the first weights is measured by."""


@dataclass
class _Training:
    """A training under way."""

    corpus: TokenCorpus
    counts: NDArray[np.int64]
    """``(words,)``, those of an earlier model's corpus too."""
    tiles: Tiles
    weights: Weights
    ceiling: float
    """A loss from which on the training has diverged."""
    loss: float | None = None


@dataclass(kw_only=True)
class GloVeTrainer(Trainer):
    """The settings of GloVe, by default those of Stanford's program, but for 100 dimensions and the paper's window."""

    name: ClassVar[str] = "glove"

    dimension: int = 100
    """Numbers in a vector."""
    window: int = 10
    """Words to each side that are near."""
    symmetric: bool = True
    """Count words to both sides, or to the left only."""
    distance_weighting: bool = True
    """A neighbour at distance d counts 1/d, or 1."""
    x_max: float = 100.0
    """Pairs that occur this often, or more often, weigh 1."""
    alpha: float = 0.75
    """Rarer ones weigh (x / x_max) to this power."""
    learning_rate: float = 0.05
    epochs: int = 25
    contexts: str = "sum"
    """``sum``: a word's vector is that of the word plus that of the context word; ``none``: the former alone."""
    seed: int = 1
    workers: int | None = None
    """Threads; none: one for each core. The vectors do not depend on it."""
    memory: int = MEMORY
    """Bytes for counting; what does not fit goes through files."""
    _training: _Training | None = field(init=False, default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in (
            "dimension",
            "window",
            "epochs",
            "memory",
            *(() if self.workers is None else ("workers",)),
        ):
            expect(getattr(self, name) >= 1, f"{name}={getattr(self, name)}", "a number from 1")
        for name in ("x_max", "learning_rate"):
            value = getattr(self, name)
            expect(0 < value <= LARGEST, f"{name}={value:g}", f"a number above 0, at most {LARGEST:.2g}")
        expect(0 <= self.alpha <= LARGEST, f"alpha={self.alpha:g}", f"a number from 0 to {LARGEST:.2g}")
        expect(self.contexts in ("sum", "none"), f"contexts={self.contexts}", "sum or none")
        expect(0 <= self.seed < 1 << 32, f"seed={self.seed}", "a number from 0 to 4294967295")

    @property
    def rounds(self) -> int:
        """Epochs."""
        return self.epochs

    def prepare(self, corpus: TokenCorpus, folder: Path, start: Start | None, tell: Tell) -> None:
        """Count and sort the co-occurrences into files in `folder`, and draw the first weights."""
        require("numba", "words", "training glove")
        if len(corpus.words) < 2:
            raise EmbeddingError(f"the corpus has {len(corpus.words)} word; two are needed", "give more text")
        if not len(corpus.tokens):
            raise EmbeddingError(
                "the corpus holds none of the words that are to be learnt",
                "give other texts, or a lower min_count",
            )
        tell("counting", 0.0, None)
        tiles = make_tiles(
            corpus,
            Counting(
                self.window,
                self.symmetric,
                self.distance_weighting,
                self.memory,
                self.workers or available_threads(),
            ),
            Weighing(self.x_max, self.alpha),
            self.seed,
            folder,
            lambda share: tell("counting", share, None),
        )
        weights = Weights.random(tiles.grid, self.dimension, self.learning_rate, self.seed)
        counts = corpus.counts.copy()
        if start is not None:
            weights.take_over(start, self.learning_rate)
            if start.vectors.counts is not None:
                counts[: len(start.vectors)] += start.vectors.counts
        self._training = _Training(corpus, counts, tiles, weights, _ceiling(tiles, weights))

    def round(self, number: int, tell: Tell) -> float:
        """One epoch: as many turns as there are blocks, each over tiles that share none."""
        training = self._prepared()
        tiles, blocks = training.tiles, training.tiles.grid.blocks
        learn, stage = learn_kernel(training.weights.wide), f"epoch {number + 1} of {self.epochs}"
        limits = self.dimension, np.float32(CLIP), np.float32(small_error(self.learning_rate))
        random = np.random.default_rng([self.seed, number])
        partners, turns = random.permutation(blocks), random.permutation(blocks)
        losses = np.zeros((blocks, blocks))
        workers = self.workers or available_threads()

        def work(waiting: deque[tuple[int, int]]) -> None:
            while True:
                try:
                    p, q = waiting.popleft()
                except IndexError:
                    return
                inside = tiles.inside(p, q)
                losses[p, q] = learn(
                    training.weights.words[p].reshape(-1),
                    training.weights.contexts[q].reshape(-1),
                    tiles.cells,
                    tiles.logs,
                    tiles.weights,
                    inside.start,
                    inside.stop,
                    *limits,
                )

        tell(stage, 0.0, training.loss)
        with ThreadPoolExecutor(workers) as pool:
            for done, turn in enumerate(turns.tolist(), 1):
                apart = deque((p, int(partners[(p + turn) % blocks])) for p in range(blocks))
                list(pool.map(work, [apart] * min(workers, blocks)))
                tell(stage, done / blocks, training.loss)
        training.loss = float(losses.sum()) / len(tiles.cells)
        if training.loss > training.ceiling:
            raise EmbeddingError(
                f"training glove diverged: the loss is {training.loss:.3g} after epoch {number + 1}",
                "lower the learning rate (learning_rate)",
            )
        return training.loss

    def arrays(self) -> Arrays:
        """Weights and steps of words and of context words, by block; see `ragembed.embed.words.train.glove.weights`."""
        weights = self._prepared().weights
        return {"words": weights.words, "contexts": weights.contexts}

    def meta(self) -> dict[str, Any]:
        """What the arrays were made with."""
        return {"dimension": self.dimension, "learning_rate": self.learning_rate}

    def restore(self, arrays: Arrays, meta: Mapping[str, Any]) -> None:
        """Copy the weights of a checkpoint."""
        for name, array in self.arrays().items():
            array[...] = arrays[name]

    def result(self) -> WordVectors:
        """Vectors of all words, with how often each was seen, by earlier models too."""
        training = self._prepared()
        vectors = training.weights.vectors("words")
        if self.contexts == "sum":
            vectors += training.weights.vectors("contexts")
        return WordVectors(training.corpus.words, vectors, counts=training.counts, info={"method": self.name})

    def _prepared(self) -> _Training:
        if self._training is None:
            raise EmbeddingError("the glove trainer has no corpus yet", "call prepare first")
        return self._training


def _ceiling(tiles: Tiles, weights: Weights) -> float:
    """A loss that is worse than that of `weights` by far, whose errors are taken for 1 at least."""
    loss, pairs = 0.0, 0
    for p, q in product(range(tiles.grid.blocks), repeat=2):
        inside = tiles.inside(p, q)
        inside = slice(inside.start, min(inside.stop, inside.start + _SAMPLE - pairs))
        cells = tiles.cells[inside]
        rows, columns = weights.words[p, cells >> 16, 0], weights.contexts[q, cells & 0xFFFF, 0]
        errors = np.einsum("pd,pd->p", rows, columns) - tiles.logs[inside]
        loss += float(tiles.weights[inside] @ (errors**2 + 1)) / 2
        pairs += len(cells)
        if pairs >= _SAMPLE:
            break
    return _DIVERGED * loss / pairs
