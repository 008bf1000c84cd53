"""An export as JSON Lines and ``.npy``: all that an index is made of, for any program and for `import`."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ragembed.errors import CorruptError
from ragembed.exchange.content import ChunkRow, Content, decoded
from ragembed.exchange.manifest import CHUNKS, DOCUMENTS, FILES, VECTORS, FileNote
from ragembed.exchange.vectors import VectorWriter
from ragembed.index.files import HashedFile

_CHUNKS_AT_ONCE = 1000
"""Of which the vectors are held."""


def write(content: Content, folder: Path, tick: Callable[[int], None]) -> dict[str, FileNote]:
    """Write the export's files into `folder`; `tick` is told how many chunks are done."""
    notes: dict[str, FileNote] = {}
    with _file(folder, FILES, notes) as file:
        _write_lines(file, (asdict(record) for record in content.files()))
    with _file(folder, DOCUMENTS, notes) as file:
        _write_lines(file, (document._asdict() for document in content.documents()))
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(_file(folder, CHUNKS, notes))
        columns = [
            (
                column,
                VectorWriter(
                    stack.enter_context(_file(folder, VECTORS.format(column.number), notes)),
                    content.counts["chunks"],
                    column.dimension,
                ),
            )
            for column in content.columns
        ]
        total = content.counts["chunks"]
        rows: list[int] = []
        for done, chunk in enumerate(content.chunks(), 1):
            _write_lines(file, [_values(chunk)])
            rows.append(chunk.row)
            if len(rows) == _CHUNKS_AT_ONCE or done == total:
                for column, writer in columns:
                    writer.write(column.take(rows))
                rows.clear()
                tick(done)
    for name, source in content.learnt.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with _file(folder, name, notes) as file:
            shutil.copyfileobj(source, file, 1 << 20)
    return notes


def _values(chunk: ChunkRow) -> dict[str, Any]:
    return {
        "id": chunk.id,
        "document_id": chunk.document_id,
        "start": chunk.start,
        "end": chunk.end,
        "text": chunk.text,
        "metadata": decoded(chunk.metadata, chunk.id),
    }


def _write_lines(file: HashedFile, objects: Iterable[dict[str, Any]]) -> None:
    for values in objects:
        try:
            file.write(json.dumps(values, ensure_ascii=False).encode() + b"\n")
        except (TypeError, UnicodeEncodeError) as error:
            raise CorruptError(
                f"the catalog holds something that is no text in {values.get('id')!r} ({error})",
                "run: ragembed verify INDEX",
            ) from error


@contextlib.contextmanager
def _file(folder: Path, name: str, notes: dict[str, FileNote]) -> Iterator[HashedFile]:
    """A file to write from start to end, noted once it is."""
    with (folder / name).open("wb") as raw:
        file = HashedFile(raw)
        yield file
    notes[name] = FileNote(file.size, file.sha256)
