"""``random-projection``: bags of words in few dimensions without learning anything.

Every term has a fixed random row of ``+1`` and ``-1``; a text's vector is the sum of its terms' rows, each
times 1 + ln(count), scaled to length 1. Angles between texts survive: the inner product of two vectors
estimates the cosine c of the two bags of words with a standard error of about (1 - c^2) / sqrt(dimension),
whatever the vocabulary's size.

Source: Johnson & Lindenstrauss 1984; Achlioptas 2003, "Database-friendly random projections", Theorem 1.1
with the entries of its equation (1). There is no idf, for no corpus is seen: what a frequent word adds is
held down only by the logarithm and by the analyzer's stop words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ragembed.embed.base import Dense, Kind, normalized
from ragembed.embed.terms import TermEmbedder, check_at_least_one

_TERMS = 4096
"""Rows held at once, so that a text of a million different words needs no more memory than a page."""


@dataclass(eq=False)
class RandomProjection(TermEmbedder):
    """Random signs per term, from a hash of the term, so that nothing is fitted, stored or shared."""

    name: ClassVar[str] = "random-projection"
    kind: ClassVar[Kind] = "dense"

    dimension: int = 512  # pyright: ignore[reportIncompatibleMethodOverride]  # a field in a property's place
    """Length of a vector; the error falls with its square root."""
    seed: int = 0
    """Another seed gives other, equally good directions."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least_one(dimension=self.dimension)

    def embed(self, texts: Sequence[str]) -> Dense:
        """Vectors ``(len(texts), dimension)`` of length 1; zeros for a text without terms."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            terms, weights = self.term_weights(text)
            for start in range(0, len(terms), _TERMS):
                block = slice(start, start + _TERMS)
                vector += weights[block] @ self.signs(terms[block])  # (d,) = (t,) (t, d)
        return normalized(vectors)

    def summands(self, text: str) -> tuple[list[str], Dense]:
        """The terms of `text`, and what each adds ``(terms, dimension)`` to its vector before that is scaled."""
        terms, weights = self.term_weights(text)
        return terms, weights[:, np.newaxis] * self.signs(terms)

    def signs(self, terms: Sequence[str]) -> Dense:
        """The rows of `terms`, ``(len(terms), dimension)``: +1 and -1 by the bits of a hash of the term."""
        length = (self.dimension + 7) // 8
        prefix = f"{self.seed}:".encode()
        digests = b"".join(
            hashlib.shake_128(prefix + term.encode("utf-8", "surrogatepass")).digest(length) for term in terms
        )
        bits = np.unpackbits(np.frombuffer(digests, np.uint8).reshape(len(terms), length), axis=1)
        return bits[:, : self.dimension].astype(np.float32) * np.float32(2) - np.float32(1)
