"""Search in an inverted index of one or several immutable segments.

Term at a time: each query term adds its weights to an array with one score per document; the k best are found by a
lower bound from block maxima (`_best`), which touches the whole array only in vectorised passes. The statistics (idf,
average length) are those of the live documents of all segments together, so that a search over many segments with
deleted documents scores exactly as one over a single new segment of the living.
"""

from __future__ import annotations

import itertools
import threading
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.weighting import Floats, Statistics, Weighting
from ragembed.errors import QueryError
from ragembed.index import kernels
from ragembed.index.postings import Postings
from ragembed.index.selection import Selection

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
Query = Sequence[str] | dict[str, float]
"""The terms of a query, with repetition; or its distinct terms, each with what stands for its count: any number that is
not negative, such as a query model of relevance feedback gives.
"""

_WARM = 8
"""Searches after which the weights of all postings are computed at once instead of per touched list."""
_MOST_TERMS = 200_000
"""Query terms that are remembered, so that a long-lived index does not grow with its queries."""
_BLOCK = 64
"""Most documents per block maximum; at least four blocks per wanted hit keep the bound tight."""


@dataclass(slots=True)
class SparseSegment:
    """One segment: `rows` are the catalog's numbers of its documents, ascending; `dead` marks the deleted ones."""

    postings: Postings
    rows: Rows
    dead: Mask | None = None
    factor: Floats | None = None
    weights: Floats | None = None

    def frequency(self, number: int) -> int:
        """How many live documents hold term `number`."""
        if self.dead is None:
            return int(self.postings.list_starts[number + 1] - self.postings.list_starts[number])
        documents, _ = self.postings.posting_list(number)
        return len(documents) - int(np.count_nonzero(self.dead[documents]))

    def excluded(self, selection: Selection | None) -> Mask | None:
        """Which documents must not be found; None: none."""
        if selection is None:
            return self.dead
        excluded = ~selection.mask(self.rows)
        return excluded if self.dead is None else excluded | self.dead


@dataclass(slots=True)
class Weighed:
    """Queries as weights of terms: query i has entries ``bounds[i]:bounds[i+1]`` of `terms` and `values`."""

    bounds: NDArray[np.int64]
    terms: NDArray[np.int64]
    """Numbers in the index's `_Terms`."""
    values: Floats


class _Terms(dict[str, int]):
    """Numbers the terms of queries as they come; for each its idf and its number in every segment (-1: absent)."""

    def __init__(self, segments: Sequence[SparseSegment], weighting: Weighting, documents: int) -> None:
        super().__init__()
        self._segments = segments
        self._weighting = weighting
        self._documents = documents
        self._idf = array("d")
        self._frequencies = array("q")
        self._numbers = array("q")

    def __missing__(self, term: str) -> int:
        numbers = [segment.postings.find(term) for segment in self._segments]
        frequency = sum(
            segment.frequency(number)
            for segment, number in zip(self._segments, numbers, strict=True)
            if number >= 0
        )
        self._idf.append(self._weighting.idf(frequency, self._documents) if frequency else 0.0)
        self._frequencies.append(frequency)
        self._numbers.extend(numbers)
        number = self[term] = len(self)
        return number

    def idf(self, terms: NDArray[np.int64]) -> NDArray[np.float64]:
        """The idf of terms by number; 0 for those that no live document holds."""
        return np.frombuffer(self._idf)[terms] if len(terms) else np.zeros(0)

    def frequencies(self, terms: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many live documents hold each of some terms by number."""
        return np.frombuffer(self._frequencies, np.int64)[terms] if len(terms) else terms

    def numbers(self, terms: NDArray[np.int64], segment: int) -> NDArray[np.int64]:
        """The numbers of terms in one segment, -1 for those absent."""
        return (
            np.frombuffer(self._numbers, np.int64)[terms * len(self._segments) + segment]
            if len(terms)
            else terms
        )


class SparseIndex:
    """Segments searched together under one weighting. Any number of threads may search at once.

    `compiled` forces or forbids the use of numba; by default it is used where it is installed and repays its loading.
    """

    def __init__(
        self, segments: Sequence[SparseSegment], weighting: Weighting, *, compiled: bool | None = None
    ) -> None:
        self.segments = list(segments)
        self.weighting = weighting
        self.compiled = compiled
        self.statistics = _statistics(self.segments)
        self.searches = 0
        self._terms = self._new_terms()
        self._lock = threading.RLock()
        """Held while terms are numbered; scoring needs none, and what it keeps any thread would compute the same."""

    def weigh(self, queries: Sequence[Query]) -> Weighed:
        """The weights of the queries' terms, in order of their first appearance; of absent terms 0."""
        if len(self._terms) > _MOST_TERMS:
            self._terms = self._new_terms()
        number = self._terms.__getitem__
        if any(isinstance(query, dict) for query in queries):
            return self._weigh_models(queries)
        if self.weighting.additive:  # a repeated term may simply be added twice, and its idf is its weight
            terms = array("q", map(number, itertools.chain.from_iterable(queries)))
            bounds = array("q", itertools.accumulate(map(len, queries), initial=0))
            numbers, at = np.frombuffer(terms, np.int64), np.frombuffer(bounds, np.int64)
            return Weighed(at, numbers, self._terms.idf(numbers).astype(np.float32))
        terms, counts, bounds = array("q"), array("d"), array("q", [0])
        for query in queries:
            repetitions = Counter(query)
            terms.extend(map(number, repetitions))
            counts.extend(repetitions.values())
            bounds.append(len(terms))
        numbers, at = np.frombuffer(terms, np.int64), np.frombuffer(bounds, np.int64)
        values = self.weighting.query(np.frombuffer(counts), self._terms.idf(numbers), at)
        return Weighed(at, numbers, values.astype(np.float32))

    def _weigh_models(self, queries: Sequence[Query]) -> Weighed:
        """As `weigh`, where a term's weight in some query is given: it counts as its number of repetitions does.

        That number is multiplied with the idf; where the weighting is by cosine, the query is divided by its length.
        """
        terms, counts, bounds = array("q"), array("d"), array("q", [0])
        for query in queries:
            if isinstance(query, dict):
                given = np.fromiter(query.values(), np.float64, len(query))
                if not (np.isfinite(given).all() and (given >= 0).all()):
                    raise QueryError(
                        "a term of the query has a weight that is negative or no number", "give 0 or more"
                    )
                terms.extend(map(self._terms.__getitem__, query))
            elif self.weighting.additive:  # term by term, as in `weigh`: the same to the last bit
                given = np.ones(len(query))
                terms.extend(map(self._terms.__getitem__, query))
            else:
                repetitions = Counter(query)
                given = np.fromiter(repetitions.values(), np.float64, len(repetitions))
                given = self.weighting.query_counts(given)
                terms.extend(map(self._terms.__getitem__, repetitions))
            counts.extend(given)
            bounds.append(len(terms))
        numbers, at = np.frombuffer(terms, np.int64), np.frombuffer(bounds, np.int64)
        values = self.weighting.query_of_weights(np.frombuffer(counts), self._terms.idf(numbers), at)
        return Weighed(at, numbers, values.astype(np.float32))

    def idf(self, terms: Sequence[str]) -> NDArray[np.float64]:
        """The idf of each of `terms` ``(len(terms),)`` over the live documents; 0 for those that none holds."""
        with self._lock:
            return self._terms.idf(self._numbered(terms)).copy()

    def frequencies(self, terms: Sequence[str]) -> NDArray[np.int64]:
        """How many live rows hold each of `terms` ``(len(terms),)``; remembered, unlike by `frequency`."""
        with self._lock:
            return self._terms.frequencies(self._numbered(terms)).copy()

    def _numbered(self, terms: Sequence[str]) -> NDArray[np.int64]:
        if len(self._terms) > _MOST_TERMS:
            self._terms = self._new_terms()
        return np.array([self._terms[term] for term in terms], np.int64)

    def search(self, terms: Query, k: int, selection: Selection | None = None) -> tuple[Rows, Floats]:
        """The k best rows and their scores (> 0), best first, equal scores by row; of the `selection` if there is one.

        A selection leaves the scores as they are: their statistics stay those of all live documents.
        """
        return self.search_many([terms], k, selection)[0]

    def search_many(
        self, queries: Sequence[Query], k: int, selection: Selection | None = None
    ) -> list[tuple[Rows, Floats]]:
        """`search` for each of `queries`."""
        self.searches += len(queries)
        with self._lock:
            weighed = self.weigh(queries)
            numbers_in = [self._terms.numbers(weighed.terms, which) for which in range(len(self.segments))]
        compiled = self.compiled
        if compiled is None:
            compiled = kernels.worth_compiling(self.searches, self.statistics.documents)
        parts = []
        for segment, numbers in zip(self.segments, numbers_in, strict=True):
            excluded = segment.excluded(selection)
            if compiled:
                weights = self._weights(segment)
                parts.append(kernels.search_many(segment, weights, weighed, numbers, k, excluded))
            else:
                parts.append(self._search_segment(segment, weighed, numbers, k, excluded))
        if len(parts) == 1:
            return parts[0]
        return [merge_best([part[i] for part in parts], k) for i in range(len(queries))]

    def _new_terms(self) -> _Terms:
        return _Terms(self.segments, self.weighting, self.statistics.documents)

    def query_weights(self, terms: Query) -> dict[str, float]:
        """What each distinct term of a query weighs in it, in order of first appearance; 0 for absent ones."""
        with self._lock:
            values = self.weigh([terms]).values.tolist()
        weights: dict[str, float] = {}
        repeated = self.weighting.additive and not isinstance(terms, dict)
        for term, value in zip(terms if repeated else dict.fromkeys(terms), values, strict=True):
            weights[term] = weights.get(term, 0.0) + value
        return weights

    def frequency(self, term: str) -> int:
        """How many live rows hold `term`."""
        numbers = ((segment, segment.postings.find(term)) for segment in self.segments)
        return sum(segment.frequency(number) for segment, number in numbers if number >= 0)

    def factors(self, segment: SparseSegment) -> Floats:
        """`Weighting.document_factor` of each document of a segment, computed once."""
        if segment.factor is None:
            postings = segment.postings
            norms = np.zeros(0, np.float32)
            if self.weighting.cosine:
                squares = self.weighting.raw(postings.counts) ** 2
                norms = np.sqrt(np.bincount(postings.documents, squares, postings.size)).astype(np.float32)
            segment.factor = self.weighting.document_factor(postings.lengths, norms, self.statistics)
        return segment.factor

    def _weights(self, segment: SparseSegment) -> Floats:
        """The weights of all postings of `segment`, computed once."""
        if segment.weights is None:
            postings = segment.postings
            segment.weights = self.weighting.document(
                postings.counts, self.factors(segment)[postings.documents]
            )
        return segment.weights

    def _search_segment(
        self,
        segment: SparseSegment,
        weighed: Weighed,
        numbers: NDArray[np.int64],
        k: int,
        excluded: Mask | None,
    ) -> list[tuple[Rows, Floats]]:
        """`numbers` are the segment's numbers of ``weighed.terms``."""
        postings = segment.postings
        all_weights = self._weights(segment) if self.searches > _WARM else None
        starts = postings.list_starts[numbers].tolist()  # garbage for absent terms, which are passed over
        ends = postings.list_starts[numbers + 1].tolist()
        present = ((numbers >= 0) & (weighed.values > 0)).tolist()
        scores = np.empty(postings.size, np.float32)
        found = []
        for first, last in itertools.pairwise(weighed.bounds.tolist()):
            scores.fill(0)
            for at in range(first, last):
                if not present[at]:
                    continue
                part = slice(starts[at], ends[at])
                documents = postings.documents[part]
                if all_weights is None:
                    values = self.weighting.document(postings.counts[part], self.factors(segment)[documents])
                else:
                    values = all_weights[part]
                np.add.at(scores, documents, values * weighed.values[at])
            if excluded is not None:
                scores[excluded] = 0
            best = _best(scores, k)
            found.append((segment.rows[best], scores[best]))
        return found


def _statistics(segments: Sequence[SparseSegment]) -> Statistics:
    documents = terms = 0
    for segment in segments:
        lengths = segment.postings.lengths
        live = lengths if segment.dead is None else lengths[~segment.dead]
        documents += len(live)
        terms += int(live.sum(dtype=np.int64))
    return Statistics(documents, terms)


def _best(scores: Floats, k: int) -> NDArray[np.int64]:
    """Positions of the k largest positive scores, best first, equal ones by position.

    The k-th largest of the blocks' maxima is no larger than the k-th largest score, since the maxima are scores of
    k different documents: whatever lies below it is out, and few candidates remain to be sorted.
    """
    bound = np.float32(0)
    width = min(_BLOCK, len(scores) // (4 * k))
    if width > 1:
        blocks = len(scores) // width
        maxima = scores[: blocks * width].reshape(blocks, width).max(axis=1)
        bound = np.partition(maxima, blocks - k)[blocks - k]
    elif len(scores) > k:
        bound = np.partition(scores, len(scores) - k)[len(scores) - k]
    candidates = np.flatnonzero(scores >= bound) if bound > 0 else np.flatnonzero(scores)
    return candidates[np.argsort(-scores[candidates], kind="stable")[:k]]


def merge_best(parts: Sequence[tuple[Rows, Floats]], k: int) -> tuple[Rows, Floats]:
    """The k best of several lists of (rows, scores), best first, equal scores by row."""
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    if len(parts) == 1:
        return parts[0]
    rows = np.concatenate([part[0] for part in parts])
    scores = np.concatenate([part[1] for part in parts])
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]
