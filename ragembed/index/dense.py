"""Search in FAISS segments: exact inner product over all live vectors.

FAISS parses its files without regard to hostile input, so a file is read only after its checksum was found in the
catalog, and only index types that this module makes are accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.errors import CorruptError, EmbeddingError

Rows = NDArray[np.int64]


def flat_index(vectors: Dense) -> Any:
    """A FAISS index of `vectors` (n, dimension) for exact search by inner product."""
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index


def merge_flat(parts: Iterable[Any], rows: int, dimension: int) -> Any:
    """One flat index of the `rows` vectors of all `parts`, which are emptied one by one."""
    import faiss

    merged = faiss.IndexFlatIP(dimension)
    merged.codes.resize(rows * dimension * 4)  # grown step by step it would take up to three times the memory
    merged.codes.resize(0)
    for part in parts:
        merged.merge_from(part)
    return merged


def write_flat(index: Any, write: Callable[[bytes], object]) -> None:
    """Pass the bytes of a FAISS file of `index` to `write`, in pieces of about a megabyte."""
    import faiss

    callbacks: Any = faiss  # its stub lacks them
    faiss.write_index(index, callbacks.PyCallbackIOWriter(write))


def read_flat(path: Path, rows: int, dimension: int) -> Any:
    """The FAISS index in `path`, whose checksum the caller has verified."""
    import faiss

    callbacks: Any = faiss  # its stub lacks them
    try:
        with path.open("rb") as file:
            index = faiss.read_index(callbacks.PyCallbackIOReader(file.read))
    except RuntimeError as error:
        raise CorruptError(f"{path.name} is no FAISS index", "run: ragembed verify INDEX") from error
    if type(index).__name__ not in ("IndexFlat", "IndexFlatIP"):
        raise CorruptError(
            f"{path.name} holds a FAISS {type(index).__name__}, not a flat index", "index again"
        )
    if index.ntotal != rows or index.d != dimension:
        raise CorruptError(
            f"{path.name} holds {index.ntotal} vectors of {index.d} dimensions, the catalog says {rows} of {dimension}",
            "run: ragembed verify INDEX",
        )
    return index


def vectors_of(index: Any) -> Dense:
    """All vectors of a flat index, (ntotal, dimension)."""
    return np.asarray(index.reconstruct_n(0, index.ntotal), np.float32)


@dataclass(frozen=True, slots=True)
class DenseSegment:
    """One FAISS index over the chunk rows from `first_row` on; `dead` are positions of deleted ones."""

    index: Any
    first_row: int
    dead: Rows


class DenseIndex:
    """Segments of one embedder searched together."""

    def __init__(self, segments: Sequence[DenseSegment], dimension: int) -> None:
        self.segments = list(segments)
        self.dimension = dimension

    def search_many(self, queries: Dense, k: int) -> list[tuple[Rows, NDArray[np.float32]]]:
        """The k best (rows, scores) for each query vector (n, dimension), best first, equal scores by row."""
        if queries.shape[1] != self.dimension:
            raise EmbeddingError(
                f"the index has {self.dimension} dimensions, the query has {queries.shape[1]}",
                "query with the embedder that made the index",
            )
        scores = np.zeros((len(queries), 0), np.float32)
        rows = np.zeros((len(queries), 0), np.int64)
        for segment in self.segments:
            found_scores, at = _search(segment, queries, k)
            scores = np.hstack((scores, np.where(at >= 0, found_scores, -np.inf)))
            rows = np.hstack((rows, at + segment.first_row))
        order = np.lexsort((rows, -scores), axis=1)[:, :k]
        scores = np.take_along_axis(scores, order, 1)
        rows = np.take_along_axis(rows, order, 1)
        # a query of zeros (no known word) is equally near to everything, which is no answer
        live: NDArray[np.bool_] = np.isfinite(scores) & (queries != 0).any(axis=1, keepdims=True)
        return [(rows[i, live[i]], scores[i, live[i]]) for i in range(len(queries))]


def _search(segment: DenseSegment, queries: Dense, k: int) -> tuple[NDArray[np.float32], Rows]:
    """Scores and positions (n, k or more) of the best vectors, with all that equal the last of the k best.

    FAISS takes any of several equal vectors; so it is asked for more until the next one is worse.
    """
    total = segment.index.ntotal
    width = min(k + 1, total)
    while True:
        scores, at = segment.index.search(queries, width, params=_without(segment.dead))
        if width == total or not ((scores[:, k - 1] == scores[:, -1]) & (at[:, -1] >= 0)).any():
            return scores, at
        width = min(4 * width, total)


def _without(dead: Rows) -> Any:
    """Search parameters that leave out the dead positions."""
    if not len(dead):
        return None
    import faiss

    parameters: Any = faiss.SearchParameters  # its stub lacks the keyword
    return parameters(sel=faiss.IDSelectorNot(faiss.IDSelectorBatch(dead)))
