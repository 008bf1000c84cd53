"""Graphs that are walked towards the query: HNSW (Malkov & Yashunin 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ragembed.index.ann.base import AnnType, at_least, doubling, made


@dataclass(frozen=True)
class Graph(AnnType):
    """A graph over the vectors as they are."""

    name: ClassVar[str] = "hnsw"
    knob: ClassVar[str | None] = "ef_search"
    growth: ClassVar[float] = 0.25
    storage: ClassVar[str] = "Flat"

    m: int = 16
    """Neighbours of a vector on each level, twice that on the lowest."""
    ef_construction: int = 100
    """Candidates among which the neighbours of a new vector are chosen."""
    ef_search: int = 0
    """Candidates that a search keeps; 0: as many as the target recall takes, by measurement."""

    def __post_init__(self) -> None:
        at_least(self.m, 2, f"{self.name}(m=...)")
        at_least(self.ef_construction, 1, f"{self.name}(ef_construction=...)")
        at_least(self.ef_search, 0, f"{self.name}(ef_search=...)")

    def make(self, dimension: int, rows: int, metric: int) -> Any:
        """FAISS's ``HNSW``."""
        index = made(f"HNSW{self.m},{self.storage}", dimension, metric)
        index.hnsw.efConstruction = self.ef_construction
        return index

    def row_bytes(self, dimension: int) -> float:
        """The vector, two neighbours for each one of `m` and those on the higher levels, and where they begin."""
        return self._vector(dimension) + 4 * (2 * self.m + self.m / max(1, self.m - 1)) + 16

    def _vector(self, dimension: int) -> float:
        return 4.0 * dimension

    def efforts(self, rows: int) -> list[int]:
        """From as many candidates as hits to a thousand and more."""
        return [self.ef_search] if self.ef_search else doubling(10, 2048)

    def parameters(self, effort: int, width: int, selector: Any) -> Any:
        """`effort` as ``efSearch``."""
        import faiss

        library: Any = faiss
        told = {} if selector is None else {"sel": selector}
        return library.SearchParametersHNSW(efSearch=max(effort, width), **told)


@dataclass(frozen=True)
class GraphOfBytes(Graph):
    """A graph over vectors of 8-bit numbers: a quarter of the memory, and as fast."""

    name: ClassVar[str] = "hnsw_sq8"
    storage: ClassVar[str] = "SQ8"

    def _vector(self, dimension: int) -> float:
        return float(dimension)
