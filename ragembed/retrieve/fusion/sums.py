"""Fusion by scores, brought to one scale and added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ragembed.errors import SpecError
from ragembed.retrieve.fusion.base import Doubles, Fusion, Scores
from ragembed.retrieve.fusion.scales import SCALES


@dataclass(frozen=True)
class CombSum(Fusion):
    """The sum of each list's scores on one scale (Fox & Shaw 1994, "Combination of multiple searches").

    It keeps how far apart hits are, which ranks forget, and is swayed by a list whose scores are all alike.
    """

    name: ClassVar[str] = "combsum"

    scale: str = "minmax"
    """``minmax``, ``theoretical``, ``zscore`` or ``distribution``."""
    weights: str | None = None
    """One for each embedder, in their order, as ``0.7:0.3``; all alike without."""

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise SpecError(f"unknown scale {self.scale!r}", f"valid are: {', '.join(SCALES)}")
        super().__post_init__()

    @property
    def bounded(self) -> bool:
        """Whether it needs `Scores.least`."""
        return self.scale == "theoretical"

    def shares(self, scores: Doubles, of: Scores) -> Doubles:
        """What each place of a list (n,) with these scores, best first, gives before its weight."""
        return SCALES[self.scale](scores, of)


@dataclass(frozen=True)
class CombMNZ(CombSum):
    """`CombSum` times the number of lists that have the row (Fox & Shaw 1994): being found twice counts double."""

    name: ClassVar[str] = "combmnz"

    def bonus(self, lists: int) -> float:
        """What the sum is multiplied by for a row that so many lists have."""
        return float(lists)


@dataclass(frozen=True)
class Convex(CombSum):
    """A convex combination: `CombSum` with weights that are made to sum to 1, by default on the theoretical scale
    (Bruch, Gai & Ingber 2023).
    """

    name: ClassVar[str] = "convex"

    scale: str = "theoretical"
    """``minmax``, ``theoretical``, ``zscore`` or ``distribution``."""

    def weighed(self, lists: int) -> Sequence[float]:
        """The weight of each of so many lists; together 1."""
        weights = super().weighed(lists)
        whole = sum(weights)
        return [weight / whole for weight in weights]
