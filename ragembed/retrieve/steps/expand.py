"""Query expansion by word vectors."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ragembed.errors import QueryError, SpecError
from ragembed.retrieve.checks import at_least_1, shares
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.sides import DenseSide
from ragembed.retrieve.steps.base import Candidates, Loss, Step
from ragembed.retrieve.steps.feedback import sparse_sides, term_weights

if TYPE_CHECKING:
    from ragembed.embed.words.vectors import WordVectors

_SPARE = 4
"""Neighbours that are looked at for each that is wanted: other forms of the word bring nothing new."""


@dataclass(frozen=True)
class Expand(Step):
    """Searches again with words that are near to the query's words in a space of word vectors.

    Each word of the query that is no stop word brings up to `terms` words with a cosine of at least `similarity`, each
    counting ``weight * cosine`` of what its word counts (a term that several words bring, the most of these; compare
    Kuzi, Shtok & Kurland, CIKM 2016). Terms that the query has already are not added.
    """

    name: ClassVar[str] = "expand"
    loss: ClassVar[Loss] = "searched_again"

    embedder: str | None = None
    """Word vectors: a folder or file, or the spec of an embedder with such a path; none: those of the index."""
    terms: int = 3
    """Most words that a word of the query brings."""
    similarity: float = 0.7
    """The least cosine."""
    weight: float = 0.3
    """What a word of cosine 1 would count."""

    def __post_init__(self) -> None:
        at_least_1(self.name, terms=self.terms)
        shares(self.name, weight=self.weight)
        if not 0 < self.similarity <= 1:
            raise SpecError(
                f"expand(similarity={self.similarity:g}) is not above 0 and up to 1", "give one such as 0.7"
            )

    def reach(self, k: int) -> int:
        """The list is searched for anew: it needs none of the hits."""
        return 1

    def apply(self, given: Candidates, k: int) -> list[Fused]:
        """The k best for the expanded query."""
        vectors = self._vectors(given)
        encoded = given.encoded()
        for number, side in sparse_sides(given.ranking, self.name, "leave it out, or index with bm25 too"):
            query = dict(term_weights(side, encoded[number][0]))
            analyzer = side.embedder.analyzer
            new: dict[str, float] = {}
            for word in dict.fromkeys(analyzer.words(given.query)):
                base = max((query.get(term, 0.0) for term in analyzer.word_terms(word)), default=0.0)
                if not base:
                    continue  # a stop word
                brought = 0
                for other, cosine in _nearest(vectors, word, _SPARE * self.terms):
                    if cosine < self.similarity or brought == self.terms:
                        break
                    fresh = [term for term in analyzer.terms(other) if term not in query]
                    for term in fresh:
                        new[term] = max(new.get(term, 0.0), base * self.weight * cosine)
                    brought += bool(fresh)
            if new:
                encoded[number] = [{**query, **new}]
        return given.search_again(encoded, k)

    def _vectors(self, given: Candidates) -> WordVectors:
        if self.embedder is not None:
            return _opened(self.embedder)
        from ragembed.embed.words.embedder import WordEmbedder

        for side in given.ranking.sides:
            if isinstance(side, DenseSide) and isinstance(side.embedder, WordEmbedder):
                return side.embedder.model
        raise QueryError(
            "step expand has no word vectors, and the index has no embedder that goes by them",
            "name some: expand(embedder=FOLDER), as ragembed train word2vec writes them",
        )


@functools.lru_cache(maxsize=10_000)  # one look at all words costs milliseconds
def _nearest(vectors: WordVectors, word: str, k: int) -> list[tuple[str, float]]:
    """The words nearest to one, with their cosines; none for a word without a vector."""
    if word not in vectors:
        return []
    try:
        return vectors.most_similar(word, k)
    except QueryError:  # its vector is zeros
        return []


@functools.lru_cache(maxsize=2)
def _opened(name: str) -> WordVectors:
    """Word vectors by their folder or file, or by the spec of an embedder that has a path; kept for later searches."""
    from ragembed.embed.words.open import open_word_vectors

    path = Path(name).expanduser()
    if path.exists():
        return open_word_vectors(path)
    from ragembed.embed import EMBEDDERS
    from ragembed.embed.words.embedder import WordEmbedder

    try:
        embedder = EMBEDDERS.create(name)
    except SpecError as error:
        raise QueryError(
            f"{name} is no file, no folder and no embedder", "name word vectors, or glove(path=FILE)"
        ) from error
    if not isinstance(embedder, WordEmbedder) or embedder.path is None:
        raise QueryError(
            f"embedder {name} has no word vectors to be read",
            "name a folder or file of them, or glove(path=FILE)",
        )
    return embedder.model
