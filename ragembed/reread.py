"""Documents of an index read again from their files: an index keeps chunks, not documents."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ragembed.index.content import document_digest
from ragembed.read.base import ReadOptions, Source
from ragembed.types import Chunk, Document

if TYPE_CHECKING:
    from ragembed.index.catalog import Catalog
    from ragembed.index.records import FileRecord

_AT_ONCE = 100
"""Documents whose chunks are looked up together."""


def documents_again(
    catalog: Catalog, files: Collection[str] | None = None
) -> Iterator[tuple[Document, list[Chunk]]]:
    """All documents of `files` (None: of the whole index) that are as they were indexed, with their chunks.

    One that came from no file, or whose file has changed or is gone, is left out.
    """
    for path, record in catalog.files().items():
        if files is not None and path not in files:
            continue
        group: list[Document] = []
        for document in _read(path, record):
            group.append(document)
            if len(group) == _AT_ONCE:
                yield from _known(catalog, group)
                group = []
        yield from _known(catalog, group)


def _known(catalog: Catalog, group: Sequence[Document]) -> Iterator[tuple[Document, list[Chunk]]]:
    ids = [document.id for document in group]
    hashes, chunks = catalog.document_hashes(ids), catalog.chunks_of(ids)
    for document in group:
        if hashes.get(document.id, ("",))[0] == document_digest(document):
            yield document, chunks.get(document.id, [])


def _read(path: str, record: FileRecord) -> Iterator[Document]:
    from ragembed.read import read

    source = Source(path, record.id, record.size, record.mtime_ns, named=True)
    try:
        for item in read(source, _options(record)):
            if isinstance(item, Document):
                yield item
    except OSError:
        return


def _options(record: FileRecord) -> ReadOptions:
    """Those that the file was indexed with."""
    given: dict[str, Any] = json.loads(record.options)
    given |= {key: tuple(value) for key, value in given.items() if isinstance(value, list)}
    return ReadOptions(**given)
