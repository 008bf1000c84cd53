"""Whatever FAISS's index factory makes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ragembed.errors import SpecError
from ragembed.index.ann.base import AnnType, at_least, doubling, made

_LONGEST = 200
"""Characters of a string: FAISS parses it by recursion, and a long one overflows the stack."""
_NO_GRAPH = re.compile(r"(?:HNSW|NSG)0*[01](?!\d)")
"""A graph of fewer than two neighbours, at which FAISS ends the process."""


@dataclass(frozen=True)
class Factory(AnnType):
    """A FAISS factory string, as ``faiss:"IVF256,SQ8"``. No search asks it to pass over rows: they are dropped."""

    name: ClassVar[str] = "faiss"
    refines: ClassVar[Sequence[int]] = (1, 2, 4, 8, 16, 32, 64)
    selects: ClassVar[bool] = False
    knob: ClassVar[str | None] = "effort"

    target: str
    effort: int = 0
    """``nprobe`` or ``efSearch``, where it has such; 0: as much as the target recall takes, by measurement."""
    refine: int = 0
    """Candidates for each hit that is wanted; 0: as many as the target recall takes, by measurement."""

    def __post_init__(self) -> None:
        at_least(self.effort, 0, "faiss(effort=...)")
        at_least(self.refine, 0, "faiss(refine=...)")
        if len(self.target) > _LONGEST:
            raise SpecError(
                f"the FAISS factory string has {len(self.target)} characters", f"give at most {_LONGEST}"
            )
        if _NO_GRAPH.search(self.target):
            raise SpecError(f"{self.target!r} asks for a graph of fewer than two neighbours", "give HNSW16")
        if "IDMap" in self.target or "Refine" in self.target:
            raise SpecError(
                f"index type {self.target!r} numbers or refines its rows by itself",
                "leave IDMap and Refine out: candidates are always scored by the index's own vectors",
            )

    def make(self, dimension: int, rows: int, metric: int) -> Any:
        """What FAISS makes of the string."""
        return made(self.target, dimension, metric)

    def row_bytes(self, dimension: int) -> float:
        """FAISS's size of a code; what graphs and lists add is told once it is built."""
        return float(made(self.target, dimension, 0).sa_code_size()) + 8

    def efforts(self, rows: int) -> list[int]:
        """Values for any of FAISS's knobs."""
        if self.effort:
            return [self.effort]
        has_one = "IVF" in self.target or "HNSW" in self.target or "NSG" in self.target
        return doubling(1, 2048) if has_one else [0]

    def parameters(self, effort: int, width: int, selector: Any) -> Any:
        """`effort` for whatever part of it takes one."""
        import faiss

        library: Any = faiss
        if effort == 0:
            return None
        if "IVF" in self.target:
            told = library.SearchParametersIVF(nprobe=effort)
        elif "HNSW" in self.target or "NSG" in self.target:
            told = library.SearchParametersHNSW(efSearch=max(effort, width))
        else:
            return None
        first = self.target.partition(",")[0]
        if first.startswith(("OPQ", "PCA", "RR", "L2norm", "ITQ", "Pad")):
            return library.SearchParametersPreTransform(index_params=told)
        return told
