"""A dense score taken apart: exactly by terms where vectors are sums over them, else by leaving pieces out.

Left out one at a time, the pieces' shares need not sum up to the score, since a transformer reads them together: the
rest is told, and is what no single piece is needed for (occlusion: Zeiler & Fergus 2014, section 4.2, there of pixels).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense, Embedder, checked_vectors
from ragembed.explain.pieces import pieces
from ragembed.explain.result import Contribution
from ragembed.explain.words import Additive
from ragembed.retrieve.maxsim import exact

if TYPE_CHECKING:
    from ragembed.embed.token_vectors import MultiVector

PIECES = 12
"""Most pieces of a passage."""
VARIANTS = 64
"""Most texts that are embedded to explain one query's hits, the first hits first."""


def by_terms(embedder: Additive, query: Dense, text: str) -> list[Contribution]:
    """What each term of a passage adds to its inner product with the query's vector (dimension,), largest first."""
    terms, rows = embedder.summands(text)  # (terms, dimension)
    wide = rows.astype(np.float64)
    length = float(np.linalg.norm(wide.sum(axis=0)))
    if not length:
        return []
    shares = (wide @ query.astype(np.float64) / length).tolist()
    found = [Contribution(term, share) for term, share in zip(terms, shares, strict=True)]
    return sorted(found, key=lambda one: -one.score)


class Occlusion:
    """Leaves pieces of passages out, as long as there is budget."""

    def __init__(self, embedder: Embedder, query: Dense, budget: int = VARIANTS) -> None:
        """`query` is the query's vector (dimension,); `budget` the number of texts that may be embedded."""
        self.embedder = embedder
        self.query = query.astype(np.float64)
        self.budget = budget

    def explain(
        self, texts: Sequence[str], bodies: Sequence[int], scores: Sequence[float]
    ) -> list[list[Contribution] | None]:
        """For each passage what its score loses without each of its pieces, largest loss first; None beyond the budget.

        `bodies` says where in each text the chunk's own text begins, after what is put before it for embedding. A
        passage whose vector was made in its document is scored again by itself, as what is left of it is.
        """
        cut = []
        for text in texts:
            spans = pieces(text, min(PIECES, self.budget)) if self.budget > 1 else []
            cut.append(spans if len(spans) > 1 else [])
            self.budget -= len(cut[-1])
        variants = [text[:a] + text[b:] for text, spans in zip(texts, cut, strict=True) for a, b in spans]
        without = self._scores(variants)
        if self.embedder.in_context:
            scores = list(self._scores(texts))
        found: list[list[Contribution] | None] = []
        for text, spans, body, score in zip(texts, cut, bodies, scores, strict=True):
            if not spans:
                found.append(None)
                continue
            shares = []
            for start, end in spans:
                place = (start - body, end - body) if start >= body else (None, None)
                shares.append(Contribution(text[start:end].strip(), score - next(without), *place))
            found.append(sorted(shares, key=lambda one: -one.score))
        return found

    def _scores(self, texts: Sequence[str]) -> Iterator[float]:
        return iter(products(self.embedder, self.query, texts).tolist())


def products(
    embedder: Embedder, query: Dense | NDArray[np.float64], texts: Sequence[str]
) -> NDArray[np.float64]:
    """The scores of `texts` as documents for an encoded query: inner products, or of several vectors each MaxSim, where
    a text without tokens has 0."""
    if not texts:
        return np.zeros(0)
    if embedder.kind == "multi":
        documents = cast("MultiVector", embedder).tokens(texts)
        return np.array([exact(query, document) if len(document) else 0.0 for document in documents])
    found: NDArray[np.float64] = checked_vectors(embedder, texts).astype(np.float64) @ query.astype(
        np.float64
    )
    return found
