"""Building an accelerator over rows of flat segments, in pieces, so that no second copy of the vectors is held."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ragembed.embed.base import Dense
from ragembed.errors import SpecError
from ragembed.index.ann.accelerator import Accelerator
from ragembed.index.ann.base import AnnType, Setting, faiss_errors
from ragembed.index.ann.space import Space, space_of
from ragembed.index.dense import DenseSegment, Rows

Progress = Callable[[int, int, str], None]

_TRAINED = 1 << 16
"""Vectors that centroids and codes are learnt from, at most; `_EACH` for every centroid where that is more."""
_EACH = 40
_BLOCK = 1 << 24
"""Bytes of vectors that are added at once."""


def build(
    kind: AnnType,
    segments: Sequence[DenseSegment],
    dimension: int,
    left_out: Rows,
    progress: Progress | None = None,
) -> Accelerator:
    """An accelerator over all live rows but those `left_out`, which nothing is learnt from either.

    Raises `SpecError` where there are too few rows for the type, or where FAISS makes no such structure.
    """
    parts = [(segment, _kept(segment, left_out)) for segment in segments]
    parts = [(segment, at) for segment, at in parts if len(at)]
    count = sum(len(at) for _, at in parts)
    if count < kind.fewest(count):
        raise SpecError(
            f"{kind.spec} takes {kind.fewest(count)} vectors at least, there are {count}", "take flat"
        )
    space = _space(parts, dimension)
    with faiss_errors(f"{kind.spec} cannot be built over {count} vectors"):
        index = _filled(kind, space, parts, count, progress)
    rows = np.concatenate([segment.rows[at] for segment, at in parts])
    first = Setting(kind.efforts(count)[0], kind.refinements()[0])
    return Accelerator(kind, space, index, rows, {10: first, 200: first})


def _filled(
    kind: AnnType,
    space: Space,
    parts: Sequence[tuple[DenseSegment, Rows]],
    count: int,
    progress: Progress | None,
) -> Any:
    """FAISS's structure, trained, with all vectors."""
    index = kind.make(space.inner, count, space.metric)
    if not index.is_trained:
        _quiet(index)
        wanted = max(_TRAINED, _EACH * int(getattr(index, "nlist", 0)))
        index.train(space.documents(_sample(parts, min(count, wanted))))
    done = 0
    for vectors in _blocks(parts):
        index.add(space.documents(vectors))
        done += len(vectors)
        if progress:
            progress(done, count, f"building {kind.spec}")
    return index


def size_of(index: Any) -> int:
    """Bytes of the structure in memory, which are those of its file: arrays of numbers both."""
    import faiss

    library: Any = faiss
    total = 0

    def count(data: bytes) -> int:
        nonlocal total
        total += len(data)
        return len(data)

    library.write_index(index, library.BufferedIOWriter(library.PyCallbackIOWriter(count, 1 << 20), 1 << 20))
    return total


def _kept(segment: DenseSegment, left_out: Rows) -> Rows:
    at = segment.positions(None)
    if at is None:
        at = np.arange(len(segment.rows))
    return at[~np.isin(segment.rows[at], left_out)]


def _blocks(parts: Sequence[tuple[DenseSegment, Rows]]) -> Iterator[Dense]:
    for segment, at in parts:
        for _, vectors in segment.flat.blocks(at, max(1, _BLOCK // (4 * segment.flat.dimension))):
            yield vectors


def _space(parts: Sequence[tuple[DenseSegment, Rows]], dimension: int) -> Space:
    shortest, longest = math.inf, 0.0
    for vectors in _blocks(parts):
        squared = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)
        shortest, longest = min(shortest, float(squared.min())), max(longest, float(squared.max()))
    return space_of(dimension, math.sqrt(shortest), math.sqrt(longest))


def _sample(parts: Sequence[tuple[DenseSegment, Rows]], count: int) -> Dense:
    """`count` of the vectors, drawn by a fixed seed."""
    total = sum(len(at) for _, at in parts)
    chosen = np.sort(np.random.default_rng(0).choice(total, count, replace=False))
    found, before = [], 0
    for segment, at in parts:
        here = chosen[(chosen >= before) & (chosen < before + len(at))] - before
        found.append(segment.flat.take(at[here]))
        before += len(at)
    return np.concatenate(found)


def _quiet(index: Any) -> None:
    """Have FAISS not write on stderr that it would like more vectors to learn from."""
    import faiss

    library: Any = faiss
    while True:
        for part in (index, getattr(index, "pq", None), getattr(index, "rq", None)):
            if part is not None and hasattr(part, "cp"):
                part.cp.min_points_per_centroid = 1
        if not isinstance(index, library.IndexPreTransform):
            return
        index = library.downcast_index(index.index)
