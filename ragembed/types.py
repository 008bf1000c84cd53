"""All that crosses a folder boundary: documents, chunks, hits, judgements and runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Metadata = Mapping[str, Any]
"""JSON-serialisable values under string keys. Keys that readers and chunkers set are listed in docs/metadata.md."""

Qrels = dict[str, dict[str, int]]
"""Relevance judgements, ``{query_id: {document_id: gain}}``."""

Run = dict[str, dict[str, float]]
"""A system's answers, ``{query_id: {document_id: score}}``; higher is better."""


class Span(NamedTuple):
    """A piece of a document, in characters: ``text[start:end]``."""

    document: str
    start: int
    end: int


SpanTruth = dict[str, list[Span]]
"""Reference spans: where in the documents the answers stand, ``{query_id: [span]}``."""


@dataclass(frozen=True, slots=True)
class Document:
    """One unit of what a user calls a document: a file, or a row of a JSON Lines or CSV file."""

    id: str
    text: str
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a document. Law, for every chunker: ``document.text[start:end] == chunk.text``."""

    id: str
    document_id: str
    text: str
    start: int
    end: int
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """A stretch of a document around a hit, put together from its chunks.

    Law: ``len(text) == end - start``, and outside of `gaps` ``document.text[start:end]`` and `text` are the same. An
    index stores the texts of chunks only; what lies between two chunks (white space mostly) it does not have, so there
    `text` has a line break and blanks.
    """

    document_id: str
    text: str
    start: int
    end: int
    gaps: tuple[tuple[int, int], ...] = ()
    """``(start, end)`` in the document of what no chunk holds."""
    chunks: tuple[str, ...] = ()
    """Ids of the chunks that it is made of, in order of their spans."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved chunk. A higher score is better; the rank starts at 1.

    ``parts`` holds, for a hybrid search, each embedder's own ``(rank, score)`` under its spec; ``steps`` the same after
    each step that the search took with the list, in their order. ``context`` is what the steps `neighbours` and
    `parent` fetched of its document, ``stands_for`` the ids of chunks that were hits and are none any more because
    this one says the same (`collapse`) or has them in its context. ``probability``, where `ragembed tune` has taught
    the index to tell, is that of its being relevant.
    """

    chunk: Chunk
    score: float
    rank: int
    parts: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    steps: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    context: Context | None = None
    stands_for: tuple[str, ...] = ()
    probability: float | None = None
