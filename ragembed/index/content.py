"""What is kept of documents and chunks, what is embedded of them, and by which digests a change is noticed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from ragembed.errors import StoreError
from ragembed.types import Chunk, Document, Metadata


def embedding_text(text: str, metadata: Metadata) -> str:
    """What is embedded of a chunk with that text and metadata of its own: under its context, where it has one."""
    context = metadata.get("context")
    return f"{context}\n{text}" if context else text


def field_text(metadata: Metadata, field: str) -> str:
    """What an embedder of one field embeds of a chunk with these metadata, its own over its document's.

    Text, a number or a boolean as it is written, a list an item on each line; empty where there is nothing of the kind.
    """
    value = metadata.get(field)
    if isinstance(value, list | tuple):
        return "\n".join(line for each in value if (line := _written(each)))
    return _written(value)


def _written(value: object) -> str:
    if isinstance(value, str):
        return str.__str__(value)
    return json.dumps(value) if isinstance(value, bool | int | float) else ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk as embedders see it."""

    text: str
    own: Metadata
    """The chunk's own metadata."""
    outer: Metadata
    """Its document's, as an index keeps them."""

    @classmethod
    def of(cls, chunk: Chunk, document: Document) -> Passage:
        """A chunk with metadata of its own, and its document."""
        return cls(chunk.text, chunk.metadata, shown_metadata(document))

    def embedded(self, field: str | None) -> str:
        """What an embedder of that field embeds; None: of the text."""
        if field is None:
            return embedding_text(self.text, self.own)
        return field_text(self.own if field in self.own else self.outer, field)


def chunk_digest(chunk: Chunk) -> bytes:
    """16 bytes that tell whether two chunks get the same vector: BLAKE2b over what is embedded."""
    return text_digest(chunk.text, chunk.metadata)


def text_digest(text: str, metadata: Metadata) -> bytes:
    """`chunk_digest` of a chunk with that text and metadata of its own."""
    return hashlib.blake2b(embedding_text(text, metadata).encode(), digest_size=16).digest()


def document_digest(document: Document) -> str:
    """sha256 over a document's text and metadata; raises `StoreError` for what cannot be stored."""
    if not is_storable(document.id + document.text):
        raise StoreError("its id or its text holds half a surrogate pair", "take the broken character out")
    encoded = encode_metadata(document.metadata, document.id)
    metadata = json.dumps(json.loads(encoded), sort_keys=True)
    return hashlib.sha256(f"{metadata}\0{document.text}".encode()).hexdigest()


def is_storable(text: str) -> bool:
    """Whether `text` is valid Unicode, without half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown_metadata(document: Document) -> dict[str, Any]:
    """A document's metadata without its outline, which a hit has as ``line``, ``page`` and ``heading``."""
    outline = {"headings": list, "pages": list, "first_line": int}
    return {
        key: value
        for key, value in document.metadata.items()
        if not (key in outline and isinstance(value, outline[key]))
    }


def encode_metadata(metadata: Any, owner: str) -> str:
    """Metadata as JSON; a value that JSON has no form for is an error that names the owner."""
    try:
        text = json.dumps(dict(metadata), ensure_ascii=False, allow_nan=False)
        text.encode()  # UnicodeEncodeError, a ValueError, for half a surrogate pair
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(
            f"the metadata of {owner} cannot be stored ({error})",
            "use text, numbers, booleans, lists and objects",
        ) from error
    return text
