"""One chunk per document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ragembed.chunk.base import Chunker, Span
from ragembed.chunk.boundaries import trimmed
from ragembed.types import Document


@dataclass
class Whole(Chunker):
    """The whole document, without white space at its ends; what is too long for the embedder, that cuts."""

    name: ClassVar[str] = "whole"

    def spans(self, document: Document) -> Iterable[Span]:
        start, end = trimmed(document.text, 0, len(document.text))
        return [(start, end)] if start < end else []
