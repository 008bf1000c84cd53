"""Pseudo-relevance feedback for vectors: Rocchio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ragembed.errors import QueryError, SpecError
from ragembed.retrieve.checks import at_least_1, shares
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.sides import DenseSide, SparseSide
from ragembed.retrieve.steps.base import Candidates, Loss, Step
from ragembed.retrieve.steps.feedback import largest, term_weights, uncommon
from ragembed.retrieve.steps.similarity import term_vectors

KINDS = ("all", "dense", "sparse")


@dataclass(frozen=True)
class Rocchio(Step):
    """Searches again with the query moved towards the first hits.

    ``q' = weight * q / |q| + (1 - weight) * m / |m|``, m the mean of the hits' vectors (Rocchio 1971, without
    irrelevant ones, which no one has judged; for dense retrieval Li et al., TOIS 2023). Of a dense embedder these are
    its stored vectors, and q' gets the length of q. An embedder of terms has tf-idf vectors, of which the `terms`
    largest new terms are kept. In a hybrid the hits are those of the joined list, and the lists are joined anew.
    """

    name: ClassVar[str] = "rocchio"
    loss: ClassVar[Loss] = "searched_again"

    documents: int = 3
    """Hits that are taken for relevant."""
    weight: float = 0.7
    """Of the query as it was asked, 0 to 1."""
    embedders: str = "dense"
    """Whose query is moved: ``all``, ``dense`` or ``sparse`` ones; all where the index has none of that kind."""
    terms: int = 20
    """New terms of a sparse query."""

    def __post_init__(self) -> None:
        at_least_1(self.name, documents=self.documents, terms=self.terms)
        shares(self.name, weight=self.weight)
        if self.embedders not in KINDS:
            raise SpecError(
                f"rocchio(embedders={self.embedders}) names no kind of embedder",
                f"valid are: {', '.join(KINDS)}",
            )

    def reach(self, k: int) -> int:
        """The hits that it takes for relevant: the list itself is searched for anew."""
        return self.documents

    def apply(self, given: Candidates, k: int) -> list[Fused]:
        """The k best for the moved query; a query without a vector, or without hits, stays as it is."""
        encoded = given.encoded()
        rows = [hit.row for hit in given.hits[: self.documents]]
        sides = [
            pair for pair in enumerate(given.ranking.sides) if isinstance(pair[1], DenseSide | SparseSide)
        ]
        if given.ranking.sides and not sides:
            names = "+".join(str(side.embedder.spec) for side in given.ranking.sides)
            raise QueryError(
                f"step rocchio moves one vector or terms of a query, and the index has neither (it has {names})",
                "leave it out",
            )
        kind = (
            DenseSide if self.embedders == "dense" else SparseSide if self.embedders == "sparse" else object
        )
        for number, side in [pair for pair in sides if isinstance(pair[1], kind)] or sides:
            if not rows:
                break
            if isinstance(side, DenseSide) and encoded[number] is not None:
                encoded[number] = moved(encoded[number], side.vectors(rows), self.weight)
            elif isinstance(side, SparseSide) and (query := term_weights(side, encoded[number][0])):
                encoded[number] = [
                    self._terms(side, query, given.ranking.catalog.embedded_texts(rows, side.embedder.field))
                ]
        return given.search_again(encoded, k)

    def _terms(self, side: SparseSide, query: dict[str, float], texts: list[str]) -> dict[str, float]:
        """The moved query as what stands for the counts of its terms: a search multiplies them with the idf again."""
        held, vectors = term_vectors(side, texts)
        terms = list(dict.fromkeys([*query, *held]))
        idf = side.index.idf(terms)  # (terms,)
        asked, mean = np.zeros(len(terms)), np.zeros(len(terms))
        asked[: len(query)] = list(query.values())
        asked *= idf
        place = {term: number for number, term in enumerate(terms)}
        mean[[place[term] for term in held]] = vectors.sum(axis=0) / len(texts)
        there = self.weight * asked + (1 - self.weight) * np.linalg.norm(asked) * _unit(mean)
        new = {term: float(there[place[term]]) for term in uncommon(side, held) if term not in query}
        return {
            term: float(there[place[term]] / idf[place[term]])
            for term in [*query, *largest(new, self.terms)]
            if idf[place[term]] > 0
        }


def moved(query: NDArray[np.float32], relevant: NDArray[np.float32], weight: float) -> NDArray[np.float32]:
    """Queries ``(1, dimension)`` moved towards the mean of vectors ``(n, dimension)``, their length kept."""
    asked = query[0].astype(np.float64)
    length = float(np.linalg.norm(asked))
    if not length:
        return query
    there = _unit(weight * _unit(asked) + (1 - weight) * _unit(relevant.astype(np.float64).mean(axis=0)))
    found: NDArray[np.float32] = (length * there).astype(np.float32)[np.newaxis]
    return found if found.any() else query


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector
