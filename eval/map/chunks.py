"""Chunks of an index, with the vectors that the index holds of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ragembed.embed.base import checked_vectors
from ragembed.errors import QueryError
from ragembed.eval.map.groups import group_chunks
from ragembed.eval.map.points import Points, check_most
from ragembed.exchange.content import ChunkRow, Content, content_of, decoded
from ragembed.filters import as_condition

if TYPE_CHECKING:
    from ragembed.filters import Where
    from ragembed.pipeline import Pipeline

_SHOWN = 600
"""Characters of a chunk that the page shows."""


def points_of_index(
    pipeline: Pipeline,
    *,
    most: int = 2_000,
    color: str | None = None,
    where: Where | None = None,
    queries: Sequence[str] = (),
    near: int = 10,
    seed: int = 0,
) -> Points:
    """Chunks that meet `where`, or `most` of them drawn at random, and what is asked of them.

    The `near` best hits of every query are added. Vectors are those of the index's first dense embedder.
    """
    check_most(most)
    with content_of(pipeline.store) as content:
        if not content.counts["chunks"]:
            raise QueryError(f"{pipeline.store.folder} holds no chunks", "index documents first")
        if not content.columns:
            raise QueryError(
                f"{pipeline.store.folder} holds no dense vectors, its embedder is {content.config.embedder}",
                "index into a new folder with one that has: lsa, minilm, word2vec ...",
            )
        column = content.columns[0]
        hits = pipeline.search_many(queries, near, where) if queries else []
        found = {hit.chunk.id for hit in (hit for answer in hits for hit in answer)}
        total, chunks = _sample(content, most, where, found, seed)
        if not chunks:
            raise QueryError(f"no chunk of {pipeline.store.folder} meets {where}", "give another --where")
        vectors = column.take([chunk.row for chunk in chunks])
    kept = np.flatnonzero(vectors.any(axis=1)).tolist()
    if not kept:
        raise QueryError(
            f"none of {total:,} chunks has a vector to draw", "give another --where, or index more"
        )
    left_out = len(chunks) - len(kept)
    chunks, vectors = [chunks[place] for place in kept], vectors[kept]
    metadata = [_metadata(chunk) for chunk in chunks]
    embedder = pipeline.embedders[column.number]
    asked = checked_vectors(embedder, list(queries), queries=True) if queries else None
    if asked is not None and not asked.any(axis=1).all():
        unknown = queries[int(np.argmin(asked.any(axis=1)))]
        raise QueryError(f"{embedder.name} knows no word of the query {unknown!r}", "ask in other words")
    return Points(
        kind="chunks",
        source=str(pipeline.store.folder),
        names=[chunk.id for chunk in chunks],
        vectors=vectors,
        groups=group_chunks([chunk.document_id for chunk in chunks], metadata, color),
        total=total,
        left_out=left_out,
        titles=[_title(one) for one in metadata],
        texts=[_shortened(chunk.text) for chunk in chunks],
        queries=list(queries),
        query_vectors=asked,
        embedder=column.spec,
    )


def _sample(
    content: Content, most: int, where: Where | None, wanted: set[str], seed: int
) -> tuple[int, list[ChunkRow]]:
    """How many chunks meet `where`, and `most` of them in the index's order, besides those `wanted` by their ids."""
    condition = as_condition(where)
    rows = None if condition is None else set(content.catalog.rows_where(condition))
    total = content.counts["chunks"] if rows is None else len(rows)
    chosen = set(np.random.default_rng(seed).permutation(total)[:most].tolist())
    held = (chunk for chunk in content.chunks() if rows is None or chunk.row in rows)
    return total, [chunk for place, chunk in enumerate(held) if place in chosen or chunk.id in wanted]


def _metadata(chunk: ChunkRow) -> dict[str, Any]:
    return {**decoded(chunk.document_metadata, chunk.document_id), **decoded(chunk.metadata, chunk.id)}


def _title(metadata: dict[str, Any]) -> str:
    """The heading or title that a hit is shown under, and its page."""
    name = str(metadata.get("heading") or metadata.get("title") or "")
    return f"{name} (page {metadata['page']})".strip() if "page" in metadata else name


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN].rsplit(' ', 1)[0]} …"
