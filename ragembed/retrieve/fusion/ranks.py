"""Fusion by ranks alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ragembed.errors import SpecError
from ragembed.retrieve.fusion.base import Doubles, Fusion, Scores

RRF_K = 60
"""The constant of Cormack, Clarke & Buettcher 2009, who found the choice uncritical."""


@dataclass(frozen=True)
class ReciprocalRank(Fusion):
    """``sum over lists of weight / (k + rank)``, ranks from 1. Scores need no common scale, for only ranks count.

    Cormack, Clarke & Buettcher, SIGIR 2009.
    """

    name: ClassVar[str] = "rrf"

    k: int = RRF_K
    """The larger, the less the first ranks stand out."""
    weights: str | None = None
    """One for each embedder, in their order, as ``0.7:0.3``; all alike without."""

    def __post_init__(self) -> None:
        if self.k < 0:
            raise SpecError(f"rrf(k={self.k}) is below 0", "give k of at least 0")
        super().__post_init__()

    def shares(self, scores: Doubles, of: Scores) -> Doubles:
        """What each place of a list (n,) with these scores, best first, gives before its weight."""
        ranks: Doubles = 1 / (self.k + np.arange(1.0, len(scores) + 1))
        return ranks
