"""Late interaction as a reranker: MaxSim over token vectors."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ragembed.retrieve.checks import shares
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.maxsim import interpolated, maxsim
from ragembed.retrieve.multi_side import MultiSide
from ragembed.retrieve.steps.base import Candidates, Loss
from ragembed.retrieve.steps.reordering import Reordering, by_score

if TYPE_CHECKING:
    from ragembed.embed.base import Dense
    from ragembed.embed.colbert import ColbertEmbedder
    from ragembed.embed.token_vectors import TokenVectors
    from ragembed.retrieve.ranking import Ranking

_DEFAULT = "minilm"


@dataclass(frozen=True)
class MaxSim(Reordering):
    """The first hits in a new order: by how well their tokens match those of the query, and by their score so far.

    MaxSim (Khattab & Zaharia 2020, equation 3). Token vectors are those that the index holds, where one of its
    embedders is ``colbert:``; else the hits' texts are embedded now.
    """

    name: ClassVar[str] = "maxsim"
    loss: ClassVar[Loss] = "reranked_away"

    model: str | None = None
    """Folder, name in the hub's cache, or ``minilm``, as ``colbert:`` takes it; none: that of the index, else
    ``minilm``."""
    depth: int = 50
    """Hits that are put in a new order."""
    weight: float = 0.6
    """What MaxSim counts beside the score so far, both scaled to 0 to 1; 1: MaxSim alone."""

    def __post_init__(self) -> None:
        shares(self.name, weight=self.weight)
        super().__post_init__()

    def reordered(self, given: Candidates, top: list[Fused]) -> list[Fused]:
        """Of equal scores in the order that they had."""
        query, documents = self._tokens(given, [hit.row for hit in top])
        scores = maxsim(query, documents)
        before = [hit.score for hit in top]
        return by_score(top, combined(before, scores, self.weight))

    def _tokens(self, given: Candidates, rows: list[int]) -> tuple[Dense, TokenVectors]:
        """Of the query, and of the texts in those rows."""
        ranking = given.ranking
        stored = self._stored(ranking)
        if stored is not None:
            number, side = stored
            found = side.tokens_of(rows)
            if found is not None:
                return ranking.encoded[number][given.number], found
        embedder = _embedder(self.model or _DEFAULT)
        [query] = embedder.tokens([given.query], queries=True)
        return query, embedder.tokens(ranking.catalog.embedded_texts(rows))

    def _stored(self, ranking: Ranking) -> tuple[int, MultiSide] | None:
        """The first side with token vectors of the model that is asked for."""
        for number, side in enumerate(ranking.sides):
            if isinstance(side, MultiSide) and self.model in (None, getattr(side.embedder, "target", None)):
                return number, side
        return None


def combined(before: Sequence[float], scores: NDArray[np.float32], weight: float) -> NDArray[np.float64]:
    """The new scores of hits whose MaxSim is `scores`, -infinity where a text has no token: those come last."""
    if weight < 1:
        return interpolated(before, scores, weight)
    found = scores.astype(np.float64)
    there = np.isfinite(found)
    found[~there] = found[there].min() - 1 if there.any() else 0.0
    return found


@functools.lru_cache(maxsize=2)
def _embedder(target: str) -> ColbertEmbedder:
    """Loaded once: a search makes its steps anew."""
    from ragembed.embed.colbert import ColbertEmbedder

    return ColbertEmbedder(target=target)
