"""Texts as many vectors each: what late interaction compares (Khattab & Zaharia 2020, ColBERT)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense

Codes = NDArray[np.uint8]
"""Vectors as they are stored ``(tokens, width)``, each `width` bytes."""


@dataclass(frozen=True, eq=False, slots=True)
class TokenVectors:
    """The vectors of n texts, one text after the other: there is no padding that could be taken for a token."""

    vectors: Dense
    """``(tokens of all texts, dimension)``."""
    starts: NDArray[np.int64]
    """Where each text begins, and the end of the last ``(n + 1,)``; a text without tokens begins where it ends."""

    @classmethod
    def of(cls, parts: Iterable[Dense], dimension: int) -> TokenVectors:
        """Of texts that each have ``(tokens, dimension)``."""
        held = [np.asarray(part, np.float32).reshape(-1, dimension) for part in parts]
        starts = np.cumsum([0, *(len(part) for part in held)], dtype=np.int64)
        return cls(np.concatenate([np.zeros((0, dimension), np.float32), *held]), starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, text: int) -> Dense:
        """Of one text ``(tokens, dimension)``."""
        return self.vectors[self.starts[text] : self.starts[text + 1]]

    def __iter__(self) -> Iterator[Dense]:
        return (self[text] for text in range(len(self)))

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Tokens of each text ``(n,)``."""
        return np.diff(self.starts)

    def take(self, texts: Sequence[int]) -> TokenVectors:
        """Some of the texts, in that order."""
        return TokenVectors.of([self[text] for text in texts], self.vectors.shape[1])


class Codec(Protocol):
    """How an index stores token vectors."""

    @property
    def width(self) -> int:
        """Bytes of a vector."""
        ...

    def encode(self, vectors: Dense) -> Codes:
        """``(tokens, dimension)`` -> ``(tokens, width)``."""
        ...

    def decode(self, codes: Codes) -> Dense:
        """``(tokens, width)`` -> ``(tokens, dimension)``."""
        ...


class MultiVector(Protocol):
    """An embedder of kind ``multi``."""

    @property
    def codec(self) -> Codec:
        """How an index stores what it makes."""
        ...

    def tokens(self, texts: Sequence[str], *, queries: bool = False) -> TokenVectors:
        """The vectors of each text's tokens."""
        ...


@dataclass(frozen=True, slots=True)
class Half:
    """Numbers rounded to float16: of vectors of length 1 a product is 0.0005 off at most, and mostly 0.00002."""

    dimension: int

    @property
    def width(self) -> int:
        """Bytes of a vector."""
        return 2 * self.dimension

    def encode(self, vectors: Dense) -> Codes:
        """``(tokens, dimension)`` -> ``(tokens, width)``."""
        return np.ascontiguousarray(vectors, "<f2").view(np.uint8).reshape(-1, self.width)

    def decode(self, codes: Codes) -> Dense:
        """``(tokens, width)`` -> ``(tokens, dimension)``."""
        found: Dense = np.ascontiguousarray(codes).view("<f2").astype(np.float32)
        return found
