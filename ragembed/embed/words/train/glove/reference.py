"""GloVe as the paper and Stanford's program have it, in plain float64: what the fast code is held against in tests."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pair = tuple[int, int, float]
"""Row of the word, row of the context word, how often they stand near each other."""


def reference_cooccurrences(
    texts: Iterable[Sequence[int]], *, window: int, symmetric: bool = True, distance_weighting: bool = True
) -> dict[tuple[int, int], float]:
    """x of every word and context word that stands at most `window` words to its left, or to either side."""
    counts: defaultdict[tuple[int, int], float] = defaultdict(float)
    for text in texts:
        for at, word in enumerate(text):
            for distance in range(1, min(window, at) + 1):
                other = text[at - distance]
                value = 1 / distance if distance_weighting else 1.0
                counts[word, other] += value
                if symmetric:
                    counts[other, word] += value
    return dict(counts)


@dataclass
class ReferenceGloVe:
    """A model: arrays ``(words, dimension + 1)``, the bias in the last column."""

    words: NDArray[np.float64]
    contexts: NDArray[np.float64]
    x_max: float = 100.0
    alpha: float = 0.75
    learning_rate: float = 0.05
    clip: float = 100.0

    def __post_init__(self) -> None:
        self.word_squares, self.context_squares = np.ones_like(self.words), np.ones_like(self.contexts)

    def error(self, word: int, context: int, count: float) -> float:
        """w·c + b + b' - log x"""
        w, c = self.words[word], self.contexts[context]
        return float(w[:-1] @ c[:-1] + w[-1] + c[-1] - math.log(count))

    def weight(self, count: float) -> float:
        """f(x), equation 9"""
        return float(min(1.0, (count / self.x_max) ** self.alpha))

    def loss(self, pairs: Iterable[Pair]) -> float:
        """Mean of ``f(x) error² / 2``."""
        return float(np.mean([self.weight(x) * self.error(i, j, x) ** 2 / 2 for i, j, x in pairs]))

    def epoch(self, pairs: Iterable[Pair]) -> float:
        """Learn from `pairs` in their order; the mean of their losses, each as it was before it was learnt from."""
        losses = []
        for word, context, count in pairs:
            error = self.error(word, context, count)
            weighted = self.weight(count) * error
            losses.append(weighted * error / 2)
            w, c = self.words[word], self.contexts[context]
            rates = np.append(np.full(len(w) - 1, self.learning_rate), 1.0)  # a bias learns at the rate 1
            moves = []
            for other, squares in ((c, self.word_squares[word]), (w, self.context_squares[context])):
                gradient = np.append(np.clip(weighted * other[:-1], -self.clip, self.clip), weighted) * rates
                moves.append(gradient / np.sqrt(squares))
                squares += gradient**2
            w -= moves[0]
            c -= moves[1]
        return float(np.mean(losses))
