"""Plain text: as it is."""

from __future__ import annotations

from collections.abc import Iterator

from ragembed.read.base import Failure, ReadOptions, Source
from ragembed.read.compose import make_document
from ragembed.read.encoding import decode
from ragembed.types import Document


def read_text(source: Source, data: bytes, options: ReadOptions) -> Iterator[Document | Failure]:
    """One document, its text that of the file."""
    decoded = decode(data, options.encoding)
    yield make_document(source, decoded.text, "text", first_line=1, **decoded.metadata)
