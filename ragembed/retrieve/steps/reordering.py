"""The first hits in a new order: what rerankers, diversity and boosts share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ragembed.retrieve.checks import at_least_1
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.steps.base import Candidates, Step, followed, scaled


class Reordering(Step):
    """Puts the first `depth` hits in a new order; those below stay below, in theirs."""

    depth: int

    def __post_init__(self) -> None:
        at_least_1(self.name, depth=self.depth)

    def reach(self, k: int) -> int:
        """`depth` hits, or k where that is more."""
        return max(k, self.depth)

    def apply(self, given: Candidates, k: int) -> list[Fused]:
        """Up to k hits in the new order."""
        top, rest = list(given.hits[: self.depth]), given.hits[self.depth :]
        return followed(self.reordered(given, top), rest)[:k] if top else []

    @abstractmethod
    def reordered(self, given: Candidates, top: list[Fused]) -> list[Fused]:
        """The hits of `top`, of which there is at least one, with their new scores, best first."""


def by_score(hits: Sequence[Fused], scores: Sequence[float] | NDArray[np.float64]) -> list[Fused]:
    """The hits by their new scores, best first; equal ones in the order they came in."""
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    found = []
    for at in order.tolist():
        hits[at].score = float(scores[at])
        found.append(hits[at])
    return found


def raised(hits: Sequence[Fused], gains: Sequence[float]) -> list[Fused]:
    """The hits by their scaled scores plus gains, best first; equal ones in the order they came in."""
    return by_score(hits, [score + gain for score, gain in zip(scaled(hits), gains, strict=True)])
