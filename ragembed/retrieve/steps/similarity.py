"""How alike the passages of some hits are: what diversity and the collapse of duplicates go by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ragembed.retrieve.sides import DenseSide, SparseSide

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from ragembed.retrieve.fusion import Fused
    from ragembed.retrieve.ranking import Ranking

Doubles = NDArray[np.float64]

SHINGLE = 4
"""Words of a shingle."""


def cosines(ranking: Ranking, hits: Sequence[Fused]) -> Doubles:
    """Cosines ``(n, n)`` of the stored vectors of the first dense embedder, or of tf-idf vectors where there is none;
    the resemblances of the texts where no embedder goes by terms either.

    A passage without a vector, or without terms, is like none but itself.
    """
    found = vector_cosines(ranking, hits)
    if found is None:
        found = text_cosines(ranking, hits)
    if found is None:
        chunks = ranking.chunks([hit.row for hit in hits])
        found = resemblances([chunks[hit.row].text for hit in hits])
    return found


def vector_cosines(ranking: Ranking, hits: Sequence[Fused]) -> Doubles | None:
    """Cosines ``(n, n)`` of the stored vectors of the first dense embedder; None where the index has none."""
    side = next((side for side in ranking.sides if isinstance(side, DenseSide) and side.index), None)
    if side is None:
        return None
    units = _unit_rows(side.vectors([hit.row for hit in hits]).astype(np.float64))  # (n, dimension)
    return _as_cosines(
        np.einsum("nd,md->nm", units, units)
    )  # waking BLAS's threads costs more than they spare


def text_cosines(ranking: Ranking, hits: Sequence[Fused]) -> Doubles | None:
    """Cosines ``(n, n)`` of the passages as tf-idf vectors, ``(1 + ln tf) idf``, in the terms of the first embedder
    that goes by terms, with the idf of the index; None where there is none.
    """
    side = next((side for side in ranking.sides if isinstance(side, SparseSide)), None)
    if side is None:
        return None
    texts = ranking.catalog.embedded_texts([hit.row for hit in hits], side.embedder.field)
    vectors = term_vectors(side, texts)[1]  # (n, terms)
    products = (vectors @ vectors.T).toarray()
    lengths = np.sqrt(products.diagonal())
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return _as_cosines(products * scale * scale[:, np.newaxis])


def term_vectors(side: SparseSide, texts: Sequence[str]) -> tuple[list[str], csr_array]:
    """The distinct terms of some texts, and the texts as tf-idf vectors ``(texts, terms)``, not normalised."""
    counts = [Counter(side.embedder.analyzer.terms(text)) for text in texts]
    terms, vectors = _matrix(counts)
    vectors.data = 1 + np.log(vectors.data)
    if terms:
        vectors.data *= side.index.idf(terms)[vectors.indices]
    return terms, vectors


def resemblances(texts: Sequence[str]) -> Doubles:
    """Jaccard coefficients ``(n, n)`` of the sets of four successive words, in lower case (Broder 1997).

    Of a text of fewer words than that, all its words are the one shingle.
    """
    _, held = _matrix([dict.fromkeys(_shingles(text), 1) for text in texts])
    shared = (held @ held.T).toarray()  # (n, n)
    sizes = shared.diagonal()
    found: Doubles = shared / (sizes[:, np.newaxis] + sizes - shared)
    return found


def _matrix(rows: Sequence[Mapping[str, int]]) -> tuple[list[str], csr_array]:
    """What the rows hold, and how often, as a matrix ``(rows, distinct things)``."""
    from scipy.sparse import csr_array

    number: dict[str, int] = {}
    columns = np.array([number.setdefault(key, len(number)) for row in rows for key in row], np.int64)
    values = np.array([value for row in rows for value in row.values()], np.float64)
    starts = np.concatenate(([0], np.cumsum([len(row) for row in rows]))).astype(np.int64)
    return list(number), csr_array((values, columns, starts), shape=(len(rows), len(number)))


def normal(text: str) -> str:
    """A text without what differs between copies of it: case and white space."""
    return " ".join(text.casefold().split())


def _shingles(text: str) -> list[str]:
    words = text.casefold().split()
    return [" ".join(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1))]


def _unit_rows(vectors: Doubles) -> Doubles:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: Doubles = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return found


def _as_cosines(products: Doubles) -> Doubles:
    np.fill_diagonal(products, 1.0)
    found: Doubles = np.clip(products, -1.0, 1.0)
    return found
