"""Scalar quantisation: every number by itself in fewer bits, and a search that still looks at every vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ragembed.index.ann.base import AnnType, made


@dataclass(frozen=True)
class Half(AnnType):
    """16-bit floating point numbers."""

    name: ClassVar[str] = "sqfp16"

    def make(self, dimension: int, rows: int, metric: int) -> Any:
        """FAISS's ``SQfp16``."""
        return made("SQfp16", dimension, metric)

    def row_bytes(self, dimension: int) -> float:
        """Two for each number."""
        return 2.0 * dimension


@dataclass(frozen=True)
class Bytes(AnnType):
    """8-bit numbers between the least and the largest of each dimension."""

    name: ClassVar[str] = "sq8"
    refines: ClassVar[Sequence[int]] = (1, 2)

    def make(self, dimension: int, rows: int, metric: int) -> Any:
        """FAISS's ``SQ8``."""
        return made("SQ8", dimension, metric)

    def row_bytes(self, dimension: int) -> float:
        """One for each number."""
        return float(dimension)
