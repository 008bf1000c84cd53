"""Word vectors of a passage -> one vector. Every pooling is a weight for each word and a way to join the vectors.

- ``mean``: the mean over the tokens that have a vector.
- ``tfidf``: each token times ln(1 + N/df) of its word (after Salton & Buckley 1988, who have ln(N/n)).
- ``sif``: each token times a / (a + p) of its word, p its share of the corpus's tokens that have a vector;
  then the strongest common direction is taken out (Arora, Liang & Ma 2017, Algorithm 1; a = 0.001).
- ``usif``: each token times a / (a/2 + p), with `a` from the size of the vocabulary and the mean length of passages;
  the vectors of a passage are first scaled so that each dimension has length 1 over its tokens, as in the author's
  program; then five common directions are taken out in part (Ethayarajh 2018, Algorithm 1).
- ``max``: the largest value of each dimension (Shen et al. 2018, "Baseline Needs More Love", SWEM-max).
- ``mean+max``: both, one after the other (there SWEM-concat).

Sums run over the words of one passage in the order in which they first come, so that a passage has the same bits in any
company.
"""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.embed.words.pooling.bags import Bags
from ragembed.embed.words.pooling.statistics import Statistics
from ragembed.embed.words.vectors import WordVectors

Weights = NDArray[np.float32]

_GATHERED = 1 << 14
"""Vectors of words held at once."""


@dataclass(frozen=True)
class Pooling(ABC):
    """How a passage's vector is made of those of its words. As it stands here it is the mean."""

    name: ClassVar[str]
    weighs: ClassVar[bool] = False
    """Whether words are weighed by `Statistics`."""
    directions: ClassVar[int] = 0
    """How many common directions are taken out, where the user does not say."""
    partly: ClassVar[bool] = False
    """Whether they are taken out by their shares, not wholly."""
    parts: ClassVar[int] = 1
    """Vectors of a word's length that are put one after the other."""

    a: float | None = None
    """Of ``sif`` and ``usif``; none: what the source has."""

    def weights(self, statistics: Statistics) -> tuple[Weights, float]:
        """What each of the statistics' words weighs ``(words,)``, and a word that is not among them."""
        return np.ones(len(statistics.words), np.float32), 1.0

    def pool(self, vectors: WordVectors, bags: Bags, weights: Weights) -> Dense:
        """A vector for each bag ``(len(bags), parts * dimension)``, not scaled, zeros for an empty one.

        `weights` has one for each of ``bags.ids``.
        """
        return _over_tokens(weighted_sums(vectors, bags, bags.counts * weights), bags)

    def shares(self, vectors: WordVectors, bag: Bags, weights: Weights) -> Dense:
        """What each of the words of a single bag adds to its vector ``(len(bag.ids), parts * dimension)``."""
        each: Weights = bag.counts * weights / bag.counts.sum()
        return each[:, np.newaxis] * Table(vectors, bag).rows(bag.ids)


class Mean(Pooling):
    """All tokens weigh the same."""

    name = "mean"


class TfIdf(Pooling):
    """Words in few passages weigh more."""

    name = "tfidf"
    weighs = True

    def weights(self, statistics: Statistics) -> tuple[Weights, float]:
        """ln(1 + N/df); a word that stands in no passage weighs as one that stands in one."""
        return np.log1p(statistics.total / statistics.passages).astype(np.float32), float(
            np.log1p(statistics.total)
        )


class Sif(Pooling):
    """Rare words weigh more."""

    name = "sif"
    weighs = True
    directions = 1

    def weights(self, statistics: Statistics) -> tuple[Weights, float]:
        """a / (a + p)."""
        a = 1e-3 if self.a is None else self.a
        return (a / (a + _probabilities(statistics))).astype(np.float32), 1.0


class Usif(Pooling):
    """As ``sif``, with nothing to be tuned."""

    name = "usif"
    weighs = True
    directions = 5
    partly = True

    def weights(self, statistics: Statistics) -> tuple[Weights, float]:
        """a / (a/2 + p)."""
        a = usif_a(statistics) if self.a is None else self.a
        return (a / (a / 2 + _probabilities(statistics))).astype(np.float32), 2.0

    def pool(self, vectors: WordVectors, bags: Bags, weights: Weights) -> Dense:
        """Each dimension divided by its length over the tokens of the passage."""
        sums = weighted_sums(vectors, bags, bags.counts * weights)
        return _over_tokens(_divided(sums, weighted_sums(vectors, bags, bags.counts, squared=True)), bags)

    def shares(self, vectors: WordVectors, bag: Bags, weights: Weights) -> Dense:
        """By the lengths over the whole passage."""
        squares = weighted_sums(vectors, bag, bag.counts, squared=True)
        return _divided(super().shares(vectors, bag, weights), squares)


class Max(Pooling):
    """The largest value of each dimension."""

    name = "max"

    def pool(self, vectors: WordVectors, bags: Bags, weights: Weights) -> Dense:
        """Over the words of each bag."""
        return maxima(vectors, bags)

    def shares(self, vectors: WordVectors, bag: Bags, weights: Weights) -> Dense:
        """Each dimension is added by the first word that has its largest value."""
        found = Table(vectors, bag).rows(bag.ids)
        shares = np.zeros_like(found)
        if len(found):
            first = (np.argmax(found, axis=0), np.arange(found.shape[1]))
            shares[first] = found[first]
        return shares


class MeanMax(Pooling):
    """The mean and the largest values, one after the other."""

    name = "mean+max"
    parts = 2

    def pool(self, vectors: WordVectors, bags: Bags, weights: Weights) -> Dense:
        """Twice as long as a word's vector."""
        return np.hstack([each.pool(vectors, bags, weights) for each in (Mean(), Max())])

    def shares(self, vectors: WordVectors, bag: Bags, weights: Weights) -> Dense:
        """Of both."""
        return np.hstack([each.shares(vectors, bag, weights) for each in (Mean(), Max())])


POOLINGS: dict[str, type[Pooling]] = {each.name: each for each in (Mean, TfIdf, Sif, Usif, Max, MeanMax)}


def usif_a(statistics: Statistics) -> float:
    """`a` of ``usif``: (1 - alpha) / (alpha |V| / 2), alpha the share of words with p(w) > 1 - (1 - 1/|V|)^n.

    That is the probability of a word to stand in a passage of n tokens if all |V| words were equally frequent; n is the
    mean number of tokens of a passage. Where no word is above it, as in very long passages, alpha is that of one word.
    """
    size = len(statistics.words)
    length = max(1.0, float(statistics.counts.sum()) / max(1, statistics.total))
    threshold = 1 - (1 - 1 / size) ** length if size else 1.0
    alpha = max(1, int((_probabilities(statistics) > threshold).sum())) / max(1, size)
    return (1 - alpha) / (
        alpha * max(1, size) / 2
    ) or 1.0  # 0 where there is one word, which all the same has a weight


class Table:
    """The vectors of the ids of some bags."""

    def __init__(self, vectors: WordVectors, bags: Bags) -> None:
        self.plain = np.asarray(vectors.vectors)
        """``(words, dimension)``"""
        self.made: Dense = np.zeros((0, vectors.dimension), np.float32)
        """``(len(bags.made), dimension)``: of the words that are made of n-grams."""
        if bags.made:
            assert vectors.subwords is not None
            self.made = vectors.subwords.vectors(bags.made)[1]

    def rows(self, ids: NDArray[np.int64]) -> Dense:
        """The vectors of `ids` ``(len(ids), dimension)``."""
        if not len(self.made):
            return self.plain.take(ids, axis=0)
        found = np.empty((len(ids), self.plain.shape[1]), np.float32)
        plain = ids < len(self.plain)
        found[plain] = self.plain[ids[plain]]
        found[~plain] = self.made[ids[~plain] - len(self.plain)]
        return found


def weighted_sums(vectors: WordVectors, bags: Bags, weights: Weights, *, squared: bool = False) -> Dense:
    """The sum of each bag's vectors, each value squared or not, times their weights ``(len(bags), dimension)``."""
    table = Table(vectors, bags)
    if squared:
        used, columns = np.unique(bags.ids, return_inverse=True)
        return _times(weights, columns, bags.offsets, table.rows(used) ** 2)
    if not bags.made:
        return _times(weights, bags.ids, bags.offsets, table.plain)
    size = len(table.plain)
    plain = bags.ids < size
    sums = np.zeros((len(bags), vectors.dimension), np.float32)
    for mine, rows, first in ((plain, table.plain, 0), (~plain, table.made, size)):
        before = np.concatenate(([0], np.cumsum(mine)))
        sums += _times(weights[mine], bags.ids[mine] - first, before[bags.offsets], rows)
    return sums


def maxima(vectors: WordVectors, bags: Bags) -> Dense:
    """The largest value of each dimension of each bag ``(len(bags), dimension)``; zeros where there is none."""
    table = Table(vectors, bags)
    found = np.zeros((len(bags), vectors.dimension), np.float32)
    ends = bags.offsets.tolist()
    for row, start, end in zip(found, ends, ends[1:], strict=False):
        for at in range(start, end, _GATHERED):
            largest = table.rows(bags.ids[at : min(at + _GATHERED, end)]).max(axis=0)
            np.copyto(row, largest) if at == start else np.maximum(row, largest, out=row)
    return found


def _times(weights: Weights, columns: NDArray[np.int64], offsets: NDArray[np.int64], table: Dense) -> Dense:
    """The sparse matrix of `weights` times `table`. scipy goes through a row from its first entry to its last."""
    from scipy.sparse import csr_array

    rows = csr_array((weights, columns, offsets), shape=(len(offsets) - 1, len(table)))
    return np.asarray(rows @ np.asarray(table), np.float32)


def _over_tokens(sums: Dense, bags: Bags) -> Dense:
    """Sums divided by how many tokens each bag has."""
    lengths = weighted_lengths(bags)
    return np.divide(sums, np.maximum(lengths, 1)[:, np.newaxis], out=sums)


def weighted_lengths(bags: Bags) -> Weights:
    """Tokens of each bag ``(len(bags),)``."""
    before = np.concatenate(([0], np.cumsum(bags.counts, dtype=np.float64)))
    return np.asarray(before[bags.offsets[1:]] - before[bags.offsets[:-1]], np.float32)


def _divided(sums: Dense, squares: Dense) -> Dense:
    """By the roots of `squares`; 0 where they are."""
    lengths = np.sqrt(np.broadcast_to(squares, sums.shape))
    return np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0)


def _probabilities(statistics: Statistics) -> NDArray[np.float64]:
    return statistics.counts / max(1, int(statistics.counts.sum()))
