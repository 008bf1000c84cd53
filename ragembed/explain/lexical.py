"""A lexical score taken apart: what each term of the query adds, as the index has counted it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ragembed.explain.result import Contribution
from ragembed.index.sparse import SparseIndex, SparseSegment


@dataclass(frozen=True, slots=True)
class Sum:
    """A score as the sum of what terms add to it."""

    contributions: list[Contribution]
    """Largest first."""
    length: int
    """Terms of the passage."""
    factor: float
    """What its length makes of its weights: see `Weighting.document_factor`."""


def contributions(index: SparseIndex, terms: Sequence[str], row: int) -> Sum:
    """What each distinct term of the query adds to the score of `row`: that of a search, but for float32's rounding."""
    segment, place = _place(index, row)
    factor = index.factors(segment)[place : place + 1]
    found = []
    for term, weight in index.query_weights(terms).items():
        count = _count(segment, term, place)
        if not count:
            continue
        value = float(index.weighting.document(np.array([count], np.uint32), factor)[0])
        found.append(
            Contribution(term, weight * value, count=count, query_weight=weight, document_weight=value)
        )
    found.sort(key=lambda one: -one.score)
    return Sum(found, int(segment.postings.lengths[place]), float(factor[0]))


def text_score(index: SparseIndex, query: Sequence[str], text: Sequence[str]) -> float:
    """The score that a text of these terms would have as a chunk, on the scale of the index's own scores.

    The statistics are those of the index as it is; a term that no chunk holds counts as if one did.
    """
    weighting, documents = index.weighting, max(1, index.statistics.documents)
    counts = Counter(query)
    frequencies = [index.frequency(term) for term in counts]
    idf = np.array([weighting.idf(max(1, frequency), documents) for frequency in frequencies])
    weights = weighting.query_counts(np.fromiter(counts.values(), np.float64, len(counts))) * idf
    if weighting.cosine:  # by the length that the query has in a search, where unknown terms weigh nothing
        known = weights[np.array(frequencies) > 0]
        weights = weights / (math.sqrt(float(known @ known)) or math.sqrt(float(weights @ weights)) or 1.0)
    held = Counter(text)
    values = np.fromiter(held.values(), np.uint32, len(held))
    norm = np.sqrt((weighting.raw(values) ** 2).sum(keepdims=True), dtype=np.float32)
    factor = weighting.document_factor(np.array([len(text)], np.int32), norm, index.statistics)
    score = 0.0
    for term, weight in zip(counts, weights.tolist(), strict=True):
        if held[term]:
            score += weight * float(weighting.document(np.array([held[term]], np.uint32), factor)[0])
    return score


def _place(index: SparseIndex, row: int) -> tuple[SparseSegment, int]:
    """The segment that holds a row, and where."""
    for segment in index.segments:
        at = int(np.searchsorted(segment.rows, row))
        if (
            at < len(segment.rows)
            and segment.rows[at] == row
            and (segment.dead is None or not segment.dead[at])
        ):
            return segment, at
    raise KeyError(row)


def _count(segment: SparseSegment, term: str, place: int) -> int:
    """How often the document at `place` of a segment has a term."""
    number = segment.postings.find(term)
    if number < 0:
        return 0
    documents, counts = segment.postings.posting_list(number)
    at = int(np.searchsorted(documents, place))
    return int(counts[at]) if at < len(documents) and documents[at] == place else 0
