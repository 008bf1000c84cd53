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
class Hit:
    """A retrieved chunk. A higher score is better; the rank starts at 1.

    ``parts`` holds, for a hybrid search, each embedder's own ``(rank, score)`` under its spec.
    """

    chunk: Chunk
    score: float
    rank: int
    parts: Mapping[str, tuple[int, float]] = field(default_factory=dict)
