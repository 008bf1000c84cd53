"""An export as Parquet: one row a chunk with its text, metadata and vectors, for pandas, DuckDB and their like."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ragembed.exchange.content import ChunkRow, Content, decoded
from ragembed.exchange.manifest import FileNote
from ragembed.extras import require

VECTORS = "vector_{}"
"""Column of the vectors, with the number of the embedder."""
_ROWS = 20_000
"""Most rows of a row group."""
_CHARACTERS = 1 << 23
"""Most characters of the texts of a row group."""
_NUMBERS = 1 << 22
"""Most numbers of the vectors of a row group: 16 MB."""


def write(content: Content, folder: Path, tick: Callable[[int], None]) -> dict[str, FileNote]:
    """Write the export's files into `folder`; `tick` is told how many chunks are done."""
    pa = _arrow()
    documents = pa.schema(
        [("id", pa.string()), ("file", pa.string()), ("hash", pa.string()), ("metadata", pa.string())]
    )
    groups = _grouped(content.documents(), _ROWS, lambda document: len(document.id))
    _write(
        folder / "documents.parquet",
        documents,
        (
            {
                "id": [document.id for document in group],
                "file": [document.file for document in group],
                "hash": [document.hash for document in group],
                "metadata": [json.dumps(document.metadata, ensure_ascii=False) for document in group],
            }
            for group in groups
        ),
    )
    _write(folder / "chunks.parquet", _chunk_schema(content), _chunk_groups(content, tick))
    return {name: _note(folder / name) for name in ("documents.parquet", "chunks.parquet")}


def _arrow() -> Any:
    require("pyarrow.parquet", "parquet", "exporting Parquet")
    return require("pyarrow", "parquet", "exporting Parquet")


def _chunk_schema(content: Content) -> Any:
    pa = _arrow()
    columns = [
        ("id", pa.string()),
        ("document_id", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("text", pa.string()),
        ("metadata", pa.string()),
        *(
            (VECTORS.format(column.number), pa.list_(pa.float32(), column.dimension))
            for column in content.columns
        ),
    ]
    return pa.schema(columns)


def _chunk_groups(content: Content, tick: Callable[[int], None]) -> Iterator[dict[str, Any]]:
    pa = _arrow()
    width = sum(column.dimension for column in content.columns)
    most = max(1, min(_ROWS, _NUMBERS // max(1, width)))
    done = 0
    for group in _grouped(content.chunks(), most, lambda chunk: len(chunk.text)):
        values: dict[str, Any] = {
            "id": [chunk.id for chunk in group],
            "document_id": [chunk.document_id for chunk in group],
            "start": [chunk.start for chunk in group],
            "end": [chunk.end for chunk in group],
            "text": [chunk.text for chunk in group],
            "metadata": _metadata(group),
        }
        rows = [chunk.row for chunk in group]
        for column in content.columns:
            flat = pa.array(column.take(rows).ravel())
            values[VECTORS.format(column.number)] = pa.FixedSizeListArray.from_arrays(flat, column.dimension)
        yield values
        done += len(group)
        tick(done)


def _metadata(group: Sequence[ChunkRow]) -> list[str]:
    """Of each chunk the metadata as a hit has them: the document's beneath the chunk's own."""
    found = []
    document, outer = None, {}
    for chunk in group:
        if chunk.document_id != document:
            document, outer = chunk.document_id, decoded(chunk.document_metadata, chunk.document_id)
        merged = {**outer, **decoded(chunk.metadata, chunk.id)}
        found.append(json.dumps(merged, ensure_ascii=False))
    return found


def _write(path: Path, schema: Any, groups: Iterable[Mapping[str, Any]]) -> None:
    pa = _arrow()
    parquet = require("pyarrow.parquet", "parquet", "exporting Parquet")
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for values in groups:
            writer.write_table(pa.table(dict(values), schema=schema))


def _grouped(rows: Iterator[Any], most: int, size: Callable[[Any], int]) -> Iterator[list[Any]]:
    group: list[Any] = []
    characters = 0
    for row in rows:
        group.append(row)
        characters += size(row)
        if len(group) == most or characters > _CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group


def _note(path: Path) -> FileNote:
    with path.open("rb") as file:
        return FileNote(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
