"""Joining the lists of several embedders into one: ``rrf``, by ranks alone, or ``combsum``, by scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ragembed.errors import SpecError
from ragembed.registry import Registry, spec_of
from ragembed.spec import Spec

RRF_K = 60
"""The constant of Cormack, Clarke & Buettcher 2009, who found the choice uncritical."""

Ranked = Sequence[tuple[int, float]]
"""One embedder's list: (row, score), best first."""


@dataclass(slots=True)
class Fused:
    """A chunk row with its joint score and each list's own (rank, score), by the list's number."""

    row: int
    score: float
    parts: dict[int, tuple[int, float]]


class Fusion(ABC):
    """A way of joining lists: the sum of what each list gives its rows. Subclasses are dataclasses, their fields the
    spec's parameters.
    """

    name: ClassVar[str]

    @abstractmethod
    def shares(self, scores: Sequence[float]) -> list[float]:
        """What each place of a list with these scores gives, best first."""

    @property
    def spec(self) -> Spec:
        """The spec that makes it again."""
        return spec_of(self, self.name)

    def fuse(self, lists: Sequence[Ranked]) -> list[Fused]:
        """All rows of the lists, best first; equal scores by row."""
        found: dict[int, Fused] = {}
        for number, hits in enumerate(lists):
            shares = self.shares([score for _, score in hits])
            for rank, (share, (row, score)) in enumerate(zip(shares, hits, strict=True), 1):
                fused = found.setdefault(row, Fused(row, 0.0, {}))
                fused.score += share
                fused.parts[number] = (rank, score)
        return sorted(found.values(), key=lambda fused: (-fused.score, fused.row))


@dataclass(frozen=True)
class ReciprocalRank(Fusion):
    """``sum over lists of 1 / (k + rank)``, ranks from 1. Scores need no common scale, for only ranks count.

    Cormack, Clarke & Buettcher, SIGIR 2009.
    """

    name: ClassVar[str] = "rrf"

    k: int = RRF_K
    """The larger, the less the first ranks stand out."""

    def __post_init__(self) -> None:
        if self.k < 0:
            raise SpecError(f"rrf(k={self.k}) is below 0", "give k of at least 0")

    def shares(self, scores: Sequence[float]) -> list[float]:
        """What each place of a list with these scores gives, best first."""
        return [1 / (self.k + rank) for rank in range(1, len(scores) + 1)]


@dataclass(frozen=True)
class CombSum(Fusion):
    """The sum of each list's scores, which are scaled to 0 (the last of the list) to 1 (its first).

    Fox & Shaw 1994, "Combination of multiple searches", over min-max scaled scores (Lee 1997). It keeps how far apart
    hits are, which ranks forget, and is swayed by a list whose scores are all alike.
    """

    name: ClassVar[str] = "combsum"

    def shares(self, scores: Sequence[float]) -> list[float]:
        """What each place of a list with these scores gives, best first."""
        if not scores:
            return []
        best, worst = scores[0], scores[-1]
        width = best - worst
        return [(score - worst) / width if width else 1.0 for score in scores]


FUSIONS: Registry[Fusion] = Registry(
    "fusion",
    "ragembed.fusions",
    {"rrf": "ragembed.retrieve.fusion:ReciprocalRank", "combsum": "ragembed.retrieve.fusion:CombSum"},
)


DEFAULT = "rrf"
"""What a search does unless it is told otherwise."""
