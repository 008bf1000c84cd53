"""What a user means by an expected document: a document's id, a chunk's, or the path of a file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ragembed.errors import QueryError
from ragembed.explain.near import near
from ragembed.explain.reread import holds_document
from ragembed.index.catalog import Catalog
from ragembed.index.content import is_storable
from ragembed.index.records import FileRecord
from ragembed.read.names import printable, suffix

_CHUNK = re.compile(r"(.+)::\d+", re.DOTALL)
_ROWS = frozenset(("jsonl", "ndjson", "json", "csv", "tsv"))
"""Files whose documents have ids of their own."""
_MOST_BYTES = 200_000_000
"""Of such files that are read again to look for a document that the index lacks."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is expected."""

    asked: str
    kind: Literal["document", "chunk", "file"]
    documents: tuple[str, ...]
    """Those that the index has."""
    rows: tuple[int, ...]
    """Their chunks', or the one chunk's, in order of documents and places."""
    path: str | None
    """The file, as the catalog writes it, that it was read from, or would be."""
    record: FileRecord | None
    """What the index notes of that file."""
    only: str | None = None
    """Of a file that holds several documents, the one that is meant."""


def locate(asked: str, catalog: Catalog, files: Mapping[str, FileRecord]) -> Target:
    """Find what is meant; `QueryError` with the ids that are most like it where there is nothing.

    `files` are those that the index has read.
    """
    if not asked.strip():
        raise QueryError("the expected document is empty", "give its id, a chunk's id or the path of a file")
    found = _indexed(asked, catalog, files)
    if found is None and "\0" not in asked:
        found = _recorded(asked, catalog, files) or _on_disk(asked, files) or _in_rows(asked, files)
    if found is not None:
        return found
    part = _CHUNK.fullmatch(asked)
    if part and "\0" not in asked:
        document = _recorded(part[1], catalog, files)
        if document is not None and not document.documents:
            return document
    alike = near(asked, _ids(catalog))
    names = ", ".join(map(repr, alike))
    raise QueryError(
        f"{asked!r} is no document, chunk or file that this index or the disk has"
        " (of a document that came from no file nothing is left once it is deleted)",
        f"did you mean {names}?"
        if alike
        else "give an id as `ragembed query` shows it, or the path of a file",
    )


def roots(files: Mapping[str, FileRecord]) -> dict[str, str]:
    """The folders and files that were named to the index, as far as its records tell, each with what lies above it."""
    found = {}
    for path, record in files.items():
        above = path[: -len(record.id) - 1]
        if record.id and path == f"{above}/{record.id}":
            found[f"{above}/{record.id.partition('/')[0]}"] = above
    return found


def _indexed(asked: str, catalog: Catalog, files: Mapping[str, FileRecord]) -> Target | None:
    if not is_storable(asked):
        return None
    stored = catalog.document_hashes([asked])
    if stored:
        file = stored[asked][1]
        return Target(
            asked, "document", (asked,), _rows(catalog, "d.id = ?", asked), file, files.get(file or ""), asked
        )
    rows = _rows(catalog, "c.id = ?", asked)
    if not rows:
        return None
    document = catalog.places(rows)[rows[0]][0]
    file = catalog.document_hashes([document])[document][1]
    return Target(asked, "chunk", (document,), rows, file, files.get(file or ""), document)


def _recorded(asked: str, catalog: Catalog, files: Mapping[str, FileRecord]) -> Target | None:
    """A file that the index has read, by its path or by its id."""
    paths = [printable(os.path.abspath(asked)), printable(os.path.realpath(asked))]  # noqa: PTH100 - keeps ".."
    paths += [record.path for record in files.values() if record.id == asked]
    for path in paths:
        documents = tuple(catalog.documents_of_file(path)) if is_storable(path) else ()
        if documents or path in files:
            rows = _rows(catalog, "d.file = ?", path)
            return Target(asked, "file", documents, rows, path, files.get(path))
    return None


def _on_disk(asked: str, files: Mapping[str, FileRecord]) -> Target | None:
    """A file that the index has not read, by its path or by the id that it would have."""
    places = [Path(os.path.abspath(asked))]  # noqa: PTH100 - as the walk makes them
    places += [Path(above, asked) for above in sorted(set(roots(files).values()))]
    for place in places:
        try:
            if place.is_dir():
                raise QueryError(f"{asked!r} is a folder", "name one file of it")
            if place.exists():
                return Target(asked, "file", (), (), printable(str(place)), None)
        except OSError:  # a name too long to be one
            continue
    return None


def _in_rows(asked: str, files: Mapping[str, FileRecord]) -> Target | None:
    """A document that a file of rows holds, though the index does not."""
    left = _MOST_BYTES
    for record in files.values():
        if suffix(record.id) not in _ROWS or left < max(record.size, 0):
            continue
        left -= max(record.size, 0)
        if holds_document(record, asked):
            return Target(asked, "document", (), (), record.path, record, asked)
    return None


def _rows(catalog: Catalog, clause: str, value: str) -> tuple[int, ...]:
    query = (
        "SELECT c.row FROM chunks c JOIN documents d ON d.row = c.document"
        f" WHERE {clause} ORDER BY d.row, c.start, c.row"
    )
    return tuple(row for (row,) in catalog.db.execute(query, (value,)))


def _ids(catalog: Catalog) -> Iterator[str]:
    return (identifier for (identifier,) in catalog.db.execute("SELECT id FROM documents"))
