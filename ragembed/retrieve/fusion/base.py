"""What every fusion shares: lists in, one list out, each row with what every list gave it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ragembed.errors import SpecError
from ragembed.registry import spec_of
from ragembed.spec import Spec

if TYPE_CHECKING:
    from ragembed.types import Context

Ranked = Sequence[tuple[int, float]]
"""One embedder's list: (row, score), best first."""
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scores:
    """What is known of an embedder's scores without looking at them."""

    least: float | None = None
    """The lowest that it can give at all; None: there is no such bound."""
    evidence: bool = False
    """Whether they are sums of idf, that is of logarithms of odds, as BM25's."""
    nats: float | None = None
    """What a difference of one `spread` says, in logarithms of odds; None: nothing is known of the embedder."""
    spread: float | None = None
    """Standard deviation of the scores that the index's chunks have with each other; None: not measured."""


UNKNOWN = Scores()
UNKNOWN_NATS = 0.5
"""What a spread is taken to be worth of scores of which nothing is known."""
DEPTH = 200
"""How far down each embedder's list a fusion looks, or k where that is more: a constant, so that up to here the first
hits are the same whatever k is."""


@dataclass(slots=True)
class Fused:
    """A chunk row with its joint score and each list's own (rank, score), by the list's number."""

    row: int
    score: float
    parts: dict[int, tuple[int, float]]
    trail: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Rank and score after each step that has come since, by the step's spec."""
    stands_for: list[str] = field(default_factory=list)
    """Ids of chunks that a step dropped because this one says the same, or shows them in its context."""
    context: Context | None = None
    """More of its document, where a step fetched it."""
    probability: float | None = None
    """That it is relevant, where the index is calibrated."""


class Fusion(ABC):
    """A way of joining lists: the sum of what each list gives its rows. Subclasses are dataclasses, their fields the
    spec's parameters.
    """

    name: ClassVar[str]
    measures: ClassVar[bool] = False
    """Whether it needs to know what an index's chunks tell of an embedder, which costs some milliseconds."""
    weights: str | None = None
    """One for each embedder, in their order, as ``0.7:0.3``, where a fusion has them as a field; all alike without."""

    @property
    def bounded(self) -> bool:
        """Whether it needs `Scores.least`, for which all vectors are looked at once."""
        return False

    @abstractmethod
    def shares(self, scores: Doubles, of: Scores) -> Doubles:
        """What each place of a list (n,) with these scores, best first, gives before its weight: 0 at the least."""

    def __post_init__(self) -> None:
        self._weights()

    def weighed(self, lists: int) -> Sequence[float]:
        """The weight of each of so many lists; raises `SpecError` where there are weights for more or fewer."""
        weights = self._weights()
        if weights is None:
            return [1.0] * lists
        if len(weights) != lists:
            raise SpecError(
                f"{self.name} has {len(weights)} weights for {lists} embedders",
                "give one weight for each, in their order",
            )
        return weights

    def _weights(self) -> tuple[float, ...] | None:
        """``0.7:0.3`` as numbers; None where nothing is written. Raises `SpecError` for what are no weights."""
        if self.weights is None:
            return None
        try:
            weights = tuple(map(float, self.weights.split(":")))
        except ValueError:
            weights = ()
        if (
            not weights
            or not all(math.isfinite(weight) and weight >= 0 for weight in weights)
            or not any(weights)
        ):
            raise SpecError(
                f"{self.name}(weights={self.weights}) has no weights",
                "write a number of at least 0 for each embedder, such as weights=0.7:0.3",
            )
        return weights

    def bonus(self, lists: int) -> float:
        """What the sum is multiplied by for a row that so many lists have."""
        return 1.0

    @property
    def spec(self) -> Spec:
        """The spec that makes it again."""
        return spec_of(self, self.name)

    def contributions(self, lists: Sequence[Sequence[float]], of: Sequence[Scores] = ()) -> list[Doubles]:
        """What each list, of scores best first, gives each of its places, its weight counted."""
        about = of or [UNKNOWN] * len(lists)
        return [
            weight * self.shares(np.asarray(scores, np.float64), kind) if len(scores) else np.zeros(0)
            for scores, weight, kind in zip(lists, self.weighed(len(lists)), about, strict=True)
        ]

    def fuse(self, lists: Sequence[Ranked], of: Sequence[Scores] = ()) -> list[Fused]:
        """All rows of the lists, best first; equal scores by row. `of` says what each list's scores are."""
        found: dict[int, Fused] = {}
        given = self.contributions([[score for _, score in hits] for hits in lists], of)
        for number, (hits, shares) in enumerate(zip(lists, given, strict=True)):
            for rank, (share, (row, score)) in enumerate(zip(shares.tolist(), hits, strict=True), 1):
                fused = found.setdefault(row, Fused(row, 0.0, {}))
                fused.score += share
                fused.parts[number] = (rank, score)
        for fused in found.values():
            fused.score *= self.bonus(len(fused.parts))
        return sorted(found.values(), key=lambda fused: (-fused.score, fused.row))


def deviation(scores: Doubles) -> float:
    """Standard deviation of scores, best first; 0 where all are alike, which rounding of their mean would hide."""
    return float(scores.std()) if len(scores) and scores[0] > scores[-1] else 0.0
