"""What a term is worth in a document and in a query. A score is the sum over shared terms of the two.

The document's side needs only the document itself (and, for BM25, the average length); idf belongs to the query.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a collection tells of itself: how many documents it has, and how many terms they have together."""

    documents: int
    terms: int

    @property
    def average_length(self) -> float:
        """Terms per document."""
        return self.terms / self.documents if self.documents else 0.0


class Weighting(ABC):
    """One way of turning counts into weights."""

    cosine: bool
    """Whether document and query weights are divided by their Euclidean length."""
    additive: bool = False
    """Whether a query's weights are idf alone, and a term that it has twice counts exactly as two terms would."""

    @abstractmethod
    def document(self, counts: NDArray[np.unsignedinteger], factor: Floats) -> Floats:
        """Weights of postings with `counts`; `factor` is `document_factor` at each posting's document."""

    @abstractmethod
    def document_factor(self, lengths: NDArray[np.int32], norms: Floats, statistics: Statistics) -> Floats:
        """What the weights of a document share; `norms` are the Euclidean lengths of `raw` weights."""

    def raw(self, counts: NDArray[np.unsignedinteger]) -> Floats:
        """Document weights before they are divided by the document's length."""
        return counts.astype(np.float32)

    @abstractmethod
    def idf(self, document_frequency: int, documents: int) -> float:
        """How much a term that stands in that many of all documents counts in a query."""

    def query(
        self, counts: NDArray[np.float64], idf: NDArray[np.float64], bounds: NDArray[np.int64]
    ) -> Doubles:
        """Weights of query terms: query i has the entries ``bounds[i]:bounds[i+1]``; idf 0 means an unknown term."""
        return self.query_of_weights(self.query_counts(counts), idf, bounds)

    def query_of_weights(
        self, weights: NDArray[np.float64], idf: NDArray[np.float64], bounds: NDArray[np.int64]
    ) -> Doubles:
        """As `query`, of what `query_counts` gives, or of weights that come from elsewhere."""
        weights = weights * idf
        if self.cosine:
            sizes = np.diff(bounds)
            squares = np.bincount(np.repeat(np.arange(len(sizes)), sizes), weights * weights, len(sizes))
            lengths = np.repeat(np.sqrt(squares), sizes)
            np.divide(weights, lengths, out=weights, where=lengths > 0)
        return weights

    def query_counts(self, counts: NDArray[np.float64]) -> Doubles:
        """What repeating a term in the query is worth."""
        return counts


class _Cosine(Weighting):
    cosine = True

    def document_factor(self, lengths: NDArray[np.int32], norms: Floats, statistics: Statistics) -> Floats:
        inverse: Floats = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)
        return inverse

    def document(self, counts: NDArray[np.unsignedinteger], factor: Floats) -> Floats:
        return self.raw(counts) * factor

    def idf(self, document_frequency: int, documents: int) -> float:
        return 1.0


class OneHotWeighting(_Cosine):
    """Presence: cosine of the two sets of terms (SMART ``bnc.bnc``)."""

    def raw(self, counts: NDArray[np.unsignedinteger]) -> Floats:
        return np.ones(len(counts), np.float32)

    def query_counts(self, counts: NDArray[np.float64]) -> Doubles:
        return np.ones_like(counts)


class CountWeighting(_Cosine):
    """Counts: cosine of the two bags of words (SMART ``nnc.nnc``)."""


class TfIdfWeighting(_Cosine):
    """SMART ``lnc.ltc`` (Salton & Buckley 1988): 1 + ln tf on both sides, idf on the query's.

    idf is ``ln(1 + N/df)``, which stays positive for a term that every document has.
    """

    def raw(self, counts: NDArray[np.unsignedinteger]) -> Floats:
        weights: Floats = np.log(counts, dtype=np.float32) + np.float32(1)
        return weights

    def query_counts(self, counts: NDArray[np.float64]) -> Doubles:
        return 1 + np.log(counts)

    def idf(self, document_frequency: int, documents: int) -> float:
        return math.log1p(documents / document_frequency)


@dataclass(frozen=True, slots=True)
class BM25Weighting(Weighting):
    """Okapi BM25 as Lucene computes it (Robertson et al. 1994; Kamphuis et al. 2020, "Which BM25 do you mean?").

    ``sum over terms of ln(1 + (N - df + 0.5)/(df + 0.5)) * tf / (tf + k1 * (1 - b + b * length/average))``
    """

    k1: float = 1.5
    b: float = 0.75
    cosine = False
    additive = True

    def document_factor(self, lengths: NDArray[np.int32], norms: Floats, statistics: Statistics) -> Floats:
        average = statistics.average_length or 1.0
        return (self.k1 * (1 - self.b + self.b * lengths / average)).astype(np.float32)

    def document(self, counts: NDArray[np.unsignedinteger], factor: Floats) -> Floats:
        tf = counts.astype(np.float32)
        weights: Floats = np.divide(tf, tf + factor)
        return weights

    def idf(self, document_frequency: int, documents: int) -> float:
        return math.log1p((documents - document_frequency + 0.5) / (document_frequency + 0.5))
