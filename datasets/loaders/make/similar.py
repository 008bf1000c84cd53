"""What the passages of a collection have in common: idf, how many hold some words, which say nearly the same.

Similarity is the cosine of TF-IDF vectors, (1 + ln tf) · ln(N / df), of whole passages. Whole passages are much longer
than a query, and speak of their subject in many words, so that what is like what depends little on the system
that is to be judged: see docs/testsets.md.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ragembed.analysis import Analyzer

SAME = 0.6
"""Jaccard similarity of 3-word shingles (Broder 1997) from which two passages say the same."""

LEAST_CLOSE = 0.7
"""Cosine below which two passages are not compared by shingles."""

_BLOCK = 16_000_000
"""Cosines that are held at once, which bounds memory to about 200 MB."""
_SHINGLE = 3


class Neighbour(NamedTuple):
    """A passage, by its row, and its cosine."""

    row: int
    cosine: float


class Space:
    """All passages as vectors of their terms."""

    def __init__(self, texts: Iterable[str], analyzer: Analyzer) -> None:
        """Takes the texts of all passages in order; linear in their length."""
        from scipy.sparse import csr_array, diags_array

        self._columns: dict[str, int] = {}
        columns: list[np.ndarray[Any, Any]] = []
        counts: list[np.ndarray[Any, Any]] = []
        starts = [0]
        for text in texts:
            found = Counter(analyzer.terms(text))
            number = self._columns.setdefault
            columns.append(
                np.fromiter((number(term, len(self._columns)) for term in found), np.int32, len(found))
            )
            counts.append(np.fromiter(found.values(), np.float32, len(found)))
            starts.append(starts[-1] + len(found))
        self.size = len(columns)
        """How many passages there are."""
        column = np.concatenate([*columns, np.empty(0, np.int32)])
        tf = 1 + np.log(np.concatenate([*counts, np.empty(0, np.float32)]))
        self._df = np.bincount(column, minlength=len(self._columns))
        idf = np.log(self.size / np.maximum(self._df, 1)).astype(np.float32)
        shape = (self.size, len(self._columns))
        vectors = csr_array((tf * idf[column], column, np.array(starts)), shape=shape)
        vectors.sort_indices()
        lengths = np.sqrt(vectors.multiply(vectors).sum(axis=1))
        lengths[lengths == 0] = 1
        self._vectors = csr_array(diags_array(1 / lengths) @ vectors)
        self._by_term = self._vectors.T.tocsr()
        self._analyzer = analyzer
        self.needed = math.log(max(self.size, 1))
        """Information that tells one passage from all others."""

    def worth(self, term: str) -> float:
        """ln(N / df) of a term; ln N of one that no passage holds."""
        column = self._columns.get(term)
        return self.needed if column is None else math.log(self.size / self._df[column])

    def information(self, terms: Iterable[str]) -> float:
        """Sum of the worth of the distinct `terms`."""
        return math.fsum(self.worth(term) for term in set(terms))

    def holders(self, terms: Iterable[str]) -> int:
        """How many passages hold all of the `terms`."""
        distinct = set(terms)
        columns = [self._columns[term] for term in distinct if term in self._columns]
        if not columns or len(columns) < len(distinct):
            return 0
        columns.sort(key=lambda column: int(self._df[column]))
        rows = self._rows(columns[0])
        for column in columns[1:]:
            rows = np.intersect1d(rows, self._rows(column), assume_unique=True)
        return len(rows)

    def overlap(self, query: Sequence[str], answer: Iterable[str]) -> float:
        """The share of the information of the terms of a query that stands in an answer, from 0 to 1."""
        whole = self.information(query)
        return self.information(set(query).intersection(answer)) / whole if whole else 0.0

    def neighbours(self, rows: Sequence[int], most: int) -> list[list[Neighbour]]:
        """For each of `rows` the `most` most similar other passages, best first; equal ones in order of their rows."""
        found: list[list[Neighbour]] = []
        size = max(1, _BLOCK // max(1, self.size))
        for at in range(0, len(rows), size):
            block = list(rows[at : at + size])
            cosines = (self._vectors[block] @ self._by_term).tocsr()
            for number, row in enumerate(block):
                low, high = cosines.indptr[number : number + 2]
                others, values = cosines.indices[low:high], cosines.data[low:high].round(5)
                keep = others != row
                others, values = others[keep], values[keep]
                order = np.lexsort((others, -values))[:most]
                found.append([Neighbour(int(others[i]), float(values[i])) for i in order])
        return found

    def _rows(self, column: int) -> np.ndarray[Any, Any]:
        low, high = self._by_term.indptr[column : column + 2]
        rows: np.ndarray[Any, Any] = self._by_term.indices[low:high]
        return rows


def say_the_same(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two passages, given by their terms in order, are near-duplicates."""
    first, second = _shingles(one), _shingles(other)
    return len(first & second) >= SAME * len(first | second)


def _shingles(terms: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(terms[at : at + _SHINGLE]) for at in range(max(1, len(terms) - _SHINGLE + 1))}
