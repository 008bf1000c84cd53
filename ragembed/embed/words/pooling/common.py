"""What passages have in common, taken out of their vectors: the strongest directions of all of them.

Sources: Arora, Liang & Ma 2017, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings", Algorithm 1 (one
direction, wholly); Ethayarajh 2018, "Unsupervised Random Walk Sentence Embeddings", Algorithm 1 (several, each by its
share of the squared singular values). The directions are those of the corpus, for queries too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ragembed.embed.base import Dense
from ragembed.errors import EmbeddingError

_RANK = 1e-9
"""Squared singular values below this share of the largest are rounding errors of float32 sums."""
_NOTHING = np.float32(1e-5)
"""What is left of a vector below this share of its length is rounding errors."""


@dataclass(frozen=True)
class Common:
    """Directions and how much of each is taken out."""

    directions: Dense
    """``(k, dimension)``, of length 1, strongest first."""
    shares: Dense
    """``(k,)``: 1 takes all of it out."""

    def removed(self, vectors: Dense) -> Dense:
        """`vectors` ``(n, dimension)`` without it; zeros where nothing else is left.

        Sums run over one row at a time, so that a row has the same bits in any company.
        """
        left = vectors.copy()
        for direction, share in zip(self.directions, self.shares, strict=True):
            left -= (share * (left * direction).sum(axis=1))[:, np.newaxis] * direction
        lengths, before = (np.sqrt((each * each).sum(axis=1)) for each in (left, vectors))
        left[lengths <= before * _NOTHING] = 0
        return left


def common_directions(blocks: Iterable[Dense], dimension: int, most: int, *, weighted: bool) -> Common:
    """The `most` strongest directions of the rows of all `blocks`, by the eigenvectors of their products.

    They are right singular vectors of the rows as they are, not of the rows less their mean. One direction of the rows'
    rank stays at least, since nothing is left of a single passage without what it has in common with itself.
    """
    products = np.zeros((dimension, dimension))
    for block in blocks:
        if not np.isfinite(block).all():
            raise EmbeddingError(
                "the word vectors hold NaN or infinity, or numbers too large to be added up",
                "make the word vectors again, or bring them back from a copy",
            )
        wide = block.astype(np.float64)
        products += wide.T @ wide
    values, vectors = np.linalg.eigh(products)  # rising
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    rank = int((values > values[0] * _RANK).sum())
    kept = max(0, min(most, rank - 1))
    shares = values[:kept] / values[:kept].sum() if weighted and kept else np.ones(kept)
    return Common(np.ascontiguousarray(vectors[:, :kept].T, np.float32), np.asarray(shares, np.float32))
