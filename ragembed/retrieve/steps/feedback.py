"""What the steps share that search again with a changed query: the terms of the first hits, and how far to trust
them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ragembed.errors import QueryError
from ragembed.retrieve.sides import SparseSide

if TYPE_CHECKING:
    from ragembed.index.sparse import Query
    from ragembed.retrieve.fusion import Fused
    from ragembed.retrieve.ranking import Ranking

COMMON = 0.1
"""Terms that a larger part of all passages holds are no feedback: they tell nothing of the query (as in Anserini)."""
_FEW = 100
"""Passages of an index below which no term is called common."""


def sparse_sides(ranking: Ranking, step: str, instead: str) -> list[tuple[int, SparseSide]]:
    """The sides that go by terms, numbered; raises `QueryError` where there is none."""
    found = [(number, side) for number, side in enumerate(ranking.sides) if isinstance(side, SparseSide)]
    if not found:
        names = "+".join(str(side.embedder.spec) for side in ranking.sides)
        raise QueryError(
            f"step {step} changes the terms of a query, and the index has none (it has {names or 'no embedder'})",
            instead,
        )
    return found


def trust(hits: Sequence[Fused]) -> list[float]:
    """How much each hit counts as feedback: its share in the sum of their scores, or equally where one is below 0."""
    scores = [hit.score for hit in hits]
    if min(scores, default=0.0) <= 0 or not math.isfinite(sum(scores)):
        return [1 / len(scores)] * len(scores) if scores else []
    return [score / sum(scores) for score in scores]


def term_counts(ranking: Ranking, side: SparseSide, hits: Sequence[Fused]) -> list[Counter[str]]:
    """How often each hit has each term, as it was indexed."""
    texts = ranking.catalog.embedded_texts([hit.row for hit in hits], side.embedder.field)
    return [Counter(side.embedder.analyzer.terms(text)) for text in texts]


def term_weights(side: SparseSide, query: Query) -> dict[str, float]:
    """What counts for each distinct term of a query, before its idf."""
    if isinstance(query, dict):
        return query
    counts = Counter(query)
    values = side.index.weighting.query_counts(np.fromiter(counts.values(), np.float64, len(counts)))
    return dict(zip(counts, values.tolist(), strict=True))


def uncommon(side: SparseSide, terms: Sequence[str]) -> set[str]:
    """Those of `terms` that are not in more than a tenth of all passages."""
    documents = side.index.statistics.documents
    if documents < _FEW:
        return set(terms)
    frequencies = side.index.frequencies(terms).tolist()
    return {term for term, count in zip(terms, frequencies, strict=True) if count <= COMMON * documents}


def largest(weights: dict[str, float], most: int) -> dict[str, float]:
    """The `most` terms of the largest weights, equal ones in the order of the alphabet."""
    return dict(sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:most])
