"""What each embedder sees of a query: its words, their stems, and those that it does not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol, cast, runtime_checkable

from ragembed.analysis import Analyzer
from ragembed.embed.base import Dense, Embedder
from ragembed.embed.terms import TermEmbedder
from ragembed.explain.result import List, Term, Word
from ragembed.retrieve.sides import DenseSide, Side, SparseSide


@runtime_checkable
class Additive(Protocol):
    """A dense embedder whose vector is a sum over the terms of the text, scaled to length 1."""

    def summands(self, text: str) -> tuple[list[str], Dense]:
        """The terms of `text` that it knows, and what each adds: ``(terms, dimension)``."""
        ...


@runtime_checkable
class Spelled(Protocol):
    """A dense embedder that goes by words as they are spelt, some of which it knows."""

    def known(self, text: str) -> dict[str, tuple[int, bool]]:
        """The words of `text` in order of appearance: how often each stands there, and whether it is known."""
        ...


def seen(query: str, embedder: Embedder, side: Side) -> List:
    """The query as `embedder` takes it."""
    name, kind = str(embedder.spec), embedder.kind
    if isinstance(embedder, Spelled) and _has_learnt(side):
        found = embedder.known(query)
        spelt = (Term(word, (word,), count, None, None, known) for word, (count, known) in found.items())
        return List(name, kind, tuple(Word(word, (word,), False) for word in found), tuple(spelt))
    if not isinstance(embedder, TermEmbedder):
        return List(name, kind, None, None)
    words = words_of(query, embedder.analyzer)
    typed: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    for word in words:
        counts.update(word.terms)
        for term in word.terms:
            if word.word not in typed.setdefault(term, []):
                typed[term].append(word.word)
    facts = _facts(query, embedder, side)
    terms = (Term(term, tuple(typed[term]), counts[term], *facts(term)) for term in typed)
    return List(name, kind, words, tuple(terms))


def words_of(query: str, analyzer: Analyzer) -> tuple[Word, ...]:
    """The words of a query with their terms."""
    found = []
    for word in analyzer.words(query):
        terms = analyzer.word_terms(word)
        found.append(Word(word, terms, not terms))
    return tuple(found)


def term_set(text: str, analyzer: Analyzer) -> set[str]:
    """The distinct terms of a text."""
    return set(analyzer.terms(text))


def analyzer_of(embedders: Sequence[Embedder]) -> Analyzer:
    """How the first embedder of terms takes text apart; that of plain English where there is none."""
    return next((one.analyzer for one in embedders if isinstance(one, TermEmbedder)), None) or Analyzer()


def _facts(query: str, embedder: TermEmbedder, side: Side) -> Any:
    """A function of a term: its frequency, its idf, and whether the embedder knows it."""
    if isinstance(side, SparseSide):
        index = side.index

        def counted(term: str) -> tuple[int, float | None, bool]:
            frequency = index.frequency(term)
            idf = index.weighting.idf(frequency, index.statistics.documents) if frequency else None
            return frequency, idf, frequency > 0

        return counted
    known: set[str] | None = None
    if isinstance(embedder, Additive) and _has_learnt(side):
        known = set(embedder.summands(query)[0])
    return lambda term: (None, None, known is None or term in known)


def _has_learnt(side: Side) -> bool:
    """Whether the embedder of a dense side has seen documents."""
    return cast("DenseSide", side).index is not None
