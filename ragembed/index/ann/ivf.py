"""Inverted lists: vectors by the nearest of some centroids; a search looks into the lists of the nearest ones.

What lies in a list is the vector, 8-bit numbers, product quantised codes that are scanned in registers (André et al.
2015), or bits (Gao & Long 2024).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ragembed.index.ann.base import AnnType, at_least, doubling, made

_TRAINING = 39
"""Vectors for each centroid below which FAISS says that the centroids are poor."""


@dataclass(frozen=True)
class Lists(AnnType):
    """Inverted lists of the vectors as they are."""

    name: ClassVar[str] = "ivf"
    knob: ClassVar[str | None] = "probes"
    growth: ClassVar[float] = 0.6

    lists: int = 0
    """How many; 0: about twice the square root of the number of rows."""
    probes: int = 0
    """Lists that a search looks into; 0: as many as the target recall takes, by measurement."""

    def __post_init__(self) -> None:
        at_least(self.lists, 0, f"{self.name}(lists=...)")
        at_least(self.probes, 0, f"{self.name}(probes=...)")

    def lists_for(self, rows: int) -> int:
        """How many lists there are for so many rows."""
        return self.lists or max(1, min(2 * math.isqrt(rows), rows // _TRAINING, 1 << 16))

    def make(self, dimension: int, rows: int, metric: int) -> Any:
        """FAISS's ``IVF``."""
        return made(f"IVF{self.lists_for(rows)},{self._code(dimension)}", dimension, metric)

    def _code(self, dimension: int) -> str:
        return "Flat"

    def row_bytes(self, dimension: int) -> float:
        """The code and a number of eight bytes."""
        return self._code_bytes(dimension) + 8

    def _code_bytes(self, dimension: int) -> float:
        return 4.0 * dimension

    def fewest(self, rows: int) -> int:
        """As many as there are lists."""
        return self.lists_for(rows)

    def efforts(self, rows: int) -> list[int]:
        """From one list to all of them."""
        return [self.probes] if self.probes else doubling(1, self.lists_for(rows))

    def parameters(self, effort: int, width: int, selector: Any) -> Any:
        """`effort` as ``nprobe``."""
        import faiss

        library: Any = faiss
        told = {} if selector is None else {"sel": selector}
        return library.SearchParametersIVF(nprobe=max(1, effort), **told)


@dataclass(frozen=True)
class ListsOfBytes(Lists):
    """Inverted lists of 8-bit numbers."""

    name: ClassVar[str] = "ivf_sq8"
    refines: ClassVar[Sequence[int]] = (1, 2)

    def _code(self, dimension: int) -> str:
        return "SQ8"

    def _code_bytes(self, dimension: int) -> float:
        return float(dimension)


@dataclass(frozen=True)
class _Refined(Lists):
    """Lists of codes so short that many candidates are scored again."""

    refine: int = 0
    """Candidates for each hit that is wanted; 0: as many as the target recall takes, by measurement."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self.refine, 0, f"{self.name}(refine=...)")


@dataclass(frozen=True)
class ProductQuantised(_Refined):
    """Codes of four bits for every few dimensions, scanned 32 at a time in registers."""

    name: ClassVar[str] = "ivfpq"
    refines: ClassVar[Sequence[int]] = (2, 4, 8, 16, 32)

    width: int = 4
    """Dimensions that one code of four bits stands for."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self.width, 1, f"{self.name}(width=...)")

    def _code(self, dimension: int) -> str:
        return f"PQ{self._codes(dimension)}x4fs"

    def _codes(self, dimension: int) -> int:
        width = next(w for w in range(min(self.width, dimension), 0, -1) if dimension % w == 0)
        return dimension // width

    def _code_bytes(self, dimension: int) -> float:
        return self._codes(dimension) / 2

    def fewest(self, rows: int) -> int:
        """Sixteen for the codes, and as many as there are lists."""
        return max(16, self.lists_for(rows))


@dataclass(frozen=True)
class RaBitQ(_Refined):
    """A bit for every dimension after a random rotation, with factors that keep the estimate unbiased."""

    name: ClassVar[str] = "rabitq"
    refines: ClassVar[Sequence[int]] = (4, 8, 16, 32, 64)

    def make(self, dimension: int, rows: int, metric: int) -> Any:
        """FAISS's ``IVF..,RaBitQ`` behind a random rotation."""
        return made(f"RR{dimension},IVF{self.lists_for(rows)},RaBitQ", dimension, metric)

    def _code_bytes(self, dimension: int) -> float:
        return dimension / 8 + 8

    def parameters(self, effort: int, width: int, selector: Any) -> Any:
        """`effort` as ``nprobe``, the query in 8 bits, told to the index behind the rotation."""
        import faiss

        library: Any = faiss
        told = {} if selector is None else {"sel": selector}
        inner = library.IVFRaBitQSearchParameters(nprobe=max(1, effort), qb=8, **told)
        return library.SearchParametersPreTransform(index_params=inner)
