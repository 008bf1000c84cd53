"""Where the documents of a test set come from: an index, a test collection, or a folder of files.

An index keeps chunks, not documents. Their spans say where each chunk stood, so that laying them beside one another
gives the text again, overlaps and all; what no chunk covers was white space, and becomes white space of that length.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ragembed.chunk.outline import outline
from ragembed.datasets.make.cuts import moved
from ragembed.errors import DatasetError, ReadError
from ragembed.index.catalog import CATALOG_NAME
from ragembed.read.base import Failure
from ragembed.types import Chunk, Document

_OF_CHUNKS = frozenset({"line", "page", "heading", "context"})
"""Metadata that chunkers set."""
_BETWEEN_TITLES = " > "


@dataclass(frozen=True, slots=True)
class Source:
    """The documents that a test set is made of."""

    name: str
    kind: str
    """``index``, ``collection`` or ``files``."""
    documents: Sequence[Document]
    """Texts without white space at both ends, some empty; ``headings`` and ``pages`` of the metadata fit to them."""
    failed: tuple[Failure, ...] = ()
    """What could not be read, and documents whose id another one has."""


def read_source(path: str | Path) -> Source:
    """The documents of an index, of a test collection (its queries are not looked at), or of files, by what lies there.

    All are held in memory. Raises `ReadError` or `DatasetError` where there is nothing to read.
    """
    path = Path(path)
    if not path.exists():
        raise ReadError(f"there is no file or folder {path}", "name an index, a collection or documents")
    failed: tuple[Failure, ...] = ()
    if (path / CATALOG_NAME).exists():
        kind, documents = "index", _of_index(path)
    elif path.is_dir() and any((path / name).is_file() for name in ("corpus.jsonl", "corpus.jsonl.gz")):
        kind, documents = "collection", _of_collection(path)
    else:
        kind, (documents, failed) = "files", _of_files(path)
    return Source(path.resolve().name, kind, [_stripped(document) for document in documents], failed)


def joined(chunks: Iterable[Chunk]) -> Document:
    """The document that `chunks`, all of it, were cut from, as far as they hold it.

    Its text is at least as long as the last chunk's end; nothing is known of what stood after.
    """
    ordered = sorted(chunks, key=lambda chunk: (chunk.start, chunk.end))
    parts: list[str] = []
    length = 0
    for chunk in ordered:
        gap = chunk.start - length
        if gap > 0:
            parts.append(" " if gap == 1 else "\n" * gap)
            length = chunk.start
        if chunk.end > length:
            parts.append(chunk.text[length - chunk.start :])
            length = chunk.end
    text = "".join(parts)
    first = ordered[0]
    metadata = {key: value for key, value in first.metadata.items() if key not in _OF_CHUNKS}
    if "headings" not in metadata and not outline(text).headings:
        headings = _headings(text, [chunk.metadata.get("heading", "") for chunk in ordered])
        metadata |= {"headings": headings} if headings else {}
    return Document(first.document_id, text, metadata)


def _headings(text: str, paths: Iterable[str]) -> list[list[Any]]:
    """``[start, level, title]`` of the lines of `text` that are titles in the `paths` of its chunks.

    An index does not keep where headings stand, but each chunk knows those that it stands under.
    """
    levels: dict[str, int] = {}
    for path in dict.fromkeys(paths):
        for level, title in enumerate(path.split(_BETWEEN_TITLES) if path else (), 1):
            levels.setdefault(title, level)
    found: list[list[Any]] = []
    at = 0
    for line in text.splitlines(keepends=True) if levels else ():
        title = line.strip()
        if title in levels:
            found.append([at + line.index(title), levels[title], title])
        at += len(line)
    return found


def _of_index(path: Path) -> list[Document]:
    from ragembed.pipeline import Pipeline

    parts: dict[str, list[Chunk]] = {}
    with Pipeline.open(path) as pipeline:
        for chunk in pipeline.chunks():
            kept = parts.setdefault(chunk.document_id, [])
            if kept:  # every chunk brings its document's metadata, which once is enough
                own = {key: chunk.metadata[key] for key in _OF_CHUNKS & chunk.metadata.keys()}
                chunk = replace(chunk, metadata=own)
            kept.append(chunk)
    return [joined(chunks) for chunks in parts.values()]


def _of_collection(path: Path) -> list[Document]:
    from ragembed.datasets.beir import Beir

    found: dict[str, Document] = {}
    for place, document in Beir().documents(path):
        if document.id in found:
            raise DatasetError(f"{place}: document id {document.id!r} again", "give each its own id")
        found[document.id] = document
    return list(found.values())


def _of_files(path: Path) -> tuple[list[Document], tuple[Failure, ...]]:
    from ragembed.read import read_files

    found: dict[str, Document] = {}
    failed: list[Failure] = []
    for item in read_files([path]):
        if isinstance(item, Failure):
            failed.append(item)
        elif item.id in found:
            failed.append(
                Failure(item.id, "another document has this id, and goes before; give each its own")
            )
        else:
            found[item.id] = item
    return list(found.values()), tuple(failed)


def _stripped(document: Document) -> Document:
    """`document` without white space at both ends, which no collection keeps."""
    text = document.text.strip()
    if text == document.text:
        return document
    before = len(document.text) - len(document.text.lstrip())
    metadata = moved(document.metadata, [(0, before)] if before else [])
    return Document(document.id, text, metadata)
