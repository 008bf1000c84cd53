"""Pseudo-relevance feedback for embedders that go by terms: RM3."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ragembed.retrieve.checks import at_least_1, shares
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.steps.base import Candidates, Loss, Step
from ragembed.retrieve.steps.feedback import largest, sparse_sides, term_counts, term_weights, trust, uncommon


@dataclass(frozen=True)
class RelevanceModel(Step):
    """Searches again with terms that the first hits share, weighed by how likely a relevant passage has them.

    ``P(w) = weight * count(w, query) / |query| + (1 - weight) * P(w | relevant)``, where
    ``P(w | relevant) ~ sum over the first hits d of P(d) * count(w, d) / |d|``, P(d) a hit's share in the sum of the
    scores, is cut to its `terms` largest: RM3 (Abdul-Jaleel et al., TREC 2004; RM1 is Lavrenko & Croft, SIGIR 2001,
    method 1). The weights take the place of the query's counts; their sum is kept. In a hybrid the hits are those of
    the joined list, the lists of dense embedders stay as they are, and the lists are joined anew.
    """

    name: ClassVar[str] = "rm3"
    loss: ClassVar[Loss] = "searched_again"

    documents: int = 10
    """Hits that are taken for relevant."""
    terms: int = 10
    """Terms that are taken from them."""
    weight: float = 0.8
    """Of the query as it was asked, 0 to 1: half, as often advised, loses nDCG@10 (docs/benchmarks.md)."""

    def __post_init__(self) -> None:
        at_least_1(self.name, documents=self.documents, terms=self.terms)
        shares(self.name, weight=self.weight)

    def reach(self, k: int) -> int:
        """The hits that it takes for relevant: the list itself is searched for anew."""
        return self.documents

    def apply(self, given: Candidates, k: int) -> list[Fused]:
        """The k best for the query model; a query without terms, or without hits, stays as it is."""
        encoded = given.encoded()
        relevant = given.hits[: self.documents]
        for number, side in sparse_sides(given.ranking, self.name, "leave it out, or use rocchio"):
            query = term_weights(side, encoded[number][0])
            counts = term_counts(given.ranking, side, relevant) if query else []
            kept = uncommon(side, list(dict.fromkeys(term for count in counts for term in count)))
            model = relevance_model(counts, trust(relevant), kept, self.terms)
            if model:
                encoded[number] = [mixed(query, model, self.weight)]
        return given.search_again(encoded, k)


def relevance_model(
    counts: Sequence[Mapping[str, int]], shares: Sequence[float], kept: set[str], most: int
) -> dict[str, float]:
    """``P(w | relevant)`` of the `most` likeliest of the terms `kept`, which sum up to 1."""
    model: defaultdict[str, float] = defaultdict(float)
    for count, share in zip(counts, shares, strict=False):
        length = sum(count.values())
        for term, times in count.items():
            if term in kept:
                model[term] += share * times / length
    found = largest(model, most)
    total = sum(found.values())
    return {term: value / total for term, value in found.items()} if total else {}


def mixed(query: Mapping[str, float], model: Mapping[str, float], weight: float) -> dict[str, float]:
    """The query's counts, `weight` of them, and the model, the rest of them: the sum stays what it was."""
    total = sum(query.values())
    found = {term: weight * count for term, count in query.items()}
    for term, value in model.items():
        found[term] = found.get(term, 0.0) + (1 - weight) * total * value
    return found
