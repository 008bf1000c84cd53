"""Document -> Chunk: one chunker per file, all with exact character spans."""

from __future__ import annotations

from ragembed.chunk.base import Chunker, Span
from ragembed.registry import Registry

CHUNKERS: Registry[Chunker] = Registry(
    "chunker",
    "ragembed.chunkers",
    {
        "whole": "ragembed.chunk.whole:Whole",
        "fixed": "ragembed.chunk.fixed:Fixed",
        "sentence": "ragembed.chunk.sentence:Sentence",
        "recursive": "ragembed.chunk.recursive:Recursive",
        "markdown": "ragembed.chunk.markdown:Markdown",
        "code": "ragembed.chunk.code:Code",
    },
)

__all__ = ["CHUNKERS", "Chunker", "Span"]
