"""Diversity: maximal marginal relevance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ragembed.retrieve.checks import shares
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.steps.base import Candidates, scaled
from ragembed.retrieve.steps.reordering import Reordering
from ragembed.retrieve.steps.similarity import cosines


@dataclass(frozen=True)
class MaximalMarginalRelevance(Reordering):
    """Each next hit is the one that is relevant and unlike those before it.

    ``argmax over d not yet taken of weight * relevance(d) - (1 - weight) * max over taken e of similarity(d, e)``
    (Carbonell & Goldstein, SIGIR 1998). Relevance is the score scaled to 0, the last of the first `depth` hits, to 1,
    the first. Similarity is the cosine of the stored vectors of the first dense embedder; where the index has none, of
    tf-idf vectors; where it has no terms either, the resemblance of the texts. Negative ones count 0. A hit's new score
    is that difference, which never grows down the list.
    """

    name: ClassVar[str] = "mmr"

    weight: float = 0.7
    """What relevance counts, 0 to 1: 1 leaves the order as it is."""
    depth: int = 50
    """Hits that are put in a new order."""

    def __post_init__(self) -> None:
        shares(self.name, weight=self.weight)
        super().__post_init__()

    def reordered(self, given: Candidates, top: list[Fused]) -> list[Fused]:
        """As they are taken."""
        order, values = marginal_order(scaled(top), cosines(given.ranking, top), self.weight)
        chosen = [top[at] for at in order]
        for hit, value in zip(chosen, values, strict=True):
            hit.score = value
        return chosen


def marginal_order(
    relevance: Sequence[float], similarity: NDArray[np.float64], weight: float
) -> tuple[list[int], list[float]]:
    """The order in which places ``(n,)`` are taken, and what each was worth then; of equal ones the first.

    `similarity` ``(n, n)`` counts from 0; it costs n passes over n places.
    """
    worth = weight * np.asarray(relevance, np.float64)  # (n,)
    nearest = np.zeros(len(worth))  # (n,): to what has been taken
    left = np.ones(len(worth), np.bool_)
    order, values = [], []
    for _ in range(len(worth)):
        value = np.where(left, worth - (1 - weight) * nearest, -np.inf)
        best = int(value.argmax())
        order.append(best)
        values.append(float(value[best]))
        left[best] = False
        np.maximum(nearest, similarity[best], out=nearest)
    return order, values
