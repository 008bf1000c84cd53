"""MaxSim: how well the tokens of a document match those of a query (Khattab & Zaharia 2020, equation 3).

``score(q, d) = sum over query tokens i of max over document tokens j of q_i . d_j``

Documents lie one after the other without padding, so that no token that is not there can be the best match: where all
products are negative the score is negative. A document without any token matches nothing, its score is -infinity.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.embed.token_vectors import TokenVectors

Floats = NDArray[np.float32]
Starts = NDArray[np.int64]

_PRODUCTS = 1 << 18
"""Products that are held at a time: 1 MB, so that they are still in the processor's cache when their maxima are
taken."""


def maxsim(query: Dense, documents: TokenVectors, weights: NDArray[np.float64] | None = None) -> Floats:
    """The scores ``(documents,)`` of one query ``(tokens, dimension)``, each of whose tokens counts `weights`."""
    found = best_matches(query, documents.vectors, documents.starts)
    counted = found if weights is None else found * np.asarray(weights, np.float32)
    return _summed(counted, documents.sizes > 0)


def maxsim_many(queries: TokenVectors, documents: TokenVectors) -> Floats:
    """The scores ``(queries, documents)``."""
    found = best_matches(queries.vectors, documents.vectors, documents.starts)  # (documents, query tokens)
    there = documents.sizes > 0
    scores = [
        _summed(found[:, queries.starts[i] : queries.starts[i + 1]], there) for i in range(len(queries))
    ]
    return np.stack(scores) if scores else np.zeros((0, len(documents)), np.float32)


def best_matches(query: Dense, vectors: Dense, starts: Starts) -> Floats:
    """For each document the best product with each query token ``(documents, query tokens)``; -infinity where it has
    no token.

    `vectors` ``(tokens, dimension)`` are those of all documents, which begin at `starts` ``(documents + 1,)``.
    """
    found = np.full((len(starts) - 1, len(query)), -np.inf, np.float32)
    there = np.flatnonzero(np.diff(starts))
    if not len(there) or not len(query):
        return found
    most = max(1, _PRODUCTS // len(query))
    at = 0
    while at < len(there):
        first = int(starts[there[at]])
        # whole documents, as many as fit; a longer one alone
        last = max(at + 1, int(np.searchsorted(starts[there + 1], first + most, "right")))
        part = there[at:last]
        stop = int(starts[part[-1] + 1])
        products = query @ vectors[first:stop].T  # (query tokens, tokens)
        found[part] = np.maximum.reduceat(products, starts[part] - first, axis=1).T
        at = last
    return found


def exact(query: Dense | NDArray[np.float64], document: Dense) -> float:
    """The score of one document in float64: the same whatever else is asked for."""
    if not len(document):
        return -np.inf
    products = query.astype(np.float64) @ document.astype(np.float64).T
    return float(products.max(axis=1).sum())


def interpolated(
    first: Sequence[float], second: NDArray[np.floating] | Sequence[float], weight: float
) -> NDArray[np.float64]:
    """``weight * second + (1 - weight) * first``, each scaled to 0, its least, to 1, its greatest."""
    return weight * _scaled(second) + (1 - weight) * _scaled(first)


def _scaled(scores: NDArray[np.floating] | Sequence[float]) -> NDArray[np.float64]:
    found = np.asarray(scores, np.float64)
    finite = found[np.isfinite(found)]
    if not len(finite):
        return np.zeros(len(found))
    low, high = float(finite.min()), float(finite.max())
    if high <= low:
        return np.where(np.isfinite(found), 1.0, 0.0)
    return np.where(np.isfinite(found), (found - low) / (high - low), 0.0)


def _summed(found: Floats, there: NDArray[np.bool_]) -> Floats:
    """Sums over query tokens, of documents that have any."""
    sums: Floats = np.where(there[:, None], found, 0).sum(axis=1, dtype=np.float32)
    return np.where(there, sums, np.float32(-np.inf))
