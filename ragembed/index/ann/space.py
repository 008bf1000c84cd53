"""From the largest inner product to the nearest neighbour.

FAISS's graphs and lists are made for distances. Where all vectors have the same length the largest product belongs to
the nearest vector, and nothing need be done. Where they have not, a graph walked by products ends at the longest
vectors and misses most others, so that each vector gets one more number that makes all of them equally long, and the
query a zero (Bachrach et al. 2014, section 3): the nearest is then the one of the largest product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ragembed.embed.base import Dense

_ALIKE = 1e-3
"""Relative difference up to which lengths are equal: that of vectors normalised in float16."""
_MULTIPLE = 8
"""The dimension is filled up to a multiple of this, as codes stand for several numbers."""


@dataclass(frozen=True, slots=True)
class Space:
    """How vectors of an index lie in its accelerator."""

    dimension: int
    """Of the vectors and of the queries."""
    longest: float | None = None
    """Length that all vectors are brought to, at least that of the longest; None where they are equally long."""

    @property
    def inner(self) -> int:
        """The dimension in the accelerator."""
        width = self.dimension + (self.longest is not None)
        return width if self.longest is None else -(-width // _MULTIPLE) * _MULTIPLE

    @property
    def metric(self) -> int:
        """FAISS's number: 0, inner product; 1, Euclidean distance."""
        return 0 if self.longest is None else 1

    def documents(self, vectors: Dense) -> Dense:
        """Vectors ``(n, dimension)`` as they are stored, ``(n, inner)``."""
        if self.longest is None:
            return np.ascontiguousarray(vectors, np.float32)
        squared = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)
        stored = np.zeros((len(vectors), self.inner), np.float32)
        stored[:, : self.dimension] = vectors
        stored[:, self.dimension] = np.sqrt(np.maximum(0.0, self.longest**2 - squared))
        return stored

    def queries(self, vectors: Dense) -> Dense:
        """Queries ``(n, dimension)`` as they are asked, ``(n, inner)``: their own length changes no order."""
        if self.longest is None:
            return np.ascontiguousarray(vectors, np.float32)
        asked = np.zeros((len(vectors), self.inner), np.float32)
        asked[:, : self.dimension] = vectors * self._scale(vectors)
        return asked

    def _scale(self, vectors: Dense) -> Dense:
        """To the length of the vectors, so that codes learnt from these fit."""
        norms = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        assert self.longest is not None
        scale: Dense = np.divide(self.longest, norms, out=np.ones_like(norms), where=norms > 0).astype(
            np.float32
        )
        return scale


def space_of(dimension: int, shortest: float, longest: float) -> Space:
    """The space for vectors whose lengths lie between those two."""
    alike = longest - shortest <= _ALIKE * longest
    return Space(dimension, None if alike else float(longest))
