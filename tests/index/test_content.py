from __future__ import annotations

import hashlib
from typing import Any

import pytest

from ragembed.errors import StoreError
from ragembed.index.content import (
    chunk_digest,
    document_digest,
    embedding_text,
    is_storable,
    shown_metadata,
)
from ragembed.types import Chunk, Document


def chunk(text: str, **metadata: Any) -> Chunk:
    return Chunk("d::0", "d", text, 0, len(text), metadata)


def test_what_is_embedded_of_a_chunk() -> None:
    assert embedding_text("text", {}) == "text"
    assert embedding_text("text", {"context": ""}) == "text"
    assert embedding_text("text", {"context": "Chapter 1", "line": 3}) == "Chapter 1\ntext"


def test_chunks_of_one_digest_get_one_vector() -> None:
    assert chunk_digest(chunk("text")) == hashlib.blake2b(b"text", digest_size=16).digest()
    assert chunk_digest(chunk("text", line=1)) == chunk_digest(chunk("text", line=2))
    assert chunk_digest(chunk("text", context="a")) != chunk_digest(chunk("text"))
    assert chunk_digest(chunk("text", context="a")) == chunk_digest(chunk("a\ntext"))


def test_a_document_is_another_one_where_text_or_metadata_is() -> None:
    digest = document_digest(Document("d", "text", {"a": 1, "b": [2]}))
    assert digest == document_digest(Document("e", "text", {"b": (2,), "a": 1}))
    assert digest != document_digest(Document("d", "texts", {"a": 1, "b": [2]}))
    assert digest != document_digest(Document("d", "text", {"a": 1.5, "b": [2]}))
    assert digest != document_digest(Document("d", "text", {}))


@pytest.mark.parametrize("document", [Document("d", "\ud800"), Document("\udfff", "text")])
def test_half_a_surrogate_pair_cannot_be_stored(document: Document) -> None:
    assert not is_storable(document.id + document.text)
    with pytest.raises(StoreError, match="holds half a surrogate pair; take the broken character out"):
        document_digest(document)


def test_the_outline_is_not_shown() -> None:
    metadata = {"headings": [[0, "A"]], "pages": [0], "first_line": 1, "title": "T"}
    assert shown_metadata(Document("d", "", metadata)) == {"title": "T"}
    own = {"headings": "yes", "pages": 12, "first_line": "Dear all"}
    assert shown_metadata(Document("d", "", own)) == own
