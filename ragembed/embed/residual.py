"""Token vectors in few bytes: the nearest of some centroids, and each number of what is left in 1, 2 or 4 bits.

Santhanam et al. 2022, ColBERTv2, section 3.3; the form of PLAID (2022). A vector of 128 numbers takes 34 bytes with
2 bits, 256 as float16.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense, normalized
from ragembed.embed.token_vectors import Codes
from ragembed.errors import EmbeddingError
from ragembed.index.arrays import encode_arrays, map_arrays

_FILE = "residual.safetensors"
_MOST = 1 << 16
"""Centroids that two bytes can tell apart."""
_TEXTS = 64
_SAMPLE = 2048
"""Texts from which centroids are learnt: at 200 tokens each more vectors than k-means looks at."""
_VECTORS = 1 << 18
"""Vectors from which centroids are learnt."""
_AT_ONCE = 1 << 13
"""Vectors that are compared with all centroids at a time."""
_SEED = 1234


@dataclass(frozen=True, eq=False)
class Residual:
    """A codec: centroids ``(K, dimension)`` of length 1, and the borders and values of 2^bits buckets."""

    centroids: Dense
    cutoffs: Dense
    """Where one bucket ends and the next begins ``(2^bits - 1,)``, ascending."""
    values: Dense
    """What a number of each bucket is taken for ``(2^bits,)``."""
    bits: int

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.centroids.shape[1])

    @property
    def width(self) -> int:
        """Bytes of a vector: two for the centroid, and the bits."""
        return 2 + math.ceil(self.dimension * self.bits / 8)

    @cached_property
    def digest(self) -> str:
        """sha256 of all numbers."""
        found = hashlib.sha256()
        for part in (self.centroids, self.cutoffs, self.values):
            found.update(np.ascontiguousarray(part, "<f4").tobytes())
        return found.hexdigest()

    @cached_property
    def _table(self) -> Dense:
        """The numbers that a byte stands for ``(256, 8 / bits)``, the highest bits first."""
        shifts = np.arange(8 - self.bits, -1, -self.bits)
        found: Dense = self.values[(np.arange(256)[:, None] >> shifts) & ((1 << self.bits) - 1)]
        return found

    def encode(self, vectors: Dense) -> Codes:
        """``(tokens, dimension)`` -> ``(tokens, width)``."""
        found = np.zeros((len(vectors), self.width), np.uint8)
        whole = (self.width - 2) * 8 // self.bits
        for start in range(0, len(vectors), _AT_ONCE):
            part = vectors[start : start + _AT_ONCE]
            nearest = (part @ self.centroids.T).argmax(axis=1)
            left = part - self.centroids[nearest]
            buckets = np.zeros((len(part), whole), np.uint8)
            buckets[:, : self.dimension] = np.searchsorted(self.cutoffs, left, side="right")
            shifts = np.arange(8 - self.bits, -1, -self.bits, dtype=np.uint8)
            packed = (buckets.reshape(len(part), -1, len(shifts)) << shifts).sum(axis=2, dtype=np.uint8)
            found[start : start + len(part), :2] = nearest.astype("<u2")[:, None].view(np.uint8)
            found[start : start + len(part), 2:] = packed
        return found

    def decode(self, codes: Codes) -> Dense:
        """``(tokens, width)`` -> ``(tokens, dimension)``, of length 1."""
        at = np.ascontiguousarray(codes[:, :2]).view("<u2")[:, 0]
        if len(at) and int(at.max()) >= len(self.centroids):
            raise EmbeddingError(
                f"a stored vector names centroid {int(at.max())} of {len(self.centroids)}",
                "run: ragembed verify INDEX --repair",
            )
        left = self._table[codes[:, 2:]].reshape(len(codes), -1)[:, : self.dimension]
        return normalized(self.centroids[at] + left)

    def save(self, folder: Path) -> None:
        """Write it into `folder`."""
        parts = {"centroids": self.centroids, "cutoffs": self.cutoffs, "values": self.values}
        (folder / _FILE).write_bytes(
            encode_arrays({name: part.astype("<f4") for name, part in parts.items()})
        )

    @classmethod
    def load(cls, folder: Path, bits: int) -> Residual:
        """Back from `save`; raises `EmbeddingError` where it is damaged or of other bits."""
        path = folder / _FILE
        try:
            parts = {name: np.array(part, np.float32) for name, part in map_arrays(path).items()}
            found = cls(parts["centroids"], parts["cutoffs"], parts["values"], bits)
        except (OSError, KeyError) as error:
            raise EmbeddingError(f"{path} is missing or damaged ({error})", "index again") from error
        except Exception as error:
            raise EmbeddingError(f"{path} is damaged ({error})", "index again") from error
        fits = (
            found.centroids.ndim == 2
            and 0 < len(found.centroids) <= _MOST
            and found.cutoffs.shape == ((1 << bits) - 1,)
            and found.values.shape == (1 << bits,)
            and all(np.isfinite(part).all() for part in parts.values())
        )
        if not fits:
            raise EmbeddingError(f"{path} does not fit {bits} bits", "index again")
        return found


def sampled(texts: Iterable[str]) -> Iterator[list[str]]:
    """Texts spread evenly over all, in small lists, whatever their number: reservoir sampling (Vitter 1985)."""
    draw = np.random.default_rng(_SEED)
    kept: list[str] = []
    for number, text in enumerate(texts):
        if number < _SAMPLE:
            kept.append(text)
        elif (place := int(draw.integers(number + 1))) < _SAMPLE:
            kept[place] = text
    for start in range(0, len(kept), _TEXTS):
        yield kept[start : start + _TEXTS]


def learn(vectors: Dense, dimension: int, bits: int) -> Residual:
    """Centroids by spherical k-means, as many as the lower power of two of ``16 sqrt(tokens)`` (ColBERTv2), and
    buckets that each hold as many of the numbers that are left, taken for their mean."""
    if not len(vectors):
        vectors = np.eye(1, dimension, dtype=np.float32)
    draw = np.random.default_rng(_SEED)
    if len(vectors) > _VECTORS:
        vectors = vectors[np.sort(draw.choice(len(vectors), _VECTORS, replace=False))]
    most = max(1, len(vectors) // 39)  # what FAISS wants to see of each
    count = min(_MOST, 1 << int(math.log2(max(1.0, min(most, 16 * math.sqrt(len(vectors)))))))
    centroids = _kmeans(np.ascontiguousarray(vectors, np.float32), count)
    some = vectors[:: max(1, len(vectors) // 8192)]
    left = (some - centroids[(some @ centroids.T).argmax(axis=1)]).ravel()
    shares = np.arange(1, 1 << bits) / (1 << bits)
    cutoffs = np.quantile(left, shares).astype(np.float32)
    bucket = np.searchsorted(cutoffs, left, side="right")
    sums = np.bincount(bucket, weights=left, minlength=1 << bits)
    held = np.bincount(bucket, minlength=1 << bits)
    middle = np.quantile(left, (np.arange(1 << bits) + 0.5) / (1 << bits))
    values = np.where(held > 0, sums / np.maximum(held, 1), middle).astype(np.float32)
    return Residual(centroids, cutoffs, values, bits)


def _kmeans(vectors: Dense, count: int) -> Dense:
    import faiss

    model = faiss.Kmeans(
        vectors.shape[1], count, niter=8, spherical=True, seed=_SEED, min_points_per_centroid=1
    )
    model.train(vectors)
    centroids: NDArray[np.float32] = np.asarray(model.centroids, np.float32)
    return normalized(centroids)
