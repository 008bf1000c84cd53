"""One bit for each dimension, compared by counting those that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ragembed.index.ann.base import AnnType, at_least


@dataclass(frozen=True)
class Binary(AnnType):
    """Whether each number lies above the median of its dimension; a search looks at all of them."""

    name: ClassVar[str] = "binary"
    refines: ClassVar[Sequence[int]] = (4, 8, 16, 32, 64, 128)
    selects: ClassVar[bool] = False

    refine: int = 0
    """Candidates for each hit that is wanted; 0: as many as the target recall takes, by measurement."""

    def __post_init__(self) -> None:
        at_least(self.refine, 0, f"{self.name}(refine=...)")

    def make(self, dimension: int, rows: int, metric: int) -> Any:
        """FAISS's ``LSH`` without a rotation, its thresholds learnt."""
        import faiss

        library: Any = faiss
        return library.IndexLSH(dimension, dimension, False, True)

    def row_bytes(self, dimension: int) -> float:
        """An eighth for each number."""
        return dimension / 8
