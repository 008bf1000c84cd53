"""No structure: every search looks at every vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ragembed.index.ann.base import AnnType, made


@dataclass(frozen=True)
class FlatType(AnnType):
    """Exact search over the flat segments."""

    name: ClassVar[str] = "flat"

    @property
    def exact(self) -> bool:
        """It is."""
        return True

    def make(self, dimension: int, rows: int, metric: int) -> Any:
        """A FAISS flat index, which nothing here builds: the segments are one."""
        return made("Flat", dimension, metric)

    def row_bytes(self, dimension: int) -> float:
        """Four for each number."""
        return 4.0 * dimension
